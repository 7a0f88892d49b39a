//===- Rev.h - The rev dialect -------------------------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_DIALECT_REV_IR_REV_H
#define MEMREV_DIALECT_REV_IR_REV_H

#include "memrev/Interfaces/BijectionAttrInterface.h"
#include "memrev/Interfaces/DecomposableOpInterface.h"
#include "memrev/Interfaces/DifferentiableOpInterface.h"
#include "memrev/Interfaces/ForwardDifferentiableOpInterface.h"
#include "memrev/Interfaces/InvertibleOpInterface.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "memrev/Dialect/Rev/IR/RevDialect.h.inc"
#include "memrev/Dialect/Rev/IR/RevEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "memrev/Dialect/Rev/IR/RevAttrs.h.inc"

#define GET_OP_CLASSES
#include "memrev/Dialect/Rev/IR/RevOps.h.inc"

namespace mlir::memrev::rev {

/// On a function: its derivative in reverse mode (`CustomVjpAttr`), and in
/// forward mode (the name of a function).
inline constexpr llvm::StringLiteral kCustomVjpAttrName = "rev.custom_vjp";
inline constexpr llvm::StringLiteral kCustomJvpAttrName = "rev.custom_jvp";
/// On a function: the function (results, other arguments) -> first arguments that
/// is its inverse (the name of a function).
inline constexpr llvm::StringLiteral kInverseAttrName = "rev.inverse";
/// Beside it: how many of the function's last results the inverse does not take
/// but returns, behind the arguments (i64, at least 0).
inline constexpr llvm::StringLiteral kSideResultsAttrName = "rev.side_results";
/// On a function: the function of the same arguments that is its
/// log-determinant per sample (the name of a function).
inline constexpr llvm::StringLiteral kLogDetAttrName = "rev.log_det";

/// On a coupling of tangents (unit): two tangents can turn out to be one value,
/// for the caller may give the same one twice. Such a coupling is not inverted;
/// elsewhere it would be an error.
inline constexpr llvm::StringLiteral kOfTangentsAttrName = "rev.of_tangents";
/// On a loop: which of its states the derivative keeps (`PeriodicAttr` or
/// `BinomialAttr`).
inline constexpr llvm::StringLiteral kCheckpointAttrName = "rev.checkpoint";

/// On a function, or on a module for functions that do not say it themselves:
/// how far what inverses give back in the derivative may be from the true
/// values, relative to them (f64, above 0). States are stored every now and then
/// to start inverses from.
inline constexpr llvm::StringLiteral kDriftToleranceAttrName =
    "rev.drift_tolerance";
/// On an operation that has an inverse, or on a loop for each iteration: how many
/// times an error of its result the error of what its inverse gives is at most
/// (f64, at least 1).
inline constexpr llvm::StringLiteral kGainAttrName = "rev.gain";

/// On a module (unit): derivatives compare what inverses give back with what
/// was there, which they store for that, and call the function named below:
///
///   (number of the place: tensor<i64>, iterations of the loops around it,
///    outermost first, then -1: tensor<kMaxDriftLoops x i64>, largest absolute
///    difference: tensor<f64>, largest absolute element: tensor<f64>)
inline constexpr llvm::StringLiteral kCheckDriftAttrName = "rev.check_drift";
inline constexpr llvm::StringLiteral kDriftReportName = "memrev.report_drift";
inline constexpr int64_t kMaxDriftLoops = 4;
/// On a module: the names of these places, by number (strings).
inline constexpr llvm::StringLiteral kDriftSitesAttrName = "rev.drift_sites";

/// On an argument or a result of a public function (string): its name for
/// callers.
inline constexpr llvm::StringLiteral kNameAttrName = "rev.name";
/// On an argument of a public function (unit): a call may overwrite it.
inline constexpr llvm::StringLiteral kDonatedAttrName = "rev.donated";
/// On an argument of the backward function of a split derivative (string): what
/// of the forward function it is, "argument i", "result i" or "saved i".
inline constexpr llvm::StringLiteral kResidualAttrName = "rev.residual";

/// Reports numbers of bits behind the point that `type` has no room for.
LogicalResult verifyFraction(function_ref<InFlightDiagnostic()> emitError,
                             int64_t fraction, FloatType type);

/// Parses `additive`, `affine<exp>` or, for a bijection of another dialect,
/// `#other.kind`.
ParseResult parseBijection(AsmParser &parser, BijectionAttrInterface &kind);
void printBijection(AsmPrinter &printer, BijectionAttrInterface kind);

/// True if `op` stands for a function that is derived from the one that it
/// names (attribute `callee`).
bool isTransform(Operation *op);

/// True if values of `type` can be differentiated: floats, complex floats and
/// tensors of them.
bool isDifferentiable(Type type);

/// The arguments or results that a transform differentiates: `indices`, or all
/// of `types` that are differentiable if `indices` is null.
SmallVector<int64_t> getDifferentiated(std::optional<ArrayRef<int64_t>> indices,
                                       TypeRange types);

} // namespace mlir::memrev::rev

#endif // MEMREV_DIALECT_REV_IR_REV_H
