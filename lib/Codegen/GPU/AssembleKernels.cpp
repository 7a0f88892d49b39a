//===- AssembleKernels.cpp - Make binaries of kernel modules --------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Toolkit.h"
#include "memrev/Codegen/GPU/Passes.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Target/LLVM/ModuleToObject.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/GPU/GPUToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_GPUASSEMBLEKERNELS
#include "memrev/Codegen/GPU/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

namespace {
/// Translates a kernel module to LLVM's bitcode or to PTX. Upstream's own
/// serializer looks for CUDA's device library, which kernels do not call.
class KernelTranslation : public LLVM::ModuleToObject {
public:
  KernelTranslation(gpu::GPUModuleOp module, NVVM::NVVMTargetAttr target,
                    bool toBitcode)
      : ModuleToObject(*module, target.getTriple(), target.getChip(),
                       target.getFeatures(), target.getO()),
        toBitcode(toBitcode) {}

protected:
  FailureOr<SmallVector<char, 0>>
  moduleToObject(llvm::Module &llvmModule) override {
    if (toBitcode)
      return ModuleToObject::moduleToObject(llvmModule);
    FailureOr<llvm::TargetMachine *> machine = getOrCreateTargetMachine();
    if (failed(machine))
      return failure();
    FailureOr<SmallString<0>> ptx = translateModuleToISA(
        llvmModule, **machine, [&] { return getOperation().emitError(); });
    if (failed(ptx))
      return failure();
    return SmallVector<char, 0>(ptx->begin(), ptx->end());
  }

private:
  bool toBitcode;
};

struct GPUAssembleKernels
    : memrev::impl::GPUAssembleKernelsBase<GPUAssembleKernels> {
  using Base::Base;

  void getDependentDialects(DialectRegistry &registry) const override {
    registerBuiltinDialectTranslation(registry);
    registerGPUDialectTranslation(registry);
    registerLLVMDialectTranslation(registry);
    registerNVVMDialectTranslation(registry);
  }

  void runOnOperation() override {
    SmallVector<gpu::GPUModuleOp> modules(
        getOperation().getOps<gpu::GPUModuleOp>());
    if (!modules.empty() && failed(findPrograms()))
      return signalPassFailure();
    initializeNVPTX();
    for (gpu::GPUModuleOp module : modules)
      if (failed(assemble(module)))
        return signalPassFailure();
  }

private:
  LogicalResult findPrograms();
  LogicalResult assemble(gpu::GPUModuleOp module);

  gpu::CompilationTarget kind = gpu::CompilationTarget::Assembly;
  std::string ptxas, fatbinary;
};
} // namespace

/// Decides on `kind` and finds the programs that it takes.
LogicalResult GPUAssembleKernels::findPrograms() {
  auto find = [&](StringRef name, std::string &program) {
    llvm::Expected<std::string> found = findToolkitProgram(name);
    if (found) {
      program = std::move(*found);
      return success();
    }
    std::string message = llvm::toString(found.takeError());
    if (format == "auto")
      return failure();
    emitError(getOperation().getLoc()) << message;
    return failure();
  };
  kind = llvm::StringSwitch<gpu::CompilationTarget>(format)
             .Case("isa", gpu::CompilationTarget::Assembly)
             .Case("llvm", gpu::CompilationTarget::Offload)
             .Case("bin", gpu::CompilationTarget::Binary)
             .Default(gpu::CompilationTarget::Fatbin);
  if (kind == gpu::CompilationTarget::Assembly ||
      kind == gpu::CompilationTarget::Offload)
    return success();
  bool isFound = succeeded(find("ptxas", ptxas)) &&
                 (kind == gpu::CompilationTarget::Binary ||
                  succeeded(find("fatbinary", fatbinary)));
  if (!isFound && format != "auto")
    return failure();
  if (!isFound)
    kind = gpu::CompilationTarget::Assembly;
  return success();
}

LogicalResult GPUAssembleKernels::assemble(gpu::GPUModuleOp module) {
  auto target = module.getTargetsAttr() && module.getTargetsAttr().size() == 1
                    ? dyn_cast<NVVM::NVVMTargetAttr>(module.getTargetsAttr()[0])
                    : NVVM::NVVMTargetAttr();
  if (!target)
    return module.emitOpError("expects one target, an NVIDIA chip");
  bool toBitcode = kind == gpu::CompilationTarget::Offload;
  std::optional<SmallVector<char, 0>> translated =
      KernelTranslation(module, target, toBitcode).run();
  if (!translated)
    return failure();
  std::string object(translated->begin(), translated->end());

  if (kind == gpu::CompilationTarget::Binary ||
      kind == gpu::CompilationTarget::Fatbin) {
    llvm::Expected<std::string> binary =
        assemblePTX(ptxas, object, target.getChip());
    if (binary && kind == gpu::CompilationTarget::Fatbin)
      binary = packFatBinary(fatbinary, object, *binary, target.getChip());
    if (!binary)
      return module.emitError() << llvm::toString(binary.takeError());
    object = std::move(*binary);
  }
  OpBuilder builder(module);
  DictionaryAttr properties;
  if (kind == gpu::CompilationTarget::Assembly) {
    // The driver takes a text that ends with a zero, and optimizes as ptxas
    // does.
    object.push_back('\0');
    constexpr int32_t most = 4;
    properties = builder.getDictionaryAttr(
        builder.getNamedAttr("O", builder.getI32IntegerAttr(most)));
  }
  auto attribute = gpu::ObjectAttr::get(
      module.getContext(), target, kind, builder.getStringAttr(object),
      properties, /*kernels=*/gpu::KernelTableAttr());
  gpu::BinaryOp::create(builder, module.getLoc(), module.getName(),
                        /*offloadingHandler=*/nullptr,
                        builder.getArrayAttr(attribute));
  module.erase();
  return success();
}
