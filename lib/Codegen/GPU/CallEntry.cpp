//===- CallEntry.cpp - Entries of programs for a GPU ----------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The code calls what memrev/Runtime/CUDA/CUDARuntime.h declares.
//
//===----------------------------------------------------------------------===//

#include "CallEntry.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlir::memrev;

bool mlir::memrev::isPlainBuffer(Type type) {
  auto buffer = dyn_cast<MemRefType>(type);
  return buffer && buffer.hasStaticShape() && buffer.getLayout().isIdentity();
}

func::FuncOp mlir::memrev::getRuntimeFunction(ModuleOp module,
                                              SymbolTable &symbols,
                                              StringRef name,
                                              TypeRange arguments,
                                              TypeRange results) {
  if (auto function = symbols.lookup<func::FuncOp>(name))
    return function;
  OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
  auto function =
      func::FuncOp::create(builder, module.getLoc(), name,
                           builder.getFunctionType(arguments, results));
  function.setPrivate();
  symbols.insert(function);
  return function;
}

/// Returns the bytes of an element of `type` in memory.
static int64_t getElementBytes(Type type) {
  if (auto complex = dyn_cast<ComplexType>(type))
    return 2 * getElementBytes(complex.getElementType());
  return llvm::divideCeil(type.isIndex() ? 64 : type.getIntOrFloatBitWidth(),
                          8);
}

/// Returns whether `createKey` can turn a scalar of `type` into a number.
static bool isKey(Type type) {
  return type.isIntOrIndexOrFloat() &&
         (type.isIndex() || type.getIntOrFloatBitWidth() <= 64);
}

/// Returns a number of 64 bits that is another one for every other `scalar`.
static Value createKey(OpBuilder &builder, Location loc, Value scalar) {
  Type i64 = builder.getI64Type();
  Type type = scalar.getType();
  if (type.isIndex())
    return arith::IndexCastOp::create(builder, loc, i64, scalar);
  unsigned bits = type.getIntOrFloatBitWidth();
  if (isa<FloatType>(type))
    scalar = arith::BitcastOp::create(builder, loc,
                                      builder.getIntegerType(bits), scalar);
  return bits == 64 ? scalar
                    : arith::ExtUIOp::create(builder, loc, i64, scalar);
}

CallEntryBuilder::CallEntryBuilder(ModuleOp module, SymbolTable &symbols)
    : module(module), symbols(symbols),
      pointerType(LLVM::LLVMPointerType::get(module.getContext())),
      i64(IntegerType::get(module.getContext(), 64)) {}

Value CallEntryBuilder::createArray(OpBuilder &builder, Location loc,
                                    ValueRange values) {
  Value size = LLVM::ConstantOp::create(builder, loc, i64, values.size());
  Value array = LLVM::AllocaOp::create(builder, loc, pointerType, i64, size);
  for (auto [i, value] : llvm::enumerate(values)) {
    Value element =
        LLVM::GEPOp::create(builder, loc, pointerType, i64, array,
                            ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(i)});
    LLVM::StoreOp::create(builder, loc, value, element);
  }
  return array;
}

LLVM::GlobalOp CallEntryBuilder::createSlot(func::FuncOp entry) {
  OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
  auto slot = LLVM::GlobalOp::create(
      builder, entry.getLoc(), pointerType, /*isConstant=*/false,
      LLVM::Linkage::Internal, (entry.getName() + "_state").str(), Attribute());
  symbols.insert(slot);
  builder.createBlock(&slot.getInitializerRegion());
  Value null = LLVM::ZeroOp::create(builder, entry.getLoc(), pointerType);
  LLVM::ReturnOp::create(builder, entry.getLoc(), null);
  slots.push_back(slot);
  return slot;
}

void CallEntryBuilder::build(func::FuncOp entry, func::FuncOp body,
                             bool isRecordable) {
  Location loc = entry.getLoc();
  OpBuilder atStart = OpBuilder::atBlockBegin(module.getBody());
  std::string name = entry.getName().str();
  auto text = LLVM::GlobalOp::create(
      atStart, loc,
      LLVM::LLVMArrayType::get(atStart.getI8Type(), name.size() + 1),
      /*isConstant=*/true, LLVM::Linkage::Internal, name + "_name",
      atStart.getStringAttr(StringRef(name.c_str(), name.size() + 1)));
  symbols.insert(text);
  LLVM::GlobalOp slot = createSlot(entry);

  OpBuilder builder = OpBuilder::atBlockBegin(entry.addEntryBlock());
  SmallVector<Value> buffers, scalars;
  for (Value argument : entry.getArguments()) {
    Type type = argument.getType();
    if (isPlainBuffer(type)) {
      auto buffer = cast<MemRefType>(type);
      Value address = memref::ExtractAlignedPointerAsIndexOp::create(
          builder, loc, argument);
      buffers.push_back(arith::IndexCastOp::create(builder, loc, i64, address));
      buffers.push_back(LLVM::ConstantOp::create(
          builder, loc, i64,
          buffer.getNumElements() * getElementBytes(buffer.getElementType())));
    } else if (isKey(type)) {
      scalars.push_back(createKey(builder, loc, argument));
    } else {
      isRecordable = false;
    }
  }
  // Results are what the body returns, so that it has to run.
  isRecordable &= entry.getNumResults() == 0;

  Type i32 = builder.getI32Type();
  auto begin = getRuntimeFunction(
      module, symbols, "memrevCudaBeginCall",
      {pointerType, pointerType, pointerType, i64, pointerType, i64, i32},
      pointerType);
  Value stream =
      func::CallOp::create(
          builder, loc, begin,
          ValueRange{
              LLVM::AddressOfOp::create(builder, loc, text),
              LLVM::AddressOfOp::create(builder, loc, slot),
              createArray(builder, loc, buffers),
              LLVM::ConstantOp::create(builder, loc, i64, buffers.size() / 2),
              createArray(builder, loc, scalars),
              LLVM::ConstantOp::create(builder, loc, i64, scalars.size()),
              LLVM::ConstantOp::create(builder, loc, i32,
                                       int64_t(isRecordable))})
          .getResult(0);
  SmallVector<Value> operands(entry.getArguments());
  operands.push_back(stream);
  auto call = [&](OpBuilder &builder) {
    return func::CallOp::create(builder, loc, body.getName(),
                                entry.getResultTypes(), operands)
        .getResults();
  };
  SmallVector<Value> results;
  if (isRecordable) {
    Value null = LLVM::ZeroOp::create(builder, loc, pointerType);
    Value isNeeded = LLVM::ICmpOp::create(builder, loc, LLVM::ICmpPredicate::ne,
                                          stream, null);
    auto conditional = scf::IfOp::create(builder, loc, isNeeded);
    OpBuilder inside = conditional.getThenBodyBuilder();
    call(inside);
  } else {
    llvm::append_range(results, call(builder));
  }
  func::CallOp::create(
      builder, loc,
      getRuntimeFunction(module, symbols, "memrevCudaEndCall", {}, {}));
  func::ReturnOp::create(builder, loc, results);
}

void CallEntryBuilder::finish() {
  if (slots.empty())
    return;
  Location loc = module.getLoc();
  MLIRContext *context = module.getContext();
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  auto nothing = LLVM::LLVMVoidType::get(context);
  auto forget = LLVM::LLVMFuncOp::create(
      builder, loc, "memrevCudaForgetFunction",
      LLVM::LLVMFunctionType::get(nothing, pointerType));
  symbols.insert(forget);
  auto unload = LLVM::LLVMFuncOp::create(
      builder, loc, "forget_functions",
      LLVM::LLVMFunctionType::get(nothing, {}), LLVM::Linkage::Internal);
  symbols.insert(unload);
  // Before the kernels are unloaded.
  constexpr int32_t first = 65535;
  LLVM::GlobalDtorsOp::create(
      builder, loc,
      builder.getArrayAttr(FlatSymbolRefAttr::get(unload.getNameAttr())),
      builder.getI32ArrayAttr(first),
      builder.getArrayAttr(LLVM::ZeroAttr::get(context)));
  builder.setInsertionPointToStart(unload.addEntryBlock(builder));
  for (LLVM::GlobalOp slot : slots)
    LLVM::CallOp::create(
        builder, loc, forget,
        ValueRange(LLVM::AddressOfOp::create(builder, loc, slot)));
  LLVM::ReturnOp::create(builder, loc, ValueRange());
}
