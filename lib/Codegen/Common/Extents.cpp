//===- Extents.cpp - Extents that follow from arguments -------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/Extents.h"
#include "memrev/Codegen/Common/AttributeNames.h"
#include "memrev/Codegen/Common/Polynomial.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::memrev;

Extents::Extents(func::FuncOp func) : func(func), context(func.getContext()) {
  auto addSymbol = [&](BlockArgument argument, std::optional<int64_t> axis) {
    AffineExpr symbol = getAffineSymbolExpr(symbols.size(), context);
    symbols.push_back({argument, axis});
    return symbol;
  };
  for (BlockArgument argument : func.getArguments()) {
    unsigned index = argument.getArgNumber();
    auto role = func.getArgAttrOfType<StringAttr>(index, kRoleAttr);
    if (argument.getType().isIndex() && role && role.getValue() == kExtentRole)
      numbers[argument] = addSymbol(argument, std::nullopt);
    auto type = dyn_cast<MemRefType>(argument.getType());
    if (!type)
      continue;
    // Of what holds a result these are known.
    auto known = func.getArgAttrOfType<AffineMapAttr>(index, kExtentsAttr);
    unsigned numOpen = 0;
    for (int64_t axis = 0; axis < type.getRank(); ++axis) {
      if (!type.isDynamicDim(axis))
        continue;
      extents[{argument, axis}] = known ? known.getValue().getResult(numOpen++)
                                        : addSymbol(argument, axis);
    }
  }
}

AffineExpr Extents::getSize(OpFoldResult size) {
  if (auto value = dyn_cast<Value>(size))
    return getNumber(value);
  return getAffineConstantExpr(
      cast<IntegerAttr>(cast<Attribute>(size)).getInt(), context);
}

/// Returns `expression` if nothing in it can be negative.
static bool isNotNegative(AffineExpr expression) {
  auto polynomial = expression ? Polynomial::get(expression) : std::nullopt;
  return polynomial && polynomial->isAtLeast(0);
}

AffineExpr Extents::getNumber(Value number) {
  auto found = numbers.find(number);
  if (found != numbers.end())
    return found->second;
  AffineExpr expression = findNumber(number);
  return numbers[number] = expression;
}

AffineExpr Extents::findNumber(Value number) {
  IntegerAttr constant;
  if (matchPattern(number, m_Constant(&constant))) {
    if (constant.getValue().getSignificantBits() > 64)
      return {};
    return getAffineConstantExpr(constant.getValue().getSExtValue(), context);
  }
  Operation *op = number.getDefiningOp();
  if (!op)
    return {};
  auto combine = [&](auto function, bool needsNatural = false) -> AffineExpr {
    AffineExpr left = getNumber(op->getOperand(0));
    AffineExpr right = getNumber(op->getOperand(1));
    // Only positive divisors, and what the signs mean is not asked for.
    auto divisor = dyn_cast_or_null<AffineConstantExpr>(right);
    if (!left || !right ||
        (needsNatural &&
         (!divisor || divisor.getValue() <= 0 || !isNotNegative(left))))
      return {};
    return function(left, right);
  };
  using E = AffineExpr;
  // In steps that do not wrap around.
  auto apply = [&](AffineExpr formula) {
    return combine([&](E a, E b) { return substitute(formula, {a, b}); });
  };
  AffineExpr a = getAffineSymbolExpr(0, context);
  AffineExpr b = getAffineSymbolExpr(1, context);
  return llvm::TypeSwitch<Operation *, AffineExpr>(op)
      .Case([&](memref::DimOp dim) -> AffineExpr {
        std::optional<int64_t> axis = dim.getConstantIndex();
        return axis ? getExtent(dim.getSource(), *axis) : AffineExpr();
      })
      .Case([&](affine::AffineApplyOp apply) -> AffineExpr {
        AffineMap map = apply.getAffineMap();
        SmallVector<AffineExpr> operands;
        for (Value operand : apply.getMapOperands()) {
          operands.push_back(getNumber(operand));
          if (!operands.back())
            return {};
        }
        // Symbols of the operands in their order, then what these are.
        SmallVector<AffineExpr> places;
        for (unsigned i = 0; i < map.getNumInputs(); ++i)
          places.push_back(getAffineSymbolExpr(i, context));
        ArrayRef<AffineExpr> all(places);
        return substitute(map.getResult(0).replaceDimsAndSymbols(
                              all.take_front(map.getNumDims()),
                              all.drop_front(map.getNumDims())),
                          operands);
      })
      .Case([&](arith::IndexCastOp cast) -> AffineExpr {
        // Fewer bits may not hold it.
        auto holds = [](Type type) {
          return type.isIndex() || type.getIntOrFloatBitWidth() >= 64;
        };
        if (!holds(cast.getIn().getType()) || !holds(cast.getType()))
          return {};
        return getNumber(cast.getIn());
      })
      .Case([&](arith::AddIOp) { return apply(a + b); })
      .Case([&](arith::SubIOp) { return apply(a - b); })
      .Case([&](arith::MulIOp) { return apply(a * b); })
      .Case<arith::DivSIOp, arith::DivUIOp, arith::FloorDivSIOp>([&](auto) {
        return combine([](E a, E b) { return a.floorDiv(b); }, true);
      })
      .Case<arith::CeilDivSIOp, arith::CeilDivUIOp>([&](auto) {
        return combine([](E a, E b) { return a.ceilDiv(b); }, true);
      })
      .Case<arith::RemSIOp, arith::RemUIOp>(
          [&](auto) { return combine([](E a, E b) { return a % b; }, true); })
      .Default([](Operation *) { return AffineExpr(); });
}

AffineExpr Extents::getExtent(Value buffer, int64_t axis) {
  auto type = dyn_cast<ShapedType>(buffer.getType());
  if (!type || !type.hasRank() || axis < 0 || axis >= type.getRank())
    return {};
  if (!type.isDynamicDim(axis))
    return getAffineConstantExpr(type.getDimSize(axis), context);
  auto found = extents.find({buffer, axis});
  if (found != extents.end())
    return found->second;
  AffineExpr expression = findExtent(buffer, axis);
  return extents[{buffer, axis}] = expression;
}

AffineExpr Extents::findExtent(Value buffer, int64_t axis) {
  auto both = [&](Value a, Value b) -> AffineExpr {
    AffineExpr extent = getExtent(a, axis);
    return extent == getExtent(b, axis) ? extent : AffineExpr();
  };
  // What a loop carries has the extent that it starts with, if it has it at the
  // end of an iteration that starts with it.
  auto carried = [&](scf::ForOp loop, unsigned index) -> AffineExpr {
    AffineExpr extent = getExtent(loop.getInitArgs()[index], axis);
    extents[{loop.getRegionIterArg(index), axis}] = extent;
    if (extent && getExtent(loop.getYieldedValues()[index], axis) == extent)
      return extent;
    extents[{loop.getRegionIterArg(index), axis}] = AffineExpr();
    return {};
  };
  if (auto argument = dyn_cast<BlockArgument>(buffer)) {
    auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp());
    if (!loop || argument == loop.getInductionVar())
      return {};
    return carried(loop, argument.getArgNumber() - 1);
  }
  unsigned result = cast<OpResult>(buffer).getResultNumber();
  return llvm::TypeSwitch<Operation *, AffineExpr>(buffer.getDefiningOp())
      .Case<memref::AllocOp, memref::AllocaOp>(
          [&](auto alloc) { return getSize(alloc.getMixedSizes()[axis]); })
      .Case([&](memref::ViewOp view) {
        auto type = cast<MemRefType>(buffer.getType());
        return getNumber(view.getSizes()[type.getDynamicDimIndex(axis)]);
      })
      .Case([&](memref::ReinterpretCastOp cast) {
        return getSize(cast.getMixedSizes()[axis]);
      })
      .Case([&](memref::SubViewOp subview) {
        SmallVector<OpFoldResult> sizes;
        llvm::SmallBitVector dropped = subview.getDroppedDims();
        for (auto [i, size] : llvm::enumerate(subview.getMixedSizes())) {
          if (!dropped.test(i))
            sizes.push_back(size);
        }
        return getSize(sizes[axis]);
      })
      .Case([&](memref::ExpandShapeOp expand) {
        return getSize(expand.getMixedOutputShape()[axis]);
      })
      .Case([&](memref::CollapseShapeOp collapse) -> AffineExpr {
        AffineExpr product = getAffineConstantExpr(1, context);
        ReassociationIndices group = collapse.getReassociationIndices()[axis];
        for (int64_t from : group) {
          AffineExpr factor = getExtent(collapse.getSrc(), from);
          AffineExpr formula =
              getAffineSymbolExpr(0, context) * getAffineSymbolExpr(1, context);
          product = factor ? substitute(formula, {product, factor}) : factor;
          if (!product)
            return {};
        }
        return product;
      })
      .Case([&](memref::CastOp cast) {
        return getExtent(cast.getSource(), axis);
      })
      .Case([&](memref::TransposeOp transpose) {
        return getExtent(transpose.getIn(),
                         transpose.getPermutation().getDimPosition(axis));
      })
      .Case([&](arith::SelectOp select) {
        return both(select.getTrueValue(), select.getFalseValue());
      })
      .Case([&](scf::IfOp branch) {
        return both(branch.thenYield().getOperand(result),
                    branch.elseYield().getOperand(result));
      })
      .Case([&](scf::ForOp loop) { return carried(loop, result); })
      .Default([](Operation *) { return AffineExpr(); });
}

SmallVector<std::pair<AffineExpr, AffineExpr>> Extents::getConditions() {
  SmallVector<std::pair<AffineExpr, AffineExpr>> conditions;
  auto require = [&](AffineExpr a, AffineExpr b) {
    if (!a || !b || a == b)
      return;
    std::pair condition(a, b);
    auto p = Polynomial::get(a), q = Polynomial::get(b);
    bool isKnown =
        (p && q && *p == *q) || llvm::is_contained(conditions, condition);
    if (!isKnown)
      conditions.push_back(condition);
  };
  auto requireSame = [&](Value a, Value b) {
    int64_t rank = cast<ShapedType>(a.getType()).getRank();
    for (int64_t axis = 0; axis < rank; ++axis)
      require(getExtent(a, axis), getExtent(b, axis));
  };
  func.walk([&](Operation *op) {
    if (auto copy = dyn_cast<memref::CopyOp>(op)) {
      if (isa<MemRefType>(copy.getSource().getType()) &&
          isa<MemRefType>(copy.getTarget().getType()))
        requireSame(copy.getSource(), copy.getTarget());
      return;
    }
    if (auto cast = dyn_cast<memref::CastOp>(op)) {
      if (isa<MemRefType>(cast.getSource().getType()) &&
          isa<MemRefType>(cast.getType()))
        requireSame(cast.getSource(), cast.getDest());
      return;
    }
    auto structured = dyn_cast<linalg::LinalgOp>(op);
    if (!structured)
      return;
    SmallVector<AffineExpr> loops(structured.getNumLoops());
    for (OpOperand &operand : op->getOpOperands()) {
      if (!isa<MemRefType>(operand.get().getType()))
        continue;
      AffineMap map = structured.getMatchingIndexingMap(&operand);
      for (auto [axis, result] : llvm::enumerate(map.getResults())) {
        auto loop = dyn_cast<AffineDimExpr>(result);
        if (!loop)
          continue;
        AffineExpr extent = getExtent(operand.get(), axis);
        AffineExpr &known = loops[loop.getPosition()];
        require(known, extent);
        if (!known)
          known = extent;
      }
    }
  });
  return conditions;
}

SmallVector<Value> Extents::createSymbols(OpBuilder &builder,
                                          Location loc) const {
  SmallVector<Value> values;
  for (const Symbol &symbol : symbols) {
    if (symbol.axis)
      values.push_back(
          memref::DimOp::create(builder, loc, symbol.argument, *symbol.axis));
    else
      values.push_back(symbol.argument);
  }
  return values;
}

void mlir::memrev::appendOpenExtents(OpBuilder &builder, Location loc,
                                     Value buffer,
                                     SmallVectorImpl<Value> &extents) {
  auto type = dyn_cast<MemRefType>(buffer.getType());
  if (!type)
    return;
  for (int64_t axis = 0; axis < type.getRank(); ++axis) {
    if (type.isDynamicDim(axis))
      extents.push_back(memref::DimOp::create(builder, loc, buffer, axis));
  }
}

Value mlir::memrev::createNumber(OpBuilder &builder, Location loc,
                                 AffineExpr expression, ValueRange symbols) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expression))
    return arith::ConstantIndexOp::create(builder, loc, constant.getValue());
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expression))
    return symbols[symbol.getPosition()];
  return affine::AffineApplyOp::create(
      builder, loc, AffineMap::get(0, symbols.size(), expression), symbols);
}
