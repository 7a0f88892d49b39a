//===- LoadedCode.h - Code in this process -------------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_EXECUTIONENGINE_LOADEDCODE_H
#define MEMREV_EXECUTIONENGINE_LOADEDCODE_H

#include "memrev/ExecutionEngine/Array.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"
#include <memory>

namespace llvm {
class MemoryBuffer;
} // namespace llvm

namespace mlir::memrev {

/// Object code loaded into this process, whose functions can be called. Calls
/// may come from several threads at once.
class LoadedCode {
public:
  ~LoadedCode();

  /// Loads `object`, which runs on the CPU or, if `isForDevice`, is the host
  /// code of a program for a GPU. Fails if a symbol that it uses is not found:
  /// `symbols`, and the C, math and OpenMP libraries and the CUDA runtime
  /// provide them.
  static llvm::Expected<std::unique_ptr<LoadedCode>>
  load(const llvm::MemoryBuffer &object,
       llvm::ArrayRef<FunctionSignature> functions,
       const llvm::StringMap<void *> &symbols, bool isForDevice);

  /// Returns `function` for arguments of the given open extents: with the
  /// shapes of arguments and results and the bytes of its arena. Fails if the
  /// extents do not agree with each other, or if sizes are negative or do not
  /// fit 64 bits.
  llvm::Expected<FunctionSignature>
  instantiate(const FunctionSignature &function,
              llvm::ArrayRef<int64_t> extents) const;

  /// Calls `function` with one pointer for each parameter except the arena, on
  /// `threads` threads (0: as many as OpenMP chooses). The memory behind the
  /// pointers must have the types of the signature. It is host memory, which a
  /// program for a GPU copies to and from device 0. Nothing is written if the
  /// memory of the call cannot be had. On the CPU it is an error if the call
  /// writes behind its arena.
  llvm::Error call(const FunctionSignature &function,
                   llvm::ArrayRef<void *> parameters, int threads) const;

  /// As above, with an arena of at least `function.arenaBytes` bytes, aligned
  /// to 64 bytes, that no other call uses; else nothing is called. A program
  /// for a GPU takes device memory, and its status is that of the CUDA runtime.
  llvm::Error callInArena(const FunctionSignature &function,
                          llvm::ArrayRef<void *> parameters, void *arena,
                          size_t arenaBytes, int threads) const;

  /// The file of the OpenMP library that calls use; empty before the first call
  /// that needs one.
  static std::string getOpenMPLibrary();

  /// The bytes of arenas that no call uses at the moment.
  static size_t getIdleArenaBytes();

private:
  LoadedCode();
  struct Session;
  std::unique_ptr<Session> session;
};

/// Calls the function `declared` of `code` with arrays. Checks number, dtype
/// and shape of the arguments and returns new arrays; a donated argument is
/// overwritten, and a result that lives in it is copied.
llvm::Expected<std::vector<Array>>
callWithArrays(const LoadedCode &code, const FunctionSignature &declared,
               llvm::ArrayRef<Array> arguments, int threads);

} // namespace mlir::memrev

#endif // MEMREV_EXECUTIONENGINE_LOADEDCODE_H
