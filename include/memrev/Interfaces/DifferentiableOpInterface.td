//===- DifferentiableOpInterface.td - Derivative rules --------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_INTERFACES_DIFFERENTIABLEOPINTERFACE_TD
#define MEMREV_INTERFACES_DIFFERENTIABLEOPINTERFACE_TD

include "mlir/IR/OpBase.td"

def DifferentiableOpInterface : OpInterface<"DifferentiableOpInterface"> {
  let description = [{
    The reverse-mode derivative of an operation. A rule talks only to a
    `DerivativeContext`: it asks for the primal values it needs, reads the
    cotangents of the results and accumulates those of the active operands. It
    neither knows nor chooses whether a primal value was stored, inverted or
    recomputed.

    The same rule serves an operation on tensors, on scalars and inside the body
    of a `linalg.generic`.
  }];
  let cppNamespace = "::mlir::memrev";
  let methods = [
    InterfaceMethod<[{
        Adds the primal values that `buildVJP` asks the context for, given which
        values are active: what a plan has to make available. An entry with
        alternatives is satisfied by any one of its values. The default needs
        nothing: the operation is linear.
      }],
      "void", "getResiduals",
      (ins "::llvm::function_ref<bool(::mlir::Value)>":$isActive,
           "::llvm::SmallVectorImpl<::mlir::memrev::Residual> &":$residuals),
      "", [{ (void)isActive; (void)residuals; }]>,
    InterfaceMethod<[{
        Emits the vector-Jacobian product at the context's builder. At least one
        result has a cotangent and at least one operand or captured value is
        active. Accumulates into every active operand that the result depends
        on. Fails after an error at the operation's location.
      }],
      "::llvm::LogicalResult", "buildVJP",
      (ins "::mlir::memrev::DerivativeContext &":$ctx)>,
    InterfaceMethod<[{
        What the cotangent of `result` starts from when its first contribution
        arrives, so that contributions are added in place: a slice starts as
        that slice of its source's cotangent, and `buildVJP` writes it back.
        Null, the default, means zero.
      }],
      "::mlir::Value", "seedCotangent",
      (ins "::mlir::memrev::DerivativeContext &":$ctx,
           "::mlir::OpResult":$result),
      "", [{ (void)ctx; (void)result; return {}; }]>,
    InterfaceMethod<[{
        True if no result depends differentiably on any operand (rounding to
        integers, a gradient that is stopped): the results have zero cotangents
        and tangents.
      }],
      "bool", "isInactive", (ins), "", [{ return false; }]>,
    StaticInterfaceMethod<[{
        True if `isInactive` is true of every operation of this kind.
      }],
      "bool", "isNeverActive", (ins), "", [{ return false; }]>,
    InterfaceMethod<[{
        True if evaluating the operation again costs next to nothing (views,
        fills, constants), so that its results are never worth storing.
      }],
      "bool", "isCheapToRecompute", (ins), "", [{ return false; }]>,
    InterfaceMethod<[{
        Adds the primal values from which `recomputeResult` evaluates `result`
        at about the cost of reading it, other results among them (what was
        normalised, from its statistics). Fails, the default, if it cannot.
      }],
      "::llvm::LogicalResult", "getRecomputationOperands",
      (ins "::mlir::OpResult":$result,
           "::llvm::SmallVectorImpl<::mlir::Value> &":$values),
      "", [{ (void)result; (void)values; return ::llvm::failure(); }]>,
    InterfaceMethod<[{
        Emits `result` again, for which `getRecomputationOperands` succeeds. Null
        after an error was reported.
      }],
      "::mlir::Value", "recomputeResult",
      (ins "::mlir::memrev::DerivativeContext &":$ctx,
           "::mlir::OpResult":$result),
      "", [{ (void)ctx; (void)result; return {}; }]>,
  ];
}

#endif // MEMREV_INTERFACES_DIFFERENTIABLEOPINTERFACE_TD
