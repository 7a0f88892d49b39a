//===- Instrumenter.h - Rewrites a module for the host -------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_TEST_LIB_SIMT_INSTRUMENTER_H
#define MEMREV_TEST_LIB_SIMT_INSTRUMENTER_H

#include "Instrument.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/ModuleSlotTracker.h"
#include <map>

namespace memrev::simt {

/// What instrument() does with a module, step by step.
class Instrumenter {
public:
  Instrumenter(llvm::Module &module, Machine &machine, Instrumentation &result,
               std::string &error)
      : module(module), context(module.getContext()), machine(machine),
        result(result), error(error) {}

  bool run();

private:
  /// An instruction that is to be rewritten.
  struct Rewrite {
    llvm::Instruction *instruction;
    uint32_t site;
  };

  bool fail(const llvm::Twine &message) {
    error = message.str();
    return false;
  }
  llvm::Constant *makePointer(const void *address) {
    return llvm::ConstantExpr::getIntToPtr(
        llvm::ConstantInt::get(llvm::Type::getInt64Ty(context),
                               reinterpret_cast<uintptr_t>(address)),
        llvm::PointerType::get(context, 0));
  }
  uint32_t makeSite(llvm::Function &function, llvm::Instruction &instruction,
                    llvm::ModuleSlotTracker &slots);
  bool collectVariables();
  void checkProducts(llvm::Function &function, llvm::ModuleSlotTracker &slots);
  bool instrumentFunction(llvm::Function &function);
  bool rewrite(Rewrite rewrite);
  bool rewriteCall(llvm::CallInst &call, uint32_t site);
  bool makeOperation(llvm::CallInst &call, Operation operation, uint32_t site);
  void check(llvm::IRBuilder<> &builder, llvm::Value *pointer,
             llvm::Value *bytes, llvm::Align alignment, unsigned flags,
             uint32_t site);
  void checkAccess(llvm::Instruction &instruction, llvm::Value *pointer,
                   llvm::Type *type, llvm::Align alignment, unsigned flags,
                   uint32_t site);
  bool makeKernel(llvm::Function &function);
  void collectShared(llvm::Function &function, Kernel &kernel);

  llvm::Module &module;
  llvm::LLVMContext &context;
  Machine &machine;
  Instrumentation &result;
  std::string &error;
  /// Variables in shared memory, and the functions that use each.
  llvm::MapVector<llvm::GlobalVariable *, SharedVariable> shared;
  std::map<llvm::GlobalVariable *, llvm::DenseSet<llvm::Function *>>
      sharedUsers;
  /// What this class itself has added.
  llvm::DenseSet<llvm::Instruction *> addressLoads;
  /// Where operations of the function find arguments and leave results.
  llvm::AllocaInst *argumentSlots = nullptr, *resultSlots = nullptr;
  unsigned numArgumentSlots = 1, numResultSlots = 1;
};

} // namespace memrev::simt

#endif // MEMREV_TEST_LIB_SIMT_INSTRUMENTER_H
