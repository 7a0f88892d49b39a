//===- Generator.h - Writes random programs ------------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A program is a function `f`. The generator knows the extents of every value,
// also of those whose types are dynamic, and a bound of its magnitude, so that
// what it writes is defined and does not overflow.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_TEST_LIB_FUZZ_GENERATOR_H
#define MEMREV_TEST_LIB_FUZZ_GENERATOR_H

#include "Random.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/StringSet.h"
#include <string>

namespace mlir::memrev::testing {

/// A float value that the generator may use.
struct Known {
  Value value;
  SmallVector<int64_t, 4> shape;
  /// No element is larger.
  double bound = 1;

  bool isTensor() const { return isa<RankedTensorType>(value.getType()); }
  Type getElementType() const { return getElementTypeOrSelf(value.getType()); }
};

/// What a program may consist of.
struct GeneratorOptions {
  unsigned maxOperations = 8;
  /// Names of the groups of generators to use; all if empty.
  SmallVector<std::string> only;
};

/// Attributes of a program that say how it is called: of an argument its
/// extents and range, of the function what is differentiated.
inline constexpr llvm::StringLiteral kShapeAttr = "fuzz.shape";
inline constexpr llvm::StringLiteral kLowAttr = "fuzz.low";
inline constexpr llvm::StringLiteral kHighAttr = "fuzz.high";
inline constexpr llvm::StringLiteral kWrtAttr = "fuzz.wrt";
inline constexpr llvm::StringLiteral kOfAttr = "fuzz.of";

class Generator;

/// Emits one random operation, or a few, and tells the generator of the
/// results. Returns false, having emitted nothing, if nothing fits.
using Emitter = bool (*)(Generator &);

struct EmitterEntry {
  const char *group;
  const char *name;
  double weight;
  Emitter emit;
};

ArrayRef<EmitterEntry> getScalarEmitters();
ArrayRef<EmitterEntry> getStructuredEmitters();
ArrayRef<EmitterEntry> getDimensionEmitters();
ArrayRef<EmitterEntry> getContractionEmitters();
ArrayRef<EmitterEntry> getWindowEmitters();
ArrayRef<EmitterEntry> getTensorEmitters();
ArrayRef<EmitterEntry> getControlFlowEmitters();
ArrayRef<EmitterEntry> getLayerEmitters();

class Generator {
public:
  Generator(MLIRContext *context, uint64_t seed,
            const GeneratorOptions &options);

  /// Writes a program.
  OwningOpRef<ModuleOp> run();

  Random rng;
  ImplicitLocOpBuilder b;

  //===--------------------------------------------------------------------===//
  // Values
  //===--------------------------------------------------------------------===//

  /// A value that `fits`, later ones more often; null if there is none.
  const Known *find(function_ref<bool(const Known &)> fits);
  /// A value of the program's type, a tensor if `isTensor`; made if necessary.
  Known pick(bool isTensor);
  /// A tensor of this shape and element type: one that there is, an argument or
  /// a constant.
  Known pickShape(ArrayRef<int64_t> shape, Type elementType);
  Known pickShape(ArrayRef<int64_t> shape) {
    return pickShape(shape, elementType);
  }
  /// A new argument of the function, or a constant.
  Known makeLeaf(ArrayRef<int64_t> shape, bool isTensor, Type elementType);
  /// A new argument that is an index from `low` to `high`.
  Value makeIndexArgument(int64_t low, int64_t high);

  /// Adds a value that later operations may use, scaled down if it is large.
  void add(Value value, ArrayRef<int64_t> shape, double bound);
  /// As `value`, with `bound` at most `most`.
  Known limit(Known known, double most);
  /// True for one factor of a program, which may be as large as 1e6. A gradient
  /// through two of them is a sum of numbers as large as 1e12, whose rounding
  /// no check can tell from a mistake. None is in a region, which may run
  /// again.
  bool takeLargeFactor();
  /// `known` cast to `type`, which has the same extents.
  Value castTo(const Known &known, Type type);

  /// An extent: small, now and then 0 or 1.
  int64_t extent();
  SmallVector<int64_t> shape(int64_t minRank, int64_t maxRank);
  /// A type of these extents, some of them dynamic if the program is.
  RankedTensorType typeFor(ArrayRef<int64_t> shape, Type elementType);
  /// An index of this value: a constant or the extent of a tensor.
  Value index(int64_t value);
  /// The dynamic extents of `type`, whose extents are `shape`.
  SmallVector<Value> dynamicSizes(RankedTensorType type,
                                  ArrayRef<int64_t> shape);
  Value empty(ArrayRef<int64_t> shape, Type elementType);
  /// An uninitialised tensor of this type, whose extents are `shape`.
  Value emptyOf(RankedTensorType type, ArrayRef<int64_t> shape);
  /// A tensor of one number.
  Value filled(ArrayRef<int64_t> shape, Type elementType, double value);
  Value constant(Type scalarType, double value);
  /// `value` in every element of something like `like`.
  Value constantLike(Value like, double value);

  /// Emits an operation by its name.
  Value op(StringRef name, ValueRange operands, Type result,
           ArrayRef<NamedAttribute> attributes = {});

  //===--------------------------------------------------------------------===//
  // Regions
  //===--------------------------------------------------------------------===//

  /// Emits up to `count` operations here.
  void emitSome(int64_t count);
  /// Calls `body` with the builder in `block`. What is added there is forgotten
  /// afterwards.
  void inBlock(Block *block, function_ref<void()> body);

  /// A private function of arguments of types `inputs`, which `body` gets, that
  /// returns what `body` returns. No value of the program is known in it.
  func::FuncOp makeFunction(TypeRange inputs,
                            function_ref<SmallVector<Value>(ValueRange)> body);

  /// Whether the program may get more arguments here.
  bool canAddArguments() const { return !isInCallee; }

  /// A scalar expression of `operands`, of at most `size` operations, with its
  /// bound.
  Known expression(ArrayRef<Known> operands, unsigned size);

  SmallVector<Known> values;
  Type elementType;
  /// Whether types may be dynamic.
  bool isDynamic = false;
  /// How many regions are around here.
  unsigned depth = 0;
  const GeneratorOptions &options;
  ModuleOp module;
  func::FuncOp func;

private:
  void setRange(unsigned argument, Attribute low, Attribute high);

  unsigned numLeaves = 0, numFunctions = 0;
  bool isInCallee = false, hasLargeFactor = false;
};

/// Writes the program of `seed`.
OwningOpRef<ModuleOp> generate(MLIRContext *context, uint64_t seed,
                               const GeneratorOptions &options);

/// The names of the groups of generators.
SmallVector<std::string> getEmitterGroups();

} // namespace mlir::memrev::testing

#endif // MEMREV_TEST_LIB_FUZZ_GENERATOR_H
