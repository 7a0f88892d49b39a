//===- Module.cpp - Loaded kernels ----------------------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Module.h"
#include "Instrument.h"
#include "Machine.h"
#include "Numbers.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/ExecutionEngine/Orc/AbsoluteSymbols.h"
#include "llvm/ExecutionEngine/Orc/ExecutionUtils.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"
#include <cstring>

using namespace llvm;
using namespace memrev::simt;

namespace simt = memrev::simt;

//===----------------------------------------------------------------------===//
// Sites
//===----------------------------------------------------------------------===//

static std::deque<Site> &getSites() {
  static auto &sites = *new std::deque<Site>(1);
  return sites;
}

uint32_t memrev::simt::addSite(Site site) {
  getSites().push_back(std::move(site));
  return getSites().size() - 1;
}

const Site &memrev::simt::getSite(uint32_t number) {
  return getSites()[number];
}

//===----------------------------------------------------------------------===//
// Images
//===----------------------------------------------------------------------===//

/// Returns the size of the bitcode at `image`, or zero if there is none: a
/// magic number and blocks, of which the last one has the strings.
static size_t getBitcodeSize(const char *image) {
  if (std::memcmp(image, "BC\xc0\xde", 4) != 0)
    return 0;
  constexpr unsigned enterBlock = 1, identification = 13, moduleBlock = 8,
                     strings = 23, symbols = 25;
  size_t size = 4;
  for (;;) {
    uint32_t words[2];
    std::memcpy(words, image + size, sizeof(words));
    unsigned abbreviation = words[0] & 3, block = words[0] >> 2 & 0xff;
    if (abbreviation != enterBlock ||
        (block != identification && block != moduleBlock && block != strings &&
         block != symbols))
      return 0;
    size += sizeof(words) + size_t(words[1]) * 4;
    if (block == strings)
      return size;
  }
}

//===----------------------------------------------------------------------===//
// Functions that the host's backend calls
//===----------------------------------------------------------------------===//

// The host's C library may be too old to have them all.
static float extendHalf(_Float16 value) {
  uint16_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return fromHalf(bits);
}
static _Float16 truncateToHalf(float value) {
  uint16_t bits = toHalf(value);
  _Float16 half;
  std::memcpy(&half, &bits, sizeof(half));
  return half;
}
static _Float16 truncateDoubleToHalf(double value) {
  return truncateToHalf(roundToOdd(value));
}
// A bfloat16 is in the lower bits of the register that a float is in.
static float truncateToBFloat(float value) {
  return bitCast<float>(static_cast<uint32_t>(toBFloat(value)));
}
static float truncateDoubleToBFloat(double value) {
  return truncateToBFloat(roundToOdd(value));
}

//===----------------------------------------------------------------------===//
// Modules
//===----------------------------------------------------------------------===//

struct simt::Module::Code {
  Instrumentation instrumentation;
  std::vector<std::pair<uintptr_t, size_t>> constants;
  std::unique_ptr<orc::LLJIT> jit;
};

simt::Module::Module() : code(std::make_unique<Code>()) {}
simt::Module::~Module() = default;

Kernel *simt::Module::find(const std::string &name) {
  for (Kernel &kernel : code->instrumentation.kernels)
    if (kernel.name == name)
      return &kernel;
  return nullptr;
}

static Expected<std::unique_ptr<orc::LLJIT>> makeJIT() {
  static bool initialized = [] {
    InitializeNativeTarget();
    InitializeNativeTargetAsmPrinter();
    return true;
  }();
  (void)initialized;
  auto target = orc::JITTargetMachineBuilder::detectHost();
  if (!target)
    return target.takeError();
  // Instructions for bfloat16 flush subnormal numbers.
  target->getFeatures().AddFeature("avx512bf16", false);
  target->getFeatures().AddFeature("avxneconvert", false);
  // The code has been optimized, and running it costs more than compiling it
  // only in loops.
  target->setCodeGenOptLevel(CodeGenOptLevel::Less);
  auto jit = orc::LLJITBuilder()
                 .setJITTargetMachineBuilder(std::move(*target))
                 .create();
  if (!jit)
    return jit.takeError();
  char prefix = (*jit)->getDataLayout().getGlobalPrefix();
  auto math = orc::DynamicLibrarySearchGenerator::Load("libm.so.6", prefix);
  if (!math)
    return math.takeError();
  auto library = orc::DynamicLibrarySearchGenerator::Load("libc.so.6", prefix);
  if (!library)
    return library.takeError();
  orc::JITDylib &main = (*jit)->getMainJITDylib();
  orc::SymbolMap symbols;
  auto define = [&](const char *name, auto *function) {
    symbols[(*jit)->mangleAndIntern(name)] = {
        orc::ExecutorAddr::fromPtr(function), JITSymbolFlags::Exported};
  };
  define("__extendhfsf2", extendHalf);
  define("__truncsfhf2", truncateToHalf);
  define("__truncdfhf2", truncateDoubleToHalf);
  define("__truncsfbf2", truncateToBFloat);
  define("__truncdfbf2", truncateDoubleToBFloat);
  if (Error error = main.define(orc::absoluteSymbols(std::move(symbols))))
    return std::move(error);
  main.addGenerator(std::move(*math));
  main.addGenerator(std::move(*library));
  return std::move(*jit);
}

/// Returns the compute capability times ten that a module was compiled for, or
/// zero if it does not say.
static unsigned getChip(llvm::Module &module) {
  unsigned chip = 0;
  for (Function &function : module) {
    StringRef name = function.getFnAttribute("target-cpu").getValueAsString();
    unsigned number = 0;
    if (name.consume_front("sm_") && !name.consumeInteger(10, number))
      chip = std::max(chip, number);
  }
  return chip;
}

/// Makes wide accesses of neighbouring ones, as the backend does.
static Error mergeAccesses(llvm::Module &module, unsigned chip) {
  LLVMInitializeNVPTXTargetInfo();
  LLVMInitializeNVPTXTarget();
  LLVMInitializeNVPTXTargetMC();
  std::string error;
  const Target *target =
      TargetRegistry::lookupTarget(module.getTargetTriple(), error);
  if (!target)
    return createStringError(error);
  std::unique_ptr<TargetMachine> machine(target->createTargetMachine(
      module.getTargetTriple(), "sm_" + std::to_string(chip), "",
      TargetOptions(), std::nullopt));
  PassBuilder builder(machine.get());
  LoopAnalysisManager loops;
  FunctionAnalysisManager functions;
  CGSCCAnalysisManager components;
  ModuleAnalysisManager modules;
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  ModulePassManager passes;
  if (Error failed = builder.parsePassPipeline(
          passes, "function(separate-const-offset-from-gep,early-cse,"
                  "load-store-vectorizer)"))
    return failed;
  passes.run(module, modules);
  return Error::success();
}

std::unique_ptr<simt::Module>
simt::Module::load(const void *image, Machine &machine, Failure &failure) {
  auto fail = [&](Result code, const Twine &message) {
    failure = {code, message.str()};
    return nullptr;
  };
  auto *bytes = static_cast<const char *>(image);
  size_t size = getBitcodeSize(bytes);
  if (size == 0)
    return fail(kInvalidImage, "expects LLVM bitcode");
  auto context = std::make_unique<LLVMContext>();
  auto parsed = parseBitcodeFile(
      MemoryBufferRef(StringRef(bytes, size), "kernels"), *context);
  if (!parsed)
    return fail(kInvalidImage, "cannot read the bitcode: " +
                                   llvm::toString(parsed.takeError()));
  llvm::Module &kernels = **parsed;
  if (!kernels.getTargetTriple().isNVPTX())
    return fail(kInvalidImage, "expects bitcode for nvptx64, but got " +
                                   kernels.getTargetTriple().str());
  unsigned chip = getChip(kernels);
  if (chip > machine.getChip())
    return fail(kNoBinaryForGPU, "expects code for sm_" +
                                     Twine(machine.getChip()) +
                                     " at most, but got sm_" + Twine(chip));

  if (machine.countsTraffic())
    if (Error error = mergeAccesses(kernels, machine.getChip()))
      return fail(kInvalidImage, llvm::toString(std::move(error)));

  std::unique_ptr<Module> module(new Module());
  Instrumentation &instrumentation = module->code->instrumentation;
  std::string error;
  if (!instrument(kernels, machine, instrumentation, error))
    return fail(kInvalidImage, error);
  auto jit = makeJIT();
  if (!jit)
    return fail(kInvalidImage, llvm::toString(jit.takeError()));
  kernels.setTargetTriple((*jit)->getTargetTriple());
  kernels.setDataLayout((*jit)->getDataLayout());
  raw_string_ostream stream(error);
  if (verifyModule(kernels, &stream))
    return fail(kInvalidImage, "instrumented code is invalid: " + error);
  if (Error added = (*jit)->addIRModule(
          orc::ThreadSafeModule(std::move(*parsed), std::move(context))))
    return fail(kInvalidImage, llvm::toString(std::move(added)));
  for (size_t i = 0; i < instrumentation.kernels.size(); ++i) {
    auto entry = (*jit)->lookup(instrumentation.entries[i]);
    if (!entry)
      return fail(kInvalidImage, llvm::toString(entry.takeError()));
    Kernel &kernel = instrumentation.kernels[i];
    kernel.entry = entry->toPtr<void (*)(void *)>();
    kernel.constants = &module->code->constants;
  }
  for (const auto &[name, bytes] : instrumentation.constants) {
    auto address = (*jit)->lookup(name);
    if (!address)
      return fail(kInvalidImage, llvm::toString(address.takeError()));
    module->code->constants.emplace_back(address->getValue(), bytes);
  }
  module->code->jit = std::move(*jit);
  return module;
}
