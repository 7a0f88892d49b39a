//===- Linear.cpp - Where the elements of a kernel's accesses lie ---------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelBuilder.h"
#include "KernelStrategy.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::simt;

//===----------------------------------------------------------------------===//
// Linear functions
//===----------------------------------------------------------------------===//

static void accumulate(AffineExpr expr, int64_t factor, Linear &linear) {
  switch (expr.getKind()) {
  case AffineExprKind::Constant:
    linear.constant += factor * cast<AffineConstantExpr>(expr).getValue();
    return;
  case AffineExprKind::DimId:
    linear.dims[cast<AffineDimExpr>(expr).getPosition()] += factor;
    return;
  case AffineExprKind::SymbolId:
    linear.symbols[cast<AffineSymbolExpr>(expr).getPosition()] += factor;
    return;
  case AffineExprKind::Add: {
    auto sum = cast<AffineBinaryOpExpr>(expr);
    accumulate(sum.getLHS(), factor, linear);
    accumulate(sum.getRHS(), factor, linear);
    return;
  }
  default: {
    auto product = cast<AffineBinaryOpExpr>(expr);
    auto constant = cast<AffineConstantExpr>(product.getRHS());
    accumulate(product.getLHS(), factor * constant.getValue(), linear);
  }
  }
}

Linear Linear::get(AffineExpr expr, unsigned numDims, unsigned numSymbols) {
  Linear linear;
  linear.dims.assign(numDims, 0);
  linear.symbols.assign(numSymbols, 0);
  accumulate(expr, 1, linear);
  return linear;
}

SmallVector<int64_t> simt::getStrides(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> strides(shape.size(), 1);
  for (int64_t i = int64_t(shape.size()) - 2; i >= 0; --i)
    strides[i] = strides[i + 1] * shape[i + 1];
  return strides;
}

Linear Linear::getOffset(const Access &access, unsigned numDims) {
  Linear linear;
  linear.dims.assign(numDims, 0);
  linear.symbols.assign(access.symbols.size(), 0);
  for (auto [expr, stride] :
       llvm::zip_equal(access.indices, getStrides(access.shape)))
    accumulate(expr, stride, linear);
  return linear;
}

bool simt::isVector(const Access &access, unsigned dim, int64_t lanes,
                    const Problem &problem) {
  if (lanes == 1)
    return true;
  return !access.isScalar() && problem.extents[dim] % lanes == 0 &&
         llvm::none_of(access.bounds,
                       [&](const Bound &bound) {
                         return bound.expr.isFunctionOfDim(dim);
                       }) &&
         getVectorWidth(access, problem, dim, lanes) == lanes;
}

/// Whether threads would read what others have overwritten: something is read
/// from the buffer of `output` elsewhere than where its thread writes.
static bool readsOverwritten(const Problem &problem, const Output &output) {
  const Access &dest = output.dest;
  bool found = problem.isContraction && (problem.lhs.source == dest.source ||
                                         problem.rhs.source == dest.source);
  // Other threads than the one that writes read what a reduction reads. An
  // epilogue of a contraction is read by the latter.
  bool isReduction =
      !problem.isContraction && llvm::is_contained(problem.isReduction, true);
  for (const std::optional<Access> &input : problem.inputs)
    found |= input && input->source == dest.source &&
             (isReduction || input->indices != dest.indices ||
              input->symbols != dest.symbols || !input->bounds.empty());
  if (problem.body)
    problem.body->walk([&](tensor::ExtractOp extract) {
      found |= extract.getTensor() == dest.source;
    });
  return found;
}

bool simt::canEmit(const Problem &problem, func::FuncOp kernel,
                   std::string &reason) {
  bool ok = true, areWhole = true, areNative = true;
  auto isOfEntry = [&](Value value) {
    auto argument = dyn_cast<BlockArgument>(value);
    return argument && argument.getOwner() == &kernel.front();
  };
  problem.forEachAccess([&](const Access &access) {
    ok &= access.isScalar() || isOfEntry(access.source);
    int64_t bytes = getByteSize(access.elementType);
    areWhole &= bytes <= 8 && llvm::isPowerOf2_64(bytes);
    areNative &= !isa<FloatType>(access.elementType) ||
                 LLVM::isCompatibleType(access.elementType);
  });
  if (!areWhole) {
    reason = "its elements do not have 1, 2, 4 or 8 bytes";
    return false;
  }
  if (!areNative) {
    reason = "its elements are floats of a type that LLVM does not have";
    return false;
  }
  if (!ok) {
    reason = "it reads a tensor that it computes";
    return false;
  }
  if (llvm::any_of(problem.outputs, [&](const Output &output) {
        return readsOverwritten(problem, output);
      })) {
    reason = "it reads elements that it overwrites elsewhere";
    return false;
  }
  if (!problem.body)
    return true;
  WalkResult result = problem.body->walk([&](Operation *op) {
    for (Value operand : op->getOperands())
      if (isa<TensorType>(operand.getType()) &&
          !(isa<tensor::ExtractOp>(op) && isOfEntry(operand)))
        return WalkResult::interrupt();
    return WalkResult::advance();
  });
  if (result.wasInterrupted())
    reason = "its body reads a tensor that it computes";
  return !result.wasInterrupted();
}

int64_t simt::getByteSize(Type type) {
  if (type.isIndex())
    return 8;
  return llvm::divideCeil(type.getIntOrFloatBitWidth(), 8);
}
