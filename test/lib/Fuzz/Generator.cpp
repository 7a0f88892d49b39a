//===- Generator.cpp - Writes random programs -----------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Generator.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <cmath>

using namespace mlir;
using namespace mlir::memrev::testing;

/// What values are scaled down to when they exceed it.
static constexpr double kLargest = 8;

static const std::vector<EmitterEntry> &getEmitters() {
  static const std::vector<EmitterEntry> emitters = [] {
    std::vector<EmitterEntry> all;
    for (ArrayRef<EmitterEntry> group :
         {getScalarEmitters(), getStructuredEmitters(), getDimensionEmitters(),
          getContractionEmitters(), getWindowEmitters(), getTensorEmitters(),
          getControlFlowEmitters(), getLayerEmitters()})
      all.insert(all.end(), group.begin(), group.end());
    return all;
  }();
  return emitters;
}

SmallVector<std::string> mlir::memrev::testing::getEmitterGroups() {
  SmallVector<std::string> groups;
  for (const EmitterEntry &emitter : getEmitters())
    if (!llvm::is_contained(groups, emitter.group))
      groups.push_back(emitter.group);
  return groups;
}

Generator::Generator(MLIRContext *context, uint64_t seed,
                     const GeneratorOptions &options)
    : rng(seed), b(UnknownLoc::get(context), context), options(options) {}

//===----------------------------------------------------------------------===//
// Leaves
//===----------------------------------------------------------------------===//

void Generator::setRange(unsigned argument, Attribute low, Attribute high) {
  func.setArgAttr(argument, kLowAttr, low);
  func.setArgAttr(argument, kHighAttr, high);
}

Known Generator::makeLeaf(ArrayRef<int64_t> shape, bool isTensor, Type type) {
  Known known;
  known.shape.assign(shape.begin(), shape.end());
  if (canAddArguments() && func.getNumArguments() < 6 &&
      (++numLeaves < 3 || rng.chance(0.8))) {
    Type argumentType = isTensor ? Type(typeFor(shape, type)) : type;
    unsigned number = func.getNumArguments();
    (void)func.insertArgument(number, argumentType, {}, b.getLoc());
    func.setArgAttr(number, kShapeAttr, b.getDenseI64ArrayAttr(shape));
    setRange(number, b.getF64FloatAttr(-1), b.getF64FloatAttr(1));
    known.value = func.getArgument(number);
    return known;
  }
  if (!isTensor) {
    known.value = constant(type, rng.uniform(-1, 1));
    return known;
  }
  SmallVector<Attribute> numbers;
  int64_t count = 1;
  for (int64_t extent : shape)
    count *= extent;
  for (int64_t i = 0; i < count; ++i)
    numbers.push_back(b.getFloatAttr(type, rng.uniform(-1, 1)));
  known.value = arith::ConstantOp::create(
      b, DenseElementsAttr::get(RankedTensorType::get(shape, type), numbers));
  return known;
}

Value Generator::makeIndexArgument(int64_t low, int64_t high) {
  unsigned number = func.getNumArguments();
  (void)func.insertArgument(number, b.getIndexType(), {}, b.getLoc());
  func.setArgAttr(number, kShapeAttr, b.getDenseI64ArrayAttr({}));
  setRange(number, b.getI64IntegerAttr(low), b.getI64IntegerAttr(high));
  return func.getArgument(number);
}

const Known *Generator::find(function_ref<bool(const Known &)> fits) {
  SmallVector<const Known *> found;
  for (const Known &known : values)
    if (fits(known))
      found.push_back(&known);
  if (found.empty())
    return nullptr;
  // The larger of two numbers: later values are more often built upon.
  int64_t last = int64_t(found.size()) - 1;
  return found[std::max(rng.range(0, last), rng.range(0, last))];
}

Known Generator::pick(bool isTensor) {
  if (rng.chance(0.85))
    if (const Known *known = find([&](const Known &k) {
          return k.isTensor() == isTensor && k.getElementType() == elementType;
        }))
      return *known;
  Known leaf = makeLeaf(isTensor ? shape(0, 3) : SmallVector<int64_t>(),
                        isTensor, elementType);
  values.push_back(leaf);
  return leaf;
}

Known Generator::pickShape(ArrayRef<int64_t> shape, Type type) {
  if (rng.chance(0.8))
    if (const Known *known = find([&](const Known &k) {
          return k.isTensor() && ArrayRef<int64_t>(k.shape) == shape &&
                 k.getElementType() == type;
        }))
      return *known;
  Known leaf = makeLeaf(shape, /*isTensor=*/true, type);
  values.push_back(leaf);
  return leaf;
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

Known Generator::limit(Known known, double most) {
  if (known.bound <= most)
    return known;
  Value factor = constantLike(known.value, most / known.bound);
  known.value = arith::MulFOp::create(b, known.value, factor);
  known.bound = most;
  return known;
}

void Generator::add(Value value, ArrayRef<int64_t> shape, double bound) {
  Known known;
  known.value = value;
  known.shape.assign(shape.begin(), shape.end());
  known.bound = std::max(bound, 0.01);
  values.push_back(known.bound > kLargest ? limit(known, 2) : known);
}

bool Generator::takeLargeFactor() {
  return depth == 0 && !std::exchange(hasLargeFactor, true);
}

Value Generator::castTo(const Known &known, Type type) {
  if (known.value.getType() == type)
    return known.value;
  return tensor::CastOp::create(b, type, known.value);
}

int64_t Generator::extent() {
  double p = rng.uniform(0, 1);
  if (p < 0.015)
    return 0;
  if (p < 0.15)
    return 1;
  return rng.range(2, 4);
}

SmallVector<int64_t> Generator::shape(int64_t minRank, int64_t maxRank) {
  SmallVector<int64_t> extents(rng.range(minRank, maxRank));
  for (int64_t &e : extents)
    e = extent();
  return extents;
}

RankedTensorType Generator::typeFor(ArrayRef<int64_t> shape, Type type) {
  SmallVector<int64_t> extents(shape);
  if (isDynamic)
    for (int64_t &extent : extents)
      if (rng.chance(0.5))
        extent = ShapedType::kDynamic;
  return RankedTensorType::get(extents, type);
}

Value Generator::index(int64_t value) {
  if (isDynamic && rng.chance(0.7))
    if (const Known *known = find([&](const Known &k) {
          return k.isTensor() && llvm::is_contained(k.shape, value);
        })) {
      int64_t dim = llvm::find(known->shape, value) - known->shape.begin();
      return tensor::DimOp::create(b, known->value, dim);
    }
  return arith::ConstantIndexOp::create(b, value);
}

SmallVector<Value> Generator::dynamicSizes(RankedTensorType type,
                                           ArrayRef<int64_t> shape) {
  SmallVector<Value> sizes;
  for (auto [extent, size] : llvm::zip_equal(type.getShape(), shape))
    if (ShapedType::isDynamic(extent))
      sizes.push_back(index(size));
  return sizes;
}

Value Generator::empty(ArrayRef<int64_t> shape, Type type) {
  return emptyOf(typeFor(shape, type), shape);
}

Value Generator::emptyOf(RankedTensorType type, ArrayRef<int64_t> shape) {
  return tensor::EmptyOp::create(b, type, dynamicSizes(type, shape));
}

Value Generator::filled(ArrayRef<int64_t> shape, Type type, double value) {
  Value scalar = constant(type, value);
  RankedTensorType tensorType = typeFor(shape, type);
  if (tensorType.hasStaticShape() && rng.chance(0.3))
    return arith::ConstantOp::create(
        b, DenseElementsAttr::get(tensorType,
                                  Attribute(b.getFloatAttr(type, value))));
  if (rng.chance(0.2))
    return tensor::SplatOp::create(b, scalar, tensorType,
                                   dynamicSizes(tensorType, shape));
  Value destination = emptyOf(tensorType, shape);
  return linalg::FillOp::create(b, scalar, destination).getResult(0);
}

Value Generator::constant(Type type, double value) {
  return arith::ConstantOp::create(b, b.getFloatAttr(type, value));
}

Value Generator::constantLike(Value like, double value) {
  auto type = dyn_cast<RankedTensorType>(like.getType());
  if (!type)
    return constant(like.getType(), value);
  if (type.hasStaticShape())
    return arith::ConstantOp::create(
        b, DenseElementsAttr::get(
               type, Attribute(b.getFloatAttr(type.getElementType(), value))));
  SmallVector<Value> sizes;
  for (auto [dim, extent] : llvm::enumerate(type.getShape()))
    if (ShapedType::isDynamic(extent))
      sizes.push_back(tensor::DimOp::create(b, like, dim));
  return tensor::SplatOp::create(b, constant(type.getElementType(), value),
                                 type, sizes);
}

Value Generator::op(StringRef name, ValueRange operands, Type result,
                    ArrayRef<NamedAttribute> attributes) {
  OperationState state(b.getLoc(), name);
  state.addOperands(operands);
  state.addTypes(result);
  state.addAttributes(attributes);
  return b.create(state)->getResult(0);
}

//===----------------------------------------------------------------------===//
// Programs
//===----------------------------------------------------------------------===//

void Generator::inBlock(Block *block, function_ref<void()> body) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(block);
  // What is made outside of the block is visible behind it too.
  SmallVector<Known> before = values;
  unsigned numArguments = func.getNumArguments();
  ++depth;
  body();
  --depth;
  for (Known &known : values)
    if (auto argument = dyn_cast<BlockArgument>(known.value))
      if (argument.getOwner() == &func.getBody().front() &&
          argument.getArgNumber() >= numArguments)
        before.push_back(known);
  values = before;
}

func::FuncOp
Generator::makeFunction(TypeRange inputs,
                        function_ref<SmallVector<Value>(ValueRange)> body) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(func);
  auto callee = func::FuncOp::create(b, "g" + std::to_string(numFunctions++),
                                     b.getFunctionType(inputs, {}));
  callee.setPrivate();
  Block *entry = callee.addEntryBlock();
  b.setInsertionPointToStart(entry);
  SmallVector<Known> callers = std::move(values);
  values.clear();
  bool wasInCallee = std::exchange(isInCallee, true);
  func::FuncOp caller = std::exchange(func, callee);
  ++depth;
  SmallVector<Value> results = body(entry->getArguments());
  --depth;
  func::ReturnOp::create(b, results);
  callee.setFunctionType(
      b.getFunctionType(inputs, ValueRange(results).getTypes()));
  func = caller;
  isInCallee = wasInCallee;
  values = std::move(callers);
  return callee;
}

void Generator::emitSome(int64_t count) {
  SmallVector<const EmitterEntry *> choices;
  double total = 0;
  for (const EmitterEntry &emitter : getEmitters())
    if (options.only.empty() ||
        llvm::is_contained(options.only, emitter.group)) {
      choices.push_back(&emitter);
      total += emitter.weight;
    }
  for (int64_t tries = 0; count > 0 && tries < 50; ++tries) {
    double position = rng.uniform(0, total);
    const EmitterEntry *chosen = choices.back();
    for (const EmitterEntry *choice : choices) {
      position -= choice->weight;
      if (position < 0) {
        chosen = choice;
        break;
      }
    }
    if (chosen->emit(*this))
      --count;
  }
}

OwningOpRef<ModuleOp> Generator::run() {
  module = ModuleOp::create(b.getLoc());
  OwningOpRef<ModuleOp> owner(module);
  b.setInsertionPointToStart(module.getBody());
  func = func::FuncOp::create(b, "f", b.getFunctionType({}, {}));
  Block *entry = func.addEntryBlock();
  b.setInsertionPointToStart(entry);

  double p = rng.uniform(0, 1);
  elementType = p < 0.7    ? Type(b.getF64Type())
                : p < 0.84 ? Type(b.getF32Type())
                : p < 0.92 ? Type(b.getBF16Type())
                           : Type(b.getF16Type());
  isDynamic = rng.chance(0.3);
  emitSome(rng.range(1, options.maxOperations));

  // Values that nothing uses are results; if there are many, the last ones.
  SmallVector<Value> results;
  for (const Known &known : llvm::reverse(values))
    if (known.value.use_empty() && results.size() < 3 &&
        (results.empty() || rng.chance(0.8)))
      results.push_back(known.value);
  if (results.empty())
    results.push_back(values.back().value);
  if (rng.chance(0.1))
    results.push_back(rng.pick<Known>(values).value);
  std::reverse(results.begin(), results.end());
  func::ReturnOp::create(b, results);
  func.setFunctionType(b.getFunctionType(entry->getArgumentTypes(),
                                         ValueRange(results).getTypes()));

  SmallVector<int64_t> wrt, of;
  for (auto [n, type] : llvm::enumerate(entry->getArgumentTypes()))
    if (isa<FloatType>(getElementTypeOrSelf(type)) && rng.chance(0.85))
      wrt.push_back(n);
  if (wrt.empty())
    for (auto [n, type] : llvm::enumerate(entry->getArgumentTypes()))
      if (isa<FloatType>(getElementTypeOrSelf(type)))
        wrt.push_back(n);
  for (auto [n, value] : llvm::enumerate(results))
    if (of.empty() || rng.chance(0.9))
      of.push_back(n);
  func->setAttr(kWrtAttr, b.getDenseI64ArrayAttr(wrt));
  func->setAttr(kOfAttr, b.getDenseI64ArrayAttr(of));
  return owner;
}

OwningOpRef<ModuleOp>
mlir::memrev::testing::generate(MLIRContext *context, uint64_t seed,
                                const GeneratorOptions &options) {
  Generator generator(context, seed, options);
  return generator.run();
}
