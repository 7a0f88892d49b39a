#include "Generator.h"
using namespace mlir;
using namespace mlir::memrev::testing;
ArrayRef<EmitterEntry> mlir::memrev::testing::getControlFlowEmitters() {
  return {};
}
