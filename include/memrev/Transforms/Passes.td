//===- Passes.td - Passes on function transforms --------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_TRANSFORMS_PASSES_TD
#define MEMREV_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

def RevPlan : Pass<"rev-plan", "::mlir::ModuleOp"> {
  let summary = "Choose how derivatives get primal values back";
  let description = [{
    For each function that a `rev.vjp` or `rev.value_and_grad` names, decides
    which values its derivative reconstructs by inverse edges and which it
    stores, under the policy of the transform, and writes the decision into the
    function: `rev.invert = N : i64` on an operation says that edge N of its
    `InvertibleOpInterface` is used, `rev.left_out` on a loop which iteration
    arguments its inverse does not give back, because nobody asks for them,
    `rev.reason` why an operation is not inverted (which inverse edge is missing,
    and where), `rev.planned` on the function which policy was followed.
    `rev-differentiate` obeys these attributes.

    Without a byte budget every coupling is inverted, and every `scf.for` whose
    body can be run backwards. If transforms of different policies name one
    function, each policy gets a copy of it.

    A function may have `rev.storage_bytes = N : i64`: its derivative under
    `policy(invert)` may then take N bytes more at its peak, by estimate, than by
    default, or fewer if N is negative. `rev-differentiate` chooses what takes the
    least time within that: couplings and the last iterations of loops that are
    stored, where a loop becomes two; contractions and convolutions that are
    evaluated again, in functions and in those of couplings; checkpoints of loops
    that no inverse runs backwards. With `rev.drift_tolerance = X : f64`, on a
    function or on the module, states are stored so that what inverses give back
    is no further than X from the true values, relative to them. If calls are
    inlined into the function that is differentiated, the least X of all of these
    functions counts for its derivative.
    Times are estimated by the rates in the module's attribute `rev.cost_model`, a
    dictionary of what `memrev-compile --calibrate` writes, or by built-in ones. The
    option `storage` gives `rev.storage_bytes` to all functions that a public one
    differentiates, in functions that it calls too. A function that several of
    them differentiate gets the fewest bytes. One that is differentiated twice,
    by any transform or by an option of `rev-differentiate` (`derived`), gets none.

    Example: `rev.coupling additive %x given(%c) {...}` becomes
    `rev.coupling additive %x given(%c) attributes {rev.invert = 0 : i64} {...}`.
  }];
  let options = [
    ListOption<"storage", "storage", "std::string",
           "Bytes that the derivatives of public functions may take more than "
           "by default, as function=bytes">,
    ListOption<"derived", "derived", "std::string",
           "Functions that options of rev-differentiate name later on">
  ];
  let dependentDialects = ["::mlir::memrev::rev::RevDialect"];
}

def RevInvert : Pass<"rev-invert", "::mlir::ModuleOp"> {
  let summary = "Add the inverse of a function";
  let description = [{
    Adds a public function `@f_inverse(results, other arguments)`, which returns
    the arguments `wrt` of `function`: what `rev.inverse` calls. It runs the
    operations of the function backwards along their inverse edges, and is an
    error with the operation in the way where none gives these arguments back.
    A coupling becomes one of the kind `inverse_of`, so that the inverse is as
    good to differentiate as the function.
    For a function that names its inverse (`rev.inverse = @g`) that one becomes
    public.

    Example: `rev-invert{function=f}` of
    ```mlir
    func.func @f(%x: tensor<4xf32>, %s: tensor<4xf32>) -> tensor<4xf32> {
      %y = arith.addf %x, %s : tensor<4xf32>
      return %y : tensor<4xf32>
    }
    ```
    adds
    ```mlir
    func.func @f_inverse(%y: tensor<4xf32>, %s: tensor<4xf32>) -> tensor<4xf32> {
      %x = arith.subf %y, %s : tensor<4xf32>
      return %x : tensor<4xf32>
    }
    ```
  }];
  let options = [
    Option<"function", "function", "std::string", /*default=*/"\"\"",
           "Name of the function to invert">,
    ListOption<"wrt", "wrt", "int64_t",
           "Arguments that the inverse returns (default: 0)">
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::complex::ComplexDialect",
    "::mlir::func::FuncDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect",
    "::mlir::memrev::rev::RevDialect", "::mlir::scf::SCFDialect",
    "::mlir::tensor::TensorDialect"
  ];
}

def RevDifferentiate : Pass<"rev-differentiate", "::mlir::ModuleOp"> {
  let summary = "Replace function transforms by calls of derived functions";
  let description = [{
    Expands `rev.vjp`, `rev.value_and_grad`, `rev.jvp`, `rev.inverse` and
    `rev.log_det`, innermost first, into private functions and calls of them. Functions whose plan is missing
    are planned first (see `rev-plan`).

    The derivative of a function is its forward part followed by its backward
    part. The backward part gets primal values on demand: from the forward part,
    by running an operation that the plan inverts backwards, or by evaluating an
    operation again. Evaluating the function F of a coupling to invert it also
    gives the values that the derivative of F reads, so that a coupling costs
    one evaluation and one vector-Jacobian product of F.

    Operations without a derivative rule on a path that a gradient flows along
    are errors. What was inverted, stored and recomputed, with bytes, is left in
    the module's attribute `memrev.plan`.

    A function that is called more than once is differentiated once, and calls of
    it become calls of its derivative: of a forward function that returns what
    the backward function reads besides, and of that. Calls of a function with
    couplings, and calls in loops, are inlined instead under `policy(invert)`:
    inversion crosses calls. `rev.custom_vjp` and `rev.custom_jvp` on a function
    replace its derivative (see `#rev.custom_vjp`). Recursion is an error.

    With `function` set, the pass derives that function without a transform in
    the program, as the transforms would: `mode=vjp` adds a public
    `@f_vjp(arguments, cotangents)`; `mode=value_and_grad` `@f_value_and_grad`;
    `mode=jvp` `@f_jvp(arguments, tangents)`; `mode=split` adds `@f_fwd(arguments) -> (results, residuals)` and
    `@f_bwd(residuals, cotangents)` for frameworks that call the parts apart.
    Each residual of `@f_bwd` says where it comes from in an argument attribute
    `rev.residual`: `"argument i"`, `"result i"`, or `"saved i"` for the ith result
    of `@f_fwd` behind those of `f`. With
    `donate=saved,cotangents` calls of `@f_bwd` may overwrite these
    (`rev.donated`), with `results` residuals that are results of `@f_fwd` too: an
    inverse then works in their memory. Names of the parameters of `f`
    (`rev.name`) become names of those of the derived functions. `storage=N` is
    `rev.storage_bytes = N` for this derivative.

    Example:

    ```mlir
    %dx = rev.vjp @f(%x) cotangents(%dy) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    ```

    becomes

    ```mlir
    %dx = call @f_vjp(%x, %dy) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
  let options = [
    Option<"function", "function", "std::string", /*default=*/"\"\"",
           "Name of a function to derive without a transform op">,
    ListOption<"wrt", "wrt", "int64_t",
           "Arguments to differentiate with respect to (default: all floats)">,
    ListOption<"of", "of", "int64_t",
           "Results to differentiate (default: all floats)">,
    Option<"mode", "mode", "std::string", /*default=*/"\"vjp\"",
           "What to derive from `function`: vjp, value_and_grad, jvp or split">,
    Option<"strongZero", "strong-zero", "bool", /*default=*/"false",
           "For `function`: zero times an infinite derivative is zero">,
    Option<"policy", "policy", "std::string", /*default=*/"\"invert\"",
           "Policy for `function`: invert or store">,
    ListOption<"donate", "donate", "std::string",
           "For `mode=split`, what the backward function may overwrite: saved, results, cotangents">,
    Option<"storage", "storage", "int64_t", /*default=*/"0",
           "Bytes that the derivative of `function` may take more than by default">
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::complex::ComplexDialect",
    "::mlir::func::FuncDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect",
    "::mlir::memrev::rev::RevDialect", "::mlir::scf::SCFDialect",
    "::mlir::tensor::TensorDialect"
  ];
}

def RevIndexLoops : Pass<"rev-index-loops"> {
  let summary = "Turn loops over integers into loops over indices";
  let description = [{
    Replaces each `scf.for` whose induction variable is an integer by one over the
    numbers of its iterations, from which the variable is computed. Upstream's
    canonicalizer counts iterations in the type of the bounds, where the distance
    of -100 and 100 is negative for i8, and removes such a loop.

    Example:

    ```mlir
    scf.for %i = %low to %high step %one : i8 {...}
    ```

    becomes, of constant bounds -100 and 100 with the step 50,

    ```mlir
    scf.for %k = %c0 to %c4 step %c1 {
      %n = arith.index_cast %k : index to i8
      %o = arith.muli %n, %c50_i8 : i8
      %i = arith.addi %c-100_i8, %o : i8
      ...
    }
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::scf::SCFDialect"];
}

def RevUnrollPermutedLoops : Pass<"rev-unroll-permuted-loops"> {
  let summary = "Unroll loops whose state changes places until it is back";
  let description = [{
    A reversible network is often written with a swap: a loop that yields
    `(x2, y1)` for `(x1, x2)`. Its state cannot be updated in place, for each
    tensor ends where another one was. This pass follows what a loop yields back
    to the iteration argument that it updates. If these form a permutation other
    than the identity, the loop is unrolled by the permutation's period, after
    which every tensor is back in its place. Iterations that the period leaves
    over run in a loop of their own.

    Example: two iterations in one for

    ```mlir
    %r:2 = scf.for ... iter_args(%a = %x1, %b = %x2) {
      %y = rev.coupling additive %a given(%b) {...}
      scf.yield %b, %y
    }
    ```
  }];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::memrev::rev::RevDialect", "::mlir::scf::SCFDialect"
  ];
}

#endif // MEMREV_TRANSFORMS_PASSES_TD
