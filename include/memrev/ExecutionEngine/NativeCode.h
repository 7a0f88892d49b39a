//===- NativeCode.h - LLVM dialect to code -------------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_EXECUTIONENGINE_NATIVECODE_H
#define MEMREV_EXECUTIONENGINE_NATIVECODE_H

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <memory>
#include <string>

namespace llvm {
class LLVMContext;
class MemoryBuffer;
class Module;
class TargetMachine;
} // namespace llvm

namespace mlir {
class ModuleOp;
} // namespace mlir

namespace mlir::memrev {

/// Returns a target machine for this kind of machine and the processor `cpu`
/// ("native" or empty for the one that runs the compiler, else one of LLVM's
/// names), or an error if LLVM does not know it.
llvm::Expected<std::unique_ptr<llvm::TargetMachine>>
createTargetMachine(llvm::StringRef cpu);

/// Returns the width of the widest vector register of `machine`, in bits.
int64_t getVectorBits(const llvm::TargetMachine &machine);

/// The prefix of the functions that `translateToLLVM` adds.
inline constexpr llvm::StringLiteral kPackedPrefix = "_memrev_packed_";

/// The functions that `translateToLLVM` adds to a program for a device, which
/// call its constructors and its destructors.
inline constexpr llvm::StringLiteral kLoadFunction = "_memrev_load";
inline constexpr llvm::StringLiteral kUnloadFunction = "_memrev_unload";

/// Translates `module`, in the LLVM dialect, to LLVM IR for `machine`. For each
/// name in `entries` adds a function that takes an array of pointers, one for
/// each parameter of the entry: pointers as they are, scalars by address. The
/// program is host code of one for a device if `isForDevice`.
llvm::Expected<std::unique_ptr<llvm::Module>>
translateToLLVM(ModuleOp module, llvm::LLVMContext &context,
                llvm::TargetMachine &machine,
                llvm::ArrayRef<std::string> entries, bool isForDevice);

/// Optimises `module` at -O2.
void optimize(llvm::Module &module, llvm::TargetMachine &machine);

/// Returns the object file of `module`, which is used up.
llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>>
emitObject(llvm::Module &module, llvm::TargetMachine &machine);

} // namespace mlir::memrev

#endif // MEMREV_EXECUTIONENGINE_NATIVECODE_H
