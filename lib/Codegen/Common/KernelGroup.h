//===- KernelGroup.h - What one kernel computes --------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A group is the ops that become one kernel function. Groups are planned and
// compared without touching the IR, then created.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_CODEGEN_COMMON_KERNELGROUP_H
#define MEMREV_LIB_CODEGEN_COMMON_KERNELGROUP_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

namespace mlir::memrev {

/// How a result of a group gets the buffer it is written to.
struct GroupDestination {
  /// The caller's value that is updated, or null if the caller has to make one.
  Value buffer;
  /// Set when the result goes into a slice of `buffer`.
  tensor::InsertSliceOp insert;
  /// Set when `buffer` is also this input of the final op, which dies there.
  std::optional<unsigned> reusedInput;
  /// The final op's init is this fill, which the kernel repeats.
  linalg::FillOp fill;
  /// The final op reads the previous content of `buffer`.
  bool readsBuffer = false;
};

class KernelGroup {
public:
  /// Plans the group around `root`: a linalg op or a tensor.pad. An op that is
  /// `claimed` by another group does not become the epilogue.
  KernelGroup(Operation *root, const DenseSet<Operation *> &claimed);

  Operation *getRoot() const { return root; }
  /// The op whose results leave the group: the epilogue if there is one.
  Operation *getFinal() const { return epilogue ? epilogue : root; }
  Operation *getEpilogue() const { return epilogue; }
  /// The last op in program order, where the call goes.
  Operation *getLast() const { return last; }

  /// A key that is equal exactly for groups that compute the same function of
  /// their external operands. Attributes and types count by identity.
  ArrayRef<uintptr_t> getKey() const { return key; }

  /// Creates the kernel function in front of `builder`'s insertion point.
  func::FuncOp createKernel(OpBuilder &builder, StringRef name);

  /// Replaces the results of the group by those of a call to `kernel`. Groups
  /// planned earlier still name values that others of them have replaced:
  /// `replaced` leads to the new ones. Ops are left in place, in `dead` in an
  /// order in which they can be erased.
  void replaceWithCall(func::FuncOp kernel, IRMapping &replaced,
                       SmallVectorImpl<Operation *> &dead);

private:
  void planEpilogue(const DenseSet<Operation *> &claimed);
  void planDestinations();
  void planReuse(GroupDestination &destination, unsigned result);
  void include(Operation *op);
  void includeOperand(Operation *consumer, OpOperand &operand);
  void includeSlice(Operation *op);
  void addExternal(OpFoldResult value);
  unsigned idOf(OpFoldResult value);
  void keyOperation(Operation *op);
  void keyRegion(Region &region);
  Operation *cloneFinal(OpBuilder &builder, IRMapping &map,
                        ArrayRef<Value> inits) const;
  SmallVector<OpFoldResult> mapOffsets(OpBuilder &builder, Operation *slice,
                                       ArrayRef<Value> arguments) const;

  Operation *root;
  Operation *epilogue = nullptr;
  Operation *last;
  SmallVector<GroupDestination> destinations;
  /// Absorbed producers, then root, then epilogue.
  SmallVector<Operation *> ops;
  DenseSet<Operation *> included;
  /// What the kernel gets: values, and constants that stay arguments so that
  /// kernels that differ only in them are equal.
  SmallVector<OpFoldResult> externals;
  DenseMap<Value, unsigned> externalIds;
  /// Offsets of absorbed slices, as numbers of externals; -1 is static.
  DenseMap<Operation *, SmallVector<int64_t>> sliceOffsets;
  DenseMap<Value, unsigned> localIds;
  SmallVector<uintptr_t> key;
};

/// True for ops that a kernel is made around.
bool isKernelRoot(Operation *op);

/// True if every use of `op` is one that a kernel repeats inside itself, so
/// that `op` needs no kernel of its own.
bool isAlwaysAbsorbed(Operation *op);

/// True if all operands and results that are tensors have a static shape.
bool hasStaticTensors(Operation *op);

/// Moves elements without computing: a transpose, a flip, a broadcast copy.
bool isDataMovement(Operation *op);

/// Whether the kernel of `consumer` repeats the producer of `operand`.
bool absorbs(Operation *consumer, OpOperand &operand);

/// A contraction, convolution or generic whose body adds products.
bool isMultiplyAccumulate(linalg::LinalgOp op);

} // namespace mlir::memrev

#endif // MEMREV_LIB_CODEGEN_COMMON_KERNELGROUP_H
