//===- ForwardDifferentiableOpInterface.td - Forward-mode rules -----------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_INTERFACES_FORWARDDIFFERENTIABLEOPINTERFACE_TD
#define MEMREV_INTERFACES_FORWARDDIFFERENTIABLEOPINTERFACE_TD

include "mlir/IR/OpBase.td"

def ForwardDifferentiableOpInterface
    : OpInterface<"ForwardDifferentiableOpInterface"> {
  let description = [{
    The forward-mode derivative of an operation: its Jacobian-vector product.
    A rule talks only to a `TangentContext`: it reads the tangents of the
    operands, null for zero, and sets those of the results.
  }];
  let cppNamespace = "::mlir::memrev";
  let methods = [
    InterfaceMethod<[{
        Emits the Jacobian-vector product at the context's builder, which stands
        behind the operation. At least one operand or captured value is active.
        Sets the tangents of the results, or replaces the operation by one that
        computes them too (`TangentContext::replace`). Fails after an error at
        the operation's location.
      }],
      "::llvm::LogicalResult", "buildJVP",
      (ins "::mlir::memrev::TangentContext &":$ctx)>,
  ];
}

#endif // MEMREV_INTERFACES_FORWARDDIFFERENTIABLEOPINTERFACE_TD
