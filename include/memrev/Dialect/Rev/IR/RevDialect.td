//===- RevDialect.td - The rev dialect and its attributes -----------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_DIALECT_REV_IR_REVDIALECT_TD
#define MEMREV_DIALECT_REV_IR_REVDIALECT_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "memrev/Interfaces/BijectionAttrInterface.td"

def Rev_Dialect : Dialect {
  let name = "rev";
  let summary = "Invertible operations and function transforms";
  let description = [{
    The `rev` dialect holds operations that are invertible by construction,
    layers whose derivative is better written by hand than composed, and
    transforms that name a function and stand for its derivative or inverse.
    `rev-differentiate` replaces the transforms by plain functions;
    `convert-rev-to-linalg` lowers the rest to upstream dialects.
  }];
  let cppNamespace = "::mlir::memrev::rev";
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
  let hasRegionArgAttrVerify = 1;
  let hasRegionResultAttrVerify = 1;
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::func::FuncDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect",
    "::mlir::tensor::TensorDialect"
  ];
}

class Rev_Op<string mnemonic, list<Trait> traits = []>
    : Op<Rev_Dialect, mnemonic, traits>;

class Rev_Attr<string name, string attrMnemonic, list<Trait> traits = []>
    : AttrDef<Rev_Dialect, name, traits> {
  let mnemonic = attrMnemonic;
}

//===----------------------------------------------------------------------===//
// Policy
//===----------------------------------------------------------------------===//

def Rev_Policy : I32Enum<"Policy", "how a derivative gets primal values back", [
    I32EnumCase<"Invert", 0, "invert">,
    I32EnumCase<"Store", 1, "store">
  ]> {
  let cppNamespace = "::mlir::memrev::rev";
}

def Rev_PolicyAttr : EnumAttr<Rev_Dialect, Rev_Policy, "policy">;

//===----------------------------------------------------------------------===//
// Custom rules
//===----------------------------------------------------------------------===//

def Rev_CustomVjpAttr : Rev_Attr<"CustomVjp", "custom_vjp"> {
  let summary = "The derivative of a function, given by two functions";
  let description = [{
    As the attribute `rev.custom_vjp` of a `func.func`, which may be a
    declaration, says how reverse mode goes through calls of it:

    * `forward` takes the function's arguments and returns its results, then any
      number of residuals;
    * `backward` takes the residuals, then a cotangent for each result with a
      float element type, and returns a cotangent for each argument with a float
      element type.

    A function with a rule is never inlined into what is differentiated, and its
    body is not differentiated. In forward mode the attribute
    `rev.custom_jvp = @g` does the same: `@g` takes the function's arguments,
    then a tangent for each with a float element type, and returns the results,
    then their tangents. A mode without a rule is an error where a derivative is
    needed.

    Example:

    ```mlir
    func.func private @clip(%x: tensor<4xf32>) -> tensor<4xf32> attributes {
      rev.custom_vjp = #rev.custom_vjp<forward = @clip_fwd, backward = @clip_bwd>}
    ```
  }];
  let parameters = (ins "::mlir::FlatSymbolRefAttr":$forward,
                        "::mlir::FlatSymbolRefAttr":$backward);
  let assemblyFormat = "`<` struct(params) `>`";
}

//===----------------------------------------------------------------------===//
// Bijections
//===----------------------------------------------------------------------===//

def Rev_Scale : I32Enum<"Scale", "how the scale of an affine coupling follows "
                                 "from its first parameter", [
    I32EnumCase<"Exp", 0, "exp">,
    I32EnumCase<"Sigmoid", 1, "sigmoid">,
    I32EnumCase<"SoftTanh", 2, "soft_tanh">,
    I32EnumCase<"SoftAtan", 3, "soft_atan">,
    I32EnumCase<"Identity", 4, "identity">
  ]> {
  let cppNamespace = "::mlir::memrev::rev";
}

def Rev_AdditiveAttr : Rev_Attr<"Additive", "additive",
    [DeclareAttrInterfaceMethods<BijectionAttrInterface>]> {
  let summary = "The bijection y = x + t";
  let description = [{
    One parameter t. Inverse x = y - t; the logarithm of its derivative is zero.
    Dinh, Krueger, Bengio: NICE (arXiv 1410.8516), equation 9.
  }];
}

def Rev_AffineAttr : Rev_Attr<"Affine", "affine",
    [DeclareAttrInterfaceMethods<BijectionAttrInterface>]> {
  let summary = "The bijection y = x * s(a) + t";
  let description = [{
    Two parameters (a, t). Inverse x = (y - t) / s(a); the logarithm of its
    derivative is log |s(a)|. The scale is one of

    | scale     | s(a)                              | log s(a)               | source |
    |-----------|-----------------------------------|------------------------|--------|
    | exp       | exp(a)                            | a                      | RealNVP, arXiv 1605.08803 |
    | sigmoid   | 1 / (1 + exp(-(a + 2)))           | -log1p(exp(-(a + 2)))  | Glow, arXiv 1807.03039 |
    | soft_tanh | exp(alpha tanh(a / alpha))        | alpha tanh(a / alpha)  | soft clamping with unit slope at 0 |
    | soft_atan | exp(0.636 alpha atan(a))          | 0.636 alpha atan(a)    | FrEIA's default clamp |
    | identity  | a                                 | log abs(a)             | MemCNN without an adapter; a must not be 0 |

    `alpha` is a positive number that bounds log s, for the two soft scales only.

    Example: `affine<exp>`, `affine<soft_tanh, alpha = 1.900000e+00 : f64>`.
  }];
  let parameters = (ins EnumParameter<Rev_Scale>:$scale,
                        OptionalParameter<"::mlir::FloatAttr">:$alpha);
  let assemblyFormat = "`<` $scale (`,` `alpha` `=` $alpha^)? `>`";
  let genVerifyDecl = 1;
}

def Rev_InverseOfAttr : Rev_Attr<"InverseOf", "inverse_of",
    [DeclareAttrInterfaceMethods<BijectionAttrInterface>]> {
  let summary = "The inverse of another bijection, with the same parameters";
  let description = [{
    The bijection x = f^-1(y; p) for a bijection `kind` y = f(x; p). The logarithm
    of its derivative is the negative of that of `kind` at x. The inverse of an
    inverse is `kind` itself.

    The derivative follows from the implicit function theorem: with
    u = x~ / (df/dx) the cotangent of y is u and those of the parameters are
    - (df/dp)^T u, at the x that the coupling returned.

    Example: `inverse_of<additive>`, `inverse_of<affine<exp>>`.
  }];
  let parameters = (ins "::mlir::memrev::BijectionAttrInterface":$kind);
  let hasCustomAssemblyFormat = 1;
  let extraClassDeclaration = [{
    /// The bijection that undoes `kind`.
    static BijectionAttrInterface invert(BijectionAttrInterface kind);
  }];
}

//===----------------------------------------------------------------------===//
// Checkpointing
//===----------------------------------------------------------------------===//

def Rev_PeriodicAttr : Rev_Attr<"Periodic", "periodic"> {
  let summary = "Checkpoints of a loop at equal distances";
  let description = [{
    As the attribute `rev.checkpoint` of an `scf.for` or `scf.while`: the
    derivative keeps the loop's state before every `period`-th iteration, and
    runs the iterations from one checkpoint to the next again, now storing what
    it reads, before it runs them backwards. A loop of n iterations keeps
    ceil(n / period) states and what `period` iterations store; each iteration
    is evaluated once more. A period of about sqrt(n) needs least.

    Example:

    ```mlir
    %r = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x) -> tensor<4xf32> {
      ...
    } {rev.checkpoint = #rev.periodic<16>}
    ```
  }];
  let parameters = (ins "int64_t":$period);
  let assemblyFormat = "`<` $period `>`";
  let genVerifyDecl = 1;
}

def Rev_BinomialAttr : Rev_Attr<"Binomial", "binomial"> {
  let summary = "A fixed number of checkpoints of a loop, placed best";
  let description = [{
    As the attribute `rev.checkpoint` of an `scf.for` or `scf.while`: the
    derivative keeps at most `slots` states of the loop at any time, besides the
    current one. The forward loop places the first of them; the backward loop advances from the last
    checkpoint to the iteration it needs, and uses slots that have become free
    for finer checkpoints on the way. Distances are those of Griewank and
    Walther, Revolve (ACM TOMS 26, 2000), computed when the loop runs, so that
    the number of iterations need not be constant. A loop of n iterations with s
    slots advances r n - C(s + r, r - 1) times, the least possible, with
    C(s + r - 1, s) < n <= C(s + r, s), of which n - 1 are the forward loop's; a
    backward iteration evaluates what it reads once more, and stores nothing.

    The loop's state has shapes that are known before the loop.

    Example: `{rev.checkpoint = #rev.binomial<4>}`.
  }];
  let parameters = (ins "int64_t":$slots);
  let assemblyFormat = "`<` $slots `>`";
  let genVerifyDecl = 1;
}

#endif // MEMREV_DIALECT_REV_IR_REVDIALECT_TD
