#include "memrev/Runtime/Arena.h"
#include "llvm/ADT/SmallVector.h"
