//===- ConstantsToFills.cpp - Splat constants become fills ----------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/DataLayoutInterfaces.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CODEGENCONSTANTSTOFILLS
#include "memrev/Codegen/Common/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;

namespace {
class CodegenConstantsToFillsPass
    : public memrev::impl::CodegenConstantsToFillsBase<
          CodegenConstantsToFillsPass> {
public:
  using CodegenConstantsToFillsBase::CodegenConstantsToFillsBase;

  void runOnOperation() override {
    DataLayout layout = DataLayout::closest(getOperation());
    getOperation()->walk([&](arith::ConstantOp constant) {
      auto type = dyn_cast<RankedTensorType>(constant.getType());
      auto elements = dyn_cast<ElementsAttr>(constant.getValue());
      if (!type || !elements || !type.getElementType().isIntOrIndexOrFloat())
        return;
      int64_t bytes = type.getNumElements() *
                      int64_t(layout.getTypeSize(type.getElementType()));
      if (!elements.isSplat()) {
        if (bytes > reportBytes)
          constant.emitRemark("a constant of ")
              << bytes << " bytes stays in the program's image";
        return;
      }
      if (bytes <= maxBytes)
        return;
      OpBuilder builder(constant);
      Location loc = constant.getLoc();
      auto scalar = arith::ConstantOp::create(
          builder, loc, cast<TypedAttr>(elements.getSplatValue<Attribute>()));
      Value empty = tensor::EmptyOp::create(builder, loc, type.getShape(),
                                            type.getElementType());
      auto fill =
          linalg::FillOp::create(builder, loc, scalar.getResult(), empty);
      constant.replaceAllUsesWith(fill.getResult(0));
      constant.erase();
    });
  }
};
} // namespace
