//===- DecomposableOpInterface.td - Operations made of others -------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_INTERFACES_DECOMPOSABLEOPINTERFACE_TD
#define MEMREV_INTERFACES_DECOMPOSABLEOPINTERFACE_TD

include "mlir/IR/OpBase.td"

def DecomposableOpInterface : OpInterface<"DecomposableOpInterface"> {
  let description = [{
    An operation that can be written as operations of upstream dialects. A
    coupling that is stored is decomposed before differentiation, so that the
    values inside its region have names.
  }];
  let cppNamespace = "::mlir::memrev";
  let methods = [
    InterfaceMethod<[{
        Emits the operations at the builder, which stands before this
        operation, and returns the replacements of its results. Leaves the
        operation itself to the caller, but may move its regions' contents.
      }],
      "::llvm::SmallVector<::mlir::Value>", "decompose",
      (ins "::mlir::RewriterBase &":$rewriter)>,
  ];
}

#endif // MEMREV_INTERFACES_DECOMPOSABLEOPINTERFACE_TD
