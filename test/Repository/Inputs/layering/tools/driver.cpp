#include "memrev/InitAll.h"
#include "memrev/Transforms/Passes.h"
