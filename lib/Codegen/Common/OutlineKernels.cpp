//===- OutlineKernels.cpp - Move computations into kernel functions -------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelGroup.h"
#include "memrev/Codegen/Common/AttributeNames.h"
#include "memrev/Codegen/Common/Passes.h"
#include "mlir/IR/Remarks.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Pass/Pass.h"
#include "llvm/ADT/StringExtras.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CODEGENOUTLINEKERNELS
#include "memrev/Codegen/Common/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

namespace {
struct KeyHash {
  size_t operator()(const std::vector<uintptr_t> &key) const {
    return llvm::hash_combine_range(key.begin(), key.end());
  }
};
using KernelTable =
    std::unordered_map<std::vector<uintptr_t>, func::FuncOp, KeyHash>;
} // namespace

/// `linalg.conv_2d_nhwc_hwcf` gives `conv_2d_nhwc_hwcf_<number>`.
static std::string nameKernel(Operation *root, SymbolTable &symbols,
                              unsigned &counter) {
  std::string base = root->getName().stripDialect().str();
  std::replace(base.begin(), base.end(), '.', '_');
  std::string name;
  do {
    name = base + "_" + llvm::utostr(counter++);
  } while (symbols.lookup(name));
  return name;
}

static void reportDynamic(Operation *op) {
  StringRef reason = " has a dynamic shape and is lowered to scalar loops";
  if (!op->getContext()->getRemarkEngine()) {
    op->emitRemark() << op->getName().getStringRef() << reason;
    return;
  }
  remark::missed(op->getLoc(), remark::RemarkOpts::name("Outline").category(
                                   "codegen-outline-kernels"))
      << op->getName().getStringRef() << reason;
}

/// Plans the groups of one block. Nothing is changed, so that positions can be
/// compared in constant time.
static std::vector<KernelGroup> planBlock(Block &block) {
  std::vector<KernelGroup> groups;
  DenseSet<Operation *> claimed;
  for (Operation &op : block) {
    if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
        linalgOp && !isKernelRoot(&op)) {
      reportDynamic(&op);
      continue;
    }
    if (!isKernelRoot(&op) || claimed.contains(&op) || isAlwaysAbsorbed(&op))
      continue;
    groups.emplace_back(&op, claimed);
    if (Operation *epilogue = groups.back().getEpilogue())
      claimed.insert(epilogue);
  }
  return groups;
}

namespace {
struct CodegenOutlineKernelsPass
    : memrev::impl::CodegenOutlineKernelsBase<CodegenOutlineKernelsPass> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    KernelTable kernels;
    unsigned counter = 0;

    SmallVector<func::FuncOp> funcs;
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (!func.isExternal() && !func->hasAttr(kKernelAttr))
        funcs.push_back(func);

    for (func::FuncOp func : funcs) {
      SmallVector<Block *> blocks;
      func->walk<WalkOrder::PreOrder>([&](Operation *op) {
        if (isa<linalg::LinalgOp, tensor::PadOp>(op))
          return WalkResult::skip();
        for (Region &region : op->getRegions())
          for (Block &block : region)
            blocks.push_back(&block);
        return WalkResult::advance();
      });

      // Equal kernels are one, whatever for.
      func.walk([](Operation *op) { op->removeAttr(kRecomputedAttr); });
      OpBuilder builder(&getContext());
      SmallVector<Operation *> dead;
      // Innermost first: a group of an outer block may end at an op whose
      // regions hold groups of their own.
      for (Block *block : llvm::reverse(blocks)) {
        std::vector<KernelGroup> groups = planBlock(*block);
        SmallVector<func::FuncOp> callees;
        for (KernelGroup &group : groups) {
          ArrayRef<uintptr_t> key = group.getKey();
          auto [entry, isNew] = kernels.try_emplace(
              std::vector<uintptr_t>(key.begin(), key.end()));
          if (isNew) {
            builder.setInsertionPointToEnd(getOperation().getBody());
            entry->second = group.createKernel(
                builder, nameKernel(group.getRoot(), symbols, counter));
            symbols.insert(entry->second);
          }
          callees.push_back(entry->second);
        }
        IRMapping replaced;
        for (auto [group, callee] : llvm::zip_equal(groups, callees))
          group.replaceWithCall(callee, replaced, dead);
      }
      eraseDead(dead);
    }
  }

private:
  /// Producers that every consumer took along are left without a use.
  static void eraseDead(ArrayRef<Operation *> candidates) {
    // From the last consumer to the first producer.
    llvm::SetVector<Operation *> worklist(candidates.rbegin(),
                                          candidates.rend());
    while (!worklist.empty()) {
      Operation *op = worklist.pop_back_val();
      if (!isOpTriviallyDead(op))
        continue;
      for (Value operand : op->getOperands())
        if (Operation *producer = operand.getDefiningOp())
          worklist.insert(producer);
      op->erase();
    }
  }
};
} // namespace
