//===- RevOps.td - Couplings and function transforms ----------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_DIALECT_REV_IR_REVOPS_TD
#define MEMREV_DIALECT_REV_IR_REVOPS_TD

include "memrev/Dialect/Rev/IR/RevDialect.td"
include "memrev/Dialect/Rev/IR/RevLayerOps.td"
include "memrev/Dialect/Rev/IR/RevRandomOps.td"
include "memrev/Interfaces/BijectionAttrInterface.td"
include "memrev/Interfaces/DecomposableOpInterface.td"
include "memrev/Interfaces/DifferentiableOpInterface.td"
include "memrev/Interfaces/InvertibleOpInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

//===----------------------------------------------------------------------===//
// Couplings
//===----------------------------------------------------------------------===//

def Rev_CouplingOp : Rev_Op<"coupling", [
    AttrSizedResultSegments, RecursiveMemoryEffects, SingleBlock,
    AllTypesMatch<["coupled", "result"]> /*coupling_c1*/,
    DeclareOpInterfaceMethods<DecomposableOpInterface>,
    DeclareOpInterfaceMethods<DifferentiableOpInterface, ["getResiduals"]>,
    DeclareOpInterfaceMethods<ForwardDifferentiableOpInterface>,
    DeclareOpInterfaceMethods<InvertibleOpInterface, ["buildInverseAndVJP"]>]> {
  let summary = "Transform a value by a bijection with computed parameters";
  let description = [{
    The `rev.coupling` operation computes

        result = f(coupled; F(given))

    elementwise, where f is the bijection `kind` and F is the region: any pure,
    differentiable program of the given values and of values captured from
    outside (weights), which yields the parameters of f. The inverse evaluates F
    once more and applies f's inverse, so that `coupled` need not be stored and
    F need not be invertible. That is a coupling too, of the kind
    `inverse_of<kind>`: `rev.inverse` of a program of couplings is one of such.
    No swap of halves is implied: `result` takes the
    place of `coupled`, in the same buffer.

    With `log_det` the second result is the logarithm of the absolute Jacobian
    determinant of the coupling, summed over all dimensions but `batch_dim`
    (default 0).

    What the region yields beyond the parameters are further results, of any
    type: `auxiliary` ones, such as the statistics of a batch norm inside of F.
    They are computed in the forward pass, once; an inverse that somebody asks
    for them finds them in its evaluation of F.

    Constraints:
    * (C1) `coupled` and `result` have one type, a ranked tensor of floats.
    * (C2) The region's arguments have the types of `given`.
    * (C3) The region yields one value of the type of `coupled` for each
      parameter of `kind`, then one for each of the results `auxiliary`.
    * (C4) Neither `given` nor the region mentions `coupled`, but in a coupling
      of tangents (attribute `rev.of_tangents`), where two can be one value.
    * (C5) The region's operations are free of side effects.
    * (C6) `log_det` is a tensor of rank 1 with the extent `batch_dim` and the
      element type of `coupled`; `batch_dim` is one of its dimensions.
    * (C7) The results `auxiliary` have the types that the region yields.
    * (C8) The kind is one for the element type of `coupled`.

    Example:

    ```mlir
    %y1 = rev.coupling additive %x1 given(%x2) {
    ^bb0(%c: tensor<2x4xf32>):
      %t = math.tanh %c : tensor<2x4xf32>
      rev.yield %t : tensor<2x4xf32>
    } : tensor<2x4xf32>, (tensor<2x4xf32>)
    %y2, %ld = rev.coupling affine<exp> %x2 given(%y1) log_det {
    ^bb0(%c: tensor<2x4xf32>):
      rev.yield %c, %c : tensor<2x4xf32>, tensor<2x4xf32>
    } : tensor<2x4xf32>, (tensor<2x4xf32>) -> tensor<2xf32>
    %y3, %u = rev.coupling additive %y1 given(%y2) {
    ^bb0(%c: tensor<2x4xf32>):
      %t = math.tanh %c : tensor<2x4xf32>
      %u = tensor.extract_slice %t[0, 0] [1, 4] [1, 1]
          : tensor<2x4xf32> to tensor<4xf32>
      rev.yield %t, %u : tensor<2x4xf32>, tensor<4xf32>
    } : tensor<2x4xf32>, (tensor<2x4xf32>) -> tensor<4xf32>
    ```
  }];
  let arguments = (ins
    BijectionAttrInterface:$kind,
    AnyRankedTensor:$coupled,
    Variadic<AnyType>:$given,
    DefaultValuedOptionalAttr<I64Attr, "0">:$batch_dim);
  let results = (outs
    AnyRankedTensor:$result,
    Optional<AnyRankedTensor>:$log_det,
    Variadic<AnyType>:$auxiliary);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    /// What the region yields first: the bijection's parameters.
    ::mlir::OperandRange getParameters();

    /// What the region yields behind them: the auxiliary results.
    ::mlir::OperandRange getYieldedAuxiliary();

    /// Emits f (or its inverse) over the elements of `value` with the tensors
    /// `parameters`, overwriting `value` when it is bufferized.
    ::mlir::Value applyBijection(::mlir::OpBuilder &builder,
                                 ::mlir::Value value,
                                 ::mlir::ValueRange parameters, bool inverse);

    /// Emits the log-determinant, per sample, from what the forward form reads.
    /// Requires that the operation has that result.
    ::mlir::Value buildLogDet(::mlir::OpBuilder &builder, ::mlir::Value coupled,
                              ::mlir::ValueRange parameters);

    /// Replaces this operation by one whose region yields the log-determinant,
    /// as its first auxiliary result: what derivatives it has are then those of
    /// the region. Returns null, and changes nothing, if it has no such result
    /// or if that depends on `coupled`.
    CouplingOp yieldLogDet(::mlir::RewriterBase &rewriter);
  }];
}

def Rev_YieldOp : Rev_Op<"yield", [
    Pure, ReturnLike, Terminator, HasParent<"CouplingOp">]> {
  let summary = "Yield a coupling's parameters and auxiliary results";
  let description = [{
    The `rev.yield` operation ends the region of a `rev.coupling` and yields the
    parameters of its bijection, then its auxiliary results.

    Example: `rev.yield %a, %t : tensor<2x4xf32>, tensor<2x4xf32>`
  }];
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "attr-dict ($values^ `:` type($values))?";
}

//===----------------------------------------------------------------------===//
// Function transforms
//===----------------------------------------------------------------------===//

class Rev_TransformOp<string mnemonic, list<Trait> traits = []>
    : Rev_Op<mnemonic, !listconcat(traits, [
        DeclareOpInterfaceMethods<SymbolUserOpInterface>])>;

def Rev_VjpOp : Rev_TransformOp<"vjp", [AttrSizedOperandSegments]> {
  let summary = "Evaluate the vector-Jacobian product of a function";
  let description = [{
    The `rev.vjp` operation evaluates the cotangents of the arguments `wrt` of
    the function `callee` at `args`, given the `cotangents` of its results `of`.
    `wrt` defaults to all arguments with a float element type, `of` to all such
    results. A result that is not in `of` has a zero cotangent.

    The policy says how the derivative gets the values that the function
    computed back: `invert` (default) runs invertible operations backwards,
    `store` keeps every value, as ordinary reverse mode does.

    With `strong_zero` a zero cotangent times an infinite or undefined partial
    derivative is zero: the gradient of `sqrt(x)` at 0 is then 0 where nothing
    asks for it, instead of the NaN that 0 * inf gives.

    A call of `callee` with the same `args` before it in the block, whose results
    are read, is evaluated together with it: the function runs once.

    Constraints:
    * (C1) `callee` names a `func.func` with a body of one block or a custom
      rule (`rev.custom_vjp`, `rev.custom_jvp`).
    * (C2) `args` have the types of the function's arguments.
    * (C3) `wrt` holds distinct numbers of arguments with a float element type.
    * (C4) `of` holds distinct numbers of results with a float element type.
    * (C5) `cotangents` have the types of the results `of`.
    * (C6) The results have the types of the arguments `wrt`.

    Example:

    ```mlir
    %dx, %dw = rev.vjp @f(%x, %w) cotangents(%dy) wrt [0, 1] policy(store)
        : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>)
       -> (tensor<4xf32>, tensor<4xf32>)
    ```
  }];
  let arguments = (ins
    FlatSymbolRefAttr:$callee,
    Variadic<AnyType>:$args,
    Variadic<AnyType>:$cotangents,
    OptionalAttr<DenseI64ArrayAttr>:$wrt,
    OptionalAttr<DenseI64ArrayAttr>:$of,
    DefaultValuedOptionalAttr<Rev_PolicyAttr,
      "::mlir::memrev::rev::Policy::Invert">:$policy,
    UnitAttr:$strong_zero);
  let results = (outs Variadic<AnyType>:$gradients);
  let assemblyFormat = [{
    $callee `(` $args `)` `cotangents` `(` $cotangents `)` (`wrt` $wrt^)?
    (`of` $of^)? (`policy` `(` custom<Policy>($policy)^ `)`)?
    (`strong_zero` $strong_zero^)? attr-dict
    `:` functional-type(operands, results)
  }];
}

def Rev_ValueAndGradOp : Rev_TransformOp<"value_and_grad"> {
  let summary = "Evaluate a function and the gradient of its first result";
  let description = [{
    The `rev.value_and_grad` operation evaluates the function `callee` at
    `args` and returns all of its results, followed by the gradients of result 0
    with respect to the arguments `wrt` (default: all with a float element
    type).

    Constraints:
    * (C1) `callee` names a `func.func` with a body of one block or a custom
      rule (`rev.custom_vjp`, `rev.custom_jvp`).
    * (C2) `args` have the types of the function's arguments.
    * (C3) `wrt` holds distinct numbers of arguments with a float element type.
    * (C4) Result 0 of the function is a float or a tensor of rank 0 of floats.
    * (C5) The results have the types of the function's results, then those of
      the arguments `wrt`.

    Example:

    ```mlir
    %l, %dw = rev.value_and_grad @loss(%x, %w) wrt [1]
        : (tensor<4xf32>, tensor<4xf32>) -> (f32, tensor<4xf32>)
    ```
  }];
  let arguments = (ins
    FlatSymbolRefAttr:$callee,
    Variadic<AnyType>:$args,
    OptionalAttr<DenseI64ArrayAttr>:$wrt,
    DefaultValuedOptionalAttr<Rev_PolicyAttr,
      "::mlir::memrev::rev::Policy::Invert">:$policy,
    UnitAttr:$strong_zero);
  let results = (outs Variadic<AnyType>:$outputs);
  let assemblyFormat = [{
    $callee `(` $args `)` (`wrt` $wrt^)? (`policy` `(` custom<Policy>($policy)^ `)`)?
    (`strong_zero` $strong_zero^)? attr-dict `:` functional-type(operands, results)
  }];
}

def Rev_JvpOp : Rev_TransformOp<"jvp", [AttrSizedOperandSegments]> {
  let summary = "Evaluate a function and its Jacobian-vector product";
  let description = [{
    The `rev.jvp` operation evaluates the function `callee` at `args` and the
    tangents of its results `of` in the direction `tangents` of its arguments
    `wrt`. `wrt` defaults to all arguments with a float element type, `of` to
    all such results. An argument that is not in `wrt` has a zero tangent. The
    results are all results of the function, then the tangents.

    Constraints:
    * (C1) `callee` names a `func.func` with a body of one block or a custom
      rule (`rev.custom_vjp`, `rev.custom_jvp`).
    * (C2) `args` have the types of the function's arguments.
    * (C3) `wrt` holds distinct numbers of arguments with a float element type.
    * (C4) `of` holds distinct numbers of results with a float element type.
    * (C5) `tangents` have the types of the arguments `wrt`.
    * (C6) The results have the types of the function's results, then those of
      the results `of`.

    Example:

    ```mlir
    %y, %ty = rev.jvp @f(%x, %w) tangents(%tx) wrt [0]
        : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>)
       -> (tensor<4xf32>, tensor<4xf32>)
    ```
  }];
  let arguments = (ins
    FlatSymbolRefAttr:$callee,
    Variadic<AnyType>:$args,
    Variadic<AnyType>:$tangents,
    OptionalAttr<DenseI64ArrayAttr>:$wrt,
    OptionalAttr<DenseI64ArrayAttr>:$of,
    UnitAttr:$strong_zero);
  let results = (outs Variadic<AnyType>:$outputs);
  let assemblyFormat = [{
    $callee `(` $args `)` `tangents` `(` $tangents `)` (`wrt` $wrt^)?
    (`of` $of^)? (`strong_zero` $strong_zero^)? attr-dict
    `:` functional-type(operands, results)
  }];
}

def Rev_InverseOp : Rev_TransformOp<"inverse"> {
  let summary = "Evaluate the inverse of a function";
  let description = [{
    The `rev.inverse` operation recovers the arguments `wrt` (default: 0) of the
    function `callee` from its results and its other arguments: `inputs` are all
    results of the function, then the arguments that are not recovered, in
    order. It is an error of `rev-differentiate` if the function's operations
    have no inverse that reaches these arguments.

    A function with the attribute `rev.inverse = @g` names its inverse itself:
    `@g` takes the function's results, then its other arguments, and returns its
    first arguments, as many as `@g` has results. Calls of such a function are
    inverted by calls of `@g`. Its derivatives are those of its body, or its own
    rules. With `rev.side_results = n` `@g` takes all but the last n results, and
    returns these behind the arguments; this operation takes them and ignores
    them.

    Constraints:
    * (C1) `callee` names a `func.func` with a body of one block, or with the
      attribute `rev.inverse`.
    * (C2) `inputs` have the types of the function's results, then those of its
      arguments not in `wrt`.
    * (C3) `wrt` holds distinct numbers of arguments.
    * (C4) The results have the types of the arguments `wrt`.

    Example:

    ```mlir
    %x = rev.inverse @flow(%z, %w) wrt [0]
        : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
  let arguments = (ins
    FlatSymbolRefAttr:$callee,
    Variadic<AnyType>:$inputs,
    OptionalAttr<DenseI64ArrayAttr>:$wrt);
  let results = (outs Variadic<AnyType>:$outputs);
  let assemblyFormat = [{
    $callee `(` $inputs `)` (`wrt` $wrt^)? attr-dict
    `:` functional-type(operands, results)
  }];
}

def Rev_LogDetOp : Rev_TransformOp<"log_det"> {
  let summary = "Evaluate a function and its log-determinant per sample";
  let description = [{
    The `rev.log_det` operation evaluates the function `callee` at `args` and
    returns all of its results, then for each sample the logarithm of the
    absolute determinant of the derivative of the results `of` with respect to
    the arguments `wrt` (default: 0). `of` defaults to the results with a float
    element type that depend on these. `batch_dim` (default 0) is the dimension
    of the arguments `wrt` that numbers the samples.

    The function is any whose inverse `rev.inverse` would give: each inverse edge
    that leads from the results back to the arguments is a block of a triangular
    matrix, and the log-determinant is the sum of theirs. That of a coupling is
    its result `log_det`; what elements are moved or shifted by adds nothing;
    elementwise operations add the logarithms of their partial derivatives. An
    operation on the way that computes one sample from another, or that has no
    such rule, is an error of `rev-differentiate`.

    A function with the attribute `rev.log_det = @h` names its log-determinant
    itself, with respect to the arguments that its `rev.inverse` returns, or to
    argument 0: `@h` takes the function's arguments and returns a number for each
    sample. A function that names its inverse alone, or that such a function names,
    is looked into. If there is no way through it, the log-determinant is the
    negative of that of its inverse at its results, where that names one or can be
    looked into.

    A `rev.stop_gradient` is the identity here: the log-determinant is about
    values. Its derivative stops there.

    The sum is a result like others: it has a derivative, by inversion, in which
    each region of a coupling is evaluated once.

    Constraints:
    * (C1) `callee` names a `func.func` with a body of one block, or with one of
      the attributes `rev.log_det` and `rev.inverse`.
    * (C2) `args` have the types of the function's arguments.
    * (C3) `wrt` holds distinct numbers of arguments that are tensors of floats
      of one element type with the dimension `batch_dim`, in one extent.
    * (C4) `of` holds distinct numbers of results with a float element type.
    * (C5) The results have the types of the function's results, then the type of
      a tensor of rank 1 with the extent `batch_dim` and the element type of the
      arguments `wrt`.

    Example:

    ```mlir
    %z, %ld = rev.log_det @flow(%x, %w) wrt [0]
        : (tensor<8x4xf32>, tensor<4xf32>) -> (tensor<8x4xf32>, tensor<8xf32>)
    ```
  }];
  let arguments = (ins
    FlatSymbolRefAttr:$callee,
    Variadic<AnyType>:$args,
    OptionalAttr<DenseI64ArrayAttr>:$wrt,
    OptionalAttr<DenseI64ArrayAttr>:$of,
    DefaultValuedOptionalAttr<I64Attr, "0">:$batch_dim);
  let results = (outs Variadic<AnyType>:$outputs);
  let assemblyFormat = [{
    $callee `(` $args `)` (`wrt` $wrt^)? (`of` $of^)?
    (`batch_dim` `(` $batch_dim^ `)`)? attr-dict
    `:` functional-type(operands, results)
  }];
}

#endif // MEMREV_DIALECT_REV_IR_REVOPS_TD
