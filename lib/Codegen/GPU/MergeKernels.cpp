//===- MergeKernels.cpp - Keep one of each group of equal kernels ---------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/GPU/Passes.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OperationSupport.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/Hashing.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_GPUMERGEKERNELS
#include "memrev/Codegen/GPU/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;

/// Returns the attributes of `kernel` without its name.
static DictionaryAttr getUnnamedAttributes(gpu::GPUFuncOp kernel) {
  NamedAttrList attributes(kernel->getAttrDictionary());
  attributes.erase(SymbolTable::getSymbolAttrName());
  return attributes.getDictionary(kernel.getContext());
}

/// Hashes what equal kernels have in common: the operations in their order,
/// without the values that they use.
static size_t hashKernel(gpu::GPUFuncOp kernel) {
  llvm::hash_code hash =
      llvm::hash_value(getUnnamedAttributes(kernel).getAsOpaquePointer());
  kernel.getBody().walk([&](Operation *op) {
    hash =
        llvm::hash_combine(hash, OperationEquivalence::computeHash(
                                     op, OperationEquivalence::ignoreHashValue,
                                     OperationEquivalence::ignoreHashValue,
                                     OperationEquivalence::IgnoreLocations));
  });
  return hash;
}

static bool areEqual(gpu::GPUFuncOp a, gpu::GPUFuncOp b) {
  return getUnnamedAttributes(a) == getUnnamedAttributes(b) &&
         OperationEquivalence::isRegionEquivalentTo(
             &a.getBody(), &b.getBody(), OperationEquivalence::IgnoreLocations);
}

namespace {
struct GPUMergeKernels : memrev::impl::GPUMergeKernelsBase<GPUMergeKernels> {
  void runOnOperation() override {
    llvm::DenseMap<Attribute, gpu::GPUFuncOp> replacements;
    for (auto module : getOperation().getOps<gpu::GPUModuleOp>()) {
      llvm::DenseMap<size_t, SmallVector<gpu::GPUFuncOp, 1>> kept;
      for (auto kernel :
           llvm::make_early_inc_range(module.getOps<gpu::GPUFuncOp>())) {
        if (!kernel.isKernel())
          continue;
        SmallVector<gpu::GPUFuncOp, 1> &candidates = kept[hashKernel(kernel)];
        auto *equal = llvm::find_if(candidates, [&](gpu::GPUFuncOp candidate) {
          return areEqual(candidate, kernel);
        });
        if (equal == candidates.end()) {
          candidates.push_back(kernel);
          continue;
        }
        replacements[getReference(module, kernel)] = *equal;
      }
    }
    if (replacements.empty())
      return markAllAnalysesPreserved();
    getOperation().walk([&](gpu::LaunchFuncOp launch) {
      if (gpu::GPUFuncOp kept = replacements.lookup(launch.getKernelAttr()))
        launch.setKernelAttr(
            getReference(kept->getParentOfType<gpu::GPUModuleOp>(), kept));
    });
    SymbolTableCollection tables;
    for (auto [reference, kept] : replacements) {
      auto module = kept->getParentOfType<gpu::GPUModuleOp>();
      tables.getSymbolTable(module).erase(tables.getSymbolTable(module).lookup(
          cast<SymbolRefAttr>(reference).getLeafReference()));
    }
  }

private:
  static SymbolRefAttr getReference(gpu::GPUModuleOp module,
                                    gpu::GPUFuncOp kernel) {
    return SymbolRefAttr::get(module.getNameAttr(),
                              {SymbolRefAttr::get(kernel.getNameAttr())});
  }
};
} // namespace
