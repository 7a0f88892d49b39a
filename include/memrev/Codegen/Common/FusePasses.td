//===- FusePasses.td - Passes of the schedule stage (Common) --------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_CODEGEN_COMMON_FUSEPASSES_TD
#define MEMREV_CODEGEN_COMMON_FUSEPASSES_TD

include "mlir/Pass/PassBase.td"

def CodegenEliminateCommonSubexpressions
    : Pass<"codegen-eliminate-common-subexpressions"> {
  let summary = "Merge equal operations, unless that keeps a tensor for long";
  let description = [{
    Upstream's CSE merges equal operations however far apart they are. Where the
    backward part of a program evaluates values again instead of keeping them,
    that would undo the choice: a merged value lives from the forward to the
    backward part. This pass leaves an operation alone that computes a tensor of
    more than `max-distant-bytes` bytes elementwise, if a contraction, a
    convolution, a loop or a call stands between it and the last use of an equal
    one.

    Example: `relu(x)` in front of a convolution and `relu(x)` behind it stay two
    operations.
  }];
  let options = [
    Option<"maxDistantBytes", "max-distant-bytes", "int64_t",
           /*default=*/"16384",
           "Results up to this size are merged at any distance">
  ];
}

def CodegenDropUnitDims : Pass<"codegen-drop-unit-dims"> {
  let summary = "Take dimensions of 1 that a reshape put in out of linalg.generic";
  let description = [{
    A mean that keeps the dimension it is taken over gets it from a reshape. What
    is computed from it has a loop of one iteration, and fusion would move the
    reshape, and with it the dimension, into everything around. Here the reshape
    goes behind what reads it, as far as there are ops to pass, and ends where
    another one takes the dimension away again.

    Example: the square root of a variance of 16x64x1 becomes one of 16x64.

    Products keep their dimensions, and so does what has dimensions of 1 of its
    own, a batch of one image for example: no reshape would disappear.
  }];
  let dependentDialects = ["linalg::LinalgDialect", "tensor::TensorDialect"];
}

def CodegenFuseElementwise : Pass<"codegen-fuse-elementwise"> {
  let summary = "Fuse elementwise linalg.generic ops into their one reader";
  let description = [{
    Upstream's elementwise fusion, but for an op that overwrites an operand it
    reads (an accumulation, a coupling) and whose reader reduces: upstream keeps
    the result of the former as a second result of the fused op, which would be
    indexed by a reduction loop. No kernel can be made of that.

    Example: y = x + t and its sum over all dimensions stay two ops if y takes
    the place of x.

    An op of a few additions, products and comparisons that has several readers is
    repeated in each of those that it can be fused into, if what it reads is alive
    there anyway: a normalised tensor, in the sums and the gradient that read it.

    An op whose results the reader visits more than once stays apart from it if the
    reader is a product, which would not be one any more, or if it computes
    something slow. Example: the normalisation in front of a product of matrices,
    and the roots of the variances in front of the normalisation.

    Slices of padding become padding of slices, which kernels repeat. A reshape
    stays in front of an op whose result may take the place of a function's
    argument that it reads: the update of a parameter.
  }];
  let dependentDialects = [
    "affine::AffineDialect", "linalg::LinalgDialect", "tensor::TensorDialect"
  ];
}

def CodegenGeneralizeNamedOps : Pass<"codegen-generalize-named-ops"> {
  let summary = "Turn named elementwise and reduction ops into linalg.generic";
  let description = [{
    Rewrites every linalg named op that is neither a contraction, a
    convolution, a pooling nor a fill to `linalg.generic`, so that upstream's
    elementwise fusion and kernel outlining see one form. Contractions and
    convolutions keep their names because fusion must leave them alone.

    Example: `linalg.add`, `linalg.map`, `linalg.broadcast`, `linalg.reduce`
    and `linalg.transpose` become generics; `linalg.matmul` stays.
  }];
  let dependentDialects = ["linalg::LinalgDialect"];
}

def CodegenInsertCopies : Pass<"codegen-insert-copies"> {
  let summary = "Copy slices that a kernel cannot read where they are";
  let description = [{
    Kernels take contiguous buffers. A loop whose state starts as a slice of
    another tensor would carry a strided view, which bufferization copies for
    each kernel in each iteration; and what a loop returns cannot be computed
    right where it is inserted into another tensor. This pass copies both by
    elementwise operations, which become kernels like others. A loop that only
    updates elements of the slice goes on doing so in place.

    Concatenations become insertions into one tensor. A slice that an op reads
    whose result goes into the same tensor is copied too, unless the two have no
    element in common: a row times a matrix, put back in its place.

    Example: `%s = tensor.extract_slice %x[0, 8] [4, 8] [1, 1]` and
    `scf.for ... iter_args(%a = %s)` become `scf.for ... iter_args(%a = %c)` with
    `%c` a `linalg.generic` that copies `%s`.
  }];
  let dependentDialects = [
    "bufferization::BufferizationDialect", "linalg::LinalgDialect",
    "tensor::TensorDialect"
  ];
}

def CodegenOutlineKernels : Pass<"codegen-outline-kernels", "ModuleOp"> {
  let summary = "Move every linalg computation into a private kernel function";
  let description = [{
    Each linalg op on tensors of static shape, with what is worth computing
    together with it, becomes a private `func.func` with the unit attribute
    `memrev.kernel`, and a call:

    - a contraction or convolution takes its `linalg.fill` init, the
      `tensor.pad` of its operands (cloned into each consumer, so that the
      padded tensor never exists), transposes and flips of its filter, and an
      elementwise consumer when it is the only one, unless that updates a layer
      of a stack in its place or is marked `memrev.update`;
    - an operand that is a `tensor.extract_slice` is sliced inside the kernel,
      which gets the whole buffer and the offsets. Likewise a result whose only
      use is `tensor.insert_slice` is written in place into the whole buffer;
    - destinations are the last arguments, tied in order to the results, so
      that one-shot bufferization updates them in place through the call. A
      destination that does not exist yet is one `tensor.empty` per call; an
      elementwise kernel writes over an operand that dies in it instead.

    Equal kernels are made once: groups are compared before any function is
    created, so the cost is linear in the number of ops. Run no CSE on callers
    after this pass: merging two `tensor.empty` destinations costs a copy.

    Example:

    ```mlir
    %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
    %r = linalg.matmul ins(%a, %b : ...) outs(%f : tensor<4x8xf32>) -> tensor<4x8xf32>
    ```

    becomes

    ```mlir
    %e = tensor.empty() : tensor<4x8xf32>
    %r = call @matmul_0(%a, %b, %e) : (...) -> tensor<4x8xf32>
    ```

    Ops with dynamic shapes stay where they are; a remark names each: `missed` of
    category `codegen-outline-kernels` where remarks are set up, else a
    diagnostic.
  }];
  let dependentDialects = [
    "arith::ArithDialect", "func::FuncDialect", "linalg::LinalgDialect",
    "tensor::TensorDialect"
  ];
}

def CodegenFuseUpdatesIntoLoops : Pass<"codegen-fuse-updates-into-loops"> {
  let summary = "Update stacked parameters in the loop that makes their gradients";
  let description = [{
    The gradient of stacked weights is a tensor of zeros of which a loop over
    layers writes one slice in each iteration. An optimizer that follows keeps
    all of them until the loop is done. This pass moves what an optimizer computes
    from the stack into the loop, where it works on the slice that was written
    last: the loop carries the parameters and the optimizer's state instead of the
    gradient, which never exists as a whole.

    The slices are along one dimension, their numbers sums and products of the
    loop's variable and constants, and all of them are written, each one once: by
    an `scf.for` with constant bounds, by several one after the other, or by
    insertions between them. What moves are `linalg.generic` operations that
    compute a slice of each result from that slice of the stack; what else they
    read must be there before the loop, or be computed from such values: numbers
    earlier, tensors slice by slice as well.

    A result takes the place of a tensor that nothing else needs after its slice
    is written, usually the parameters or the state from which it is computed.
    Nothing moves where results that find no such place, and that the function
    does not return, take as many bytes as the stack; nor if something needs all
    of the stack at once, a norm over all gradients for example. Remarks of
    category `codegen-fuse-updates-into-loops` say so.

    The arithmetic is the same, element by element.

    Example:

    ```mlir
    %g = scf.for %i = %c0 to %c4 step %c1 iter_args(%a = %zeros) -> (tensor<4x8xf32>) {
      %w = tensor.extract_slice %p[%i, 0] [1, 8] [1, 1] : tensor<4x8xf32> to tensor<8xf32>
      %d = ... // of %w
      %u = tensor.insert_slice %d into %a[%i, 0] [1, 8] [1, 1] : tensor<8xf32> into tensor<4x8xf32>
      scf.yield %u : tensor<4x8xf32>
    }
    %n = linalg.generic ... ins(%p, %g : ...) // %p - rate %g
    ```

    becomes

    ```mlir
    %n = scf.for %i = %c0 to %c4 step %c1 iter_args(%a = %p) -> (tensor<4x8xf32>) {
      %w = tensor.extract_slice %a[%i, 0] [1, 8] [1, 1] : tensor<4x8xf32> to tensor<8xf32>
      %d = ... // of %w
      %s = linalg.generic ... ins(%w, %d : ...) // %w - rate %d
      %u = tensor.insert_slice %s into %a[%i, 0] [1, 8] [1, 1] : tensor<8xf32> into tensor<4x8xf32>
      scf.yield %u : tensor<4x8xf32>
    }
    ```
  }];
  let dependentDialects = ["linalg::LinalgDialect", "scf::SCFDialect",
                           "tensor::TensorDialect"];
}

def CodegenAdvanceUpdates : Pass<"codegen-advance-updates"> {
  let summary = "Update parameters as soon as their gradients are there";
  let description = [{
    A training step computes all gradients, then updates all parameters, so that
    all gradients would be there at its end. An elementwise operation whose results
    are next values of arguments of its block, with no other use of these behind
    it, and that is the last one to read something computed before (the gradient),
    only frees memory. This pass moves it up to where its operands are there and
    nothing else reads these arguments. `memrev.update` on it keeps it out of the
    kernel of the product that makes the gradient, whose sums are divided
    differently with it: results do not change.

    Example: `%v1 = 0.9 %v + %g` moves from the end of the function to behind
    `%g`, and `%p1 = %p - %g` behind what reads `%p` last.
  }];
  let dependentDialects = ["linalg::LinalgDialect"];
}

def CodegenUpdateSlicesInPlace : Pass<"codegen-update-slices-in-place"> {
  let summary = "Update a slice through the destination instead of a copy";
  let description = [{
    An elementwise `linalg.generic` that reads a slice of a tensor and whose
    result is inserted into the same slice (a running average of stacked
    statistics) reads the slice through its out operand afterwards. A kernel
    would otherwise get the tensor twice, to read and to write, and bufferization
    would copy it.

    Example:

    ```mlir
    %s = tensor.extract_slice %t[%i, 0] [1, 8] [1, 1]
    %r = linalg.generic ... ins(%s, %x) outs(%empty)
    %u = tensor.insert_slice %r into %t[%i, 0] [1, 8] [1, 1]
    ```

    becomes `linalg.generic ... ins(%x) outs(%s)` between the same two slices.
  }];
  let dependentDialects = ["linalg::LinalgDialect", "tensor::TensorDialect"];
}

#endif // MEMREV_CODEGEN_COMMON_FUSEPASSES_TD
