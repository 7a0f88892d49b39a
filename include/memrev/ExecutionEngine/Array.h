//===- Array.h - Arrays of callers ---------------------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_EXECUTIONENGINE_ARRAY_H
#define MEMREV_EXECUTIONENGINE_ARRAY_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

namespace mlir::memrev {

/// The element types that arrays of callers can have.
enum class DType { Bool, I8, I16, I32, I64, F16, F32, F64, BF16 };

/// Returns the bytes of one element.
int64_t getByteSize(DType type);
/// Returns NumPy's name of `type`, such as "float32"; "bfloat16", which it
/// lacks.
llvm::StringRef getName(DType type);
/// Returns C's type of the same layout, such as "float".
llvm::StringRef getCType(DType type);

/// The extent along an axis that a type leaves open.
inline constexpr int64_t kOpenExtent = -1;

/// Element type and shape of an array. Prints as `float32[2, 3]`, open extents
/// as `?`.
struct ArrayType {
  DType dtype = DType::F32;
  llvm::SmallVector<int64_t, 4> shape;

  int64_t getNumElements() const;
  int64_t getByteSize() const;
  bool operator==(const ArrayType &other) const {
    return dtype == other.dtype && shape == other.shape;
  }
};
llvm::raw_ostream &operator<<(llvm::raw_ostream &os, const ArrayType &type);

/// An argument or a result of a compiled function.
struct ParameterSignature {
  std::string name;
  ArrayType type;
  /// Scalar arguments are passed by value; scalar results, like arrays, by
  /// address.
  bool isScalar = false;
  /// The function overwrites this argument (`rev.donated`).
  bool isDonated = false;
  /// Of an argument of the backward function of a split derivative, what it is
  /// of the forward function: "argument i", "result i", or "saved i" for the
  /// ith of its results behind those of the function. Else empty.
  std::string residual;
  /// Formulas of the open extents of its type, by d0, d1, ...: what the
  /// arguments leave open, in their order.
  std::vector<std::string> extents;
};

/// An extent of an argument that its type leaves open.
struct ArgumentExtent {
  int64_t argument = 0;
  int64_t axis = 0;
};

/// How a compiled function is called: arguments, then their open extents, as
/// integers of 64 bits, then those results that do not live in a donated
/// argument, then the arena.
struct FunctionSignature {
  std::string name;
  std::vector<ParameterSignature> arguments;
  std::vector<ParameterSignature> results;
  /// For each result the position of the parameter that holds it.
  llvm::SmallVector<int64_t> resultParameters;
  std::vector<ArgumentExtent> extents;
  /// Not known as long as there are open extents.
  int64_t arenaBytes = 0;
  /// What it is then.
  std::string arenaFormula;

  /// The number of parameters in front of the arena.
  int64_t getNumArrayParameters() const;
  /// Whether the `index`th result is a parameter of its own.
  bool hasOwnParameter(size_t index) const {
    return resultParameters[index] >= int64_t(arguments.size());
  }
};

/// An array that owns its memory, contiguous in C order.
class Array {
public:
  Array() = default;
  /// Allocates an array of `type`, all zero; fails if there is no memory.
  static llvm::Expected<Array> create(ArrayType type);

  const ArrayType &getType() const { return type; }
  void *getData() const { return data.get(); }

private:
  ArrayType type;
  std::unique_ptr<void, decltype(&std::free)> data{nullptr, &std::free};
};

/// Returns an error unless `actual` is the type that `expected`, an argument of
/// `function`, calls for.
llvm::Error verifyArgument(const FunctionSignature &function,
                           const ParameterSignature &expected,
                           const ArrayType &actual);

} // namespace mlir::memrev

#endif // MEMREV_EXECUTIONENGINE_ARRAY_H
