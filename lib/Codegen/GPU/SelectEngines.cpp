//===- SelectEngines.cpp - Choose what a library computes -----------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ConvolutionCall.h"
#include "MatmulCall.h"
#include "Remarks.h"
#include "memrev/Codegen/Common/AttributeNames.h"
#include "memrev/Codegen/Common/KernelCreation.h"
#include "memrev/Codegen/GPU/AttributeNames.h"
#include "memrev/Codegen/GPU/Passes.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_GPUSELECTENGINES
#include "memrev/Codegen/GPU/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::simt;

/// Products of fewer multiply-adds take as long as their launch.
static constexpr double kLargeWork = double(1 << 30);

namespace {
/// What a library would compute.
struct Candidate {
  Type factorType;
  bool isTF32;
  /// Multiply-adds.
  double work;
};
} // namespace

/// Whether a library is taken to be faster than a generated kernel: on chips
/// that have `wgmma` or a later instruction, where kernels use `mma.sync`.
static bool isFasterInLibrary(const Candidate &candidate, const Chip &chip) {
  Type type = candidate.factorType;
  bool isOnTensorCores = type.isF16() || type.isBF16() || candidate.isTF32;
  bool hasGroups = chip.hasWarpGroups && !type.isF32();
  return isOnTensorCores && chip.architecture >= 90 && !hasGroups &&
         candidate.work >= kLargeWork;
}

/// The one operation that reads the result of `op`, if it is elementwise.
static linalg::GenericOp getElementwiseUser(linalg::LinalgOp op) {
  if (!op->hasOneUse())
    return {};
  auto user = dyn_cast<linalg::GenericOp>(*op->user_begin());
  if (!user || user.getNumReductionLoops() != 0 ||
      user->getBlock() != op->getBlock())
    return {};
  return user;
}

/// Whether `op` only rounds its input to a narrower type.
static bool isRounding(linalg::GenericOp op) {
  auto rounded = op.getBody()
                     ->getTerminator()
                     ->getOperand(0)
                     .getDefiningOp<arith::TruncFOp>();
  return op.getNumDpsInputs() == 1 && op.getNumDpsInits() == 1 && rounded &&
         rounded.getIn() == op.getBody()->getArgument(0);
}

namespace {
struct GPUSelectEnginesPass
    : memrev::impl::GPUSelectEnginesBase<GPUSelectEnginesPass> {
  using Base::Base;

  LogicalResult initialize(MLIRContext *context) override {
    if (failed(parseTarget(context, chip, fp32Precision,
                           "to choose engines for", description, precision)))
      return failure();
    if (contractions != "generated" && contractions != "vendor" &&
        contractions != "auto")
      return emitError(UnknownLoc::get(context))
             << "expects contractions to be generated, vendor "
                "or auto, but got '"
             << contractions << "'";
    return success();
  }

  void runOnOperation() override {
    if (getOperation().isExternal() || getOperation()->hasAttr(kKernelAttr))
      return;
    WalkResult result = getOperation().walk([&](Operation *op) {
      Attribute request = op->removeAttr(kEngineAttr);
      auto engine = dyn_cast_or_null<StringAttr>(request);
      bool isVendor = engine && engine.getValue() == "vendor";
      if (request && !isVendor &&
          !(engine && engine.getValue() == "generated")) {
        op->emitOpError("expects '")
            << kEngineAttr << "' to be generated or vendor, but got "
            << request;
        return WalkResult::interrupt();
      }
      auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
      if (isVendor || (!request && contractions != "generated"))
        select(op, linalgOp, isVendor);
      return WalkResult::advance();
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }

private:
  /// Gives `op` to a library if that runs it, and should: `isRequested` if the
  /// program says so.
  void select(Operation *op, linalg::LinalgOp linalgOp, bool isRequested) {
    bool isCandidate = linalgOp && linalgOp.getNumDpsInputs() == 2 &&
                       linalgOp.getNumDpsInits() == 1 &&
                       linalgOp.getNumReductionLoops() != 0;
    std::string reason = "it is no sum of products";
    bool isContraction = false;
    if (isCandidate) {
      linalg::GenericOp user = getElementwiseUser(linalgOp);
      linalg::GenericOp rounding =
          user && isRounding(user) ? user : linalg::GenericOp();
      auto call = describe(op, rounding, isContraction, reason);
      if (failed(call) && rounding) {
        rounding = {};
        call = describe(op, rounding, isContraction, reason);
      }
      if (succeeded(call)) {
        if (isRequested || contractions == "vendor" ||
            (isFasterInLibrary(*call, description) && !isFused(op)))
          mark(op, rounding);
        return;
      }
    }
    if (isRequested || (isContraction && contractions == "vendor"))
      reportMissed(op, "SelectEngine", "gpu-select-engines",
                   "'" + op->getName().getStringRef() +
                       "' is computed by a generated kernel because " + reason);
  }

  /// Whether what follows `op` would be part of its kernel.
  static bool isFused(Operation *op) {
    OwningOpRef<func::FuncOp> kernel = createKernelOf(op);
    std::string reason;
    FailureOr<Problem> problem =
        buildProblem(*kernel, Contractions::Widening, reason);
    return succeeded(problem) && problem->isContraction && problem->body;
  }

  /// The call in place of the kernel that `op` and `rounding` would be; sets
  /// `rounding` to null if it is no part of that.
  FailureOr<Candidate> describe(Operation *op, linalg::GenericOp &rounding,
                                bool &isContraction, std::string &reason) {
    mark(op, rounding);
    OwningOpRef<func::FuncOp> kernel = createKernelOf(op);
    unmark(op, rounding);
    if (!kernel) {
      reason = "it has a dynamic shape";
      return failure();
    }
    FailureOr<Problem> problem =
        buildProblem(*kernel, Contractions::Widening, reason);
    if (failed(problem))
      return failure();
    isContraction |= problem->isContraction;
    if (!problem->body)
      rounding = {};
    auto product =
        MatmulCall::get(*problem, *kernel, description, precision, reason);
    if (succeeded(product))
      return Candidate{product->factorType,
                       product->compute == MatmulCall::Compute::TF32,
                       product->getWork()};
    std::string other;
    auto match = readConvolution(*problem, *kernel, precision, other);
    if (succeeded(match))
      return Candidate{match->call.elementType, match->call.isTF32,
                       match->call.getWork()};
    if (hasWindows(*problem))
      reason = other;
    return failure();
  }

  void mark(Operation *op, linalg::GenericOp rounding) {
    Builder builder(&getContext());
    op->setAttr(kEngineAttr, builder.getStringAttr("vendor"));
    op->setAttr(kAloneAttr, builder.getUnitAttr());
    if (rounding)
      rounding->setAttr(kAloneAttr, builder.getUnitAttr());
  }

  void unmark(Operation *op, linalg::GenericOp rounding) {
    op->removeAttr(kEngineAttr);
    op->removeAttr(kAloneAttr);
    if (rounding)
      rounding->removeAttr(kAloneAttr);
  }

  Chip description;
  FP32Precision precision = FP32Precision::IEEE;
};
} // namespace
