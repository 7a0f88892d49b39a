//===- BijectionAttrInterface.td - Elementwise bijections of a coupling ---===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_INTERFACES_BIJECTIONATTRINTERFACE_TD
#define MEMREV_INTERFACES_BIJECTIONATTRINTERFACE_TD

include "mlir/IR/OpBase.td"

def BijectionAttrInterface : AttrInterface<"BijectionAttrInterface"> {
  let description = [{
    A scalar bijection y = f(x; p...) that a coupling applies to every element,
    with parameters that the coupling's region computes. The coupling derives
    its vector-Jacobian product from the scalar forward form, so a new bijection
    is a forward form, an inverse, a logarithm of the derivative and a tangent.
    The coupling's inverse direction (`#rev.inverse_of`) follows from these.
  }];
  let cppNamespace = "::mlir::memrev";
  let methods = [
    InterfaceMethod<[{The number of parameters p.}],
      "unsigned", "getNumParameters", (ins)>,
    InterfaceMethod<[{
        True if the inverse gives back every bit of x.
      }],
      "bool", "isExact", (ins), "", [{ return false; }]>,
    InterfaceMethod<[{
        Reports an element type that the bijection is not for.
      }],
      "::llvm::LogicalResult", "verifyElementType",
      (ins "::llvm::function_ref<::mlir::InFlightDiagnostic()>":$emitError,
           "::mlir::FloatType":$type), "", [{ return ::mlir::success(); }]>,
    InterfaceMethod<[{Emits y = f(x; p) on scalars of one float type.}],
      "::mlir::Value", "buildForward",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
           "::mlir::Value":$x, "::mlir::ValueRange":$parameters)>,
    InterfaceMethod<[{Emits x with f(x; p) = y on scalars of one float type.}],
      "::mlir::Value", "buildInverse",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
           "::mlir::Value":$y, "::mlir::ValueRange":$parameters)>,
    InterfaceMethod<[{True if |df/dx| is one everywhere.}],
      "bool", "preservesVolume", (ins)>,
    InterfaceMethod<[{
        Emits log |df/dx| on scalars of one float type; null if it is zero
        everywhere, which `preservesVolume` says too.
      }],
      "::mlir::Value", "buildLogDerivative",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
           "::mlir::Value":$x, "::mlir::ValueRange":$parameters)>,
    InterfaceMethod<[{
        The bijection, linear in its argument but for a shift, that takes the
        tangent of x to the tangent of y.
      }],
      "::mlir::memrev::BijectionAttrInterface", "getTangentKind", (ins)>,
    InterfaceMethod<[{
        Emits the parameters of `getTangentKind` at x on scalars of one float
        type, in terms of `tangents`, those of the parameters; null, also for
        what is returned, means zero.
      }],
      "::llvm::SmallVector<::mlir::Value>", "buildTangent",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
           "::mlir::Value":$x, "::mlir::ValueRange":$parameters,
           "::llvm::ArrayRef<::mlir::Value>":$tangents)>,
  ];
}

#endif // MEMREV_INTERFACES_BIJECTIONATTRINTERFACE_TD
