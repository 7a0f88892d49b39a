//===- LibraryOperand.cpp - Tensors that libraries are called with --------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LibraryOperand.h"
#include "mlir/IR/Matchers.h"
#include <numeric>

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::simt;

SmallVector<NamedAttribute> LibraryOperand::toAttributes(Builder b) const {
  SmallVector<int64_t> flat;
  for (auto [number, factor] : terms)
    flat.append({number, factor});
  return {b.getNamedAttr("argument", b.getI64IntegerAttr(argument)),
          b.getNamedAttr("offset", b.getI64IntegerAttr(offset)),
          b.getNamedAttr("terms", b.getDenseI64ArrayAttr(flat))};
}

bool LibraryOperand::read(DictionaryAttr attribute) {
  auto number = attribute.getAs<IntegerAttr>("argument");
  auto start = attribute.getAs<IntegerAttr>("offset");
  auto flat = attribute.getAs<DenseI64ArrayAttr>("terms");
  if (!number || !number.getType().isInteger(64) || !start ||
      !start.getType().isInteger(64) || !flat || flat.size() % 2 != 0)
    return false;
  argument = number.getInt();
  offset = start.getInt();
  for (int64_t i = 0; i < flat.size(); i += 2)
    terms.emplace_back(flat[i], flat[i + 1]);
  return true;
}

bool LibraryOperand::fits(func::FuncOp kernel, Type elementType,
                          uint64_t last) const {
  auto isArgument = [&](int64_t number) {
    return number >= 0 && number < int64_t(kernel.getNumArguments());
  };
  if (!isArgument(argument) || offset < 0)
    return false;
  for (auto [number, factor] : terms)
    if (!isArgument(number) || !kernel.getArgumentTypes()[number].isIndex())
      return false;
  auto buffer = dyn_cast<ShapedType>(kernel.getArgumentTypes()[argument]);
  // With terms, where it starts is known at run time only.
  return buffer && buffer.hasStaticShape() &&
         buffer.getElementType() == elementType &&
         llvm::SaturatingAdd(last, uint64_t(offset)) <
             uint64_t(buffer.getNumElements());
}

int64_t LibraryOperand::getAlignment(int64_t total,
                                     int64_t elementBytes) const {
  // Smaller buffers have the alignment that their size divides.
  int64_t alignment =
      std::gcd(total >= kVectorBytes ? kVectorBytes : total, kVectorBytes);
  alignment = std::gcd(alignment, offset * elementBytes);
  for (auto [number, factor] : terms)
    alignment = std::gcd(alignment, factor * elementBytes);
  return alignment;
}

LogicalResult simt::placeOperand(const Access &access, const Linear &offset,
                                 LibraryOperand &operand, std::string &reason) {
  auto source = dyn_cast<BlockArgument>(access.source);
  if (access.isScalar() || !source) {
    reason = "an operand is no tensor in memory";
    return failure();
  }
  operand.argument = source.getArgNumber();
  operand.offset = offset.constant;
  operand.terms.clear();
  for (auto [symbol, factor] :
       llvm::zip_equal(access.symbols, offset.symbols)) {
    auto index = dyn_cast<BlockArgument>(symbol);
    if (!index) {
      reason = "an operand starts where the kernel computes";
      return failure();
    }
    operand.terms.emplace_back(index.getArgNumber(), factor);
  }
  return success();
}

bool simt::onlyRounds(const Problem &problem) {
  if (problem.inputs.size() != 1 || problem.inputs.front() ||
      problem.outputs.size() != 1 ||
      problem.outputs.front().init != InitKind::None)
    return false;
  auto rounded = problem.body->getTerminator()
                     ->getOperand(0)
                     .getDefiningOp<arith::TruncFOp>();
  return rounded && rounded.getIn() == problem.body->getArgument(0) &&
         !rounded.getRoundingmode();
}

LogicalResult simt::checkStart(const Problem &problem, std::string &reason) {
  if (problem.body && !onlyRounds(problem)) {
    reason = "its result is more than a rounded sum";
    return failure();
  }
  InitKind init = problem.accumulatorInit;
  if (init == InitKind::Fill &&
      !matchPattern(problem.accumulatorFill, m_AnyZeroFloat())) {
    reason = "its sums start from a number that is not zero";
    return failure();
  }
  if (init != InitKind::Fill && problem.body) {
    reason = "it rounds the sum with another tensor";
    return failure();
  }
  return success();
}

bool simt::isWorkspace(func::FuncOp kernel, int64_t number, int64_t bytes) {
  if (number < 0 || number >= int64_t(kernel.getNumArguments()) || bytes < 0)
    return false;
  auto space = dyn_cast<ShapedType>(kernel.getArgumentTypes()[number]);
  return space && space.hasStaticShape() &&
         space.getElementType().isInteger(8) &&
         space.getNumElements() >= bytes + kWorkspaceAlignment;
}
