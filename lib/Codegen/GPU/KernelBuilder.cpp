//===- KernelBuilder.cpp - What emitters of GPU kernels share -------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelBuilder.h"
#include "KernelStrategy.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::simt;

/// NVPTX's number for global memory, and for memory that a block shares.
static constexpr unsigned kGlobalSpace = 1, kSharedSpace = 3;
static constexpr llvm::StringLiteral kSharedName = "memrev_shared";

//===----------------------------------------------------------------------===//
// The function
//===----------------------------------------------------------------------===//

/// Whether 32 bits hold every number of a point or an element, with room for
/// what is computed on the way.
static bool fitsNarrowIndex(const Problem &problem, func::FuncOp kernel) {
  constexpr int64_t limit = int64_t(1) << 30;
  int64_t points = 1;
  for (int64_t extent : problem.extents)
    if (llvm::MulOverflow(points, extent, points))
      return false;
  bool fits = true;
  // A contraction's points are never numbered together, its results are.
  if (!problem.isContraction)
    fits = points < limit;
  for (Type type : kernel.getArgumentTypes())
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      fits &= tensor.getNumElements() < limit;
  for (bool isReduction : {false, true}) {
    int64_t part = 1;
    for (auto [extent, kind] :
         llvm::zip_equal(problem.extents, problem.isReduction))
      if (kind == isReduction)
        part *= extent;
    fits &= part < limit;
  }
  return fits;
}

KernelBuilder::KernelBuilder(gpu::GPUModuleOp module, func::FuncOp kernel,
                             StringRef name, const Problem &problem,
                             int64_t threads, Workspace where,
                             unsigned numLocals)
    : b(kernel.getLoc(), module.getContext()), problem(problem),
      indexType(IntegerType::get(module.getContext(),
                                 fitsNarrowIndex(problem, kernel) ? 32 : 64)),
      kernel(kernel), module(module) {
  MLIRContext *context = module.getContext();
  auto pointerType = LLVM::LLVMPointerType::get(context, kGlobalSpace);
  SmallVector<BlockArgument> arguments(
      kernel.getArguments().drop_front(numLocals));
  if (where == Workspace::Last)
    arguments.pop_back_n(kernel.getNumResults());
  SmallVector<Type> types;
  for (BlockArgument argument : arguments) {
    Type type = argument.getType();
    types.push_back(isa<TensorType>(type) ? Type(pointerType)
                    : type.isIndex()      ? Type(b.getI64Type())
                                          : type);
  }
  if (where == Workspace::Last)
    types.push_back(pointerType);
  else if (where == Workspace::First)
    types.insert(types.begin(), pointerType);
  b.setInsertionPointToEnd(module.getBody());
  function = LLVM::LLVMFuncOp::create(
      b, name,
      LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(context), types));
  function->setAttr(gpu::GPUDialect::getKernelFuncAttrName(), b.getUnitAttr());
  function->setAttr(NVVM::NVVMDialect::getKernelFuncAttrName(),
                    b.getUnitAttr());
  function->setAttr(NVVM::NVVMDialect::getMaxntidAttrName(),
                    b.getDenseI32ArrayAttr({int32_t(threads)}));
  Block *entry = function.addEntryBlock(b);
  b.setInsertionPointToStart(entry);
  for (unsigned i = 0; i < types.size(); ++i)
    if (types[i] == pointerType)
      function.setArgAttr(i, LLVM::LLVMDialect::getNoAliasAttrName(),
                          b.getUnitAttr());
  unsigned number = 0;
  if (where == Workspace::First) {
    function.setArgAttr(0, LLVM::LLVMDialect::getReadonlyAttrName(),
                        b.getUnitAttr());
    workspace = entry->getArgument(number++);
  }
  for (BlockArgument argument : arguments) {
    Value parameter = entry->getArgument(number++);
    // What no thread writes is loaded through the read-only cache.
    if (isa<TensorType>(argument.getType()) &&
        llvm::none_of(problem.outputs, [&](const Output &output) {
          return output.dest.source == argument;
        }))
      function.setArgAttr(number - 1, LLVM::LLVMDialect::getReadonlyAttrName(),
                          b.getUnitAttr());
    if (argument.getType().isIndex()) {
      parameter = arith::IndexCastOp::create(b, b.getIndexType(), parameter);
      lastScalar = parameter.getDefiningOp();
    }
    mapping.map(argument, parameter);
  }
  if (where == Workspace::Last)
    workspace = entry->getArgument(number);
}

void KernelBuilder::preferRegisters() {
  function->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(),
                    b.getI32IntegerAttr(1));
}

LLVM::LLVMFuncOp KernelBuilder::finish() {
  LLVM::ReturnOp::create(b, ValueRange());
  return function;
}

//===----------------------------------------------------------------------===//
// Indices
//===----------------------------------------------------------------------===//

Value KernelBuilder::index(int64_t value) {
  return arith::ConstantOp::create(b, b.getIntegerAttr(indexType, value));
}

static std::optional<int64_t> getConstant(Value value) {
  APInt constant;
  if (value && matchPattern(value, m_ConstantInt(&constant)))
    return constant.getSExtValue();
  return std::nullopt;
}

Value KernelBuilder::add(Value left, Value right) {
  if (getConstant(left) == 0)
    return right;
  if (getConstant(right) == 0)
    return left;
  return b.createOrFold<arith::AddIOp>(left, right);
}

Value KernelBuilder::sub(Value left, Value right) {
  return b.createOrFold<arith::SubIOp>(left, right);
}

Value KernelBuilder::mul(Value left, int64_t right) {
  if (right == 1)
    return left;
  return b.createOrFold<arith::MulIOp>(left, index(right));
}

Value KernelBuilder::div(Value left, int64_t right) {
  if (right == 1)
    return left;
  return b.createOrFold<arith::DivUIOp>(left, index(right));
}

Value KernelBuilder::rem(Value left, int64_t right) {
  if (right == 1)
    return index(0);
  return b.createOrFold<arith::RemUIOp>(left, index(right));
}

Value KernelBuilder::lessThan(Value left, int64_t right) {
  return b.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::ult, left,
                                       index(right));
}

Value KernelBuilder::min(Value left, Value right) {
  return b.createOrFold<arith::MinUIOp>(left, right);
}

Value KernelBuilder::max(Value left, Value right) {
  return b.createOrFold<arith::MaxUIOp>(left, right);
}

Value KernelBuilder::select(Value condition, Value then, Value otherwise) {
  return b.createOrFold<arith::SelectOp>(condition, then, otherwise);
}

Value KernelBuilder::logicalAnd(Value left, Value right) {
  if (!left || !right)
    return left ? left : right;
  return b.createOrFold<arith::AndIOp>(left, right);
}

Value KernelBuilder::evaluateDims(const Linear &linear, ArrayRef<Value> dims) {
  Value sum = index(0);
  for (auto [dim, factor] : llvm::zip_equal(dims, linear.dims))
    if (dim && factor != 0)
      sum = add(sum, mul(dim, factor));
  return sum;
}

Value KernelBuilder::evaluate(const Linear &linear, ArrayRef<Value> dims,
                              ArrayRef<Value> symbols) {
  Value sum = evaluateDims(linear, dims);
  for (auto [symbol, factor] : llvm::zip_equal(symbols, linear.symbols)) {
    if (factor == 0)
      continue;
    Value value = arith::IndexCastOp::create(b, indexType, scalar(symbol));
    sum = add(sum, mul(value, factor));
  }
  return add(sum, index(linear.constant));
}

void KernelBuilder::delinearize(Value linearized, ArrayRef<unsigned> order,
                                MutableArrayRef<Value> dims) {
  Value rest = linearized;
  for (unsigned i = order.size(); i-- > 0;) {
    int64_t extent = problem.extents[order[i]];
    dims[order[i]] = i == 0 ? rest : rem(rest, extent);
    if (i != 0)
      rest = div(rest, extent);
  }
}

//===----------------------------------------------------------------------===//
// Threads
//===----------------------------------------------------------------------===//

Value KernelBuilder::toIndex(Value number) {
  if (indexType.getWidth() == 32)
    return number;
  return arith::ExtUIOp::create(b, indexType, number);
}

Value KernelBuilder::threadId() {
  return toIndex(NVVM::ThreadIdXOp::create(b, b.getI32Type()));
}

Value KernelBuilder::blockId() {
  return toIndex(NVVM::BlockIdXOp::create(b, b.getI32Type()));
}

void KernelBuilder::barrier() { NVVM::Barrier0Op::create(b); }

//===----------------------------------------------------------------------===//
// Values of the function on tensors
//===----------------------------------------------------------------------===//

Value KernelBuilder::scalar(Value value) {
  if (Value known = mapping.lookupOrNull(value))
    return known;
  // At the start of the kernel, to be there wherever it is used.
  OpBuilder::InsertionGuard guard(b);
  SmallVector<Operation *> worklist{value.getDefiningOp()};
  llvm::SetVector<Operation *> needed;
  while (!worklist.empty()) {
    Operation *op = worklist.pop_back_val();
    if (!needed.insert(op))
      continue;
    for (Value operand : op->getOperands())
      if (!mapping.contains(operand))
        worklist.push_back(operand.getDefiningOp());
  }
  SmallVector<Operation *> sorted(needed.begin(), needed.end());
  llvm::sort(sorted, [](Operation *left, Operation *right) {
    return left->isBeforeInBlock(right);
  });
  if (lastScalar)
    b.setInsertionPointAfter(lastScalar);
  else
    b.setInsertionPointToStart(&function.front());
  for (Operation *op : sorted)
    lastScalar = b.clone(*op, mapping);
  return mapping.lookup(value);
}

void KernelBuilder::bind(Value value, Value inner) {
  mapping.map(value, inner);
}

void KernelBuilder::evaluateScalar(Operation &op) {
  auto extract = dyn_cast<tensor::ExtractOp>(op);
  if (!extract) {
    b.clone(op, mapping);
    return;
  }
  SmallVector<Value> position = llvm::map_to_vector(
      extract.getIndices(), [&](Value index) { return scalar(index); });
  bind(extract.getResult(), loadElement(extract.getTensor(), position));
}

Value KernelBuilder::pointer(Value tensor) { return mapping.lookup(tensor); }

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

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

//===----------------------------------------------------------------------===//
// Control flow
//===----------------------------------------------------------------------===//

SmallVector<Value>
KernelBuilder::loop(Value low, Value high, Value step, ValueRange inits,
                    function_ref<SmallVector<Value>(Value, ValueRange)> body) {
  auto loop = scf::ForOp::create(b, low, high, step, inits);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  SmallVector<Value> next =
      body(loop.getInductionVar(), loop.getRegionIterArgs());
  if (!inits.empty()) {
    scf::YieldOp::create(b, next);
  }
  return SmallVector<Value>(loop.getResults());
}

void KernelBuilder::when(Value condition, function_ref<void()> body) {
  if (!condition)
    return body();
  auto choice = scf::IfOp::create(b, condition, false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(choice.thenBlock());
  body();
}

void KernelBuilder::choose(Value condition, function_ref<void()> then,
                           function_ref<void()> otherwise) {
  auto choice = scf::IfOp::create(b, condition, true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(choice.thenBlock());
  then();
  b.setInsertionPointToStart(choice.elseBlock());
  otherwise();
}

SmallVector<Value>
KernelBuilder::choose(Value condition, TypeRange types,
                      function_ref<SmallVector<Value>()> then,
                      function_ref<SmallVector<Value>()> otherwise) {
  auto choice = scf::IfOp::create(b, types, condition, true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(choice.thenBlock());
  scf::YieldOp::create(b, then());
  b.setInsertionPointToStart(choice.elseBlock());
  scf::YieldOp::create(b, otherwise());
  return SmallVector<Value>(choice.getResults());
}
