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

/// NVPTX's number for global memory.
static constexpr unsigned kGlobalSpace = 1;

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
