//===- KernelBuilder.h - What emitters of GPU kernels share ---- -*- C++
//-*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A kernel is emitted as an llvm.func with a pointer for each buffer, whose
// body is arith, scf, nvvm and llvm operations. Indices are 32-bit integers
// wherever all offsets fit, since 64-bit ones cost two registers and several
// instructions each.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_CODEGEN_GPU_KERNELBUILDER_H
#define MEMREV_LIB_CODEGEN_GPU_KERNELBUILDER_H

#include "memrev/Codegen/Common/Problem.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::memrev::simt {

/// Lanes of a warp.
inline constexpr int64_t kWarpSize = 32;

/// How a kernel is launched.
struct LaunchShape {
  int64_t blocks = 1;
  int64_t threads = kWarpSize;
  int64_t sharedBytes = 0;
};

/// A linear function of loop dimensions and symbols.
struct Linear {
  SmallVector<int64_t> dims, symbols;
  int64_t constant = 0;

  /// Flattens `expr`, which is linear.
  static Linear get(AffineExpr expr, unsigned numDims, unsigned numSymbols);
  /// The offset in elements of `access` from the start of its source, whose
  /// elements lie one after another.
  static Linear getOffset(const Access &access, unsigned numDims);

  bool uses(unsigned dim) const { return dims[dim] != 0; }
};

/// Whether `lanes` steps of `dim` select elements that lie one after another,
/// at an address that is a multiple of their size.
bool isVector(const Access &access, unsigned dim, int64_t lanes,
              const Problem &problem);

/// The row-major strides of `shape`.
SmallVector<int64_t> getStrides(ArrayRef<int64_t> shape);

/// Whether elements of `problem` can be read and written by emitted kernels:
/// every access is to an argument of `kernel` or to a scalar.
bool canEmit(const Problem &problem, func::FuncOp kernel, std::string &reason);

/// A buffer of partial results among the parameters of a kernel.
enum class Workspace {
  None,
  /// In place of the destinations, which the kernel does not have.
  Last,
  /// In front of all others.
  First,
};

/// A value a lane, of each argument or result of a body.
using Lanes = SmallVector<SmallVector<Value>>;

/// Emits one kernel. Values of loop dimensions are passed as a vector with an
/// element for each dimension of the problem; a null one counts as zero.
class KernelBuilder {
public:
  /// Creates the kernel `name` in `module` for `kernel`, a function on tensors
  /// whose accesses are those of `problem`, and starts its body. The first
  /// `numLocals` arguments of `kernel` are not parameters: they are what `bind`
  /// says.
  KernelBuilder(gpu::GPUModuleOp module, func::FuncOp kernel, StringRef name,
                const Problem &problem, int64_t threads,
                Workspace workspace = Workspace::None, unsigned numLocals = 0);

  /// Lets a thread have all registers that one block on a multiprocessor
  /// leaves it: without, the assembler may spill some for the sake of a second
  /// block.
  void preferRegisters();

  /// Ends the body.
  LLVM::LLVMFuncOp finish();

  ImplicitLocOpBuilder b;
  const Problem &problem;

  // Indices.
  IntegerType indexType;
  Value index(int64_t value);
  /// An index of 32 bits without a sign.
  Value toIndex(Value number);
  Value add(Value left, Value right);
  Value sub(Value left, Value right);
  Value mul(Value left, int64_t right);
  /// For `left` that is not negative.
  Value div(Value left, int64_t right);
  Value rem(Value left, int64_t right);
  Value lessThan(Value left, int64_t right);
  /// Of numbers that are not negative.
  Value min(Value left, Value right);
  Value max(Value left, Value right);
  Value select(Value condition, Value then, Value otherwise);
  Value logicalAnd(Value left, Value right);
  /// `linear` at `dims`; `symbols` are values of the function on tensors.
  Value evaluate(const Linear &linear, ArrayRef<Value> dims,
                 ArrayRef<Value> symbols);
  /// The part of `linear` that depends on the dimensions that `dims` has.
  Value evaluateDims(const Linear &linear, ArrayRef<Value> dims);
  /// Splits `linearized`, the number of a point in row-major order of the
  /// dimensions `order`, into `dims`.
  void delinearize(Value linearized, ArrayRef<unsigned> order,
                   MutableArrayRef<Value> dims);

  // Threads.
  Value threadId();
  Value blockId();
  void barrier();

  // Values of the function on tensors that the kernel is made from.
  /// The kernel's value for a scalar.
  Value scalar(Value value);
  /// From here on, `inner` of the kernel is the value for `value`.
  void bind(Value value, Value inner);
  /// Computes the result of `op`, a scalar, and binds it. What its operands
  /// depend on is bound.
  void evaluateScalar(Operation &op);
  /// The kernel's pointer for a buffer.
  Value pointer(Value tensor);
  Value getWorkspace() const { return workspace; }

  // Accesses.
  Value elementPointer(const Access &access, Value offset);
  /// The element of `tensor` at `position`, which are of index type.
  Value loadElement(Value tensor, ValueRange position);
  /// Whether `access` is inside of its source at `dims`; null if always.
  Value isInside(const Access &access, ArrayRef<Value> dims);
  /// `lanes` elements of `access` that lie one after another from `dims` on,
  /// aligned to their size, as scalars. Outside of the source, or where
  /// `condition` is given and false, they are the padding, or zero.
  SmallVector<Value> load(const Access &access, ArrayRef<Value> dims,
                          int64_t lanes, Value condition = {});
  /// Writes `values` one after another.
  void store(const Access &access, ArrayRef<Value> dims, ValueRange values);

  /// The same for the elements that `lanes` steps of dimension `dim` select,
  /// wherever they lie, in as few accesses as are aligned. `dims` is at a
  /// multiple of `lanes` in `dim`.
  SmallVector<Value> loadAlong(const Access &access, ArrayRef<Value> dims,
                               unsigned dim, int64_t lanes);
  void storeAlong(const Access &access, ArrayRef<Value> dims, unsigned dim,
                  ValueRange values);
  /// `dims` after `steps` steps of `dim`.
  SmallVector<Value> advance(ArrayRef<Value> dims, unsigned dim, int64_t steps);

  /// What `lanes` elements of `output` start from.
  SmallVector<Value> loadInit(const Output &output, ArrayRef<Value> dims,
                              unsigned dim, int64_t lanes);
  /// Evaluates the body on scalars at `dims`.
  SmallVector<Value> evaluateBody(ValueRange arguments, ArrayRef<Value> dims);
  /// What the body takes for `lanes` steps of `dim`: what is read, `sums` of a
  /// contraction, and what results start from.
  Lanes loadArguments(ArrayRef<Value> dims, unsigned dim, int64_t lanes,
                      ArrayRef<Value> sums = {});
  /// Evaluates the body for each lane, or copies without one.
  Lanes evaluateLanes(const Lanes &arguments, ArrayRef<Value> dims,
                      unsigned dim);
  /// Writes the result for each lane.
  void storeResults(const Lanes &results, ArrayRef<Value> dims, unsigned dim);
  Value zero(Type type);

  // Memory.
  /// A pointer to the start of the block's dynamic shared memory.
  Value sharedMemory();
  /// `bytes` after `base`.
  Value offsetPointer(Value base, Value bytes);
  /// `type` as it lies in memory.
  Type getMemoryType(Type type);
  Value fromMemory(Value value, Type type);
  Value toMemory(Value value);

  /// `for` from `low` to `high`; `body` gets the index and carried values and
  /// returns the next ones.
  SmallVector<Value>
  loop(Value low, Value high, Value step, ValueRange inits,
       function_ref<SmallVector<Value>(Value, ValueRange)> body);
  /// `if` without results.
  void when(Value condition, function_ref<void()> body);
  void choose(Value condition, function_ref<void()> then,
              function_ref<void()> otherwise);
  /// `if` with results of `types`.
  SmallVector<Value> choose(Value condition, TypeRange types,
                            function_ref<SmallVector<Value>()> then,
                            function_ref<SmallVector<Value>()> otherwise);

private:
  void cloneBodyOp(Operation &op, ArrayRef<Value> dims, IRMapping &local);

  func::FuncOp kernel;
  gpu::GPUModuleOp module;
  LLVM::LLVMFuncOp function;
  IRMapping mapping;
  Value workspace;
  /// The last operation at the start of the kernel that computes a scalar.
  Operation *lastScalar = nullptr;
};

/// The bytes that an element of `type` takes in memory.
int64_t getByteSize(Type type);

} // namespace mlir::memrev::simt

#endif // MEMREV_LIB_CODEGEN_GPU_KERNELBUILDER_H
