//===- EliminateEmptyTensors.cpp - Compute slices where they go -----------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/Passes.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/Transforms.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/SubsetOpInterface.h"
#include "llvm/Support/Threading.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CODEGENELIMINATEEMPTYTENSORS
#include "memrev/Codegen/Common/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

namespace {
class CodegenEliminateEmptyTensorsPass
    : public memrev::impl::CodegenEliminateEmptyTensorsBase<
          CodegenEliminateEmptyTensorsPass> {
public:
  void runOnOperation() override {
    // Only insertions into a tensor give another one its place. The analysis
    // takes a tenth of the time of compiling a function that has none.
    WalkResult hasInsertions = getOperation().walk(
        [](SubsetInsertionOpInterface) { return WalkResult::interrupt(); });
    if (!hasInsertions.wasInterrupted())
      return;
    bufferization::OneShotBufferizationOptions options;
    options.allowReturnAllocsFromLoops = true;
    bufferization::OneShotAnalysisState state(getOperation(), options);
    {
      // What this analysis rejects is no error: that of bufferization, which
      // sees callees, may accept it, and else says so. Other threads work on
      // other functions.
      uint64_t thread = llvm::get_threadid();
      ScopedDiagnosticHandler quiet(&getContext(), [&](Diagnostic &) {
        return success(llvm::get_threadid() == thread);
      });
      if (failed(bufferization::analyzeOp(getOperation(), state)))
        return;
    }
    IRRewriter rewriter(&getContext());
    if (failed(bufferization::eliminateEmptyTensors(rewriter, getOperation(),
                                                    state)))
      signalPassFailure();
  }
};
} // namespace
