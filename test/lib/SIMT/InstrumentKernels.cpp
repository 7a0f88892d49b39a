//===- InstrumentKernels.cpp - Kernels and variables for the host ---------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Instrumenter.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/ReplaceConstant.h"

using namespace llvm;
using namespace memrev::simt;

static constexpr unsigned kSharedSpace = 3;

//===----------------------------------------------------------------------===//
// Variables
//===----------------------------------------------------------------------===//

bool Instrumenter::collectVariables() {
  SmallVector<Constant *> constants;
  for (GlobalVariable &variable : module.globals()) {
    Type *type = variable.getValueType();
    size_t bytes = module.getDataLayout().getTypeAllocSize(type);
    if (variable.getAddressSpace() != kSharedSpace) {
      if (variable.hasAppendingLinkage())
        continue;
      if (!variable.isConstant() || !variable.hasInitializer())
        return fail(
            "expects constants or shared memory, but got the variable '" +
            variable.getName() + "'");
      std::string name = "__simt_constant_" + std::to_string(constants.size());
      variable.setName(name);
      variable.setLinkage(GlobalValue::ExternalLinkage);
      variable.setVisibility(GlobalValue::DefaultVisibility);
      result.constants.emplace_back(variable.getName().str(), bytes);
      continue;
    }
    SharedVariable info;
    info.name = variable.getName().str();
    info.bytes = bytes;
    info.alignment = variable.getAlign().valueOrOne().value();
    info.alignment = std::max<size_t>(
        info.alignment, module.getDataLayout().getABITypeAlign(type).value());
    info.isDynamic = variable.isDeclaration();
    // The assembler makes such a variable a byte of its own, over which the
    // others lie.
    if (bytes == 0 && !info.isDynamic)
      return fail("expects dynamic shared memory to be external, but got '" +
                  variable.getName() + "' with a definition");
    result.sharedAddresses.push_back(0);
    info.address = &result.sharedAddresses.back();
    shared[&variable] = info;
    constants.push_back(&variable);
  }
  convertUsersOfConstantsToInstructions(constants);
  for (auto &entry : shared) {
    GlobalVariable *variable = entry.first;
    auto loadAddress = [&](IRBuilder<> &builder) {
      LoadInst *load = builder.CreateLoad(variable->getType(),
                                          makePointer(entry.second.address));
      addressLoads.insert(load);
      return load;
    };
    for (User *user : make_early_inc_range(variable->users())) {
      auto *instruction = dyn_cast<Instruction>(user);
      if (!instruction)
        return fail("expects instructions to use the shared variable '" +
                    variable->getName() + "'");
      if (auto *phi = dyn_cast<PHINode>(instruction)) {
        // Each edge has its own place.
        for (unsigned i = 0; i < phi->getNumIncomingValues(); ++i)
          if (phi->getIncomingValue(i) == variable) {
            IRBuilder<> builder(phi->getIncomingBlock(i)->getTerminator());
            phi->setIncomingValue(i, loadAddress(builder));
          }
      } else {
        IRBuilder<> builder(instruction);
        instruction->replaceUsesOfWith(variable, loadAddress(builder));
      }
      sharedUsers[variable].insert(instruction->getFunction());
    }
  }
  for (auto &[variable, info] : shared)
    variable->eraseFromParent();
  return true;
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

/// Notes the shared variables that a kernel and what it calls use.
void Instrumenter::collectShared(Function &function, Kernel &kernel) {
  DenseSet<Function *> reached = {&function};
  SmallVector<Function *> work = {&function};
  while (!work.empty())
    for (BasicBlock &block : *work.pop_back_val())
      for (Instruction &instruction : block)
        if (auto *call = dyn_cast<CallInst>(&instruction))
          if (Function *callee = call->getCalledFunction())
            if (!callee->isDeclaration() && reached.insert(callee).second)
              work.push_back(callee);
  for (auto &[variable, info] : shared) {
    bool isUsed = any_of(sharedUsers[variable],
                         [&](Function *user) { return reached.count(user); });
    if (!isUsed)
      continue;
    kernel.shared.push_back(info);
    if (!info.isDynamic)
      kernel.staticSharedBytes =
          alignTo(kernel.staticSharedBytes, Align(info.alignment)) + info.bytes;
  }
  const DataLayout &layout = module.getDataLayout();
  for (Function *used : reached)
    for (BasicBlock &block : *used)
      for (Instruction &instruction : block)
        if (auto *alloca = dyn_cast<AllocaInst>(&instruction))
          if (auto size = alloca->getAllocationSize(layout))
            kernel.localBytes += size->getKnownMinValue();
}

static unsigned getBound(Function &function, StringRef name, unsigned i) {
  SmallVector<StringRef> parts;
  function.getFnAttribute(name).getValueAsString().split(parts, ',');
  unsigned value = 0;
  if (i < parts.size())
    parts[i].trim().getAsInteger(10, value);
  return value;
}

bool Instrumenter::makeKernel(Function &function) {
  const DataLayout &layout = module.getDataLayout();
  unsigned cluster = 1;
  for (unsigned i = 0; i < 3; ++i)
    cluster *= std::max(1u, getBound(function, "nvvm.cluster_dim", i));
  if (cluster > 1)
    return fail("expects clusters of one block, but got '" +
                function.getName() + "' with " + Twine(cluster));
  result.kernels.emplace_back();
  Kernel &kernel = result.kernels.back();
  kernel.name = function.getName().str();
  for (unsigned i = 0; i < 3; ++i)
    kernel.requiredThreads[i] = getBound(function, "nvvm.reqntid", i);
  if (unsigned x = getBound(function, "nvvm.maxntid", 0))
    kernel.maxThreads = x *
                        std::max(1u, getBound(function, "nvvm.maxntid", 1)) *
                        std::max(1u, getBound(function, "nvvm.maxntid", 2));
  collectShared(function, kernel);

  // The entry takes a buffer, as a launch has it.
  auto *type = FunctionType::get(Type::getVoidTy(context),
                                 {PointerType::get(context, 0)}, false);
  auto *entry = Function::Create(type, GlobalValue::ExternalLinkage,
                                 "__simt_entry_" + function.getName(), module);
  IRBuilder<> builder(BasicBlock::Create(context, "", entry));
  SmallVector<Value *> arguments;
  for (Argument &argument : function.args()) {
    Type *passed = argument.hasByValAttr() ? argument.getParamByValType()
                                           : argument.getType();
    Align alignment = std::max(argument.getParamAlign().valueOrOne(),
                               layout.getABITypeAlign(passed));
    Kernel::Parameter parameter;
    parameter.offset = alignTo(kernel.parameterBytes, alignment);
    parameter.bytes = layout.getTypeAllocSize(passed);
    kernel.parameterBytes = parameter.offset + parameter.bytes;
    kernel.parameters.push_back(parameter);
    Value *address = builder.CreateConstGEP1_64(
        builder.getInt8Ty(), entry->getArg(0), parameter.offset);
    arguments.push_back(
        argument.hasByValAttr()
            ? builder.CreateAddrSpaceCast(address, argument.getType())
            : builder.CreateLoad(passed, address));
  }
  // Compiled code reads such a parameter where the launch left it.
  for (Argument &argument : function.args())
    if (argument.hasByValAttr())
      argument.removeAttr(Attribute::ByVal);
  builder.CreateCall(&function, arguments);
  builder.CreateRetVoid();
  result.entries.push_back(entry->getName().str());
  return true;
}
