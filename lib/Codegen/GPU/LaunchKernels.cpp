//===- LaunchKernels.cpp - Calls of emitted kernels become launches -------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/DeclaredKernel.h"
#include "memrev/Codegen/GPU/AttributeNames.h"
#include "memrev/Codegen/GPU/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/SymbolTable.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_GPULAUNCHKERNELS
#include "memrev/Codegen/GPU/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

/// Whether calls of `kernel` are launches: it is not a library's.
static bool isLaunched(func::FuncOp kernel) {
  return isDeclaredKernel(kernel) && !kernel->hasAttr(kMatmulAttr) &&
         !kernel->hasAttr(kConvolutionAttr);
}

/// The address of `buffer` as a pointer of `type`.
static Value getAddress(OpBuilder &builder, Location loc, Value buffer,
                        Type type) {
  Value address =
      memref::ExtractAlignedPointerAsIndexOp::create(builder, loc, buffer);
  address =
      arith::IndexCastOp::create(builder, loc, builder.getI64Type(), address);
  return LLVM::IntToPtrOp::create(builder, loc, type, address);
}

/// True if the elements of the result of `op` begin where those of its operand
/// do.
static bool isViewOfBegin(Operation *op) {
  if (auto view = dyn_cast<memref::SubViewOp>(op))
    return llvm::all_of(view.getStaticOffsets(),
                        [](int64_t offset) { return offset == 0; });
  return isa<memref::CastOp, memref::CollapseShapeOp, memref::ExpandShapeOp>(
      op);
}

/// The constant that `buffer`, in whichever shape, is the begin of; null if it
/// is none.
static memref::GetGlobalOp getConstant(Value buffer) {
  Operation *op = buffer.getDefiningOp();
  while (op && isViewOfBegin(op))
    op = op->getOperand(0).getDefiningOp();
  return dyn_cast_if_present<memref::GetGlobalOp>(op);
}

namespace {
/// Rewrites the calls of one module.
class LaunchRewriter {
public:
  explicit LaunchRewriter(ModuleOp module) : module(module), symbols(module) {}

  LogicalResult run();

private:
  LLVM::LLVMFuncOp find(StringRef name);
  LogicalResult rewrite(func::CallOp call, func::FuncOp kernel);
  LLVM::LLVMFuncOp specialize(LLVM::LLVMFuncOp function, func::CallOp call,
                              ArrayRef<memref::GetGlobalOp> constants);

  ModuleOp module;
  SymbolTable symbols;
  /// Kernels for constant buffers, by their name, then those of the constants.
  DenseMap<Attribute, LLVM::LLVMFuncOp> specialized;
};
} // namespace

/// The emitted kernel `name`, in whichever module has it: the name that modules
/// of kernels are given may have been taken.
LLVM::LLVMFuncOp LaunchRewriter::find(StringRef name) {
  for (auto kernels : module.getOps<gpu::GPUModuleOp>())
    if (auto function = kernels.lookupSymbol<LLVM::LLVMFuncOp>(name))
      return function;
  return {};
}

/// Constants are in the memory of the host until they are named in a kernel.
/// Returns a kernel like `function` that does so for the arguments of `call`
/// that `constants` has.
LLVM::LLVMFuncOp
LaunchRewriter::specialize(LLVM::LLVMFuncOp function, func::CallOp call,
                           ArrayRef<memref::GetGlobalOp> constants) {
  MLIRContext *context = module.getContext();
  SmallVector<Attribute> key{function.getSymNameAttr()};
  for (memref::GetGlobalOp constant : constants)
    key.push_back(constant ? Attribute(constant.getNameAttr())
                           : UnitAttr::get(context));
  LLVM::LLVMFuncOp &known = specialized[ArrayAttr::get(context, key)];
  if (known)
    return known;

  auto kernels = function->getParentOfType<gpu::GPUModuleOp>();
  SymbolTable kernelSymbols(kernels);
  auto clone = cast<LLVM::LLVMFuncOp>(function->clone());
  kernelSymbols.insert(clone, std::next(Block::iterator(function)));
  OpBuilder builder = OpBuilder::atBlockBegin(&clone.front());
  SmallVector<Type> types;
  SmallVector<Attribute> attributes;
  for (unsigned number = 0; number < constants.size(); ++number) {
    BlockArgument argument = clone.getArgument(number);
    memref::GetGlobalOp constant = constants[number];
    if (!constant) {
      types.push_back(argument.getType());
      DictionaryAttr attribute = function.getArgAttrDict(number);
      attributes.push_back(attribute ? attribute
                                     : DictionaryAttr::get(context));
      continue;
    }
    if (!kernelSymbols.lookup(constant.getName())) {
      auto global = symbols.lookup<memref::GlobalOp>(constant.getName());
      kernelSymbols.insert(global->clone(), kernels.getBody()->begin());
    }
    Value buffer = builder.clone(*constant)->getResult(0);
    argument.replaceAllUsesWith(
        getAddress(builder, call.getLoc(), buffer, argument.getType()));
  }
  llvm::BitVector erased(constants.size());
  for (auto [number, constant] : llvm::enumerate(constants))
    erased[number] = static_cast<bool>(constant);
  clone.front().eraseArguments(erased);
  clone.setFunctionType(
      LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(context), types));
  clone.setArgAttrsAttr(ArrayAttr::get(context, attributes));
  return known = clone;
}

LogicalResult LaunchRewriter::rewrite(func::CallOp call, func::FuncOp kernel) {
  auto launch = kernel->getAttrOfType<DenseI64ArrayAttr>(kLaunchAttr);
  LLVM::LLVMFuncOp function = find(kernel.getName());
  if (!launch || launch.size() != 3 || !function)
    return call.emitOpError("expects an emitted kernel and '")
           << kLaunchAttr << "' with three numbers on its declaration '"
           << kernel.getName() << "'";

  OpBuilder builder(call);
  Location loc = call.getLoc();
  SmallVector<memref::GetGlobalOp> constants;
  for (Value operand : call.getOperands())
    constants.push_back(getConstant(operand));
  if (llvm::any_of(constants, [](Operation *op) { return op; }))
    function = specialize(function, call, constants);

  SmallVector<Value> operands;
  unsigned parameter = 0;
  for (auto [operand, constant] :
       llvm::zip_equal(call.getOperands(), constants)) {
    if (constant)
      continue;
    Type type = function.getFunctionType().getParamType(parameter++);
    if (isa<MemRefType>(operand.getType()))
      operands.push_back(getAddress(builder, loc, operand, type));
    else if (operand.getType().isIndex())
      operands.push_back(
          arith::IndexCastOp::create(builder, loc, type, operand));
    else
      operands.push_back(operand);
  }
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(builder, loc, value);
  };
  Value one = constant(1);
  Value sharedBytes = arith::ConstantOp::create(
      builder, loc, builder.getI32IntegerAttr(launch[2]));
  gpu::LaunchFuncOp::create(
      builder, loc,
      SymbolRefAttr::get(
          function->getParentOfType<gpu::GPUModuleOp>().getNameAttr(),
          FlatSymbolRefAttr::get(function.getSymNameAttr())),
      gpu::KernelDim3{constant(launch[0]), one, one},
      gpu::KernelDim3{constant(launch[1]), one, one}, sharedBytes, operands);
  call.erase();
  return success();
}

LogicalResult LaunchRewriter::run() {
  SmallVector<std::pair<func::CallOp, func::FuncOp>> calls;
  module.walk([&](func::CallOp call) {
    auto kernel = symbols.lookup<func::FuncOp>(call.getCallee());
    if (kernel && isLaunched(kernel))
      calls.emplace_back(call, kernel);
  });
  for (auto [call, kernel] : calls)
    if (failed(rewrite(call, kernel)))
      return failure();
  for (auto func : llvm::make_early_inc_range(module.getOps<func::FuncOp>()))
    if (isLaunched(func))
      func.erase();
  return success();
}

namespace {
struct GPULaunchKernelsPass
    : memrev::impl::GPULaunchKernelsBase<GPULaunchKernelsPass> {
  void runOnOperation() override {
    if (failed(LaunchRewriter(getOperation()).run()))
      signalPassFailure();
  }
};
} // namespace
