//===- InvertibleOpInterface.td - Inverse rules ---------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_INTERFACES_INVERTIBLEOPINTERFACE_TD
#define MEMREV_INTERFACES_INVERTIBLEOPINTERFACE_TD

include "mlir/IR/OpBase.td"

def InvertibleOpInterface : OpInterface<"InvertibleOpInterface"> {
  let description = [{
    An operation some of whose operands are functions of its results and its
    other operands. Each such function is an inverse edge; an addition has two,
    a coupling one, a loop with an invertible body one that gives all its
    initial values back.
  }];
  let cppNamespace = "::mlir::memrev";
  let methods = [
    InterfaceMethod<[{
        The inverse edges. `from` lists everything the edge reads: results,
        operands and values captured by regions. `kind` and `gain` say how
        well what comes back matches what was there.
      }],
      "::llvm::SmallVector<::mlir::memrev::InverseEdge>", "getInverseEdges",
      (ins)>,
    InterfaceMethod<[{
        Emits the inverse along edge number `edge` and provides the values it
        solves for, and every other value it evaluated on the way that the
        derivative may read, to the context.
      }],
      "::llvm::LogicalResult", "buildInverse",
      (ins "::mlir::memrev::DerivativeContext &":$ctx, "unsigned":$edge)>,
    InterfaceMethod<[{
        Emits the inverse along edge number `edge` and the vector-Jacobian
        product. The default emits one after the other; a loop overrides it,
        because both have to be one loop.
      }],
      "::llvm::LogicalResult", "buildInverseAndVJP",
      (ins "::mlir::memrev::DerivativeContext &":$ctx, "unsigned":$edge), "", [{
        ::mlir::Operation *op = $_op.getOperation();
        if (failed(::llvm::cast<::mlir::memrev::InvertibleOpInterface>(op)
                       .buildInverse(ctx, edge)))
          return ::mlir::failure();
        return ::llvm::cast<::mlir::memrev::DifferentiableOpInterface>(op)
            .buildVJP(ctx);
      }]>,
  ];
}

#endif // MEMREV_INTERFACES_INVERTIBLEOPINTERFACE_TD
