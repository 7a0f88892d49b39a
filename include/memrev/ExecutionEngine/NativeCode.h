//===- NativeCode.h - LLVM dialect to code -------------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_EXECUTIONENGINE_NATIVECODE_H
#define MEMREV_EXECUTIONENGINE_NATIVECODE_H

#include "memrev/ExecutionEngine/Array.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <memory>
#include <string>
#include <vector>

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

/// The functions of a program that say what a call with some open extents
/// takes: their names are that of the function and one of these.
inline constexpr llvm::StringLiteral kArenaBytesSuffix = "_arena_bytes";
inline constexpr llvm::StringLiteral kResultExtentsSuffix = "_result_extents";
/// What the first of them returns for extents that do not agree.
inline constexpr int64_t kExtentsDisagree = -2;

/// The names of `functions`, and of those that say what calls of them take.
std::vector<std::string>
getEntryNames(llvm::ArrayRef<FunctionSignature> functions);

/// The functions that `translateToLLVM` adds to a program for a device, which
/// call its constructors and its destructors.
inline constexpr llvm::StringLiteral kLoadFunction = "_memrev_load";
inline constexpr llvm::StringLiteral kUnloadFunction = "_memrev_unload";

/// Translates `module`, in the LLVM dialect, to LLVM IR for `machine`. For each
/// name in `entries` adds a function that takes an array of pointers, one for
/// each parameter of the entry: pointers as they are, scalars by address, and
/// one for what it returns, if it does. The program is host code of one for a
/// device if `isForDevice`.
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
