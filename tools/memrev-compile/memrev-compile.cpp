//===- memrev-compile.cpp - The memrev compiler driver --------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// memrev-compile compiles an MLIR program up to a stage, writes what comes out,
// runs a function on NumPy files, and reports its memory.
//
//===----------------------------------------------------------------------===//

#include "CommandLine.h"
#include "memrev/Compiler/Calibration.h"
#include "memrev/Compiler/DriftCheck.h"
#include "memrev/Compiler/InverseCheck.h"
#include "memrev/Compiler/NumPyFile.h"
#include "memrev/Compiler/SharedLibrary.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/ToolOutputFile.h"
#include "llvm/Support/WithColor.h"
#include <chrono>

using namespace mlir::memrev;
using llvm::StringRef;

/// Prints `message` and returns the exit status of a failure.
static int fail(const llvm::Twine &message) {
  llvm::WithColor::error(llvm::errs(), "memrev-compile") << message << '\n';
  return 1;
}
static int fail(llvm::Error error) {
  return fail(llvm::toString(std::move(error)));
}

/// Writes a file under a temporary name and renames it, so that none is ever
/// left half written; "-" is the standard output.
static llvm::Error
writeFile(StringRef path,
          llvm::function_ref<llvm::Error(llvm::raw_ostream &)> write) {
  llvm::Error error = llvm::writeToOutput(path, write);
  if (!error)
    return error;
  return llvm::createStringError("cannot write '" + path.str() +
                                 "': " + llvm::toString(std::move(error)));
}

static llvm::Error writeText(StringRef path, StringRef text) {
  return writeFile(path, [&](llvm::raw_ostream &os) {
    os << text;
    return llvm::Error::success();
  });
}

/// Times calls of `function` and prints the median and the fastest.
static llvm::Error runBenchmark(const CommandLine &line, const LoadedCode &code,
                                const FunctionSignature &function,
                                llvm::ArrayRef<Array> inputs) {
  llvm::SmallVector<void *> parameters;
  for (const Array &input : inputs)
    parameters.push_back(input.getData());
  parameters.resize(function.getNumArrayParameters());
  std::vector<Array> outputs;
  for (size_t i = 0; i < function.results.size(); ++i) {
    if (!function.hasOwnParameter(i))
      continue;
    llvm::Expected<Array> output = Array::create(function.results[i].type);
    if (!output)
      return output.takeError();
    parameters[function.resultParameters[i]] = output->getData();
    outputs.push_back(std::move(*output));
  }
  // On a device the arrays stay where they are.
  std::unique_ptr<DeviceParameters> onDevice;
  if (line.compile.target == "cuda") {
    auto created = DeviceParameters::create(function, parameters, /*device=*/0);
    if (!created)
      return created.takeError();
    onDevice = std::move(*created);
  }
  auto call = [&] {
    return onDevice ? callOnDevice(code, function, onDevice->getPointers(), {})
                    : code.call(function, parameters, line.threads);
  };
  std::vector<double> times;
  for (unsigned i = 0; i < line.bench; ++i) {
    auto start = std::chrono::steady_clock::now();
    if (llvm::Error error = call())
      return error;
    std::chrono::duration<double, std::milli> elapsed =
        std::chrono::steady_clock::now() - start;
    times.push_back(elapsed.count());
  }
  llvm::sort(times);
  llvm::outs() << function.name << ": median "
               << llvm::format("%.4f", times[times.size() / 2]) << " ms, min "
               << llvm::format("%.4f", times.front()) << " ms, " << line.bench
               << " calls\n";
  return llvm::Error::success();
}

/// Calls the function that the command line names. Notes in `memory` what the
/// call takes of a device.
static llvm::Error runFunction(const CommandLine &line,
                               CompiledProgram &program,
                               std::vector<FunctionMemory> &memory) {
  const FunctionSignature *function = nullptr;
  if (line.entry.empty() && program.getFunctions().size() == 1) {
    function = &program.getFunctions().front();
  } else if (line.entry.empty()) {
    return llvm::createStringError("--run expects --entry=NAME unless there is "
                                   "exactly one public function");
  } else {
    auto found = program.findFunction(line.entry);
    if (!found)
      return found.takeError();
    function = *found;
  }
  std::vector<Array> inputs;
  for (const std::string &path : line.arguments) {
    auto members = readNumPyFile(path);
    if (!members)
      return members.takeError();
    for (NamedArray &member : *members)
      inputs.push_back(std::move(member.array));
  }
  if (line.compile.checkDrift)
    if (llvm::Error error = DriftRecorder::connect(program))
      return error;
  auto code = program.load();
  if (!code)
    return code.takeError();
  std::optional<DriftRecorder> recorder;
  if (line.compile.checkDrift)
    recorder.emplace();
  auto outputs = callWithArrays(**code, *function, inputs, line.threads);
  if (!outputs)
    return outputs.takeError();
  if (recorder)
    printDrift(llvm::outs(), program, recorder->getBlocks());
  recorder.reset();
  if (line.compile.target == "cuda")
    for (FunctionMemory &entry : memory)
      if (entry.function == function->name)
        entry.measuredBytes = getPeakDeviceBytes();
  if (!line.results.empty()) {
    std::vector<NamedArray> members;
    for (auto [result, output] : llvm::zip_equal(function->results, *outputs))
      members.push_back({result.name, std::move(output)});
    if (llvm::Error error = writeFile(line.results, [&](llvm::raw_ostream &os) {
          return writeNpz(os, members);
        }))
      return error;
  }
  if (line.bench != 0)
    return runBenchmark(line, **code, *function, inputs);
  return llvm::Error::success();
}

/// Writes the kernels of a program for a GPU.
static llvm::Error writeKernels(const CommandLine &line,
                                const CompiledProgram &program) {
  if (program.getKernels().empty())
    return llvm::createStringError("the program has no kernels to write");
  return writeText(line.output, program.getKernels());
}

/// Writes a program as a shared library; one for a GPU holds all that it needs
/// but the driver.
static llvm::Error writeLibrary(const CommandLine &line,
                                const CompiledProgram &program,
                                StringRef executable) {
  auto libraries = getLibraries(program, executable);
  if (!libraries)
    return libraries.takeError();
  auto library = linkSharedLibrary(*program.getObject(), *libraries);
  if (!library)
    return library.takeError();
  return writeText(line.output, (*library)->getBuffer());
}

/// Measures this machine and writes the rates.
static llvm::Error runCalibration(StringRef path) {
  llvm::Expected<CostModel> model = calibrate();
  if (!model)
    return model.takeError();
  return writeFile(path, [&](llvm::raw_ostream &os) {
    model->print(os);
    return llvm::Error::success();
  });
}

/// Compares a function with its inverse.
static int runInverseCheck(const CommandLine &line, StringRef text) {
  llvm::Expected<InverseCheck> check =
      checkInverse(text, line.checkedInverse, line.compile);
  if (!check)
    return fail(check.takeError());
  for (const CompileDiagnostic &diagnostic : check->diagnostics)
    diagnostic.print(llvm::errs());
  if (check->errors.empty())
    return 1;
  bool isRight = true;
  for (const InverseError &error : check->errors) {
    llvm::outs() << error.value << ": "
                 << (error.isRight() ? "given back within "
                                     : "expects at most ");
    if (!error.isRight())
      llvm::outs() << llvm::format("%.1e", error.tolerance)
                   << ", but is off by ";
    llvm::outs() << llvm::format("%.1e", error.error) << '\n';
    isRight &= error.isRight();
  }
  return isRight ? 0 : 1;
}

/// Does what `line` asks for. `executable` is this program.
static int runDriver(const CommandLine &line, StringRef executable) {
  auto input = llvm::MemoryBuffer::getFileOrSTDIN(line.input, /*IsText=*/true);
  if (!input)
    return fail("cannot read '" + line.input +
                "': " + input.getError().message());
  if (!line.checkedInverse.empty())
    return runInverseCheck(line, (*input)->getBuffer());
  CompileResult result = compile((*input)->getBuffer(), line.compile);
  for (const CompileDiagnostic &diagnostic : result.diagnostics)
    diagnostic.print(llvm::errs());
  if (!result.program)
    return 1;
  CompiledProgram &program = *result.program;

  llvm::Error error = llvm::Error::success();
  if (line.emit == Emit::MLIR)
    error = writeText(line.output, program.getIR());
  else if (line.emit == Emit::LLVM)
    error = writeText(line.output, program.getLLVM());
  else if (line.emit == Emit::Object)
    error = writeText(line.output, program.getObject()->getBuffer());
  else if (line.emit == Emit::Kernels)
    error = writeKernels(line, program);
  else if (line.emit == Emit::SharedLibrary)
    error = writeLibrary(line, program, executable);
  else if (line.emit == Emit::Header)
    error = writeFile(line.output, [&](llvm::raw_ostream &os) {
      program.printHeader(os);
      return llvm::Error::success();
    });
  if (error)
    return fail(std::move(error));
  std::vector<FunctionMemory> memory = program.getMemory().vec();
  if (line.run || line.bench != 0) {
    if (llvm::Error error = runFunction(line, program, memory))
      return fail(std::move(error));
  }
  if (line.reportMemory)
    printMemory(llvm::outs(), memory, line.reportFormat);
  return 0;
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  auto line = parseCommandLine(llvm::ArrayRef(argv + 1, argc - 1));
  if (!line)
    return fail(line.takeError());
  if (line->help) {
    printHelp(llvm::outs());
    return 0;
  }
  if (line->calibrate) {
    llvm::Error error = runCalibration(line->output);
    return error ? fail(std::move(error)) : 0;
  }
  void *address = reinterpret_cast<void *>(&main);
  return runDriver(*line, llvm::sys::fs::getMainExecutable(argv[0], address));
}
