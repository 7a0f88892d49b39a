//===- Calibration.cpp - Measure the rates of a machine -------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Compiler/Calibration.h"
#include "memrev/Compiler/Compiler.h"
#include "llvm/TargetParser/Host.h"
#include <chrono>
#include <cmath>
#include <deque>

using namespace mlir::memrev;
using llvm::StringRef;

//===----------------------------------------------------------------------===//
// What is run
//===----------------------------------------------------------------------===//

/// A product of square matrices that a second-level cache holds.
static constexpr StringRef kContraction = R"(
func.func @$NAME(%a: tensor<192x192x$TYPE>, %b: tensor<192x192x$TYPE>)
    -> tensor<192x192x$TYPE> {
  %zero = arith.constant 0.0 : $TYPE
  %empty = tensor.empty() : tensor<192x192x$TYPE>
  %init = linalg.fill ins(%zero : $TYPE) outs(%empty : tensor<192x192x$TYPE>)
      -> tensor<192x192x$TYPE>
  %c = linalg.matmul
      ins(%a, %b : tensor<192x192x$TYPE>, tensor<192x192x$TYPE>)
      outs(%init : tensor<192x192x$TYPE>) -> tensor<192x192x$TYPE>
  return %c : tensor<192x192x$TYPE>
}
)";
static constexpr double kContractionWork = 192.0 * 192 * 192;

static constexpr StringRef kDepthwise = R"(
func.func @$NAME(%x: tensor<4x34x34x64x$TYPE>, %w: tensor<3x3x64x$TYPE>)
    -> tensor<4x32x32x64x$TYPE> {
  %zero = arith.constant 0.0 : $TYPE
  %empty = tensor.empty() : tensor<4x32x32x64x$TYPE>
  %init = linalg.fill ins(%zero : $TYPE) outs(%empty : tensor<4x32x32x64x$TYPE>)
      -> tensor<4x32x32x64x$TYPE>
  %y = linalg.depthwise_conv_2d_nhwc_hwc
      {dilations = dense<1> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>}
      ins(%x, %w : tensor<4x34x34x64x$TYPE>, tensor<3x3x64x$TYPE>)
      outs(%init : tensor<4x32x32x64x$TYPE>) -> tensor<4x32x32x64x$TYPE>
  return %y : tensor<4x32x32x64x$TYPE>
}
)";
static constexpr double kDepthwiseWork = 4.0 * 32 * 32 * 64 * 9;

static constexpr StringRef kFunctions = R"(
func.func @$NAME(%x: tensor<65536x$TYPE>) -> tensor<65536x$TYPE> {
  %exp = math.exp %x : tensor<65536x$TYPE>
  %log = math.log %x : tensor<65536x$TYPE>
  %tanh = math.tanh %x : tensor<65536x$TYPE>
  %sum = arith.addf %exp, %log : tensor<65536x$TYPE>
  %y = arith.addf %sum, %tanh : tensor<65536x$TYPE>
  return %y : tensor<65536x$TYPE>
}
)";
static constexpr double kFunctionsWork = 3.0 * 65536;

static constexpr StringRef kAddition = R"(
func.func @$NAME(%a: tensor<$SIZExf32>, %b: tensor<$SIZExf32>)
    -> tensor<$SIZExf32> {
  %y = arith.addf %a, %b : tensor<$SIZExf32>
  return %y : tensor<$SIZExf32>
}
)";

/// The bytes of three arrays that a cache surely holds, and how often these
/// double until none does.
static constexpr int64_t kCachedBytes = int64_t(3) << 20;
static constexpr int kNumDoublings = 6;

namespace {
/// A function that is called, and what one call does.
struct Probe {
  std::string text;
  double work;
  FunctionSignature signature;
  std::vector<Array> arrays;
  std::vector<void *> parameters;
  double nanoseconds = std::numeric_limits<double>::infinity();

  /// To the digits that mean something.
  double getRate() const {
    double rate = work / nanoseconds;
    double unit = std::pow(10.0, std::floor(std::log10(rate)) - 2);
    return std::round(rate / unit) * unit;
  }
};
} // namespace

static std::string replaceAll(std::string text, StringRef from, StringRef to) {
  for (size_t at = 0; (at = text.find(from.str(), at)) != std::string::npos;
       at += to.size())
    text.replace(at, from.size(), to.str());
  return text;
}

/// The functions for the rates of `types` in the order of `CostModel::Rates`,
/// then the additions of growing size.
static std::deque<Probe> makeProbes(llvm::ArrayRef<StringRef> types) {
  std::deque<Probe> probes;
  auto add = [&](StringRef text, double work) -> std::string & {
    Probe &probe = probes.emplace_back();
    probe.text = replaceAll(text.str(), "$NAME",
                            "probe" + std::to_string(probes.size()));
    probe.work = work;
    return probe.text;
  };
  for (StringRef type : types)
    for (auto [text, work] : {std::pair(kContraction, kContractionWork),
                              {kDepthwise, kDepthwiseWork},
                              {kFunctions, kFunctionsWork}}) {
      std::string &added = add(text, work);
      added = replaceAll(added, "$TYPE", type);
    }
  for (int i = 0; i <= kNumDoublings; ++i) {
    int64_t bytes = kCachedBytes << i;
    std::string &added = add(kAddition, bytes);
    added = replaceAll(added, "$SIZE", std::to_string(bytes / 12));
  }
  return probes;
}

//===----------------------------------------------------------------------===//
// How it is run
//===----------------------------------------------------------------------===//

/// Sets all elements to 1: no rate is that of a special value.
static void fillWithOnes(const Array &array) {
  auto fill = [&](auto one) {
    std::fill_n(static_cast<decltype(one) *>(array.getData()),
                array.getType().getNumElements(), one);
  };
  switch (array.getType().dtype) {
  case DType::F64:
    return fill(1.0);
  case DType::F32:
    return fill(1.0F);
  case DType::F16:
    return fill(uint16_t(0x3c00));
  case DType::BF16:
    return fill(uint16_t(0x3f80));
  default:
    return;
  }
}

/// Makes the arrays of a call.
static llvm::Error prepare(Probe &probe) {
  for (const std::vector<ParameterSignature> *parameters :
       {&probe.signature.arguments, &probe.signature.results})
    for (const ParameterSignature &parameter : *parameters) {
      llvm::Expected<Array> array = Array::create(parameter.type);
      if (!array)
        return array.takeError();
      fillWithOnes(*array);
      probe.parameters.push_back(array->getData());
      probe.arrays.push_back(std::move(*array));
    }
  return llvm::Error::success();
}

/// Calls the function for a while and notes its fastest call.
static llvm::Error measure(const LoadedCode &code, Probe &probe) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::milliseconds duration(25);
  Clock::time_point begin = Clock::now(), before = begin;
  do {
    if (llvm::Error error =
            code.call(probe.signature, probe.parameters, /*threads=*/1))
      return error;
    Clock::time_point after = Clock::now();
    std::chrono::duration<double, std::nano> elapsed = after - before;
    probe.nanoseconds = std::min(probe.nanoseconds, elapsed.count());
    before = after;
  } while (before - begin < duration);
  return llvm::Error::success();
}

/// What `probes` say of the rates.
static CostModel makeModel(const std::deque<Probe> &probes) {
  CostModel model;
  model.processor = llvm::sys::getHostCPUName().str();
  auto probe = probes.begin();
  for (CostModel::Rates *rates :
       {&model.f64, &model.f32, &model.f16, &model.bf16}) {
    rates->contractions = (probe++)->getRate();
    rates->depthwise = (probe++)->getRate();
    rates->functions = (probe++)->getRate();
  }
  model.cachedBytes = probe->getRate();
  model.memoryBytes = std::min(probes.back().getRate(), model.cachedBytes);
  // The cache ends where the rate is nearer to that of memory.
  double middle = std::sqrt(model.cachedBytes * model.memoryBytes);
  for (; probe != probes.end(); ++probe)
    if (probe->getRate() >= middle)
      model.cacheBytes = probe->work;
  return model;
}

llvm::Expected<CostModel> mlir::memrev::calibrate() {
  std::deque<Probe> probes = makeProbes({"f64", "f32", "f16", "bf16"});
  std::string text;
  for (const Probe &probe : probes)
    text += probe.text;
  CompileOptions options;
  options.parallel = false;
  options.maxThreads = 1;
  CompileResult result = compile(text, options);
  if (!result.program) {
    std::string message;
    llvm::raw_string_ostream os(message);
    for (const CompileDiagnostic &diagnostic : result.diagnostics)
      diagnostic.print(os);
    return llvm::createStringError(message);
  }
  auto code = result.program->load();
  if (!code)
    return code.takeError();
  for (auto [index, probe] : llvm::enumerate(probes)) {
    auto function =
        result.program->findFunction("probe" + std::to_string(index + 1));
    if (!function)
      return function.takeError();
    probe.signature = **function;
    if (llvm::Error error = prepare(probe))
      return std::move(error);
  }
  // Several rounds: what disturbs one is over in another.
  constexpr int numRounds = 5;
  for (int round = 0; round < numRounds; ++round)
    for (Probe &probe : probes)
      if (llvm::Error error = measure(**code, probe))
        return std::move(error);
  return makeModel(probes);
}
