//===- CommandLine.cpp - The options of memrev-compile --------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CommandLine.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace mlir::memrev;
using llvm::StringRef;

namespace {
/// An option: its name, what its value stands for (empty for a flag), a line of
/// help, and what it sets. `set` returns false for a value it cannot use.
struct OptionInfo {
  StringRef name;
  StringRef value;
  StringRef help;
  bool (*set)(CommandLine &line, StringRef value);
};
} // namespace

static bool setNumber(unsigned &number, StringRef value) {
  return !value.getAsInteger(10, number);
}

static bool setKernelFormat(CommandLine &line, StringRef value) {
  std::optional<std::string> format = parseKernelFormat(value);
  line.compile.kernelFormat = format.value_or("");
  return format.has_value();
}

static bool setEmit(CommandLine &line, StringRef value) {
  std::optional<Emit> emit =
      llvm::StringSwitch<std::optional<Emit>>(value)
          .Case("mlir", Emit::MLIR)
          .Case("llvm", Emit::LLVM)
          .Case("obj", Emit::Object)
          .Case("so", Emit::SharedLibrary)
          .Case("header", Emit::Header)
          .Cases({"ptx", "cubin", "fatbin"}, Emit::Kernels)
          .Default(std::nullopt);
  line.emit = emit.value_or(Emit::Nothing);
  line.emitted = value.str();
  return emit.has_value();
}

static bool setStage(CommandLine &line, StringRef value) {
  std::optional<Stage> stage = parseStage(value);
  line.compile.until = stage.value_or(Stage::Binary);
  return stage.has_value();
}

static const OptionInfo options[] = {
    {"o", "FILE", "where to write; '-', the default, is the standard output",
     [](CommandLine &line, StringRef value) {
       line.output = value.str();
       return !value.empty();
     }},
    {"target", "cpu|cuda", "what to compile for",
     [](CommandLine &line, StringRef value) {
       line.compile.target = value.str();
       return true;
     }},
    {"cpu", "NAME", "the processor; the default is the one of this machine",
     [](CommandLine &line, StringRef value) {
       line.compile.cpu = value.str();
       return true;
     }},
    {"chip", "sm_80|sm_90|...|native",
     "the chip to compile for with --target=cuda; native asks the driver",
     [](CommandLine &line, StringRef value) {
       line.compile.chip = value.str();
       return !value.empty();
     }},
    {"differentiate", "OPTIONS",
     "a function to derive: options of rev-differentiate, 'function=f "
     "mode=split' for example; may be given several times",
     [](CommandLine &line, StringRef value) {
       line.compile.differentiate.push_back(value.str());
       return !value.empty();
     }},
    {"until", "differentiate|lower|schedule|bufferize|binary",
     "the last stage to run", setStage},
    {"emit", "mlir|llvm|obj|so|header|ptx|cubin|fatbin", "what to write",
     setEmit},
    {"fp32-precision", "ieee|tf32|tf32x3",
     "how a program for cuda multiplies matrices of f32; tf32 rounds the "
     "factors to 10 bits of mantissa, for tensor cores; tf32x3 makes three "
     "such products of one",
     [](CommandLine &line, StringRef value) {
       line.compile.fp32Precision = value.str();
       return !value.empty();
     }},
    {"memory-budget", "BYTES",
     "the most bytes that a call may take, 200MiB for example; what fits is "
     "stored to save time, what does not is evaluated again",
     [](CommandLine &line, StringRef value) {
       std::optional<int64_t> bytes = parseBytes(value);
       line.compile.memoryBudget = bytes.value_or(0);
       return bytes.has_value();
     }},
    {"drift-tolerance", "X",
     "how far what inverses give back may be from the true values, relative to "
     "them, 1e-5 for example; states are stored every now and then",
     [](CommandLine &line, StringRef value) {
       std::optional<double> tolerance = parseTolerance(value);
       line.compile.driftTolerance = tolerance.value_or(0);
       return tolerance.has_value();
     }},
    {"cost-model", "FILE",
     "what times are estimated by: a file that --calibrate wrote",
     [](CommandLine &line, StringRef value) {
       line.costModel = value.str();
       return !value.empty();
     }},
    {"check-inverse", "NAME",
     "call this function with random numbers, and its inverse with what comes "
     "out, and compare: that of rev.inverse, else what its operations give",
     [](CommandLine &line, StringRef value) {
       line.checkedInverse = value.str();
       return !value.empty();
     }},
    {"check-drift", "",
     "with --run, compare what inverses gave back with what was there, and "
     "print the largest difference of each block",
     [](CommandLine &line, StringRef) { return line.compile.checkDrift = true; }},
    {"calibrate", "",
     "measure this machine for --cost-model; with no other option but -o",
     [](CommandLine &line, StringRef) { return line.calibrate = true; }},
    {"contractions", "generated|vendor|auto",
     "who computes products of matrices and convolutions with --target=cuda: "
     "generated kernels; vendor is cuBLASLt and cuDNN, loaded at run time, "
     "wherever they can; auto is these where they are taken to be faster",
     [](CommandLine &line, StringRef value) {
       line.compile.contractions = value.str();
       return !value.empty();
     }},
    {"kernel-format", "auto|ptx|cubin|fatbin|llvm",
     "what a program for cuda holds its kernels as; auto is fatbin for "
     "--emit=so and obj, and to run fatbin or, without ptxas, ptx",
     setKernelFormat},
    {"run", "", "call a function",
     [](CommandLine &line, StringRef) { return line.run = true; }},
    {"entry", "NAME", "the function to call, if there are several",
     [](CommandLine &line, StringRef value) {
       line.entry = value.str();
       return true;
     }},
    {"args", "FILE.npy,...", "the arguments of the call",
     [](CommandLine &line, StringRef value) {
       llvm::SmallVector<StringRef> files;
       value.split(files, ',', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
       for (StringRef file : files)
         line.arguments.push_back(file.str());
       return true;
     }},
    {"results", "FILE.npz", "where to write the results of the call",
     [](CommandLine &line, StringRef value) {
       line.results = value.str();
       return !value.empty();
     }},
    {"bench", "N",
     "call the function N times and print the median and the "
     "fastest time",
     [](CommandLine &line, StringRef value) {
       return setNumber(line.bench, value) && line.bench > 0;
     }},
    {"threads", "N", "threads of a call; the default is all processors",
     [](CommandLine &line, StringRef value) {
       return setNumber(line.threads, value) && line.threads > 0 &&
              line.threads <= 4096;
     }},
    {"report", "memory", "print the bytes that each function needs, and why",
     [](CommandLine &line, StringRef value) {
       line.reportMemory = true;
       return value == "memory";
     }},
    {"report-format", "text|json|html", "how to print the report",
     [](CommandLine &line, StringRef value) {
       std::optional<ReportFormat> format = parseReportFormat(value);
       line.reportFormat = format.value_or(ReportFormat::Text);
       return format.has_value();
     }},
    {"report-curve", "2..64",
     "try so many plans of each function, and report what they take in bytes "
     "and, by estimate, in time",
     [](CommandLine &line, StringRef value) {
       std::optional<int64_t> points = parseCurvePoints(value);
       line.compile.curvePoints = points.value_or(0);
       return points.has_value();
     }},
    {"help", "", "print this text",
     [](CommandLine &line, StringRef) { return line.help = true; }},
};

/// Reads the file of --cost-model.
static llvm::Error readCostModel(CommandLine &line) {
  auto file = llvm::MemoryBuffer::getFile(line.costModel, /*IsText=*/true);
  if (!file)
    return llvm::createStringError("cannot read '" + line.costModel +
                                   "': " + file.getError().message());
  llvm::Expected<CostModel> model = CostModel::parse((*file)->getBuffer());
  if (!model)
    return llvm::createStringError("'" + line.costModel +
                                   "': " + llvm::toString(model.takeError()));
  line.compile.costModel = std::move(*model);
  return llvm::Error::success();
}

/// Checks that the options fit together and fills in what follows from them.
static llvm::Error complete(CommandLine &line) {
  StringRef stage = getName(line.compile.until);
  if (!line.costModel.empty())
    if (llvm::Error error = readCostModel(line))
      return error;
  if (line.compile.curvePoints != 0 && !line.reportMemory)
    return llvm::createStringError(
        "expects --report=memory with --report-curve");
  bool wantsCall = line.run || line.bench != 0;
  if (!line.checkedInverse.empty() &&
      (wantsCall || line.emit != Emit::Nothing || line.reportMemory ||
       line.compile.target != "cpu"))
    return llvm::createStringError("expects --check-inverse for target cpu "
                                   "without --run, --bench, --emit and "
                                   "--report");
  if (line.compile.checkDrift && (!line.run || line.emit != Emit::Nothing))
    return llvm::createStringError(
        "expects --check-drift with --run and without --emit");
  bool wantsCode =
      wantsCall || line.emit == Emit::LLVM || line.emit == Emit::Object ||
      line.emit == Emit::SharedLibrary || line.emit == Emit::Kernels;
  if (line.emit == Emit::Kernels && line.compile.target != "cuda")
    return llvm::createStringError(
        llvm::formatv("expects --target=cuda to write kernels, but got '{0}'",
                      line.compile.target));
  bool isAuto = line.compile.kernelFormat == "auto";
  if (line.emit == Emit::Kernels) {
    if (!isAuto)
      return llvm::createStringError(
          llvm::formatv("expects no --kernel-format with --emit={0}, which "
                        "names a format itself",
                        line.emitted));
    setKernelFormat(line, line.emitted);
  } else if (isAuto &&
             (line.emit == Emit::SharedLibrary || line.emit == Emit::Object)) {
    // What leaves this machine should not need a compiler in the driver.
    line.compile.kernelFormat = "fatbin";
  } else if (isAuto && !wantsCall) {
    // Without machine code to make PTX will do, which needs no other tool.
    line.compile.kernelFormat = "isa";
  }
  if (wantsCode && line.compile.until != Stage::Binary)
    return llvm::createStringError(llvm::formatv(
        "expects --until=binary to make machine code, but got '{0}'", stage));
  bool wantsPlan = line.reportMemory || line.emit == Emit::Header;
  if (wantsPlan && line.compile.until < Stage::Bufferize)
    return llvm::createStringError(
        llvm::formatv("expects --until=bufferize or binary for a report or a "
                      "header, but got '{0}'",
                      stage));
  if (line.emit == Emit::SharedLibrary && line.output == "-")
    return llvm::createStringError("expects -o FILE with --emit=so");
  if (!wantsCall &&
      (!line.arguments.empty() || !line.results.empty() || !line.entry.empty()))
    return llvm::createStringError(
        "expects --run or --bench with --entry, --args and --results");
  if (!wantsCode && !wantsPlan && line.emit == Emit::Nothing)
    line.emit = Emit::MLIR;
  // Memory is planned before machine code is made.
  if (wantsPlan && !wantsCode && line.emit != Emit::MLIR)
    line.compile.until = Stage::Bufferize;
  line.compile.hostCode = line.emit != Emit::Kernels;
  line.compile.keepIR = line.emit == Emit::MLIR;
  line.compile.keepLLVM = line.emit == Emit::LLVM;
  line.compile.parallel = line.threads != 1;
  line.compile.maxThreads = line.threads;
  line.compile.fileName = line.input == "-" ? "<stdin>" : line.input;
  return llvm::Error::success();
}

llvm::Expected<CommandLine>
mlir::memrev::parseCommandLine(llvm::ArrayRef<const char *> args) {
  CommandLine line;
  bool hasInput = false;
  StringRef beside;
  for (size_t i = 0; i < args.size(); ++i) {
    StringRef text = args[i];
    if (text == "-" || !text.starts_with("-")) {
      if (hasInput)
        return llvm::createStringError(
            llvm::formatv("expects one input file, but got '{0}' and '{1}'",
                          line.input, text));
      line.input = text.str();
      beside = text;
      hasInput = true;
      continue;
    }
    auto [name, value] =
        text.drop_front(text.starts_with("--") ? 2 : 1).split('=');
    const OptionInfo *option =
        llvm::find_if(options, [name = name](const OptionInfo &info) {
          return info.name == name;
        });
    if (name != "calibrate" && name != "o" && name != "help")
      beside = text;
    if (option == std::end(options))
      return llvm::createStringError(
          llvm::formatv("unknown option '{0}'; --help lists all", text));
    bool hasValue = text.contains('=');
    if (option->value.empty() && hasValue)
      return llvm::createStringError(
          llvm::formatv("option '--{0}' takes no value", name));
    if (!option->value.empty() && !hasValue) {
      if (i + 1 == args.size())
        return llvm::createStringError(
            llvm::formatv("option '--{0}' expects a value", name));
      value = args[++i];
    }
    if (!option->set(line, value))
      return llvm::createStringError(
          llvm::formatv("option '--{0}' expects {1}, but got '{2}'", name,
                        option->value, value));
  }
  if (line.calibrate && !beside.empty())
    return llvm::createStringError(llvm::formatv(
        "expects --calibrate alone or with -o FILE, but got '{0}'", beside));
  if (llvm::Error error = complete(line))
    return std::move(error);
  return line;
}

void mlir::memrev::printHelp(llvm::raw_ostream &os) {
  os << "memrev-compile: compile, run and measure an MLIR program\n\n"
        "usage: memrev-compile [options] <input.mlir>\n\n";
  for (const OptionInfo &option : options) {
    std::string head =
        (option.name.size() == 1 ? "-" : "--") + option.name.str();
    if (!option.value.empty())
      head += (option.name.size() == 1 ? " " : "=") + option.value.str();
    os << "  " << head << '\n' << "        " << option.help << '\n';
  }
}
