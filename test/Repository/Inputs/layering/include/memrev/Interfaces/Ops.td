include "mlir/IR/OpBase.td"
include "memrev/Dialect/Rev/IR/RevOps.td"
