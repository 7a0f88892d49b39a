//===- DynamicFrame.cpp - Frames of buffers of open extents ---------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/DynamicFrame.h"
#include "memrev/Codegen/Common/AttributeNames.h"
#include "memrev/Codegen/Common/ByteSize.h"
#include "memrev/Codegen/Common/FramePacking.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/SymbolTable.h"

using namespace mlir;
using namespace mlir::memrev;

//===----------------------------------------------------------------------===//
// Conditions
//===----------------------------------------------------------------------===//

void CallConditions::addNatural(AffineExpr extent) {
  auto polynomial = Polynomial::get(extent);
  bool isKnown = polynomial && polynomial->isAtLeast(0);
  if (!isKnown && !llvm::is_contained(natural, extent))
    natural.push_back(extent);
}

/// Returns `expression` with `symbols` instead of its symbols; null if it has
/// one that is null.
static AffineExpr replace(AffineExpr expression, ArrayRef<AffineExpr> symbols) {
  for (auto [position, symbol] : llvm::enumerate(symbols)) {
    if (!symbol && expression.isFunctionOfSymbol(position))
      return {};
  }
  SmallVector<AffineExpr> known(symbols);
  for (AffineExpr &symbol : known) {
    if (!symbol)
      symbol = getAffineConstantExpr(0, expression.getContext());
  }
  return substitute(expression, known);
}

void CallConditions::addOfCallee(const CallConditions &callee,
                                 ArrayRef<AffineExpr> symbols) {
  for (auto [a, b] : callee.equal) {
    AffineExpr left = replace(a, symbols), right = replace(b, symbols);
    std::pair condition(left, right);
    if (left && right && left != right && !llvm::is_contained(equal, condition))
      equal.push_back(condition);
  }
  for (AffineExpr extent : callee.natural) {
    if (AffineExpr here = replace(extent, symbols))
      addNatural(here);
  }
}

SmallVector<AffineExpr>
mlir::memrev::solveSymbols(const CallConditions &conditions,
                           unsigned numSymbols, MLIRContext *context) {
  SmallVector<AffineExpr> solution;
  for (unsigned i = 0; i < numSymbols; ++i)
    solution.push_back(getAffineSymbolExpr(i, context));
  for (auto [a, b] : conditions.equal) {
    AffineExpr left = substitute(a, solution);
    AffineExpr right = substitute(b, solution);
    if (!left || !right)
      continue;
    // Later symbols become earlier ones.
    auto symbol = dyn_cast<AffineSymbolExpr>(left);
    auto other = dyn_cast<AffineSymbolExpr>(right);
    if (!symbol || (other && other.getPosition() > symbol.getPosition())) {
      std::swap(left, right);
      symbol = other;
    }
    if (!symbol || right.isFunctionOfSymbol(symbol.getPosition()))
      continue;
    SmallVector<AffineExpr> step;
    for (unsigned i = 0; i < numSymbols; ++i)
      step.push_back(
          i == symbol.getPosition() ? right : getAffineSymbolExpr(i, context));
    SmallVector<AffineExpr> next;
    for (AffineExpr known : solution)
      next.push_back(substitute(known, step));
    if (!llvm::is_contained(next, AffineExpr()))
      solution = std::move(next);
  }
  return solution;
}

//===----------------------------------------------------------------------===//
// Offsets
//===----------------------------------------------------------------------===//

/// The bytes of a buffer when every symbol is some number, the same for all.
static int64_t getSampleBytes(const Maximum &bytes, int64_t alignment,
                              MLIRContext *context) {
  constexpr int64_t kSample = 4096, kMost = int64_t(1) << 48;
  unsigned numSymbols = 0;
  AffineMap map = bytes.toMap(0, context);
  for (AffineExpr term : map.getResults())
    term.walk([&](AffineExpr inner) {
      if (auto symbol = dyn_cast<AffineSymbolExpr>(inner))
        numSymbols = std::max(numSymbols, symbol.getPosition() + 1);
    });
  SmallVector<AffineExpr> sample(numSymbols,
                                 getAffineConstantExpr(kSample, context));
  int64_t most = alignment;
  for (AffineExpr term : map.getResults()) {
    auto constant =
        dyn_cast_or_null<AffineConstantExpr>(substitute(term, sample));
    // What does not fit is large.
    most = std::max(most, constant ? constant.getValue() : kMost);
  }
  return llvm::alignTo(std::min(most, kMost), alignment);
}

std::optional<Maximum>
mlir::memrev::placeDynamicBuffers(MutableArrayRef<DynamicBuffer> buffers,
                                  int64_t base, int64_t alignment,
                                  MLIRContext *context) {
  SmallVector<PackedBuffer> samples;
  for (DynamicBuffer &buffer : buffers) {
    Maximum aligned;
    for (const Polynomial &term : buffer.bytes.getTerms()) {
      std::optional<Polynomial> rounded = term.alignTo(alignment, context);
      if (!rounded)
        return std::nullopt;
      aligned.add(std::move(*rounded));
    }
    buffer.bytes = std::move(aligned);
    samples.push_back({getSampleBytes(buffer.bytes, alignment, context),
                       buffer.begin, buffer.end, /*offset=*/0});
  }
  packBuffers(samples, alignment);
  SmallVector<size_t> order(llvm::to_vector(llvm::seq(buffers.size())));
  llvm::sort(order, [&](size_t a, size_t b) {
    return std::pair(samples[a].offset, a) < std::pair(samples[b].offset, b);
  });

  Maximum frame{Polynomial(base)};
  SmallVector<Maximum> tops(buffers.size());
  for (auto [position, index] : llvm::enumerate(order)) {
    DynamicBuffer &buffer = buffers[index];
    buffer.offset = Maximum(Polynomial(base));
    for (size_t below : ArrayRef(order).take_front(position)) {
      bool liveAtOnce = buffers[below].begin <= buffer.end &&
                        buffer.begin <= buffers[below].end;
      if (!liveAtOnce)
        continue;
      for (const Polynomial &top : tops[below].getTerms())
        buffer.offset.add(top);
    }
    for (const Polynomial &offset : buffer.offset.getTerms()) {
      for (const Polynomial &bytes : buffer.bytes.getTerms()) {
        std::optional<Polynomial> top = Polynomial::sum(offset, bytes);
        if (!top)
          return std::nullopt;
        tops[index].add(*top);
        frame.add(std::move(*top));
      }
    }
  }
  return frame;
}

//===----------------------------------------------------------------------===//
// Functions for callers
//===----------------------------------------------------------------------===//

namespace {
/// Makes checks of numbers before they are used. A number of 64 bits cannot
/// tell that it has wrapped around; floats of the same formula are never
/// smaller than it by more than a rounding error.
class Checks {
public:
  Checks(OpBuilder &builder, Location loc, ValueRange symbols)
      : builder(builder), loc(loc), symbols(symbols) {}

  /// Asks that computing `expression` does not leave 64 bits.
  void fits(AffineExpr expression) { require(getMagnitude(expression)); }
  /// Asks that `value` is not negative.
  void isNatural(Value value) {
    Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
    add(arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sge, value,
                              zero));
  }
  Value getResult() const { return result; }

private:
  void add(Value condition) {
    result = result ? arith::AndIOp::create(builder, loc, result, condition)
                    : condition;
  }
  Value constant(double value) {
    return arith::ConstantOp::create(builder, loc,
                                     builder.getF64FloatAttr(value));
  }
  void require(Value magnitude) {
    // Half of what fits, for the rounding.
    add(arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OLT,
                              magnitude, constant(0x1p62)));
  }

  /// The value of `expression` if nothing in it were negative.
  Value getMagnitude(AffineExpr expression) {
    if (auto number = dyn_cast<AffineConstantExpr>(expression))
      return constant(std::abs(static_cast<double>(number.getValue())));
    if (auto symbol = dyn_cast<AffineSymbolExpr>(expression)) {
      Value integer = arith::IndexCastOp::create(
          builder, loc, builder.getI64Type(), symbols[symbol.getPosition()]);
      return arith::SIToFPOp::create(builder, loc, builder.getF64Type(),
                                     integer);
    }
    auto binary = cast<AffineBinaryOpExpr>(expression);
    Value left = getMagnitude(binary.getLHS());
    Value right = getMagnitude(binary.getRHS());
    switch (expression.getKind()) {
    case AffineExprKind::Add:
      return arith::AddFOp::create(builder, loc, left, right);
    case AffineExprKind::Mul:
      return arith::MulFOp::create(builder, loc, left, right);
    default:
      // A quotient or a remainder is not larger than what is divided, which
      // has to be right.
      require(left);
      return left;
    }
  }

  OpBuilder &builder;
  Location loc;
  ValueRange symbols;
  Value result;
};
} // namespace

/// Makes a public function called `name` behind `entry`, or reports that there
/// is one.
static FailureOr<func::FuncOp> addFunction(func::FuncOp entry, StringRef name,
                                           FunctionType type) {
  auto module = entry->getParentOfType<ModuleOp>();
  if (SymbolTable::lookupSymbolIn(module, name))
    return entry.emitError("expects the name '") << name << "' to be free";
  OpBuilder builder(entry->getContext());
  builder.setInsertionPointAfter(entry);
  auto function = func::FuncOp::create(builder, entry.getLoc(), name, type);
  function.addEntryBlock();
  return function;
}

static LogicalResult addArenaBytes(func::FuncOp entry, ArrayRef<Type> types,
                                   AffineMap bytes, ArrayRef<AffineExpr> others,
                                   const CallConditions &conditions) {
  Location loc = entry.getLoc();
  OpBuilder builder(entry->getContext());
  Type index = builder.getIndexType();
  auto function = addFunction(entry, (entry.getName() + "_arena_bytes").str(),
                              builder.getFunctionType(types, index));
  if (failed(function))
    return failure();
  builder.setInsertionPointToStart(&function->front());
  SmallVector<Value> symbols(function->getArguments());
  Checks checks(builder, loc, symbols);
  for (Value symbol : symbols)
    checks.isNatural(symbol);
  for (AffineExpr extent : conditions.natural) {
    checks.fits(extent);
    checks.isNatural(createNumber(builder, loc, extent, symbols));
  }
  for (AffineExpr term : bytes.getResults())
    checks.fits(term);
  for (AffineExpr other : others)
    checks.fits(other);
  Value agree = arith::ConstantIntOp::create(builder, loc, 1, 1);
  for (auto [a, b] : conditions.equal) {
    checks.fits(a);
    checks.fits(b);
    Value equal = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                        createNumber(builder, loc, a, symbols),
                                        createNumber(builder, loc, b, symbols));
    agree = arith::AndIOp::create(builder, loc, agree, equal);
  }
  auto number = [&](int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value);
  };
  Value result = affine::AffineMaxOp::create(builder, loc, bytes, symbols);
  result = arith::SelectOp::create(builder, loc, agree, result, number(-2));
  result = arith::SelectOp::create(builder, loc, checks.getResult(), result,
                                   number(-1));
  func::ReturnOp::create(builder, loc, result);
  return success();
}

LogicalResult
mlir::memrev::addExtentFunctions(func::FuncOp entry, AffineMap bytes,
                                 const CallConditions &conditions) {
  Location loc = entry.getLoc();
  OpBuilder builder(entry->getContext());
  SmallVector<Type> types;
  SmallVector<AffineExpr> ofResults, ofParameters;
  CallConditions all = conditions;
  for (unsigned i = 0; i < entry.getNumArguments(); ++i) {
    auto role = entry.getArgAttrOfType<StringAttr>(i, kRoleAttr);
    if (role && role.getValue() == kExtentRole)
      types.push_back(builder.getIndexType());
    auto map = entry.getArgAttrOfType<AffineMapAttr>(i, kExtentsAttr);
    auto attr = entry.getArgAttrOfType<TypeAttr>(i, kBufferTypeAttr);
    auto type = attr ? dyn_cast<MemRefType>(attr.getValue()) : MemRefType();
    if (!map || !type)
      continue;
    AffineExpr product =
        builder.getAffineConstantExpr(getElementBytes(type.getElementType()));
    for (int64_t extent : type.getShape()) {
      if (!ShapedType::isDynamic(extent))
        product = product * extent;
    }
    for (AffineExpr extent : map.getValue().getResults()) {
      product = product * extent;
      all.addNatural(extent);
      if (role && role.getValue() == kResultRole)
        ofResults.push_back(extent);
    }
    ofParameters.push_back(product);
  }
  if (failed(addArenaBytes(entry, types, bytes, ofParameters, all)))
    return failure();
  if (ofResults.empty())
    return success();
  types.push_back(MemRefType::get({static_cast<int64_t>(ofResults.size())},
                                  builder.getI64Type()));
  auto function =
      addFunction(entry, (entry.getName() + "_result_extents").str(),
                  builder.getFunctionType(types, {}));
  if (failed(function))
    return failure();
  builder.setInsertionPointToStart(&function->front());
  SmallVector<Value> symbols(function->getArguments().drop_back());
  Value target = function->getArguments().back();
  for (auto [i, extent] : llvm::enumerate(ofResults)) {
    Value value =
        arith::IndexCastOp::create(builder, loc, builder.getI64Type(),
                                   createNumber(builder, loc, extent, symbols));
    Value place = arith::ConstantIndexOp::create(builder, loc, i);
    memref::StoreOp::create(builder, loc, value, target, ValueRange(place));
  }
  func::ReturnOp::create(builder, loc);
  return success();
}
