//===- RevRandomOps.td - Counter-based random numbers ---------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Random numbers that are a function of their operands: a derivative evaluates
// them again instead of storing them, and so does an inverse.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_DIALECT_REV_IR_REVRANDOMOPS_TD
#define MEMREV_DIALECT_REV_IR_REVRANDOMOPS_TD

include "memrev/Dialect/Rev/IR/RevDialect.td"
include "memrev/Interfaces/DecomposableOpInterface.td"
include "memrev/Interfaces/DifferentiableOpInterface.td"
include "memrev/Interfaces/ForwardDifferentiableOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

/// A part of a generator's key or counter.
def Rev_Counter : AnyTypeOf<[I32, I64, Index]>;

defvar Rev_randomArguments = (ins
  Variadic<Index>:$dynamic_extents, Rev_Counter:$seed, Rev_Counter:$layer,
  Rev_Counter:$step, Optional<Rev_Counter>:$offset);

class Rev_RandomOp<string mnemonic, list<Trait> traits = []>
    : Rev_Op<mnemonic, traits # [
        Pure, AttrSizedOperandSegments,
        DeclareOpInterfaceMethods<DecomposableOpInterface>,
        DeclareOpInterfaceMethods<DifferentiableOpInterface,
                                  ["isInactive", "isNeverActive",
                                   "isCheapToRecompute"]>,
        DeclareOpInterfaceMethods<ForwardDifferentiableOpInterface>]> {
  let results = (outs AnyRankedTensor:$result);
  let hasVerifier = 1;
  let arguments = Rev_randomArguments;
  let assemblyFormat = [{
    (`(` $dynamic_extents^ `)`)? `seed` $seed `layer` $layer `step` $step
    (`offset` $offset^)? attr-dict `:` functional-type(operands, results)
  }];
}

def Rev_RandomBitsOp : Rev_RandomOp<"random_bits"> {
  let summary = "Generate random integers from a key and a counter";
  let description = [{
    The `rev.random_bits` operation fills a tensor with the output of Philox
    4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1,
    2, 3. SC 2011), a function of a key of two 32-bit words and a counter of
    four. Element number i, in row-major order, is a word of

        philox(key = (seed, layer), counter = (n, n >> 32, step, step >> 32 ^ seed >> 32))

    with n = i + `offset`, and the low 32 bits of each number. So two tensors
    have nothing in common if they differ in seed, layer or step, and `step` is
    below 2^32 or `seed` is. `offset`, which defaults to 0, is for parts of a
    larger tensor. Seeds, steps and offsets have up to 64 bits; i32 counts as
    unsigned. Of `layer`, which may be the induction variable of a loop, the low
    32 bits count.

    With elements of 32 bits the result is word number `word` of the four, with
    elements of 64 bits the words 2 `word` (low half) and 2 `word` + 1.

    Constraints:
    * (C1) There is one dynamic extent for each `?` of the result's type.
    * (C2) The result has elements of type i32 or i64.
    * (C3) `word` is below 4, or below 2 for i64.

    Example:

    ```mlir
    %0 = rev.random_bits seed %seed layer %i step %step
        : (i64, index, i32) -> tensor<4x8xi32>
    ```
  }];
  let arguments = !con(Rev_randomArguments,
      (ins DefaultValuedOptionalAttr<I64Attr, "0">:$word));
}

def Rev_RandomUniformOp : Rev_RandomOp<"random_uniform"> {
  let summary = "Generate random numbers of uniform distribution in [0, 1)";
  let description = [{
    The `rev.random_uniform` operation fills a tensor with multiples of 2^-b of
    uniform distribution in [0, 1), where b is the precision of the element
    type, so that each number is exact. They are made of the words w of
    `rev.random_bits` with the same operands:

    | type | b  | number                                            |
    |------|----|---------------------------------------------------|
    | f64  | 53 | ((w0 >> 5) * 2^26 + (w1 >> 6)) / 2^53             |
    | f32  | 24 | (w0 >> 8) / 2^24                                  |
    | f16  | 11 | (w0 >> 21) / 2^11                                 |
    | bf16 | 8  | (w0 >> 24) / 2^8                                  |

    The result is the same on every device, to the bit.

    Constraints:
    * (C1) There is one dynamic extent for each `?` of the result's type.
    * (C2) The result has elements of type f64, f32, f16 or bf16.

    Example:

    ```mlir
    %0 = rev.random_uniform(%n) seed %seed layer %layer step %step
        : (index, i64, i32, i64) -> tensor<?x8xf32>
    ```
  }];
}

def Rev_RandomNormalOp : Rev_RandomOp<"random_normal"> {
  let summary = "Generate random numbers of standard normal distribution";
  let description = [{
    The `rev.random_normal` operation fills a tensor with numbers of normal
    distribution with mean 0 and variance 1, by the method of Box and Muller:

        result = sqrt(-2 log(1 - u)) cos(2 pi v)

    with uniform numbers u, v in [0, 1): those that `rev.random_uniform` makes of
    the words w0 and w1 in f32, or of (w0, w1) and (w2, w3) in f64. f16 and bf16
    are computed in f32 and rounded. Between devices the result differs by the
    rounding of log, sqrt and cos.

    Constraints:
    * (C1) There is one dynamic extent for each `?` of the result's type.
    * (C2) The result has elements of type f64, f32, f16 or bf16.

    Example:

    ```mlir
    %0 = rev.random_normal seed %seed layer %layer step %step
        : (i64, i32, i64) -> tensor<4x8xf32>
    ```
  }];
}

def Rev_DropoutOp : Rev_Op<"dropout", [
    Pure, AllTypesMatch<["input", "result"]> /*dropout_c1*/,
    DeclareOpInterfaceMethods<DecomposableOpInterface>,
    DeclareOpInterfaceMethods<DifferentiableOpInterface, ["getResiduals"]>,
    DeclareOpInterfaceMethods<ForwardDifferentiableOpInterface>]> {
  let summary = "Set random elements to zero and scale the others";
  let description = [{
    The `rev.dropout` operation computes

        result = u < rate ? 0 : input / (1 - rate)

    elementwise, where u is the result of `rev.random_uniform` in f32 with the
    same `seed`, `layer`, `step` and `offset`. Elements of less than 32 bits are
    scaled in f32 and rounded. The derivative drops the same
    elements: it evaluates u again, and no mask is stored. Which elements are
    dropped depends on neither the element type nor the device. A rate of 0 drops
    nothing, a rate of 1 everything; below 0 and above 1 rates count as 0 and 1.

    The result is not differentiable in `rate`; a gradient with respect to it is
    an error.

    Constraints:
    * (C1) `input` and `result` have one type, a ranked tensor of floats.
    * (C2) A `rate` that is constant is in [0, 1].

    Example:

    ```mlir
    %1 = rev.dropout %0 rate %rate seed %seed layer %i step %step
        : (tensor<4x8xf32>, f32, i64, index, i64) -> tensor<4x8xf32>
    ```
  }];
  let arguments = (ins
    AnyRankedTensor:$input, AnyFloat:$rate, Rev_Counter:$seed,
    Rev_Counter:$layer, Rev_Counter:$step, Optional<Rev_Counter>:$offset);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input `rate` $rate `seed` $seed `layer` $layer `step` $step
    (`offset` $offset^)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

#endif // MEMREV_DIALECT_REV_IR_REVRANDOMOPS_TD
