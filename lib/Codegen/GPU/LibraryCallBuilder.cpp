//===- LibraryCallBuilder.cpp - Calls of libraries on a stream ------------===//
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

#include "LibraryCallBuilder.h"
#include "CallEntry.h"
#include "memrev/Codegen/Common/DeclaredKernel.h"
#include "memrev/Codegen/GPU/AttributeNames.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::simt;

/// The values of cudaDataType.
static int64_t getDataType(Type type) {
  enum { f32 = 0, f64 = 1, f16 = 2, bf16 = 14 };
  if (type.isF32())
    return f32;
  if (type.isF64())
    return f64;
  return type.isF16() ? f16 : bf16;
}

/// The values of cublasComputeType_t.
static int64_t getComputeType(MatmulCall::Compute compute) {
  switch (compute) {
  case MatmulCall::Compute::F32:
    return 68;
  case MatmulCall::Compute::TF32:
    return 77;
  case MatmulCall::Compute::F64:
    return 70;
  }
  llvm_unreachable("all kinds have a number");
}

func::FuncOp LibraryCallBuilder::getKernel(func::CallOp call) {
  auto kernel = symbols.lookup<func::FuncOp>(call.getCallee());
  return kernel && isDeclaredKernel(kernel) && kernel->hasAttr(kMatmulAttr)
             ? kernel
             : func::FuncOp();
}

LogicalResult LibraryCallBuilder::verify(func::CallOp call,
                                         func::FuncOp kernel) {
  auto attribute = kernel->getAttrOfType<DictionaryAttr>(kMatmulAttr);
  if (!attribute || failed(MatmulCall::fromAttribute(attribute, kernel)))
    return kernel.emitOpError("expects '")
           << kMatmulAttr
           << "' to describe a product of its arguments, but got "
           << kernel->getAttr(kMatmulAttr);
  for (Value operand : call.getOperands())
    if (isa<BaseMemRefType>(operand.getType()) &&
        !isPlainBuffer(operand.getType()))
      return call.emitOpError("expects buffers of static shape and identity "
                              "layout for a library, but got ")
             << operand.getType();
  return success();
}

LLVM::GlobalOp LibraryCallBuilder::getDescription(func::FuncOp kernel,
                                                  const MatmulCall &call) {
  // The members of MemrevCudaMatmul.
  const int64_t members[] = {
      getDataType(call.factorType),
      getDataType(call.resultType),
      getComputeType(call.compute),
      call.rows,
      call.columns,
      call.depth,
      call.batch,
      call.calls,
      call.accumulates,
      call.a.transposed,
      call.b.transposed,
      call.a.leading,
      call.b.leading,
      call.c.leading,
      call.d.leading,
      call.a.stride,
      call.b.stride,
      call.c.stride,
      call.d.stride,
      call.a.step,
      call.b.step,
      call.c.step,
      call.d.step,
      call.a.alignment,
      call.b.alignment,
      call.c.alignment,
      call.d.alignment,
      call.workspaceBytes,
  };
  OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
  Type i64 = builder.getI64Type();
  auto value = DenseElementsAttr::get(
      RankedTensorType::get({int64_t(std::size(members))}, i64),
      ArrayRef(members));
  LLVM::GlobalOp &known = descriptions[value];
  if (!known) {
    known = LLVM::GlobalOp::create(
        builder, kernel.getLoc(),
        LLVM::LLVMArrayType::get(i64, std::size(members)), /*isConstant=*/true,
        LLVM::Linkage::Internal, (kernel.getName() + "_description").str(),
        value);
    symbols.insert(known);
  }
  return known;
}

void LibraryCallBuilder::replace(func::CallOp call, func::FuncOp kernel,
                                 Value stream) {
  MatmulCall matmul = *MatmulCall::fromAttribute(
      kernel->getAttrOfType<DictionaryAttr>(kMatmulAttr), kernel);
  LLVM::GlobalOp description = getDescription(kernel, matmul);
  OpBuilder builder(call);
  Location loc = call.getLoc();
  Type pointer = LLVM::LLVMPointerType::get(module.getContext());
  auto number = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(builder, loc, value);
  };
  auto getAddress = [&](int64_t argument, Value elements,
                        int64_t elementBytes) -> Value {
    Value address = memref::ExtractAlignedPointerAsIndexOp::create(
        builder, loc, call.getOperand(argument));
    Value bytes =
        arith::MulIOp::create(builder, loc, elements, number(elementBytes));
    address = arith::AddIOp::create(builder, loc, address, bytes);
    address =
        arith::IndexCastOp::create(builder, loc, builder.getI64Type(), address);
    return LLVM::IntToPtrOp::create(builder, loc, pointer, address);
  };
  SmallVector<Value> operands{
      LLVM::AddressOfOp::create(builder, loc, description)};
  auto addMatrix = [&](const MatrixOperand &operand, Type elementType) {
    Value offset = number(operand.offset);
    for (auto [argument, factor] : operand.terms) {
      Value term = arith::MulIOp::create(
          builder, loc, call.getOperand(argument), number(factor));
      offset = arith::AddIOp::create(builder, loc, offset, term);
    }
    operands.push_back(
        getAddress(operand.argument, offset, getByteSize(elementType)));
  };
  addMatrix(matmul.a, matmul.factorType);
  addMatrix(matmul.b, matmul.factorType);
  addMatrix(matmul.c, matmul.resultType);
  addMatrix(matmul.d, matmul.resultType);
  operands.push_back(getAddress(matmul.workspace, number(0), 1));
  operands.push_back(stream);
  SmallVector<Type> types(operands.size(), pointer);
  func::CallOp::create(
      builder, loc,
      getRuntimeFunction(module, symbols, "memrevCudaMatmul", types, {}),
      operands);
  call.erase();
}

void LibraryCallBuilder::prepare(func::FuncOp entry) {
  OpBuilder builder = OpBuilder::atBlockBegin(&entry.front());
  func::CallOp::create(
      builder, entry.getLoc(),
      getRuntimeFunction(module, symbols, "memrevCudaPrepareMatmul", {}, {}));
}

void LibraryCallBuilder::finish() {
  for (auto function :
       llvm::make_early_inc_range(module.getOps<func::FuncOp>()))
    if (isDeclaredKernel(function) && function->hasAttr(kMatmulAttr))
      symbols.erase(function);
}
