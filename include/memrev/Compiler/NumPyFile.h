//===- NumPyFile.h - .npy and .npz files ---------------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_COMPILER_NUMPYFILE_H
#define MEMREV_COMPILER_NUMPYFILE_H

#include "memrev/ExecutionEngine/Array.h"

namespace mlir::memrev {

/// An array of a file and the name that it has there.
struct NamedArray {
  std::string name;
  Array array;
};

/// Reads the bytes of an .npy file. Element types that `DType` lacks, Fortran
/// order, big-endian data and everything malformed are errors.
llvm::Expected<Array> parseNpy(llvm::StringRef bytes);

/// Appends `array` in .npy format to `os`.
void writeNpy(llvm::raw_ostream &os, const Array &array);

/// Reads the bytes of an .npz file whose members are stored, as `numpy.savez`
/// does, in the order of the file. Checks their sums.
llvm::Expected<std::vector<NamedArray>> parseNpz(llvm::StringRef bytes);

/// Writes `arrays`, each as a stored member `<name>.npy`.
llvm::Error writeNpz(llvm::raw_ostream &os, llvm::ArrayRef<NamedArray> arrays);

/// Reads an .npy file, or all members of an .npz file, by the name's ending.
llvm::Expected<std::vector<NamedArray>> readNumPyFile(llvm::StringRef path);

} // namespace mlir::memrev

#endif // MEMREV_COMPILER_NUMPYFILE_H
