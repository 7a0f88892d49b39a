//===- CallDerivative.h - How a call is differentiated -------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Before a function is differentiated, the calls in it are prepared: what they
// call is derived, and these attributes on the call say how. A call's rule
// needs no more.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_INTERFACES_CALLDERIVATIVE_H
#define MEMREV_INTERFACES_CALLDERIVATIVE_H

#include "llvm/ADT/StringRef.h"

namespace mlir::memrev {

/// The function (residuals, cotangents of `of`, sums) -> cotangents of `wrt`.
inline constexpr llvm::StringLiteral kBackwardAttrName = "rev.backward";
/// The function (arguments, tangents of `wrt`) -> (results, tangents of `of`).
/// If the inverse of the call gives operands back, its arguments are these, their
/// tangents, the other ones, their tangents; side results are behind all others,
/// their tangents last.
inline constexpr llvm::StringLiteral kTangentAttrName = "rev.tangent";
/// The function (results, other operands) -> first operands; or, of a call with
/// side results, (other results, other operands) -> (first operands, side
/// results).
inline constexpr llvm::StringLiteral kCallInverseAttrName = "rev.call_inverse";
/// The number of operands, the first ones, that the inverse gives back (i64).
inline constexpr llvm::StringLiteral kCallRecoveredAttrName = "rev.recovered";
/// The number of last results that it gives back instead of reading them (i64),
/// if there are any.
inline constexpr llvm::StringLiteral kCallSideResultsAttrName =
    "rev.call_side_results";
/// How many times an error of the call's results the error of what that
/// function gives is at most (f64), if the program says it of the call or the
/// callee.
inline constexpr llvm::StringLiteral kCallGainAttrName = "rev.call_gain";
/// The numbers of the differentiated operands of the call (i64 array).
inline constexpr llvm::StringLiteral kCallWrtAttrName = "rev.wrt";
/// The numbers of the differentiated results of the call (i64 array).
inline constexpr llvm::StringLiteral kCallOfAttrName = "rev.of";
/// The residuals (i64 array): numbers of operands of the call, then, counted on
/// from these, of its results.
inline constexpr llvm::StringLiteral kCallResidualsAttrName = "rev.residuals";
/// The results of the backward function (i64 array) that it adds to sums: the
/// cotangents so far.
inline constexpr llvm::StringLiteral kCallSumsAttrName = "rev.sums";

} // namespace mlir::memrev

#endif // MEMREV_INTERFACES_CALLDERIVATIVE_H
