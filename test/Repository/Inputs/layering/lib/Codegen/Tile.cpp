#include "memrev/Codegen/Passes.h"
#include "mlir/IR/Builders.h"
#include "memrev/Interfaces/Differentiable.h"
