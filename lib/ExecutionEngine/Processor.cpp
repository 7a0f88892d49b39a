//===- Processor.cpp - What machine code needs of a machine ---------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/ExecutionEngine/Processor.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/SubtargetFeature.h"

using namespace mlir::memrev;

Processor mlir::memrev::getProcessor(const llvm::TargetMachine &machine) {
  Processor processor;
  processor.triple = machine.getTargetTriple().str();
  // Of the features some say how to emit code, not what it needs: a machine
  // does not know these of itself.
  llvm::StringMap<bool> known = llvm::sys::getHostCPUFeatures();
  for (const llvm::SubtargetFeatureKV &feature :
       machine.getMCSubtargetInfo()->getEnabledProcessorFeatures())
    if (known.contains(feature.Key))
      processor.features.push_back(feature.Key);
  return processor;
}

llvm::Error mlir::memrev::verifyHost(const Processor &processor) {
  std::string host = llvm::sys::getDefaultTargetTriple();
  if (processor.triple != host)
    return llvm::createStringError("expects a machine of kind " +
                                   processor.triple + ", but got " + host);
  llvm::StringMap<bool> features = llvm::sys::getHostCPUFeatures();
  std::vector<llvm::StringRef> missing;
  for (const std::string &feature : processor.features)
    if (!features.lookup(feature))
      missing.push_back(feature);
  if (missing.empty())
    return llvm::Error::success();
  return llvm::createStringError("expects a processor with " +
                                 llvm::join(missing, ", ") + ", but got " +
                                 llvm::sys::getHostCPUName().str());
}
