//===- ParallelToOpenMP.cpp - Parallel loops on all threads ---------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/CPU/Passes.h"
#include "memrev/Codegen/Common/AttributeNames.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/OpenMP/OpenMPDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Transforms/Transforms.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CODEGENPARALLELTOOPENMP
#include "memrev/Codegen/CPU/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

namespace {
/// The iteration space and body of an `scf.forall` or `scf.parallel`.
struct ParallelLoop {
  Operation *op;
  SmallVector<Value> lower, upper, step;

  /// Makes constants where the bounds are static, before the loop.
  static ParallelLoop create(OpBuilder &builder, Operation *op) {
    ParallelLoop loop{op, {}, {}, {}};
    if (auto forall = dyn_cast<scf::ForallOp>(op)) {
      loop.lower = forall.getLowerBound(builder);
      loop.upper = forall.getUpperBound(builder);
      loop.step = forall.getStep(builder);
    } else {
      auto parallel = cast<scf::ParallelOp>(op);
      loop.lower = parallel.getLowerBound();
      loop.upper = parallel.getUpperBound();
      loop.step = parallel.getStep();
    }
    return loop;
  }

  /// Whether it is known that there is at most one iteration.
  bool hasAtMostOneIteration() const {
    for (auto [lo, up, st] : llvm::zip_equal(lower, upper, step)) {
      auto first = getConstantIntValue(lo), last = getConstantIntValue(up),
           stride = getConstantIntValue(st);
      if (!first || !last || !stride || *first + *stride < *last)
        return false;
    }
    return true;
  }

  Block *getBody() const { return &op->getRegion(0).front(); }
};
} // namespace

/// Moves the stack buffers of `loop` before `position`: a stack buffer in a
/// loop would take new bytes in each iteration.
static void hoistStackBuffers(Operation *loop, Operation *position) {
  SmallVector<memref::AllocaOp> buffers;
  loop->walk([&](memref::AllocaOp buffer) {
    if (buffer.getType().hasStaticShape())
      buffers.push_back(buffer);
  });
  for (memref::AllocaOp buffer : buffers)
    buffer->moveBefore(position);
}

static void makeSequential(IRRewriter &rewriter, Operation *op) {
  hoistStackBuffers(op, op);
  auto forall = dyn_cast<scf::ForallOp>(op);
  // Lowering to control flow makes scf.parallel sequential.
  if (!forall)
    return;
  rewriter.setInsertionPoint(forall);
  SmallVector<Operation *> loops;
  // Fails only for a loop with results, which the caller has ruled out.
  (void)scf::forallToForLoop(rewriter, forall, &loops);
}

/// The number of threads for a loop whose scratch is made for `maxThreads`.
static Value clampThreads(OpBuilder &builder, Operation *op,
                          int64_t maxThreads) {
  auto module = op->getParentOfType<ModuleOp>();
  SymbolTable symbols(module);
  StringRef name = "omp_get_max_threads";
  auto declaration = symbols.lookup<func::FuncOp>(name);
  if (!declaration) {
    declaration = func::FuncOp::create(
        op->getLoc(), name, builder.getFunctionType({}, builder.getI32Type()));
    declaration.setPrivate();
    symbols.insert(declaration);
  }
  Value available =
      func::CallOp::create(builder, op->getLoc(), declaration, ValueRange())
          .getResult(0);
  Value limit = arith::ConstantIntOp::create(builder, op->getLoc(), maxThreads,
                                             /*width=*/32);
  return arith::MinSIOp::create(builder, op->getLoc(), available, limit);
}

static void makeParallel(IRRewriter &rewriter, const ParallelLoop &loop) {
  Operation *op = loop.op;
  Location loc = op->getLoc();
  rewriter.setInsertionPoint(op);
  omp::ParallelOperands clauses;
  if (auto maxThreads = op->getAttrOfType<IntegerAttr>(kMaxThreadsAttr))
    clauses.numThreads = clampThreads(rewriter, op, maxThreads.getInt());
  auto parallel = omp::ParallelOp::create(rewriter, loc, clauses);
  rewriter.createBlock(&parallel.getRegion());
  omp::WsloopOperands sharing;
  // Threads meet at the end of the region anyway.
  sharing.nowait = rewriter.getUnitAttr();
  auto workshare = omp::WsloopOp::create(rewriter, loc, sharing);
  omp::TerminatorOp::create(rewriter, loc);
  hoistStackBuffers(op, workshare);

  rewriter.createBlock(&workshare.getRegion());
  omp::LoopNestOperands nest;
  nest.loopLowerBounds = loop.lower;
  nest.loopUpperBounds = loop.upper;
  nest.loopSteps = loop.step;
  // Without it only the first loop of the nest is shared out.
  nest.collapseNumLoops = rewriter.getI64IntegerAttr(loop.lower.size());
  auto loopNest = omp::LoopNestOp::create(rewriter, loc, nest);
  Block *body = loop.getBody();
  Region &region = loopNest.getRegion();
  body->getParent()->getBlocks().remove(body);
  region.push_back(body);
  Operation *terminator = body->getTerminator();
  rewriter.setInsertionPoint(terminator);
  omp::YieldOp::create(rewriter, loc);
  rewriter.eraseOp(terminator);
  op->getRegion(0).getBlocks().clear();
  op->erase();
}

/// Whether `op` has results, which only exist on tensors or with reductions.
static bool hasResults(Operation *op) { return op->getNumResults() != 0; }

namespace {
class CodegenParallelToOpenMPPass
    : public memrev::impl::CodegenParallelToOpenMPBase<
          CodegenParallelToOpenMPPass> {
public:
  using CodegenParallelToOpenMPBase::CodegenParallelToOpenMPBase;

  void runOnOperation() override {
    // Innermost first, so that a loop is outermost when nothing around it is
    // parallel.
    SmallVector<Operation *> loops;
    getOperation().walk<WalkOrder::PostOrder>([&](Operation *op) {
      if (isa<scf::ForallOp, scf::ParallelOp>(op))
        loops.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (Operation *op : loops) {
      if (isa<scf::ForallOp>(op) && hasResults(op)) {
        op->emitOpError("expects a parallel loop on buffers, but it has "
                        "results");
        return signalPassFailure();
      }
      bool isNested = op->getParentOfType<scf::ForallOp>() ||
                      op->getParentOfType<scf::ParallelOp>();
      rewriter.setInsertionPoint(op);
      ParallelLoop loop = ParallelLoop::create(rewriter, op);
      if (!parallel || isNested || hasResults(op) ||
          loop.hasAtMostOneIteration())
        makeSequential(rewriter, op);
      else
        makeParallel(rewriter, loop);
    }
  }
};
} // namespace
