//===- RevLayerOps.td - Layers with an adjoint of their own ---------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// These operations exist because the derivative of their composed form would
// cost more passes over memory than the one written here.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_DIALECT_REV_IR_REVLAYEROPS_TD
#define MEMREV_DIALECT_REV_IR_REVLAYEROPS_TD

include "memrev/Dialect/Rev/IR/RevDialect.td"
include "memrev/Interfaces/DecomposableOpInterface.td"
include "memrev/Interfaces/DifferentiableOpInterface.td"
include "memrev/Interfaces/ForwardDifferentiableOpInterface.td"
include "memrev/Interfaces/InvertibleOpInterface.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Rev_StopGradientOp : Rev_Op<"stop_gradient", [
    Pure, AllTypesMatch<["input", "result"]>,
    DeclareOpInterfaceMethods<DecomposableOpInterface>,
    DeclareOpInterfaceMethods<DifferentiableOpInterface,
                              ["isInactive", "isNeverActive",
                               "isCheapToRecompute"]>,
    DeclareOpInterfaceMethods<ForwardDifferentiableOpInterface>,
    DeclareOpInterfaceMethods<InvertibleOpInterface>]> {
  let summary = "Pass a value on without its derivative";
  let description = [{
    The `rev.stop_gradient` operation is the identity. Its derivative is taken
    to be zero, in both modes. It can be inverted, so that it does not stand in
    the way of inversion.

    Example: `%1 = rev.stop_gradient %0 : tensor<4xf32>`
  }];
  let arguments = (ins AnyType:$input);
  let results = (outs AnyType:$result);
  let assemblyFormat = "$input attr-dict `:` type($input)";
}

def Rev_FixedPointOp : Rev_Op<"fixed_point", [
    Pure, AllTypesMatch<["input", "result"]> /*fixed_point_c1*/,
    DeclareOpInterfaceMethods<DecomposableOpInterface>,
    DeclareOpInterfaceMethods<DifferentiableOpInterface>,
    DeclareOpInterfaceMethods<ForwardDifferentiableOpInterface>,
    DeclareOpInterfaceMethods<InvertibleOpInterface>]> {
  let summary = "Round to multiples of a power of two";
  let description = [{
    The `rev.fixed_point` operation rounds each element to the nearest multiple
    of 2^-fraction, ties to even:

        result = 2^-fraction roundeven(2^fraction input)

    or NaN if that is beyond 2^(p - fraction), where p is the precision of the
    element type: 24 bits for f32, 53 for f64, 11 for f16, 8 for bf16. Sums and
    differences of such numbers are exact as long as they are within that bound.
    With `checked` nothing is rounded: an element that is not such a number
    becomes NaN.

    The derivative is taken to be the identity, in both modes (the
    straight-through estimator: Bengio, Léonard, Courville, arXiv 1308.3432). With
    `checked` the operation can be inverted.

    Streams of couplings in fixed point invert bit for bit: `additive<fraction>`
    (see `#rev.additive`).

    Constraints:
    * (C1) `input` and `result` have one type, a float or a ranked tensor of
      floats.
    * (C2) `fraction` is from 0 to p - 1.

    Example:

    ```mlir
    %1 = rev.fixed_point %0 fraction = 12 : tensor<4xf32>
    %2 = rev.fixed_point %1 fraction = 12 checked : tensor<4xf32>
    ```
  }];
  let arguments = (ins AnyTypeOf<[AnyFloat, RankedTensorOf<[AnyFloat]>]>:$input,
                       I64Attr:$fraction, UnitAttr:$checked);
  let results = (outs AnyTypeOf<[AnyFloat, RankedTensorOf<[AnyFloat]>]>:$result);
  let assemblyFormat = [{
    $input `fraction` `=` $fraction (`checked` $checked^)? attr-dict `:`
    type($input)
  }];
  let hasVerifier = 1;
}

def Rev_BatchNormOp : Rev_Op<"batch_norm", [
    Pure, DeclareOpInterfaceMethods<DecomposableOpInterface>,
    DeclareOpInterfaceMethods<DifferentiableOpInterface,
                              ["getResiduals", "getRecomputationOperands",
                               "recomputeResult"]>,
    DeclareOpInterfaceMethods<ForwardDifferentiableOpInterface>,
    AllTypesMatch<["input", "result"]> /*batch_norm_c1*/,
    AllTypesMatch<["scale", "offset", "mean", "variance"]> /*batch_norm_c2*/]> {
  let summary = "Normalise each channel by its statistics over the batch";
  let description = [{
    The `rev.batch_norm` operation is batch normalisation in training mode
    (Ioffe, Szegedy: arXiv 1502.03167, algorithm 1):

        mean[c]     = average of input over all dimensions but channel_dim
        variance[c] = average of (input - mean[c])^2
        result      = scale[c] * (input - mean[c]) / sqrt(variance[c] + epsilon)
                    + offset[c]

    The statistics are results, so that a running average is updated by the
    program, once, by `rev.running_average`. The variance is the biased one; an unbiased running variance
    is the program's multiplication by n / (n - 1). `channel_dim` defaults to
    the last dimension.

    Constraints:
    * (C1) `input` and `result` have one type, a ranked tensor of floats.
    * (C2) `scale`, `offset`, `mean` and `variance` have one type, a tensor of
      rank 1 with the extent of the channel dimension and the element type of
      `input`.
    * (C3) `channel_dim` is a dimension of `input`.
    * (C4) `epsilon` is not negative.

    Example:

    ```mlir
    %y, %mean, %var = rev.batch_norm %x, %scale, %offset epsilon 1.0e-5
        : (tensor<2x8x8x4xf32>, tensor<4xf32>, tensor<4xf32>)
       -> (tensor<2x8x8x4xf32>, tensor<4xf32>, tensor<4xf32>)
    ```
  }];
  let arguments = (ins
    AnyRankedTensor:$input, AnyRankedTensor:$scale, AnyRankedTensor:$offset,
    F64Attr:$epsilon, OptionalAttr<I64Attr>:$channel_dim);
  let results = (outs
    AnyRankedTensor:$result, AnyRankedTensor:$mean, AnyRankedTensor:$variance);
  let assemblyFormat = [{
    $input `,` $scale `,` $offset `epsilon` $epsilon
    (`channel_dim` $channel_dim^)? attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// The number of the channel dimension, counted from 0.
    int64_t getChannelDimension();

    /// Emits the number of elements that each statistic averages, as a float;
    /// dynamic extents are those of `input`.
    ::mlir::Value buildCount(::mlir::ImplicitLocOpBuilder &builder,
                             ::mlir::Value input);

    /// Emits the sums of v and of v (input - mean) over each channel, added to
    /// the tensors `inits` of the statistics' type.
    ::mlir::ResultRange buildMoments(::mlir::ImplicitLocOpBuilder &builder,
                                     ::mlir::Value input, ::mlir::Value v,
                                     ::mlir::Value mean,
                                     ::mlir::ValueRange inits);
  }];
}

def Rev_BatchNormInferenceOp : Rev_Op<"batch_norm_inference", [
    Pure, DeclareOpInterfaceMethods<DecomposableOpInterface>,
    AllTypesMatch<["input", "result"]> /*batch_norm_inference_c1*/,
    AllTypesMatch<["scale", "offset", "mean", "variance"]>
    /*batch_norm_inference_c2*/]> {
  let summary = "Normalise each channel by given statistics";
  let description = [{
    The `rev.batch_norm_inference` operation computes

        result = scale[c] * (input - mean[c]) / sqrt(variance[c] + epsilon)
               + offset[c]

    It is differentiable in all of its operands.

    Constraints: (C1) to (C4) as for `rev.batch_norm`.

    Example:

    ```mlir
    %y = rev.batch_norm_inference %x, %scale, %offset, %mean, %var epsilon 1.0e-5
        : (tensor<2x8x8x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>,
           tensor<4xf32>) -> tensor<2x8x8x4xf32>
    ```
  }];
  let arguments = (ins
    AnyRankedTensor:$input, AnyRankedTensor:$scale, AnyRankedTensor:$offset,
    AnyRankedTensor:$mean, AnyRankedTensor:$variance,
    F64Attr:$epsilon, OptionalAttr<I64Attr>:$channel_dim);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input `,` $scale `,` $offset `,` $mean `,` $variance `epsilon` $epsilon
    (`channel_dim` $channel_dim^)? attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// The number of the channel dimension, counted from 0.
    int64_t getChannelDimension();
  }];
}

def Rev_RunningAverageOp : Rev_Op<"running_average", [
    Pure, AllTypesMatch<["running", "statistic", "result"]>
    /*running_average_c1*/,
    DeclareOpInterfaceMethods<DecomposableOpInterface>,
    DeclareOpInterfaceMethods<DifferentiableOpInterface,
                              ["isInactive", "isNeverActive"]>,
    DeclareOpInterfaceMethods<ForwardDifferentiableOpInterface>]> {
  let summary = "Move a running average towards a statistic";
  let description = [{
    The `rev.running_average` operation computes

        result = (1 - momentum) * running + momentum * statistic

    elementwise, in place of `running`. It is the only state of training that is
    no parameter: the mean and the variance that `rev.batch_norm` returns, which
    `rev.batch_norm_inference` reads later. As a value that the program carries,
    not a side effect, the average is updated once, however often a derivative or
    an inverse evaluates the statistic again; its derivative is taken to be zero.
    A loop that carries averages which it only updates runs backwards without
    them.

    The statistics of a layer inside of a coupling's region leave it as auxiliary
    results of the coupling.

    Constraints:
    * (C1) All operands and the result have one type, a ranked tensor of floats.
    * (C2) `momentum` is in [0, 1].

    Example:

    ```mlir
    %y, %mean, %variance = rev.batch_norm %x, %scale, %offset epsilon 1.0e-5
        : (tensor<8x4xf32>, tensor<4xf32>, tensor<4xf32>)
       -> (tensor<8x4xf32>, tensor<4xf32>, tensor<4xf32>)
    %0 = rev.running_average %running_mean, %mean momentum 0.1 : tensor<4xf32>
    ```
  }];
  let arguments = (ins
    AnyRankedTensor:$running, AnyRankedTensor:$statistic, F64Attr:$momentum);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $running `,` $statistic `momentum` $momentum attr-dict `:` type($result)
  }];
  let hasVerifier = 1;
}

def Rev_SoftmaxCrossEntropyOp : Rev_Op<"softmax_cross_entropy", [
    Pure, DeclareOpInterfaceMethods<DecomposableOpInterface>,
    DeclareOpInterfaceMethods<DifferentiableOpInterface, ["getResiduals"]>,
    DeclareOpInterfaceMethods<ForwardDifferentiableOpInterface>,
    AllTypesMatch<["loss", "log_sum_exp"]>]> {
  let summary = "Evaluate the cross-entropy of softmax(logits) and labels";
  let description = [{
    The `rev.softmax_cross_entropy` operation computes for each sample n

        log_sum_exp[n] = log(sum over k of exp(logits[n, k]))
        loss[n]        = log_sum_exp[n] - logits[n, labels[n]]

    without overflow. A label that is not in [0, K) matches no class: its loss
    is `log_sum_exp[n]`. The derivative is softmax(logits) minus the one-hot
    labels, in one pass over the logits.

    Constraints:
    * (C1) `logits` is a tensor NxK of floats.
    * (C2) `labels` is a tensor of N integers.
    * (C3) `loss` and `log_sum_exp` are tensors of N elements of the element
      type of `logits`.

    Example:

    ```mlir
    %loss, %lse = rev.softmax_cross_entropy %logits, %labels
        : (tensor<8x10xf32>, tensor<8xi32>) -> (tensor<8xf32>, tensor<8xf32>)
    ```
  }];
  let arguments = (ins AnyRankedTensor:$logits, AnyRankedTensor:$labels);
  let results = (outs AnyRankedTensor:$loss, AnyRankedTensor:$log_sum_exp);
  let assemblyFormat = [{
    $logits `,` $labels attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

#endif // MEMREV_DIALECT_REV_IR_REVLAYEROPS_TD
