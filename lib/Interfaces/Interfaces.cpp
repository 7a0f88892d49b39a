//===- Interfaces.cpp - Definitions of memrev's interfaces ----------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Interfaces/BijectionAttrInterface.h"
#include "memrev/Interfaces/DecomposableOpInterface.h"
#include "memrev/Interfaces/DifferentiableOpInterface.h"
#include "memrev/Interfaces/ForwardDifferentiableOpInterface.h"
#include "memrev/Interfaces/InvertibleOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include "memrev/Interfaces/BijectionAttrInterface.cpp.inc"
#include "memrev/Interfaces/DecomposableOpInterface.cpp.inc"
#include "memrev/Interfaces/DifferentiableOpInterface.cpp.inc"
#include "memrev/Interfaces/ForwardDifferentiableOpInterface.cpp.inc"
#include "memrev/Interfaces/InvertibleOpInterface.cpp.inc"

using namespace mlir;
using namespace mlir::memrev;

Value memrev::createAlias(OpBuilder &builder, Location loc, Value value) {
  if (isa<RankedTensorType>(value.getType()))
    return tensor::CastOp::create(builder, loc, value.getType(), value);
  Value yes = arith::ConstantOp::create(builder, loc, builder.getBoolAttr(true));
  return arith::SelectOp::create(builder, loc, yes, value, value);
}

bool memrev::isView(Value value) {
  auto rule = value.getDefiningOp<DifferentiableOpInterface>();
  return rule && rule.isCheapToRecompute();
}
