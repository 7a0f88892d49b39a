//===- Compiler.h - Text in, program out ---------------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The one way through all stages: memrev-compile, the C API and tests use it.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_COMPILER_COMPILER_H
#define MEMREV_COMPILER_COMPILER_H

#include "memrev/Analysis/CostModel.h"
#include "memrev/Compiler/MemoryReport.h"
#include "memrev/ExecutionEngine/DeviceCall.h"
#include "memrev/ExecutionEngine/Processor.h"
#include "llvm/ADT/StringMap.h"
#include <mutex>
#include <optional>

namespace mlir::memrev {

/// The stages of compilation, in order.
enum class Stage { Differentiate, Lower, Schedule, Bufferize, Binary };

/// Returns the stage of that name, if there is one.
std::optional<Stage> parseStage(llvm::StringRef name);
llvm::StringRef getName(Stage stage);

/// Returns what `kernelFormat` of the options is for the name that users have
/// for it: auto, ptx, cubin, fatbin or llvm.
std::optional<std::string> parseKernelFormat(llvm::StringRef name);

/// Returns the positive number of bytes that `text` says: digits, then nothing,
/// KiB, MiB or GiB.
std::optional<int64_t> parseBytes(llvm::StringRef text);

/// A relative error: a finite number above 0. Nothing for other texts.
std::optional<double> parseTolerance(llvm::StringRef text);

/// Returns how many plans `text` says to try for a curve: 2 to 64.
std::optional<int64_t> parseCurvePoints(llvm::StringRef text);

struct CompileOptions {
  /// What the program is for: "cpu" or "cuda".
  std::string target = "cpu";
  /// The chip that a program for "cuda" runs on, "sm_90" for example; "native"
  /// asks the driver for that of device 0.
  std::string chip;
  /// How a program for "cuda" multiplies matrices of f32: "ieee", or by
  /// tensor cores that take 10 bits of mantissa: "tf32" rounds the factors to
  /// that, "tf32x3" makes three products of one and loses a bit or two.
  std::string fp32Precision = "ieee";
  /// Who computes products of matrices and convolutions of a program for
  /// "cuda": "generated" kernels; NVIDIA's libraries wherever they can,
  /// "vendor"; or "auto", those where they are taken to be faster. The
  /// libraries are loaded at run time.
  std::string contractions = "generated";
  /// What becomes of the kernels of a program for "cuda": "isa" (PTX), "bin"
  /// (a cubin), "fatbin" (both) or "llvm" (bitcode). "bin" and "fatbin" need
  /// ptxas; "auto" is "fatbin" where it can be had, and else "isa", which the
  /// driver compiles.
  std::string kernelFormat = "auto";
  /// Whether a program for "cuda" gets its host code, besides the kernels.
  bool hostCode = true;
  /// The processor, as LLVM names it, or "native".
  std::string cpu = "native";
  /// Functions to derive without a transform in the program: options of
  /// rev-differentiate, "function=f mode=split" for example.
  std::vector<std::string> differentiate;
  /// The most bytes that a call of a public function may take, with its
  /// arguments and results, unless the function says itself
  /// (`memrev.memory_budget`); 0 for what inversion takes. What fits beyond
  /// that is stored to save time, what does not is evaluated again.
  int64_t memoryBudget = 0;
  /// How far what inverses give back may be from the true values, relative to
  /// them, unless a function says itself (`rev.drift_tolerance`); 0 for any
  /// distance.
  double driftTolerance = 0;
  /// Whether derivatives compare what inverses give back with what was there
  /// (see DriftCheck.h). They store it for that.
  bool checkDrift = false;
  /// What costs are estimated by; without one the program's own
  /// (`rev.cost_model`), else the defaults.
  std::optional<CostModel> costModel;
  /// How many plans to try for the curve of time against memory of each public
  /// function; 0 for none.
  int64_t curvePoints = 0;
  /// The last stage to run.
  Stage until = Stage::Binary;
  /// Whether parallel loops use OpenMP.
  bool parallel = true;
  /// Threads for which scratch is planned where the stack is too small; 0 for
  /// those of this machine.
  int64_t maxThreads = 0;
  /// The name of the program's file in diagnostics.
  std::string fileName = "<input>";
  /// Whether to keep the text of the module, or of LLVM's, at the end.
  bool keepIR = false;
  bool keepLLVM = false;
};

/// Something that the compiler has to say about a program.
struct CompileDiagnostic {
  enum class Severity { Error, Warning, Remark, Note };
  Severity severity = Severity::Error;
  std::string file;
  unsigned line = 0;
  unsigned column = 0;
  std::string message;

  /// Prints as `file:line:column: error: message`.
  void print(llvm::raw_ostream &os) const;
};

/// What came out of a compilation that succeeded.
class CompiledProgram {
public:
  ~CompiledProgram();

  /// The functions that can be called; none before the bufferize stage.
  llvm::ArrayRef<FunctionSignature> getFunctions() const { return functions; }
  /// Returns the function of that name, or an error that lists those there are.
  llvm::Expected<const FunctionSignature *>
  findFunction(llvm::StringRef name) const;
  /// The memory of each function; none before the bufferize stage.
  llvm::ArrayRef<FunctionMemory> getMemory() const { return memory; }
  /// The module as text (`keepIR`), and LLVM's after optimisation (`keepLLVM`).
  llvm::StringRef getIR() const { return ir; }
  llvm::StringRef getLLVM() const { return llvmIR; }
  /// The kernels of a program for "cuda", in the format asked for; empty before
  /// the binary stage.
  llvm::StringRef getKernels() const { return kernels; }
  /// What the program is for, as the options said, and the chip.
  llvm::StringRef getTarget() const { return target; }
  llvm::StringRef getChip() const { return chip; }
  /// The object file; null before the binary stage. Of a program for "cuda" it
  /// holds the host code and the kernels, and needs the CUDA runtime.
  const llvm::MemoryBuffer *getObject() const { return object.get(); }

  /// Writes a C header for the functions.
  void printHeader(llvm::raw_ostream &os) const;

  /// Fails if this machine cannot run the code.
  llvm::Error verifyProcessor() const;

  /// The operations whose inverses are compared with what was there, as
  /// `'name' at file:line:column`; none unless `checkDrift`.
  llvm::ArrayRef<std::string> getDriftSites() const { return driftSites; }

  /// The functions without a body that the program calls.
  llvm::ArrayRef<std::string> getExternals() const { return externals; }
  /// Says where the code of such a function is; of others it does not matter.
  /// Fails once the code is loaded.
  llvm::Error setSymbol(llvm::StringRef name, void *address);

  /// Returns the code, loaded into this process by the first call. Fails before
  /// the binary stage, where a library or a symbol is missing, and on a machine
  /// that cannot run it. Safe from any thread.
  llvm::Expected<const LoadedCode *> load();

private:
  friend class CompilerInstance;
  friend struct ProgramFile;
  CompiledProgram();

  std::vector<FunctionSignature> functions;
  std::vector<FunctionMemory> memory;
  std::vector<std::string> externals, driftSites;
  llvm::StringMap<void *> symbols;
  std::string target, chip;
  std::string ir, llvmIR, kernels;
  Processor processor;
  std::unique_ptr<llvm::MemoryBuffer> object;
  std::mutex loadMutex;
  std::unique_ptr<LoadedCode> code;
};

/// The outcome of a compilation: `program` is null if there was an error.
struct CompileResult {
  std::unique_ptr<CompiledProgram> program;
  std::vector<CompileDiagnostic> diagnostics;
};

/// Compiles the MLIR program `text`. Bad programs and bad options are
/// diagnostics, never crashes. Safe from any thread.
CompileResult compile(llvm::StringRef text, const CompileOptions &options);

} // namespace mlir::memrev

#endif // MEMREV_COMPILER_COMPILER_H
