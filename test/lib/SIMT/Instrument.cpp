//===- Instrument.cpp - Kernels for the host, with checks -----------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Instrument.h"
#include "Assembly.h"
#include "Instrumenter.h"
#include "Machine.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Analysis/ValueTracking.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/Support/raw_ostream.h"
#include <map>

using namespace llvm;
using namespace memrev::simt;

namespace simt = memrev::simt;

//===----------------------------------------------------------------------===//
// What instrumented code calls
//===----------------------------------------------------------------------===//

static void checkAccess(Machine *machine, uintptr_t address, size_t bytes,
                        unsigned flags, uint32_t site) {
  machine->access(address, bytes, flags, site);
}

static void runOperation(Machine *machine, const simt::Operation *operation,
                         const uint64_t *arguments, uint64_t *results) {
  Thread &thread = machine->getThread();
  thread.operation = operation;
  thread.site = operation->site;
  thread.slots = {arguments, results};
  operation->run(*machine, *operation, thread.slots);
}

static void runFence(Machine *machine) { machine->fence(machine->getThread()); }

static void checkProducts(Machine *machine, uint32_t site) {
  machine->checkProducts(site);
}

static void runTrap(Machine &machine, const simt::Operation &, Slots) {
  machine.fail(kLaunchFailed, "stops the kernel");
}

//===----------------------------------------------------------------------===//
// Special registers
//===----------------------------------------------------------------------===//

static const std::map<StringRef, Register> &getRegisters() {
  static const std::map<StringRef, Register> registers = {
      {"tid.x", kTidX},
      {"tid.y", kTidY},
      {"tid.z", kTidZ},
      {"ntid.x", kNtidX},
      {"ntid.y", kNtidY},
      {"ntid.z", kNtidZ},
      {"ctaid.x", kCtaidX},
      {"ctaid.y", kCtaidY},
      {"ctaid.z", kCtaidZ},
      {"nctaid.x", kNctaidX},
      {"nctaid.y", kNctaidY},
      {"nctaid.z", kNctaidZ},
      {"laneid", kLaneId},
      {"warpid", kWarpId},
      {"nwarpid", kNwarpId},
      {"warpsize", kWarpSizeRegister},
      {"lanemask.eq", kLanemaskEq},
      {"lanemask.le", kLanemaskLe},
      {"lanemask.lt", kLanemaskLt},
      {"lanemask.ge", kLanemaskGe},
      {"lanemask.gt", kLanemaskGt},
      {"dynamic_smem_size", kDynamicSharedBytes},
      {"total_smem_size", kTotalSharedBytes},
      // A cluster is one block.
      {"cluster.ctarank", kZeroRegister},
      {"cluster.nctarank", kOneRegister},
      {"cluster.ctaid.x", kZeroRegister},
      {"cluster.ctaid.y", kZeroRegister},
      {"cluster.ctaid.z", kZeroRegister},
      {"cluster.nctaid.x", kOneRegister},
      {"cluster.nctaid.y", kOneRegister},
      {"cluster.nctaid.z", kOneRegister},
      {"clusterid.x", kCtaidX},
      {"clusterid.y", kCtaidY},
      {"clusterid.z", kCtaidZ},
      {"nclusterid.x", kNctaidX},
      {"nclusterid.y", kNctaidY},
      {"nclusterid.z", kNctaidZ},
  };
  return registers;
}

//===----------------------------------------------------------------------===//
// The rewriting of a module
//===----------------------------------------------------------------------===//

/// Cuts what says nothing about what an instruction does.
static std::string shorten(std::string text) {
  text.erase(0, text.find_first_not_of(' '));
  size_t metadata = text.find(", !");
  if (metadata != std::string::npos)
    text.resize(metadata);
  constexpr size_t limit = 160;
  if (text.size() > limit)
    text = text.substr(0, limit) + "...";
  for (char &c : text)
    c = c == '\n' ? ' ' : c;
  return text;
}

uint32_t Instrumenter::makeSite(Function &function, Instruction &instruction,
                                ModuleSlotTracker &slots) {
  Site site;
  site.function = function.getName().str();
  if (const DebugLoc &location = instruction.getDebugLoc())
    site.location = location->getFilename().str() + ":" +
                    std::to_string(location.getLine());
  raw_string_ostream stream(site.text);
  instruction.print(stream, slots);
  site.text = shorten(site.text);
  return addSite(std::move(site));
}

void Instrumenter::check(IRBuilder<> &builder, Value *pointer, Value *bytes,
                         Align alignment, unsigned flags, uint32_t site) {
  unsigned space = pointer->getType()->getPointerAddressSpace();
  flags |= space << kAccessSpaceShift;
  flags |= Log2(alignment) << kAccessAlignmentShift;
  Type *i64 = builder.getInt64Ty(), *i32 = builder.getInt32Ty();
  auto *type = FunctionType::get(
      builder.getVoidTy(), {builder.getPtrTy(), i64, i64, i32, i32}, false);
  builder.CreateCall(
      type, makePointer(reinterpret_cast<const void *>(&::checkAccess)),
      {makePointer(&machine), builder.CreatePtrToInt(pointer, i64),
       builder.CreateZExtOrTrunc(bytes, i64), builder.getInt32(flags),
       builder.getInt32(site)});
}

void Instrumenter::checkAccess(Instruction &instruction, Value *pointer,
                               Type *type, Align alignment, unsigned flags,
                               uint32_t site) {
  // Threads do not share their own variables.
  if (isa<AllocaInst>(getUnderlyingObject(pointer)))
    return;
  // Nothing may move before its check.
  instruction.setMetadata(LLVMContext::MD_invariant_load, nullptr);
  IRBuilder<> builder(&instruction);
  if (instruction.isVolatile())
    flags |= kAccessAtomic;
  size_t bytes = module.getDataLayout().getTypeStoreSize(type);
  check(builder, pointer, builder.getInt64(bytes), alignment, flags, site);
}

bool Instrumenter::makeOperation(CallInst &call, simt::Operation operation,
                                 uint32_t site) {
  operation.site = site;
  result.operations.push_back(std::move(operation));
  const simt::Operation *made = &result.operations.back();
  const DataLayout &layout = module.getDataLayout();
  IRBuilder<> builder(&call);
  auto fits = [&](Type *type) {
    return type->isSized() && layout.getTypeStoreSize(type) <= 8;
  };
  Type *i64 = builder.getInt64Ty();
  numArgumentSlots = std::max(numArgumentSlots, call.arg_size());
  for (auto [i, argument] : enumerate(call.args())) {
    Value *value = argument;
    if (!fits(value->getType()))
      return fail("expects arguments of at most 8 bytes in '" + made->name +
                  "'");
    if (value->getType()->isIntegerTy(1))
      value = builder.CreateZExt(value, builder.getInt8Ty());
    builder.CreateStore(value,
                        builder.CreateConstGEP1_32(i64, argumentSlots, i));
  }
  auto *type = FunctionType::get(builder.getVoidTy(),
                                 {builder.getPtrTy(), builder.getPtrTy(),
                                  builder.getPtrTy(), builder.getPtrTy()},
                                 false);
  builder.CreateCall(
      type, makePointer(reinterpret_cast<const void *>(&runOperation)),
      {makePointer(&machine), makePointer(made), argumentSlots, resultSlots});
  auto load = [&](Type *type, unsigned i) -> Value * {
    bool isBit = type->isIntegerTy(1);
    Value *slot = builder.CreateConstGEP1_32(i64, resultSlots, i);
    Value *value = builder.CreateLoad(isBit ? builder.getInt8Ty() : type, slot);
    return isBit ? builder.CreateTrunc(value, type) : value;
  };
  Type *returned = call.getType();
  Value *replacement = nullptr;
  if (auto *structure = dyn_cast<StructType>(returned)) {
    numResultSlots = std::max(numResultSlots, structure->getNumElements());
    replacement = PoisonValue::get(structure);
    for (auto [i, element] : enumerate(structure->elements())) {
      if (!fits(element))
        return fail("expects results of at most 8 bytes in '" + made->name +
                    "'");
      replacement = builder.CreateInsertValue(replacement, load(element, i), i);
    }
  } else if (!returned->isVoidTy()) {
    if (!fits(returned))
      return fail("expects results of at most 8 bytes in '" + made->name + "'");
    replacement = load(returned, 0);
  }
  if (replacement)
    call.replaceAllUsesWith(replacement);
  call.eraseFromParent();
  return true;
}

bool Instrumenter::rewriteCall(CallInst &call, uint32_t site) {
  if (auto *assembly = dyn_cast<InlineAsm>(call.getCalledOperand())) {
    simt::Operation operation;
    std::vector<int> ties;
    int numArguments = 0;
    for (const InlineAsm::ConstraintInfo &info : assembly->ParseConstraints()) {
      if (info.Type == InlineAsm::isOutput)
        ties.push_back(-1);
      if (info.Type == InlineAsm::isInput) {
        unsigned tied = 0;
        if (!info.Codes.empty() &&
            !StringRef(info.Codes[0]).getAsInteger(10, tied))
          ties[tied] = numArguments;
        ++numArguments;
      }
      if (info.isIndirect || info.Type == InlineAsm::isLabel)
        return fail("expects values as operands of the assembly '" +
                    Twine(assembly->getAsmString()) + "'");
    }
    std::string why;
    if (!parseAssembly(assembly->getAsmString().str(), ties, operation, why))
      return fail(why + " in the assembly '" + Twine(assembly->getAsmString()) +
                  "'");
    return makeOperation(call, std::move(operation), site);
  }
  Function *callee = call.getCalledFunction();
  if (!callee)
    return fail("expects calls of known functions");
  StringRef name = callee->getName();
  if (name.consume_front("llvm.nvvm.")) {
    if (name.consume_front("read.ptx.sreg.")) {
      auto known = getRegisters().find(name);
      if (known == getRegisters().end())
        return fail("the emulator does not know the special register '" + name +
                    "'");
      // Compiled code runs on behalf of the machine's current thread.
      IRBuilder<> builder(&call);
      Value *thread = builder.CreateLoad(builder.getPtrTy(),
                                         makePointer(machine.getCurrent()));
      Value *value =
          builder.CreateLoad(builder.getInt32Ty(),
                             builder.CreateConstGEP1_32(builder.getInt32Ty(),
                                                        thread, known->second));
      call.replaceAllUsesWith(builder.CreateZExtOrTrunc(value, call.getType()));
      call.eraseFromParent();
      return true;
    }
    // Overloads for address spaces are one function.
    simt::Operation operation;
    std::string base = name.str();
    size_t dot = base.rfind(".p");
    while (dot != std::string::npos && dot + 2 < base.size() &&
           base.find_first_not_of("0123456789", dot + 2) == std::string::npos) {
      base.resize(dot);
      dot = base.rfind(".p");
    }
    operation.name = base;
    if (!selectIntrinsic(base, operation))
      return fail("the emulator does not know the intrinsic '" +
                  callee->getName() + "'");
    return makeOperation(call, std::move(operation), site);
  }
  if (callee->getIntrinsicID() == Intrinsic::trap) {
    simt::Operation operation;
    operation.name = "trap";
    operation.run = runTrap;
    return makeOperation(call, std::move(operation), site);
  }
  if (callee->isDeclaration() && !callee->isIntrinsic())
    return fail("the emulator does not know the function '" + name + "'");
  return true;
}

/// Returns the flags of an atomic access.
static unsigned getFlags(AtomicOrdering ordering) {
  if (ordering == AtomicOrdering::NotAtomic)
    return 0;
  unsigned flags = kAccessAtomic;
  if (isAcquireOrStronger(ordering))
    flags |= kAccessAcquires;
  if (isReleaseOrStronger(ordering))
    flags |= kAccessReleases;
  return flags;
}

bool Instrumenter::rewrite(Rewrite toRewrite) {
  Instruction &instruction = *toRewrite.instruction;
  uint32_t site = toRewrite.site;
  if (auto *load = dyn_cast<LoadInst>(&instruction)) {
    checkAccess(*load, load->getPointerOperand(), load->getType(),
                load->getAlign(), kAccessReads | getFlags(load->getOrdering()),
                site);
  } else if (auto *store = dyn_cast<StoreInst>(&instruction)) {
    checkAccess(*store, store->getPointerOperand(),
                store->getValueOperand()->getType(), store->getAlign(),
                kAccessWrites | getFlags(store->getOrdering()), site);
  } else if (auto *rmw = dyn_cast<AtomicRMWInst>(&instruction)) {
    checkAccess(*rmw, rmw->getPointerOperand(), rmw->getType(), rmw->getAlign(),
                kAccessReads | kAccessWrites | getFlags(rmw->getOrdering()),
                site);
  } else if (auto *swap = dyn_cast<AtomicCmpXchgInst>(&instruction)) {
    checkAccess(*swap, swap->getPointerOperand(),
                swap->getNewValOperand()->getType(), swap->getAlign(),
                kAccessReads | kAccessWrites |
                    getFlags(swap->getMergedOrdering()),
                site);
  } else if (isa<FenceInst>(&instruction)) {
    IRBuilder<> builder(&instruction);
    auto *type =
        FunctionType::get(builder.getVoidTy(), {builder.getPtrTy()}, false);
    builder.CreateCall(type,
                       makePointer(reinterpret_cast<const void *>(&runFence)),
                       {makePointer(&machine)});
  } else if (auto *memory = dyn_cast<MemIntrinsic>(&instruction)) {
    IRBuilder<> builder(memory);
    check(builder, memory->getDest(), memory->getLength(),
          memory->getDestAlign().valueOrOne(), kAccessWrites, site);
    if (auto *copy = dyn_cast<MemTransferInst>(memory))
      check(builder, copy->getSource(), copy->getLength(),
            copy->getSourceAlign().valueOrOne(), kAccessReads, site);
  } else if (auto *call = dyn_cast<CallInst>(&instruction)) {
    return rewriteCall(*call, site);
  }
  return true;
}

static bool isProduct(const Value *value) {
  auto *call = dyn_cast<CallInst>(value);
  auto *assembly =
      call ? dyn_cast<InlineAsm>(call->getCalledOperand()) : nullptr;
  return assembly && assembly->getAsmString().contains("wgmma.mma_async");
}

/// Lets threads check that products of their warpgroup are complete where they
/// use the results for anything but the next product.
void Instrumenter::checkProducts(Function &function, ModuleSlotTracker &slots) {
  SmallVector<Value *> work;
  for (BasicBlock &block : function)
    for (Instruction &instruction : block)
      if (isProduct(&instruction))
        work.push_back(&instruction);
  DenseSet<Value *> reached(work.begin(), work.end());
  SetVector<Instruction *> users;
  while (!work.empty())
    for (User *user : work.pop_back_val()->users()) {
      if (isa<ExtractValueInst, InsertValueInst, PHINode, SelectInst>(user)) {
        if (reached.insert(user).second)
          work.push_back(user);
      } else if (auto *instruction = dyn_cast<Instruction>(user);
                 instruction && !isProduct(instruction)) {
        users.insert(instruction);
      }
    }
  for (Instruction *user : users) {
    IRBuilder<> builder(user);
    auto *type = FunctionType::get(
        builder.getVoidTy(), {builder.getPtrTy(), builder.getInt32Ty()}, false);
    uint32_t site = makeSite(function, *user, slots);
    builder.CreateCall(
        type, makePointer(reinterpret_cast<const void *>(&::checkProducts)),
        {makePointer(&machine), builder.getInt32(site)});
  }
}

bool Instrumenter::instrumentFunction(Function &function) {
  ModuleSlotTracker slots(&module);
  slots.incorporateFunction(function);
  // Numbers of values in messages are those of the code as it came.
  std::vector<Rewrite> rewrites;
  for (BasicBlock &block : function)
    for (Instruction &instruction : block)
      if (isa<LoadInst, StoreInst, AtomicRMWInst, AtomicCmpXchgInst, FenceInst,
              CallInst>(instruction) &&
          !addressLoads.count(&instruction))
        rewrites.push_back(
            {&instruction, makeSite(function, instruction, slots)});

  checkProducts(function, slots);

  IRBuilder<> builder(&function.getEntryBlock(),
                      function.getEntryBlock().begin());
  argumentSlots =
      builder.CreateAlloca(builder.getInt64Ty(), builder.getInt32(1));
  resultSlots = builder.CreateAlloca(builder.getInt64Ty(), builder.getInt32(1));
  numArgumentSlots = numResultSlots = 1;
  for (Rewrite &toRewrite : rewrites)
    if (!rewrite(toRewrite))
      return false;
  argumentSlots->setOperand(0, builder.getInt32(numArgumentSlots));
  resultSlots->setOperand(0, builder.getInt32(numResultSlots));
  return true;
}

bool Instrumenter::run() {
  if (!collectVariables())
    return false;
  SmallVector<Function *> functions, kernels;
  for (Function &function : module) {
    if (function.isDeclaration())
      continue;
    functions.push_back(&function);
    if (function.getCallingConv() == CallingConv::PTX_Kernel)
      kernels.push_back(&function);
  }
  for (Function *function : functions)
    if (!instrumentFunction(*function))
      return false;
  for (Function *kernel : kernels)
    if (!makeKernel(*kernel))
      return false;
  for (Function *function : functions) {
    function->setCallingConv(CallingConv::C);
    function->setLinkage(GlobalValue::InternalLinkage);
    function->setVisibility(GlobalValue::DefaultVisibility);
    function->removeFnAttr("target-cpu");
    function->removeFnAttr("target-features");
    for (User *user : function->users())
      if (auto *call = dyn_cast<CallInst>(user))
        call->setCallingConv(CallingConv::C);
  }
  return true;
}

bool memrev::simt::instrument(llvm::Module &module, Machine &machine,
                              Instrumentation &instrumentation,
                              std::string &error) {
  return Instrumenter(module, machine, instrumentation, error).run();
}
