//===- KernelMemory.cpp - What GPU kernels read and write -----------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelBuilder.h"
#include "KernelStrategy.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::simt;

/// NVPTX's number for memory that a block shares.
static constexpr unsigned kSharedSpace = 3;
static constexpr llvm::StringLiteral kSharedName = "memrev_shared";

Value KernelBuilder::sharedMemory() {
  auto type = LLVM::LLVMPointerType::get(b.getContext(), kSharedSpace);
  if (!module.lookupSymbol(kSharedName)) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(module.getBody());
    // External, so that the assembler places it behind what is static.
    LLVM::GlobalOp::create(b, LLVM::LLVMArrayType::get(b.getI8Type(), 0),
                           /*isConstant=*/false, LLVM::Linkage::External,
                           kSharedName, Attribute(), /*alignment=*/1024,
                           kSharedSpace);
  }
  return LLVM::AddressOfOp::create(b, type, kSharedName);
}

Type KernelBuilder::getMemoryType(Type type) {
  if (isa<FloatType>(type))
    return type;
  return b.getIntegerType(8 * getByteSize(type));
}

Value KernelBuilder::fromMemory(Value value, Type type) {
  if (type.isIndex())
    return arith::IndexCastOp::create(b, type, value);
  if (value.getType() == type)
    return value;
  return arith::TruncIOp::create(b, type, value);
}

Value KernelBuilder::toMemory(Value value) {
  Type type = getMemoryType(value.getType());
  if (value.getType().isIndex())
    return arith::IndexCastOp::create(b, type, value);
  if (value.getType() == type)
    return value;
  return arith::ExtUIOp::create(b, type, value);
}

Value KernelBuilder::offsetPointer(Value base, Value bytes) {
  return LLVM::GEPOp::create(b, base.getType(), b.getI8Type(), base,
                             ArrayRef<LLVM::GEPArg>{bytes});
}

Value KernelBuilder::elementPointer(const Access &access, Value offset) {
  Value base = pointer(access.source);
  return LLVM::GEPOp::create(b, base.getType(),
                             getMemoryType(access.elementType), base,
                             ArrayRef<LLVM::GEPArg>{offset});
}

Value KernelBuilder::loadElement(Value tensor, ValueRange position) {
  auto type = cast<RankedTensorType>(tensor.getType());
  Value offset = index(0);
  for (auto [coordinate, stride] :
       llvm::zip_equal(position, getStrides(type.getShape()))) {
    Value narrow = arith::IndexCastOp::create(b, indexType, coordinate);
    offset = add(offset, mul(narrow, stride));
  }
  Type element = getMemoryType(type.getElementType());
  Value base = pointer(tensor);
  Value address = LLVM::GEPOp::create(b, base.getType(), element, base,
                                      ArrayRef<LLVM::GEPArg>{offset});
  Value loaded = LLVM::LoadOp::create(b, element, address,
                                      getByteSize(type.getElementType()));
  return fromMemory(loaded, type.getElementType());
}

Value KernelBuilder::isInside(const Access &access, ArrayRef<Value> dims) {
  Value inside;
  for (const Bound &bound : access.bounds) {
    Linear linear =
        Linear::get(bound.expr, problem.getNumDims(), access.symbols.size());
    // One comparison of unsigned numbers sees both ends.
    inside = logicalAnd(
        inside, lessThan(evaluate(linear, dims, access.symbols), bound.size));
  }
  return inside;
}

Value KernelBuilder::zero(Type type) {
  return arith::ConstantOp::create(b, b.getZeroAttr(type));
}

/// The vector of `lanes` elements, or the element for one.
static Type getAccessType(Type element, int64_t lanes) {
  return lanes == 1 ? element : VectorType::get({lanes}, element);
}

SmallVector<Value> KernelBuilder::load(const Access &access,
                                       ArrayRef<Value> dims, int64_t lanes,
                                       Value condition) {
  if (access.isScalar())
    return SmallVector<Value>(lanes, scalar(access.source));
  Type element = getMemoryType(access.elementType);
  Type type = getAccessType(element, lanes);
  condition = logicalAnd(condition, isInside(access, dims));
  Linear linear = Linear::getOffset(access, problem.getNumDims());
  auto emit = [&]() -> Value {
    Value offset = evaluate(linear, dims, access.symbols);
    return LLVM::LoadOp::create(b, type, elementPointer(access, offset),
                                lanes * getByteSize(access.elementType));
  };
  Value loaded;
  if (condition) {
    TypedAttr padding = access.padding;
    if (!padding)
      padding = b.getZeroAttr(access.elementType);
    auto choice = scf::IfOp::create(b, type, condition, true);
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(choice.thenBlock());
      scf::YieldOp::create(b, emit());
      b.setInsertionPointToStart(choice.elseBlock());
      Value outside = toMemory(arith::ConstantOp::create(b, padding));
      if (lanes > 1) {
        Value vector = LLVM::PoisonOp::create(b, type);
        for (int64_t lane = 0; lane < lanes; ++lane)
          vector = LLVM::InsertElementOp::create(
              b, vector, outside,
              LLVM::ConstantOp::create(b, b.getI32Type(), lane));
        outside = vector;
      }
      scf::YieldOp::create(b, outside);
    }
    loaded = choice.getResult(0);
  } else {
    loaded = emit();
  }
  SmallVector<Value> values;
  for (int64_t lane = 0; lane < lanes; ++lane) {
    Value value = loaded;
    if (lanes > 1)
      value = LLVM::ExtractElementOp::create(
          b, loaded, LLVM::ConstantOp::create(b, b.getI32Type(), lane));
    values.push_back(fromMemory(value, access.elementType));
  }
  return values;
}

void KernelBuilder::store(const Access &access, ArrayRef<Value> dims,
                          ValueRange values) {
  Type element = getMemoryType(access.elementType);
  Type type = getAccessType(element, values.size());
  Value stored;
  if (values.size() == 1) {
    stored = toMemory(values.front());
  } else {
    stored = LLVM::PoisonOp::create(b, type);
    for (auto [lane, value] : llvm::enumerate(values))
      stored = LLVM::InsertElementOp::create(
          b, stored, toMemory(value),
          LLVM::ConstantOp::create(b, b.getI32Type(), lane));
  }
  Linear linear = Linear::getOffset(access, problem.getNumDims());
  Value offset = evaluate(linear, dims, access.symbols);
  LLVM::StoreOp::create(b, stored, elementPointer(access, offset),
                        values.size() * getByteSize(access.elementType));
}

SmallVector<Value> KernelBuilder::advance(ArrayRef<Value> dims, unsigned dim,
                                          int64_t steps) {
  SmallVector<Value> moved(dims);
  if (steps == 0)
    return moved;
  moved[dim] = add(moved[dim] ? moved[dim] : index(0), index(steps));
  return moved;
}

SmallVector<Value> KernelBuilder::loadAlong(const Access &access,
                                            ArrayRef<Value> dims, unsigned dim,
                                            int64_t lanes) {
  if (lanes == 1 || access.isScalar())
    return load(access, dims, lanes);
  if (!access.uses(dim))
    return SmallVector<Value>(lanes, load(access, dims, 1).front());
  SmallVector<Value> values;
  int64_t width = getVectorWidth(access, problem, dim, lanes);
  for (int64_t lane = 0; lane < lanes; lane += width)
    llvm::append_range(values, load(access, advance(dims, dim, lane), width));
  return values;
}

void KernelBuilder::storeAlong(const Access &access, ArrayRef<Value> dims,
                               unsigned dim, ValueRange values) {
  int64_t lanes = values.size();
  int64_t width = lanes == 1 ? 1 : getVectorWidth(access, problem, dim, lanes);
  for (int64_t lane = 0; lane < lanes; lane += width)
    store(access, advance(dims, dim, lane), values.slice(lane, width));
}

SmallVector<Value> KernelBuilder::loadInit(const Output &output,
                                           ArrayRef<Value> dims, unsigned dim,
                                           int64_t lanes) {
  switch (output.init) {
  case InitKind::None:
    return SmallVector<Value>(lanes, zero(output.dest.elementType));
  case InitKind::Fill:
    return SmallVector<Value>(lanes, scalar(output.fill));
  case InitKind::InPlace:
    return loadAlong(output.dest, dims, dim, lanes);
  case InitKind::Read:
    return loadAlong(output.read, dims, dim, lanes);
  }
  llvm_unreachable("all kinds of init are handled");
}

/// Clones `op` of the body, where loop indices and elements at computed indices
/// are what they are at `dims`.
void KernelBuilder::cloneBodyOp(Operation &op, ArrayRef<Value> dims,
                                IRMapping &local) {
  op.walk([&](Operation *inner) {
    for (Value operand : inner->getOperands())
      if (!isa<TensorType>(operand.getType()) && !local.contains(operand) &&
          !problem.body->getParentOp()->isAncestor(
              operand.getParentRegion()->getParentOp()))
        local.map(operand, scalar(operand));
  });
  Operation *clone = b.clone(op, local);
  clone->walk([&](Operation *inner) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(inner);
    if (auto number = dyn_cast<linalg::IndexOp>(inner)) {
      Linear linear = Linear::get(problem.bodyIndices[number.getDim()],
                                  problem.getNumDims(), 0);
      Value value = arith::IndexCastOp::create(b, b.getIndexType(),
                                               evaluate(linear, dims, {}));
      inner->getResult(0).replaceAllUsesWith(value);
      if (inner == clone)
        local.map(op.getResult(0), value);
      inner->erase();
    } else if (auto extract = dyn_cast<tensor::ExtractOp>(inner)) {
      Value value = loadElement(extract.getTensor(), extract.getIndices());
      inner->getResult(0).replaceAllUsesWith(value);
      if (inner == clone)
        local.map(op.getResult(0), value);
      inner->erase();
    }
  });
}

SmallVector<Value> KernelBuilder::evaluateBody(ValueRange arguments,
                                               ArrayRef<Value> dims) {
  IRMapping local;
  local.map(problem.body->getArguments(), arguments);
  for (Operation &op : problem.body->without_terminator())
    cloneBodyOp(op, dims, local);
  return llvm::map_to_vector(
      problem.body->getTerminator()->getOperands(), [&](Value value) {
        return local.contains(value) ? local.lookup(value) : scalar(value);
      });
}

Lanes KernelBuilder::loadArguments(ArrayRef<Value> dims, unsigned dim,
                                   int64_t lanes, ArrayRef<Value> sums) {
  Lanes arguments;
  for (const std::optional<Access> &input : problem.inputs)
    arguments.push_back(input ? loadAlong(*input, dims, dim, lanes)
                              : SmallVector<Value>(sums));
  // A padding alone has no body: it copies.
  if (problem.body)
    for (const Output &output : problem.outputs)
      arguments.push_back(loadInit(output, dims, dim, lanes));
  return arguments;
}

Lanes KernelBuilder::evaluateLanes(const Lanes &arguments, ArrayRef<Value> dims,
                                   unsigned dim) {
  if (!problem.body)
    return arguments;
  Lanes results(problem.outputs.size());
  for (size_t lane = 0, lanes = arguments.front().size(); lane < lanes;
       ++lane) {
    SmallVector<Value> ofLane = llvm::map_to_vector(
        arguments, [&](const auto &values) { return values[lane]; });
    SmallVector<Value> yielded = evaluateBody(ofLane, advance(dims, dim, lane));
    for (auto [result, value] : llvm::zip_equal(results, yielded))
      result.push_back(value);
  }
  return results;
}

void KernelBuilder::storeResults(const Lanes &results, ArrayRef<Value> dims,
                                 unsigned dim) {
  for (auto [output, values] : llvm::zip_equal(problem.outputs, results))
    storeAlong(output.dest, dims, dim, values);
}
