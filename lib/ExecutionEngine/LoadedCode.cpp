//===- LoadedCode.cpp - Machine code in this process ----------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/ExecutionEngine/LoadedCode.h"
#include "memrev/ExecutionEngine/DeviceCall.h"
#include "memrev/ExecutionEngine/NativeCode.h"
#include "memrev/Runtime/CPU/Arena.h"
#include "memrev/Runtime/CPU/OpenMP.h"
#include "memrev/Runtime/CUDA/Session.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/MemoryBuffer.h"
#include <cstring>
#include <dlfcn.h>
#include <optional>

using namespace mlir::memrev;

namespace {
/// Finds symbols in the libraries that compiled programs may use, loading each
/// one only when something is missing without it.
class LibrarySymbols : public llvm::orc::DefinitionGenerator {
public:
  LibrarySymbols(char globalPrefix, bool &usesOpenMP)
      : globalPrefix(globalPrefix), usesOpenMP(usesOpenMP) {}

  llvm::Error
  tryToGenerate(llvm::orc::LookupState &, llvm::orc::LookupKind,
                llvm::orc::JITDylib &dylib, llvm::orc::JITDylibLookupFlags,
                const llvm::orc::SymbolLookupSet &symbols) override {
    llvm::orc::SymbolMap found;
    for (const auto &[symbol, flags] : symbols) {
      llvm::StringRef name = *symbol;
      if (globalPrefix && !name.consume_front({&globalPrefix, 1}))
        continue;
      llvm::Expected<void *> address = lookup(name.str());
      if (!address)
        return address.takeError();
      if (*address)
        found[symbol] = {llvm::orc::ExecutorAddr::fromPtr(*address),
                         llvm::JITSymbolFlags::Exported};
    }
    if (found.empty())
      return llvm::Error::success();
    return dylib.define(llvm::orc::absoluteSymbols(std::move(found)));
  }

private:
  llvm::Expected<void *> lookup(const std::string &name) {
    llvm::StringRef view = name;
    // The libraries of the process have the same names.
    if (view.starts_with("__kmpc_") || view.starts_with("omp_")) {
      usesOpenMP = true;
      return runtime::OpenMP::lookup(name.c_str());
    }
    if (view.starts_with("_ZGV")) {
      static void *const libmvec = dlopen("libmvec.so.1", RTLD_NOW);
      if (!libmvec)
        return llvm::createStringError(
            "glibc's vector library libmvec.so.1 was not found");
      return dlsym(libmvec, name.c_str());
    }
    if (view.starts_with("mgpu") || view.starts_with("memrevCuda"))
      return ::memrev::cuda::findFunction(name);
    if (void *address = dlsym(RTLD_DEFAULT, name.c_str()))
      return address;
    static void *const libm = dlopen("libm.so.6", RTLD_NOW);
    return libm ? dlsym(libm, name.c_str()) : nullptr;
  }

  char globalPrefix;
  bool &usesOpenMP;
};
} // namespace

struct LoadedCode::Session {
  using Packed = void (*)(void **);

  std::unique_ptr<llvm::orc::LLJIT> jit;
  llvm::StringMap<Packed> entries;
  /// Set while the code is linked.
  bool usesOpenMP = false;
  bool isForDevice = false;
  /// What to call before the code goes, if anything.
  void (*unload)() = nullptr;
  std::shared_ptr<runtime::ArenaPool> arenas = runtime::ArenaPool::get();
};

LoadedCode::LoadedCode() = default;

LoadedCode::~LoadedCode() {
  if (session && session->unload)
    session->unload();
}

llvm::Expected<std::unique_ptr<LoadedCode>>
LoadedCode::load(const llvm::MemoryBuffer &object,
                 llvm::ArrayRef<FunctionSignature> functions,
                 const llvm::StringMap<void *> &symbols, bool isForDevice) {
  // Makes sure that the native target is there.
  if (auto machine = createTargetMachine("native"); !machine)
    return machine.takeError();
  auto session = std::make_unique<Session>();
  session->isForDevice = isForDevice;
  auto jit = llvm::orc::LLJITBuilder().create();
  if (!jit)
    return jit.takeError();
  session->jit = std::move(*jit);
  llvm::orc::LLJIT &engine = *session->jit;
  llvm::orc::SymbolMap given;
  for (const auto &[name, address] : symbols)
    given[engine.mangleAndIntern(name)] = {
        llvm::orc::ExecutorAddr::fromPtr(address),
        llvm::JITSymbolFlags::Exported};
  if (!given.empty())
    if (llvm::Error error = engine.getMainJITDylib().define(
            llvm::orc::absoluteSymbols(std::move(given))))
      return std::move(error);
  engine.getMainJITDylib().addGenerator(std::make_unique<LibrarySymbols>(
      engine.getDataLayout().getGlobalPrefix(), session->usesOpenMP));
  if (llvm::Error error = engine.addObjectFile(llvm::MemoryBuffer::getMemBuffer(
          object.getBuffer(), "memrev", /*RequiresNullTerminator=*/false)))
    return std::move(error);
  // Looking up all entries now reports what is missing before the first call.
  for (const std::string &name : getEntryNames(functions)) {
    auto address = engine.lookup((kPackedPrefix + name).str());
    if (!address)
      return address.takeError();
    session->entries[name] = address->toPtr<Session::Packed>();
  }
  std::string message;
  if (session->usesOpenMP && !runtime::OpenMP::choose(message))
    return llvm::createStringError(message);
  std::unique_ptr<LoadedCode> code(new LoadedCode());
  if (isForDevice) {
    // Registers the kernels, which a shared library does when it is loaded.
    auto load = engine.lookup(kLoadFunction);
    if (!load)
      return load.takeError();
    auto unload = engine.lookup(kUnloadFunction);
    if (!unload)
      return unload.takeError();
    load->toPtr<void (*)()>()();
    session->unload = unload->toPtr<void (*)()>();
  }
  code->session = std::move(session);
  return code;
}

std::string LoadedCode::getOpenMPLibrary() {
  return runtime::OpenMP::getFile();
}

size_t LoadedCode::getIdleArenaBytes() {
  return runtime::ArenaPool::get()->getIdleBytes();
}

static llvm::Error verifyCount(const FunctionSignature &function,
                               llvm::ArrayRef<void *> parameters) {
  if (int64_t(parameters.size()) == function.getNumArrayParameters())
    return llvm::Error::success();
  return llvm::createStringError(
      "'" + function.name + "' expects " +
      std::to_string(function.getNumArrayParameters()) +
      " arrays and scalars, but got " + std::to_string(parameters.size()));
}

/// The open extents that `parameters` of a call hold.
static llvm::SmallVector<int64_t>
readExtents(const FunctionSignature &function,
            llvm::ArrayRef<void *> parameters) {
  llvm::SmallVector<int64_t> extents;
  for (void *extent :
       parameters.slice(function.arguments.size(), function.extents.size()))
    extents.push_back(*static_cast<int64_t *>(extent));
  return extents;
}

llvm::Expected<FunctionSignature>
LoadedCode::instantiate(const FunctionSignature &function,
                        llvm::ArrayRef<int64_t> extents) const {
  FunctionSignature result = function;
  if (function.extents.empty())
    return result;
  llvm::SmallVector<int64_t> values(extents);
  llvm::SmallVector<void *> packed;
  for (int64_t &value : values)
    packed.push_back(&value);
  for (auto [extent, value] : llvm::zip_equal(function.extents, values))
    result.arguments[extent.argument].type.shape[extent.axis] = value;
  packed.push_back(&result.arenaBytes);
  session->entries.at(function.name + kArenaBytesSuffix.str())(packed.data());
  if (result.arenaBytes < 0) {
    std::string message;
    llvm::raw_string_ostream os(message);
    os << "'" << function.name << "' expects arguments whose ";
    if (result.arenaBytes == kExtentsDisagree)
      os << "extents agree with each other";
    else
      os << "sizes, and those of what is computed from them, are not negative "
            "and fit 64 bits";
    os << ", but got ";
    llvm::interleaveComma(
        function.extents, os, [&](const ArgumentExtent &extent) {
          const ParameterSignature &argument =
              result.arguments[extent.argument];
          os << argument.type.shape[extent.axis] << " along axis "
             << extent.axis << " of '" << argument.name << "'";
        });
    return llvm::createStringError(message);
  }
  size_t numOpen = 0;
  for (auto [i, parameter] : llvm::enumerate(result.results)) {
    if (result.hasOwnParameter(i))
      numOpen += parameter.extents.size();
  }
  llvm::SmallVector<int64_t> found(numOpen);
  if (numOpen != 0) {
    packed.back() = found.data();
    session->entries.at(function.name +
                        kResultExtentsSuffix.str())(packed.data());
  }
  const int64_t *next = found.data();
  for (auto [i, parameter] : llvm::enumerate(result.results)) {
    if (!result.hasOwnParameter(i)) {
      parameter.type.shape =
          result.arguments[result.resultParameters[i]].type.shape;
      continue;
    }
    for (int64_t &extent : parameter.type.shape)
      extent = extent == kOpenExtent ? *next++ : extent;
  }
  return result;
}

llvm::Error LoadedCode::callInArena(const FunctionSignature &function,
                                    llvm::ArrayRef<void *> parameters,
                                    void *arena, size_t arenaBytes,
                                    int threads) const {
  auto it = session->entries.find(function.name);
  if (it == session->entries.end())
    return llvm::createStringError("no function '" + function.name + "'");
  if (llvm::Error error = verifyCount(function, parameters))
    return error;
  if (function.arenaBytes == kOpenExtent) {
    auto instance = instantiate(function, readExtents(function, parameters));
    if (!instance)
      return instance.takeError();
    return callInArena(*instance, parameters, arena, arenaBytes, threads);
  }
  if (arenaBytes < size_t(function.arenaBytes))
    return llvm::createStringError(
        "'" + function.name + "' expects an arena of " +
        std::to_string(function.arenaBytes) + " bytes, but got " +
        std::to_string(arenaBytes));
  if (reinterpret_cast<uintptr_t>(arena) % runtime::kArenaAlignment != 0)
    return llvm::createStringError("'" + function.name +
                                   "' expects an arena aligned to " +
                                   std::to_string(runtime::kArenaAlignment) +
                                   " bytes, but got an address that is not");
  std::optional<runtime::OpenMP::NumThreads> numThreads;
  if (session->usesOpenMP) {
    std::string error;
    if (!runtime::OpenMP::choose(error))
      return llvm::createStringError(error);
    if (threads > 0)
      numThreads.emplace(threads);
  }
  llvm::SmallVector<void *> packed(parameters);
  packed.push_back(arena);
  it->second(packed.data());
  return llvm::Error::success();
}

llvm::Error LoadedCode::call(const FunctionSignature &function,
                             llvm::ArrayRef<void *> parameters,
                             int threads) const {
  if (session->isForDevice) {
    if (llvm::Error error = verifyCount(function, parameters))
      return error;
    auto onDevice = DeviceParameters::create(function, parameters, 0);
    if (!onDevice)
      return onDevice.takeError();
    if (llvm::Error error =
            callOnDevice(*this, function, (*onDevice)->getPointers(), {}))
      return error;
    return (*onDevice)->copyBack();
  }
  if (function.arenaBytes == kOpenExtent) {
    if (llvm::Error error = verifyCount(function, parameters))
      return error;
    auto instance = instantiate(function, readExtents(function, parameters));
    if (!instance)
      return instance.takeError();
    return call(*instance, parameters, threads);
  }
  runtime::Arena arena = session->arenas->take(function.arenaBytes);
  std::string message;
  if (!arena.reserve(function.arenaBytes, message))
    return llvm::createStringError("'" + function.name + "': " + message);
  arena.guard(function.arenaBytes);
  llvm::Error error = callInArena(function, parameters, arena.getData(),
                                  arena.getSize(), threads);
  bool isIntact = arena.isGuardIntact(function.arenaBytes);
  session->arenas->giveBack(std::move(arena));
  if (!error && !isIntact)
    return llvm::createStringError("'" + function.name +
                                   "' wrote behind its arena of " +
                                   std::to_string(function.arenaBytes) +
                                   " bytes: this is a mistake of the compiler");
  return error;
}

llvm::Expected<std::vector<Array>>
mlir::memrev::callWithArrays(const LoadedCode &code,
                             const FunctionSignature &declared,
                             llvm::ArrayRef<Array> arguments, int threads) {
  if (arguments.size() != declared.arguments.size())
    return llvm::createStringError("'" + declared.name + "' expects " +
                                   std::to_string(declared.arguments.size()) +
                                   " arguments, but got " +
                                   std::to_string(arguments.size()));
  llvm::SmallVector<void *> parameters;
  for (auto [expected, argument] :
       llvm::zip_equal(declared.arguments, arguments)) {
    if (llvm::Error error =
            verifyArgument(declared, expected, argument.getType()))
      return std::move(error);
    parameters.push_back(argument.getData());
  }
  llvm::SmallVector<int64_t> extents;
  for (const ArgumentExtent &extent : declared.extents)
    extents.push_back(arguments[extent.argument].getType().shape[extent.axis]);
  auto instance = code.instantiate(declared, extents);
  if (!instance)
    return instance.takeError();
  const FunctionSignature &function = *instance;
  for (int64_t &extent : extents)
    parameters.push_back(&extent);
  parameters.resize(function.getNumArrayParameters());
  std::vector<Array> results;
  for (size_t i = 0; i < function.results.size(); ++i) {
    llvm::Expected<Array> array = Array::create(function.results[i].type);
    if (!array)
      return array.takeError();
    if (function.hasOwnParameter(i))
      parameters[function.resultParameters[i]] = array->getData();
    results.push_back(std::move(*array));
  }
  if (llvm::Error error = code.call(function, parameters, threads))
    return std::move(error);
  for (size_t i = 0; i < function.results.size(); ++i) {
    if (!function.hasOwnParameter(i))
      std::memcpy(results[i].getData(),
                  parameters[function.resultParameters[i]],
                  function.results[i].type.getByteSize());
  }
  return results;
}
