//===- AttachTarget.cpp - Check the chip and attach it --------------------===//
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
#include "mlir/IR/BuiltinOps.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Target/TargetMachine.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_GPUATTACHTARGET
#include "memrev/Codegen/GPU/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

/// Returns the PTX version, times ten, that the backend takes for `chip` when
/// it is not asked for one; 0 if it says none. Only the text that it writes
/// tells: the table is private to it, and asking for an older version ends the
/// process.
static unsigned getOldestPTXVersion(const llvm::Target &target,
                                    const llvm::Triple &triple,
                                    StringRef chip) {
  std::unique_ptr<llvm::TargetMachine> machine(target.createTargetMachine(
      triple, chip, /*Features=*/"", llvm::TargetOptions(), std::nullopt));
  if (!machine)
    return 0;
  llvm::LLVMContext context;
  llvm::Module module("version", context);
  module.setTargetTriple(triple);
  module.setDataLayout(machine->createDataLayout());
  SmallString<256> text;
  llvm::raw_svector_ostream stream(text);
  llvm::legacy::PassManager passes;
  if (machine->addPassesToEmitFile(passes, stream, nullptr,
                                   llvm::CodeGenFileType::AssemblyFile))
    return 0;
  passes.run(module);

  StringRef rest = StringRef(text).split(".version ").second;
  unsigned major = 0, minor = 0;
  if (rest.consumeInteger(10, major) || !rest.consume_front(".") ||
      rest.consumeInteger(10, minor))
    return 0;
  return 10 * major + minor;
}

/// What exchanges values between the threads of a warp, shfl.sync, is in PTX of
/// this version, times ten, and in no chip before this one.
static constexpr unsigned kShufflePTXVersion = 60;
static constexpr unsigned kShuffleArchitecture = 30;

static bool canShuffle(StringRef chip) {
  unsigned architecture = 0;
  return chip.consume_front("sm_") && !chip.consumeInteger(10, architecture) &&
         architecture >= kShuffleArchitecture;
}

namespace {
struct GPUAttachTarget : memrev::impl::GPUAttachTargetBase<GPUAttachTarget> {
  using Base::Base;

  void runOnOperation() override {
    std::string features;
    if (failed(checkTarget(features)))
      return signalPassFailure();
    auto target = NVVM::NVVMTargetAttr::get(&getContext(), optLevel, kTriple,
                                            chip, features);
    for (auto module : getOperation().getOps<gpu::GPUModuleOp>())
      module.setTargetsAttr(ArrayAttr::get(&getContext(), {target}));
  }

private:
  static constexpr llvm::StringLiteral kTriple = "nvptx64-nvidia-cuda";

  /// Checks the options and fills `features` with what the target needs.
  LogicalResult checkTarget(std::string &features) {
    Location loc = getOperation().getLoc();
    if (chip.empty())
      return emitError(loc, "expects a chip to compile for, sm_90 for example");
    if (optLevel > 3)
      return emitError(loc, "expects an optimization level from 0 to 3, but "
                            "got ")
             << optLevel.getValue();

    if (!llvm::is_contained({"isa", "bin", "fatbin", "auto", "llvm"},
                            StringRef(format)))
      return emitError(loc,
                       "expects the format isa, bin, fatbin, auto or llvm, but "
                       "got '")
             << format << "'";

    initializeNVPTX();
    std::string error;
    llvm::Triple triple(kTriple);
    const llvm::Target *target =
        llvm::TargetRegistry::lookupTarget(triple, error);
    if (!target)
      return emitError(loc, error);
    std::unique_ptr<llvm::MCSubtargetInfo> subtarget(
        target->createMCSubtargetInfo(triple, /*CPU=*/"", /*Features=*/""));
    if (!canShuffle(chip) || !subtarget->isCPUStringValid(chip))
      return emitError(loc, "expects an NVIDIA chip such as sm_80 or sm_90, "
                            "but got '")
             << chip << "'";

    unsigned known = getOldestPTXVersion(*target, triple, chip);
    unsigned oldest = std::max(known, kShufflePTXVersion);
    unsigned version = ptxVersion == 0 ? oldest : ptxVersion.getValue();
    std::string feature = "ptx" + std::to_string(version);
    if (llvm::none_of(subtarget->getAllProcessorFeatures(),
                      [&](const llvm::SubtargetFeatureKV &kv) {
                        return feature == kv.Key;
                      }))
      return emitError(loc, "expects a PTX version that the backend knows, but "
                            "got ")
             << version;
    if (version < oldest)
      return emitError(loc, "expects a PTX version of at least ")
             << oldest << " for " << chip << ", but got " << version;
    // The backend takes what the chip needs by itself.
    if (ptxVersion != 0 || version != known)
      features = "+" + feature;
    return success();
  }
};
} // namespace
