//===- DerivedFunctions.h - Functions derived from functions -- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_TRANSFORMS_DERIVEDFUNCTIONS_H
#define MEMREV_LIB_TRANSFORMS_DERIVEDFUNCTIONS_H

#include "ReverseContext.h"
#include "memrev/Analysis/CostModel.h"
#include "memrev/Dialect/Rev/IR/Rev.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringMap.h"
#include <functional>

namespace mlir::memrev {

/// What to derive from a function.
struct DerivativeRequest {
  func::FuncOp function;
  SmallVector<int64_t> wrt;
  /// The results that get a cotangent each as an argument; empty for a value
  /// and gradient, where result 0 gets the cotangent 1.
  SmallVector<int64_t> of;
  bool isValueAndGrad = false;
  rev::Policy policy = rev::Policy::Invert;
  bool strongZero = false;
  /// Whom to blame.
  Location loc;
  /// For a split: the backward function may take sums that it adds gradients
  /// to.
  bool accumulates = false;
  /// The bytes that the derivative may take more than by default; else what the
  /// function says itself (`rev.storage_bytes`).
  std::optional<int64_t> storage = std::nullopt;
};

/// What to derive from a function in forward mode.
struct TangentRequest {
  func::FuncOp function;
  SmallVector<int64_t> wrt;
  /// The results whose tangents are returned.
  SmallVector<int64_t> of;
  bool strongZero = false;
  /// Whom to blame.
  Location loc;
  /// What it calls with an inverse that has a name shall have a tangent with an
  /// inverse: the tangent is differentiated in reverse mode.
  bool keepsInverses = false;
};

/// A log-determinant to derive from a function.
struct LogDetRequest {
  func::FuncOp function;
  SmallVector<int64_t> wrt;
  /// The results whose derivative it is; if empty, all floats that depend on
  /// `wrt`.
  SmallVector<int64_t> of;
  /// The dimension of the arguments `wrt` that numbers samples.
  int64_t batchDim;
  /// Whom to blame.
  Location loc;
  /// Asked of an inverse, which does not ask its own inverse again.
  bool isOfInverse = false;
};

/// Reports why there is no log-determinant; null if there is one.
using LogDetObstacle = std::function<InFlightDiagnostic()>;

/// A copy of a function with the inverse edges that its log-determinant is made
/// of.
struct LogDetPlan {
  func::FuncOp function;
  LogDetObstacle obstacle;
};

/// Where the log-determinant of a function comes from.
struct LogDetRoute {
  enum Kind {
    /// The function names it.
    Named,
    /// The operations of the function.
    Body,
    /// That of the inverse which has a name, at the function's results.
    Inverse
  } kind;
  LogDetObstacle obstacle;
};

/// A derivative cut in two: `forward` takes the function's arguments and
/// returns its results and saved values, `backward` takes residuals and
/// cotangents.
struct SplitFunctions {
  /// Where an argument of `backward` comes from.
  struct Residual {
    enum Kind { Argument, Result, Saved } kind;
    /// Among the arguments, results or saved values.
    int64_t number;
  };

  func::FuncOp forward, backward;
  SmallVector<Residual> residuals;
  /// The gradients, by their positions among the results of `backward`, that
  /// are added to an argument.
  SmallVector<int64_t> sums;
};

/// What a copy of a function is prepared for.
struct Preparation {
  enum Kind { Reverse, Forward, Inverse, LogDet } kind;
  SmallVector<int64_t> wrt;
  rev::Policy policy = rev::Policy::Invert;
  bool strongZero = false;
  /// Whom to blame.
  Location loc;

  /// The calls that are looked at are in the region of a coupling.
  bool isInCoupling = false;
  /// For forward mode: see TangentRequest.
  bool keepsInverses = false;

  /// Inverse edges are followed, and nothing is differentiated.
  bool asksForInverse() const { return kind == Inverse || kind == LogDet; }
};

/// Adds derived functions to a module, each once.
class DerivedFunctions {
public:
  /// Costs are those of `costs`.
  DerivedFunctions(ModuleOp module, const CostModel &costs);

  /// Replaces the transforms in all functions by calls, innermost first.
  LogicalResult expandAll();

  /// The function that evaluates `request`: (arguments, cotangents of `of`) ->
  /// gradients, or arguments -> (results, gradients).
  FailureOr<func::FuncOp> getDerivative(const DerivativeRequest &request);

  /// The vector-Jacobian product `request` as a forward and a backward
  /// function,
  /// `@f_fwd` and `@f_bwd`.
  FailureOr<SplitFunctions> getSplit(const DerivativeRequest &request);

  /// The same with the function itself as the forward function: nothing is
  /// saved, and the backward function evaluates it again at its arguments, but
  /// for what its inverse gives back besides these.
  FailureOr<SplitFunctions>
  getEvaluatingAgain(const DerivativeRequest &request);

  /// The function (arguments, tangents of `wrt`) -> (results, tangents of
  /// `of`).
  FailureOr<func::FuncOp> getTangent(const TangentRequest &request);

  /// The function (results, other arguments) -> arguments `wrt`.
  FailureOr<func::FuncOp> getInverse(func::FuncOp function,
                                     ArrayRef<int64_t> wrt, Location loc);

  /// Says that `function` will be differentiated in reverse mode. Before
  /// anything is derived.
  void addReversed(func::FuncOp function);

  /// Declares the function that is told how far what inverses give back is
  /// off, if the module asks for that. Before anything is derived.
  LogicalResult addDriftChecks();

  /// The function arguments -> (results, log-determinant per sample).
  FailureOr<func::FuncOp> getLogDet(const LogDetRequest &request);

  /// Lists in the module's attribute `memrev.plan` what the derived functions
  /// store, invert and recompute, under the public functions that call them,
  /// and in `rev.drift_sites` what is compared.
  void addReport();

private:
  /// Expands the transforms in `function`; reports a function that transforms
  /// itself.
  LogicalResult expandTransforms(func::FuncOp function);
  LogicalResult expandTransform(Operation *transform);
  /// Replaces `vjp` and a call before it of the same function with the same
  /// arguments by the forward and the backward function, so that the function
  /// is evaluated once. False if there is no such call.
  FailureOr<bool> shareForward(rev::VjpOp vjp,
                               const DerivativeRequest &request);

  /// A private copy of `function` with transforms expanded, and calls inlined
  /// or derived.
  FailureOr<func::FuncOp> clonePrepared(func::FuncOp function, Twine name,
                                        const Preparation &preparation);
  /// Inlines calls in `copy`, a copy of `function`, or derives them. For
  /// reverse mode the copy is planned on the way: what a call names as an
  /// inverse is of use only if the plan follows it.
  LogicalResult prepareCalls(func::FuncOp copy, func::FuncOp function,
                             const Preparation &preparation);
  /// True if the tangent of what `call` calls, `callee`, may be undone by that
  /// of the inverse of `callee`.
  bool hasInvertibleTangent(func::CallOp call, func::FuncOp callee,
                            const Preparation &preparation);
  /// True if `inverse` and what it calls have tangents, and it calls no `callee`.
  bool hasTangentWithout(func::FuncOp callee, func::FuncOp inverse);
  /// True if `call` of `callee` may be undone by a call of its inverse.
  bool isInvertedByCall(func::CallOp call, func::FuncOp callee,
                        const Preparation &preparation);
  bool isInlined(func::CallOp call, func::FuncOp callee,
                 const Preparation &preparation);
  LogicalResult inlineCalls(Region &region, const Preparation &preparation,
                            SmallVectorImpl<Operation *> &stack,
                            llvm::SmallPtrSetImpl<Operation *> &inlined);
  /// Derives what the active calls in `function` call, and says on the calls
  /// how (see CallDerivative.h).
  LogicalResult deriveCalls(func::FuncOp function,
                            const Preparation &preparation);

  /// What the attributes of a function with a custom rule name. Widens `wrt`
  /// and `of` of the request to all that these functions take.
  FailureOr<SplitFunctions> getCustomSplit(DerivativeRequest &request);
  FailureOr<func::FuncOp> getCustomTangent(TangentRequest &request);
  /// The function of `request`: its function's own rule or a derived one, which
  /// `wrt` and `of` may be widened for.
  FailureOr<func::FuncOp> getAnyTangent(TangentRequest &request);
  /// The same, of a function whose inverse has a name, as a function that names
  /// its inverse in its turn: (first arguments, their tangents, other
  /// arguments, their tangents) -> (results, their tangents), where the inverse
  /// gives the first arguments back.
  FailureOr<func::FuncOp> getInvertibleTangent(TangentRequest &request);
  /// The function that `function` names as its inverse, or else the first one
  /// that names `function` as its inverse: it is the name of either, or null.
  FlatSymbolRefAttr getNamedInverse(func::FuncOp function);
  /// How many of the results of `function`, or of its inverse, its inverse
  /// returns instead of taking them.
  int64_t getNumSideResults(func::FuncOp function);
  /// The inverse of `function`, which has a name.
  FailureOr<func::FuncOp> getCustomInverse(func::FuncOp function);
  /// The inverse of `function` as one that takes all of its results and gives
  /// arguments back.
  func::FuncOp ignoreSideResults(func::FuncOp function, func::FuncOp inverse,
                                 int64_t numSide);
  /// The inverse of `function`, which has a name, without side results: it takes
  /// all results.
  FailureOr<func::FuncOp> getInverseOfAllResults(func::FuncOp function);
  /// The log-determinant that `function` names, for a batch of the type of
  /// `samples`. Blames `loc` if it is of another type.
  FailureOr<func::FuncOp> getCustomLogDet(func::FuncOp function,
                                          RankedTensorType samples,
                                          Location loc);
  /// True if that is with respect to the arguments of the request.
  bool namesLogDet(const LogDetRequest &request);
  /// True if the results that it names are what the arguments are mapped to.
  bool asksForNoSideResult(const LogDetRequest &request);
  /// That of a call whose first operands its inverse gives back.
  LogDetRequest getLogDetRequest(func::CallOp call, int64_t batchDim);
  std::string getLogDetKey(const LogDetRequest &request);
  /// Where the log-determinant comes from; `obstacle` is set if from nowhere.
  FailureOr<LogDetRoute> getLogDetRoute(const LogDetRequest &request);
  FailureOr<LogDetPlan> planLogDet(const LogDetRequest &request);
  /// The request for the inverse of the function that says the same, if it has
  /// one with a name.
  FailureOr<std::optional<LogDetRequest>>
  getRequestOfInverse(const LogDetRequest &request);
  /// The function of `request` for each route.
  FailureOr<func::FuncOp> getNamedLogDet(const LogDetRequest &request);
  FailureOr<func::FuncOp> getLogDetOfBody(const LogDetRequest &request);
  FailureOr<func::FuncOp> getLogDetOfInverse(const LogDetRequest &request);
  /// The function with that result: the log-determinant that has a name alone,
  /// or else with the results of the function before it.
  FailureOr<func::FuncOp> getCalledLogDet(const LogDetRequest &request);
  /// Adds a function with the results of the request's function, and what
  /// `build` emits with them, of the type of the last result of `logDet`.
  func::FuncOp
  addLogDet(const LogDetRequest &request, func::FuncOp logDet,
            function_ref<Value(OpBuilder &, Block &, ValueRange)> build);
  /// Says on the calls in `function` that may be undone by calls how they are
  /// (see CallDerivative.h).
  LogicalResult describeInverses(func::FuncOp function,
                                 const Preparation &preparation);

  /// Builds the derivative of `request`. `marker` receives an operation behind
  /// its forward part, `sums` the positions of gradients that are added to an
  /// argument: these follow the cotangents.
  FailureOr<func::FuncOp> build(const DerivativeRequest &request,
                                StringRef name, bool returnResults,
                                Operation *&marker,
                                SmallVectorImpl<int64_t> &sums);

  ModuleOp module;
  const CostModel costs;
  SymbolTable symbols;
  /// Set if the module asks for it.
  std::optional<DriftChecks> drift;
  llvm::StringMap<func::FuncOp> derived;
  llvm::StringMap<SplitFunctions> splits;
  /// By what `getLogDetKey` says; nothing for those that are being looked for.
  llvm::StringMap<std::optional<LogDetRoute>> logDetRoutes;
  /// How often each function is called.
  DenseMap<Operation *, unsigned> numCalls;
  /// The names of functions that name an inverse, by the name of that.
  DenseMap<StringAttr, FlatSymbolRefAttr> inverted;
  /// What became of the values of each derived function.
  SmallVector<std::pair<func::FuncOp, SmallVector<Attribute>>> reports;
  llvm::SetVector<Operation *> expanding, deriving;
  /// Functions that are part of what is differentiated in reverse mode.
  llvm::DenseSet<Operation *> reversed;
  llvm::DenseSet<Operation *> expanded;
};

/// Reports that a derivative of `callee` would need itself.
InFlightDiagnostic reportRecursion(Location loc, func::FuncOp callee);

/// True if `function` says how it is differentiated.
bool hasCustomRule(func::FuncOp function);

/// Removes what `deriveCalls` said on the calls in `function`.
void eraseCallDerivatives(func::FuncOp function);

/// Gives the float scalars that the bodies of linalg operations in `function`
/// capture a place for a cotangent.
LogicalResult promoteCapturedScalars(func::FuncOp function);

/// What the reverse part of `function`, behind `marker`, does with each value.
/// Cleans up dead code between collecting what was had back, which may be dead,
/// and what is stored, which must not be.
SmallVector<Attribute> makeReport(func::FuncOp function, Operation *marker,
                                  const ReverseState &state,
                                  const CostModel &costs);

/// A text for what two requests with one mode share.
std::string getMode(rev::Policy policy, bool strongZero);

/// A text that two requests for the same function share.
std::string getKey(StringRef kind, func::FuncOp function, ArrayRef<int64_t> wrt,
                   ArrayRef<int64_t> of, StringRef policy);

/// Erases the operations of `block`, and in it, that have no uses, but `keep`,
/// and the state of loops that nothing but itself depends on.
void eraseDeadOps(Block &block, Operation *keep = nullptr);

} // namespace mlir::memrev

#endif // MEMREV_LIB_TRANSFORMS_DERIVEDFUNCTIONS_H
