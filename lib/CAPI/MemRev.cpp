//===- MemRev.cpp - C API of the memrev compiler --------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev-c/MemRev.h"
#include "memrev/Compiler/Compiler.h"
#include "memrev/Compiler/Identity.h"
#include "memrev/Compiler/ProgramFile.h"
#include "memrev/Compiler/SharedLibrary.h"
#include "llvm/Support/raw_ostream.h"
#include <cstring>
#include <dlfcn.h>

using namespace mlir::memrev;
using llvm::StringRef;

struct MemRevCompilation {
  CompileResult result;
};

/// Returns a copy of `text` for memrevFreeString, or null if there is no
/// memory.
static char *copyString(StringRef text) {
  auto *copy = static_cast<char *>(std::malloc(text.size() + 1));
  if (!copy)
    return nullptr;
  std::memcpy(copy, text.data(), text.size());
  copy[text.size()] = '\0';
  return copy;
}

/// Returns the message of `error` for memrevFreeString, or null if there is
/// none.
static char *toMessage(llvm::Error error) {
  return error ? copyString(llvm::toString(std::move(error))) : nullptr;
}

/// Sets the option "name=value"; returns a message if it cannot be used.
static std::string setOption(CompileOptions &options, StringRef text) {
  auto [name, value] = text.split('=');
  if (name == "target") {
    options.target = value.str();
  } else if (name == "chip") {
    options.chip = value.str();
  } else if (name == "fp32-precision") {
    options.fp32Precision = value.str();
  } else if (name == "memory-budget") {
    std::optional<int64_t> bytes = parseBytes(value);
    if (!bytes)
      return "option 'memory-budget' expects a number of bytes, 200MiB for "
             "example, but got '" +
             value.str() + "'";
    options.memoryBudget = *bytes;
  } else if (name == "drift-tolerance") {
    std::optional<double> tolerance = parseTolerance(value);
    if (!tolerance)
      return "option 'drift-tolerance' expects a number above 0, 1e-5 for "
             "example, but got '" +
             value.str() + "'";
    options.driftTolerance = *tolerance;
  } else if (name == "check-drift") {
    options.checkDrift = value == "1";
  } else if (name == "cost-model") {
    llvm::Expected<CostModel> model = CostModel::parse(value);
    if (!model)
      return llvm::toString(model.takeError());
    options.costModel = std::move(*model);
  } else if (name == "memory-curve") {
    std::optional<int64_t> points = parseCurvePoints(value);
    if (!points)
      return "option 'memory-curve' expects a number from 2 to 64, but got '" +
             value.str() + "'";
    options.curvePoints = *points;
  } else if (name == "contractions") {
    options.contractions = value.str();
  } else if (name == "kernel-format") {
    std::optional<std::string> format = parseKernelFormat(value);
    if (!format)
      return "option 'kernel-format' expects auto, ptx, cubin, fatbin or llvm, "
             "but got '" +
             value.str() + "'";
    options.kernelFormat = *format;
  } else if (name == "cpu") {
    options.cpu = value.str();
  } else if (name == "file") {
    options.fileName = value.str();
  } else if (name == "ir") {
    options.keepIR = value == "1";
  } else if (name == "differentiate") {
    options.differentiate.push_back(value.str());
  } else if (name == "until") {
    std::optional<Stage> stage = parseStage(value);
    if (!stage)
      return "option 'until' expects differentiate, lower, schedule, bufferize "
             "or binary, but got '" +
             value.str() + "'";
    options.until = *stage;
  } else if (name == "threads") {
    unsigned threads;
    if (value.getAsInteger(10, threads) || threads > 4096)
      return "option 'threads' expects a number up to 4096, but got '" +
             value.str() + "'";
    options.maxThreads = threads;
    options.parallel = threads != 1;
  } else {
    return "unknown option '" + name.str() + "'";
  }
  return {};
}

/// Records an error that has no place in a program.
static void report(MemRevCompilation &compilation, std::string message) {
  CompileDiagnostic diagnostic;
  diagnostic.message = std::move(message);
  compilation.result.diagnostics.push_back(std::move(diagnostic));
}

MemRevCompilation *memrevCompile(const char *text, size_t length,
                                 const char *const *options,
                                 size_t numOptions) {
  auto *compilation = new MemRevCompilation();
  CompileOptions compileOptions;
  for (size_t i = 0; i < numOptions; ++i) {
    std::string message = setOption(compileOptions, options[i]);
    if (message.empty())
      continue;
    report(*compilation, std::move(message));
    return compilation;
  }
  // The parser wants a terminator behind the text.
  std::string source(text, length);
  compilation->result = compile(source, compileOptions);
  return compilation;
}

void memrevDestroy(MemRevCompilation *compilation) { delete compilation; }

bool memrevSucceeded(const MemRevCompilation *compilation) {
  return compilation->result.program != nullptr;
}

size_t memrevGetNumDiagnostics(const MemRevCompilation *compilation) {
  return compilation->result.diagnostics.size();
}

bool memrevGetDiagnostic(const MemRevCompilation *compilation, size_t index,
                         MemRevDiagnostic *diagnostic) {
  if (index >= compilation->result.diagnostics.size())
    return false;
  static const char *const severities[] = {"error", "warning", "remark",
                                           "note"};
  const CompileDiagnostic &source = compilation->result.diagnostics[index];
  *diagnostic = {severities[static_cast<size_t>(source.severity)],
                 source.file.c_str(), source.line, source.column,
                 source.message.c_str()};
  return true;
}

/// Returns the `index`th function, or null.
static const FunctionSignature *
getSignature(const MemRevCompilation *compilation, size_t index) {
  const auto &program = compilation->result.program;
  if (!program || index >= program->getFunctions().size())
    return nullptr;
  return &program->getFunctions()[index];
}

size_t memrevGetNumFunctions(const MemRevCompilation *compilation) {
  const auto &program = compilation->result.program;
  return program ? program->getFunctions().size() : 0;
}

bool memrevGetFunction(const MemRevCompilation *compilation, size_t index,
                       MemRevFunction *function) {
  const FunctionSignature *signature = getSignature(compilation, index);
  if (!signature)
    return false;
  *function = {signature->name.c_str(),
               signature->arguments.size(),
               signature->results.size(),
               static_cast<size_t>(signature->getNumArrayParameters()),
               signature->arenaBytes,
               signature->extents.size()};
  return true;
}

static MemRevParameter toC(const ParameterSignature &parameter, size_t place) {
  return {parameter.name.c_str(),
          getName(parameter.type.dtype).data(),
          parameter.type.shape.size(),
          parameter.type.shape.data(),
          place,
          parameter.isScalar,
          parameter.isDonated,
          parameter.residual.c_str()};
}

bool memrevGetArgument(const MemRevCompilation *compilation, size_t function,
                       size_t index, MemRevParameter *parameter) {
  const FunctionSignature *signature = getSignature(compilation, function);
  if (!signature || index >= signature->arguments.size())
    return false;
  *parameter = toC(signature->arguments[index], index);
  return true;
}

bool memrevGetResult(const MemRevCompilation *compilation, size_t function,
                     size_t index, MemRevParameter *parameter) {
  const FunctionSignature *signature = getSignature(compilation, function);
  if (!signature || index >= signature->results.size())
    return false;
  *parameter =
      toC(signature->results[index], signature->resultParameters[index]);
  return true;
}

const char *memrevGetIR(const MemRevCompilation *compilation) {
  const auto &program = compilation->result.program;
  return program ? program->getIR().data() : "";
}

char *memrevGetMemoryReport(const MemRevCompilation *compilation,
                            const char *format) {
  std::optional<ReportFormat> parsed = parseReportFormat(format);
  if (!parsed)
    return nullptr;
  llvm::ArrayRef<FunctionMemory> memory;
  if (compilation->result.program)
    memory = compilation->result.program->getMemory();
  std::string text;
  llvm::raw_string_ostream os(text);
  printMemory(os, memory, *parsed);
  return copyString(text);
}

char *memrevGetHeader(const MemRevCompilation *compilation) {
  std::string text;
  llvm::raw_string_ostream os(text);
  if (const auto &program = compilation->result.program)
    program->printHeader(os);
  return copyString(text);
}

/// Links `program` and writes the library to `path`.
static llvm::Error writeLibrary(const CompiledProgram &program,
                                StringRef path) {
  const llvm::MemoryBuffer *object = program.getObject();
  if (!object)
    return llvm::createStringError(
        "the program was not compiled up to the binary stage");
  Dl_info here;
  if (!dladdr(reinterpret_cast<void *>(&memrevWriteLibrary), &here))
    return llvm::createStringError("cannot find the library's own file");
  auto libraries = getLibraries(program, here.dli_fname);
  if (!libraries)
    return libraries.takeError();
  auto library = linkSharedLibrary(*object, *libraries);
  if (!library)
    return library.takeError();
  return llvm::writeToOutput(path, [&](llvm::raw_ostream &os) {
    os << (*library)->getBuffer();
    return llvm::Error::success();
  });
}

char *memrevWriteLibrary(const MemRevCompilation *compilation,
                         const char *path) {
  const auto &program = compilation->result.program;
  if (!program)
    return copyString("there is no program");
  if (llvm::Error error = writeLibrary(*program, path))
    return copyString(llvm::toString(std::move(error)));
  return nullptr;
}

char *memrevSave(const MemRevCompilation *compilation, size_t *length) {
  if (!memrevSucceeded(compilation))
    return nullptr;
  std::string bytes = saveProgram(compilation->result);
  *length = bytes.size();
  return copyString(bytes);
}

MemRevCompilation *memrevLoad(const char *bytes, size_t length) {
  auto *compilation = new MemRevCompilation();
  llvm::Expected<CompileResult> result = loadProgram(StringRef(bytes, length));
  if (result)
    compilation->result = std::move(*result);
  else
    report(*compilation, llvm::toString(result.takeError()));
  return compilation;
}

const char *memrevGetIdentity() { return getHostIdentity().c_str(); }

char *memrevGetExtents(const MemRevCompilation *compilation, size_t function,
                       const int64_t *extents, size_t numExtents,
                       int64_t *resultExtents, size_t numResultExtents,
                       int64_t *workspaceBytes) {
  const FunctionSignature *signature = getSignature(compilation, function);
  if (!signature)
    return copyString("there is no such function");
  if (numExtents != signature->extents.size())
    return copyString("'" + signature->name + "' expects " +
                      std::to_string(signature->extents.size()) +
                      " extents, but got " + std::to_string(numExtents));
  auto code = compilation->result.program->load();
  if (!code)
    return toMessage(code.takeError());
  auto instance =
      (*code)->instantiate(*signature, llvm::ArrayRef(extents, numExtents));
  if (!instance)
    return toMessage(instance.takeError());
  *workspaceBytes = instance->arenaBytes;
  size_t count = 0;
  for (size_t i = 0; i < instance->results.size(); ++i) {
    if (!signature->hasOwnParameter(i))
      continue;
    for (auto [open, extent] :
         llvm::zip_equal(signature->results[i].type.shape,
                         instance->results[i].type.shape)) {
      if (open == kOpenExtent && count < numResultExtents)
        resultExtents[count++] = extent;
    }
  }
  return nullptr;
}

char *memrevSetSymbol(const MemRevCompilation *compilation, const char *name,
                      void *address) {
  const auto &program = compilation->result.program;
  if (!program)
    return copyString("there is no program");
  return toMessage(program->setSymbol(name, address));
}

char *memrevCall(const MemRevCompilation *compilation, size_t function,
                 void *const *parameters, size_t numParameters, int threads) {
  const FunctionSignature *signature = getSignature(compilation, function);
  if (!signature)
    return copyString("there is no such function");
  auto code = compilation->result.program->load();
  if (!code)
    return copyString(llvm::toString(code.takeError()));
  llvm::SmallVector<void *> pointers(parameters, parameters + numParameters);
  if (llvm::Error error = (*code)->call(*signature, pointers, threads))
    return copyString(llvm::toString(std::move(error)));
  return nullptr;
}

char *memrevCallInWorkspace(const MemRevCompilation *compilation,
                            size_t function, void *const *parameters,
                            size_t numParameters, void *workspace,
                            size_t workspaceBytes, int threads) {
  const FunctionSignature *signature = getSignature(compilation, function);
  if (!signature)
    return copyString("there is no such function");
  CompiledProgram &program = *compilation->result.program;
  if (program.getTarget() != "cpu")
    return copyString("expects a program for cpu, but got one for " +
                      program.getTarget().str());
  auto code = program.load();
  if (!code)
    return toMessage(code.takeError());
  return toMessage((*code)->callInArena(
      *signature, llvm::ArrayRef(parameters, numParameters), workspace,
      workspaceBytes, threads));
}

const char *memrevGetTarget(const MemRevCompilation *compilation) {
  const auto &program = compilation->result.program;
  return program ? program->getTarget().data() : "";
}

const char *memrevGetChip(const MemRevCompilation *compilation) {
  const auto &program = compilation->result.program;
  return program ? program->getChip().data() : "";
}

const char *memrevGetDriftSite(const MemRevCompilation *compilation,
                               size_t index) {
  const auto &program = compilation->result.program;
  if (!program || index >= program->getDriftSites().size())
    return nullptr;
  return program->getDriftSites()[index].c_str();
}

char *memrevCallOnDevice(const MemRevCompilation *compilation, size_t function,
                         void *const *parameters, size_t numParameters,
                         const MemRevDeviceCall *call) {
  const FunctionSignature *signature = getSignature(compilation, function);
  if (!signature)
    return copyString("there is no such function");
  CompiledProgram &program = *compilation->result.program;
  if (program.getTarget() != "cuda")
    return copyString("expects a program for cuda, but got one for " +
                      program.getTarget().str());
  auto code = program.load();
  if (!code)
    return copyString(llvm::toString(code.takeError()));
  DeviceCall deviceCall;
  deviceCall.device = call->device;
  deviceCall.stream = call->stream;
  deviceCall.workspace = call->workspace;
  deviceCall.workspaceBytes = call->workspaceBytes;
  return toMessage(callOnDevice(**code, *signature,
                                llvm::ArrayRef(parameters, numParameters),
                                deviceCall));
}

char *memrevDeviceAllocate(size_t bytes, int device, void *stream,
                           void **pointer) {
  auto allocated = allocateOnDevice(bytes, device, stream);
  if (!allocated)
    return toMessage(allocated.takeError());
  *pointer = *allocated;
  return nullptr;
}

char *memrevDeviceFree(void *pointer, int device, void *stream) {
  return toMessage(freeOnDevice(pointer, device, stream));
}

char *memrevDeviceFreeIdle(int device) {
  return toMessage(freeIdleOnDevice(device));
}

char *memrevDeviceCopy(void *target, const void *source, size_t bytes,
                       int device, void *stream) {
  return toMessage(copyOnDevice(target, source, bytes, device, stream));
}

char *memrevGetDeviceChip(int device, char **chip) {
  auto found = getDeviceChip(device);
  if (!found)
    return toMessage(found.takeError());
  *chip = copyString(*found);
  return nullptr;
}

size_t memrevGetDeviceBytes() { return getDeviceBytes(); }

size_t memrevGetPeakDeviceBytes() { return getPeakDeviceBytes(); }

void memrevResetPeakDeviceBytes() { resetPeakDeviceBytes(); }

char *memrevGetOpenMPLibrary() {
  return copyString(LoadedCode::getOpenMPLibrary());
}

size_t memrevGetWorkspaceBytes() { return LoadedCode::getIdleArenaBytes(); }

void memrevFreeString(char *string) { std::free(string); }
