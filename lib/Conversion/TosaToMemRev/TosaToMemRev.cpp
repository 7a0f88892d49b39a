//===- TosaToMemRev.cpp - Programs in TOSA --------------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Conversion/Passes.h"
#include "mlir/Conversion/TosaToArith/TosaToArith.h"
#include "mlir/Conversion/TosaToLinalg/TosaToLinalg.h"
#include "mlir/Conversion/TosaToSCF/TosaToSCF.h"
#include "mlir/Conversion/TosaToTensor/TosaToTensor.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Index/IR/IndexDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "mlir/Dialect/Tosa/Transforms/Passes.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CONVERTTOSATOMEMREV
#include "memrev/Conversion/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;

static bool isTosa(Operation *op) {
  return isa_and_nonnull<tosa::TosaDialect>(op->getDialect());
}

static bool hasTosa(Operation *root) {
  return root
      ->walk([](Operation *op) {
        return isTosa(op) ? WalkResult::interrupt() : WalkResult::advance();
      })
      .wasInterrupted();
}

static void buildPipeline(OpPassManager &pm) {
  OpPassManager &functions = pm.nest<func::FuncOp>();
  // First: the other conversions take no regions that end in tosa.yield.
  functions.addPass(createTosaToSCFPass());
  functions.addPass(tosa::createTosaOptionalDecompositionsPass());
  functions.addPass(createCanonicalizerPass());
  functions.addPass(tosa::createTosaInferShapesPass());
  functions.addPass(tosa::createTosaMakeBroadcastablePass());
  functions.addPass(tosa::createTosaToLinalgNamed());
  functions.addPass(createCanonicalizerPass());
  functions.addPass(tosa::createTosaMakeBroadcastablePass());
  functions.addPass(tosa::createTosaToLinalg());
  functions.addPass(createTosaToArithPass());
  functions.addPass(createTosaToTensorPass());
  functions.addPass(createCanonicalizerPass());
}

namespace {
class ConvertTosaToMemRev final
    : public memrev::impl::ConvertTosaToMemRevBase<ConvertTosaToMemRev> {
public:
  using Base::Base;

  void runOnOperation() override {
    // Programs without TOSA do not pay for the pipeline.
    if (!hasTosa(getOperation()))
      return;
    OpPassManager pm(ModuleOp::getOperationName());
    buildPipeline(pm);
    if (failed(convert(pm)))
      return signalPassFailure();
    getOperation()->walk([&](Operation *op) {
      if (!isTosa(op))
        return WalkResult::advance();
      op->emitError("expects TOSA operations that have a lowering to linalg, "
                    "but got '")
          << op->getName() << "'";
      signalPassFailure();
      return WalkResult::interrupt();
    });
  }

private:
  /// Runs `pm`. Upstream's errors speak of its conversions, so the first is
  /// reported as what the program lacks.
  LogicalResult convert(OpPassManager &pm) {
    std::optional<Location> loc;
    std::string message;
    LogicalResult result = failure();
    {
      ScopedDiagnosticHandler handler(&getContext(), [&](Diagnostic &diag) {
        if (diag.getSeverity() != DiagnosticSeverity::Error)
          return failure();
        if (!loc) {
          loc = diag.getLocation();
          message = diag.str();
        }
        return success();
      });
      result = runPipeline(pm, getOperation());
    }
    if (failed(result)) {
      InFlightDiagnostic diag =
          emitError(loc.value_or(getOperation().getLoc()),
                    "expects TOSA operations that have a lowering to linalg");
      if (loc)
        diag.attachNote(*loc) << "upstream says: " << message;
    }
    return result;
  }
};
} // namespace
