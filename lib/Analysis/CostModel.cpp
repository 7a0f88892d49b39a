//===- CostModel.cpp - How long operations take ---------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Analysis/CostModel.h"
#include "memrev/Analysis/Cost.h"
#include "memrev/Dialect/Rev/IR/Rev.h"
#include "memrev/Interfaces/TripCount.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/CallInterfaces.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include <cmath>

using namespace mlir;
using namespace mlir::memrev;

/// What is not known before the program runs.
static constexpr double kUnknownExtent = 64;

/// A sum of times stays below what sums of sums can hold.
static constexpr double kMostTicks = double(int64_t(1) << 52);

static int64_t toTicks(double nanoseconds) {
  double ticks = std::ceil(nanoseconds / CostModel::kNanosecondsPerTick);
  return static_cast<int64_t>(std::min(ticks, kMostTicks));
}

//===----------------------------------------------------------------------===//
// Which bytes are moved
//===----------------------------------------------------------------------===//

static double getBytes(Type type) {
  return isa<RankedTensorType>(type) ? getApproximateBytes(type) : 0;
}

/// True if `op` only says which memory something is in, or is done by the
/// kernel that reads its result.
static bool isFree(Operation *op) {
  return isCheap(op) ||
         isa<tensor::EmptyOp, linalg::FillOp, tensor::ExtractSliceOp,
             tensor::CollapseShapeOp, tensor::ExpandShapeOp, tensor::CastOp>(
             op);
}

/// True if `value` is handed to its one reader in registers, by one kernel.
static bool isFused(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op || !value.hasOneUse())
    return false;
  Operation *user = *value.user_begin();
  if (user->getBlock() != op->getBlock())
    return false;
  // The shift of a coupling is added where it is computed.
  if (isa<rev::YieldOp>(user))
    return isa<rev::CouplingOp>(user->getParentOp()) &&
           (isElementwise(op) || isa<linalg::LinalgOp>(op));
  if (user->hasTrait<OpTrait::IsTerminator>())
    return false;
  // A kernel writes into the slice.
  if (isa<tensor::InsertSliceOp>(user))
    return isa<linalg::LinalgOp>(op);
  if (isa<tensor::PadOp>(op))
    return isa<linalg::LinalgOp>(user);
  if (isExpensive(user) || isa<tensor::PadOp, tensor::ConcatOp>(user))
    return false;
  if (isElementwise(user))
    return isElementwise(op) || isa<linalg::LinalgOp>(op);
  return isa<linalg::LinalgOp>(user) && isElementwise(op);
}

/// The tensor in whose memory `value` is, as far as its block says.
static Value getRoot(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (isa<tensor::ExtractSliceOp, tensor::CollapseShapeOp,
            tensor::ExpandShapeOp, tensor::CastOp>(op))
      value = op->getOperand(0);
    else if (auto insert = dyn_cast<tensor::InsertSliceOp>(op))
      value = insert.getDest();
    else
      break;
  }
  return value;
}

//===----------------------------------------------------------------------===//
// Work
//===----------------------------------------------------------------------===//

static const CostModel::Rates &getRates(const CostModel &model, Type type) {
  Type element = getElementTypeOrSelf(type);
  if (auto complex = dyn_cast<ComplexType>(element))
    element = complex.getElementType();
  if (element.isBF16())
    return model.bf16;
  if (element.isF16())
    return model.f16;
  // Others by their width.
  bool isWide = element.isIndex() || (element.isIntOrFloat() &&
                                      element.getIntOrFloatBitWidth() > 32);
  return isWide ? model.f64 : model.f32;
}

/// The type that `op` computes in.
static Type getComputedType(Operation *op) {
  if (op->getNumResults() > 0)
    return op->getResult(0).getType();
  return op->getNumOperands() > 0 ? op->getOperand(0).getType() : Type();
}

static bool isFunction(Operation *op) {
  return isa_and_nonnull<math::MathDialect>(op->getDialect()) &&
         !isa<math::AbsFOp, math::AbsIOp, math::CopySignOp, math::FmaOp,
              math::FloorOp, math::CeilOp, math::RoundOp, math::RoundEvenOp,
              math::TruncOp>(op);
}

static double getIterations(linalg::LinalgOp op) {
  double iterations = 1;
  for (int64_t extent : op.getStaticLoopRanges())
    iterations *= ShapedType::isDynamic(extent) ? kUnknownExtent : extent;
  return iterations;
}

/// True if each multiply-add of `op` is one of many that an operand's element
/// is part of.
static bool isContraction(linalg::LinalgOp op) {
  if (linalg::isaContractionOpInterface(op)) {
    FailureOr<linalg::ContractionDimensions> dims =
        linalg::inferContractionDims(op);
    return succeeded(dims) && !dims->m.empty() && !dims->n.empty();
  }
  if (!linalg::isaConvolutionOpInterface(op))
    return false;
  FailureOr<linalg::ConvolutionDimensions> dims =
      linalg::inferConvolutionDims(op);
  return succeeded(dims) && !dims->inputChannel.empty();
}

/// How long the arithmetic of `op` takes, in nanoseconds.
static double getWorkTime(const CostModel &model, Operation *op) {
  const CostModel::Rates &rates = getRates(model, getComputedType(op));
  auto structured = dyn_cast<linalg::LinalgOp>(op);
  if (!structured)
    return isFunction(op) ? getBytes(op->getResult(0).getType()) /
                                getApproximateBytes(getElementTypeOrSelf(
                                    op->getResult(0).getType())) /
                                rates.functions
                          : 0;
  double iterations = getIterations(structured);
  if (isContraction(structured))
    return iterations / rates.contractions;
  int64_t numFunctions = 0;
  for (Operation &inner : structured.getBlock()->without_terminator())
    numFunctions += isFunction(&inner);
  double time = iterations * numFunctions / rates.functions;
  // Elementwise loops and plain sums wait for memory only.
  double elements = 0;
  for (Value operand : op->getOperands())
    elements = std::max(elements, getBytes(operand.getType()) /
                                      getApproximateBytes(getElementTypeOrSelf(
                                          operand.getType())));
  if (iterations > elements)
    time += iterations / rates.depthwise;
  return time;
}

//===----------------------------------------------------------------------===//
// Programs
//===----------------------------------------------------------------------===//

namespace {
/// Adds up times in the order of a program. Knows how many bytes were moved
/// since a tensor was, and so whether it is still in the cache.
class TimeEstimate {
public:
  explicit TimeEstimate(const CostModel &model) : model(model) {}

  /// In nanoseconds.
  double evaluate(Operation *op);

private:
  double evaluate(Region &region);
  double evaluateCall(CallOpInterface call);
  /// The time to read or write `value`, which then is in the cache.
  double move(Value value);

  const CostModel &model;
  double movedBytes = 0;
  /// What had been moved when a tensor was used last.
  DenseMap<Value, double> lastUses;
  /// The time of a function, and the bytes that it moves.
  DenseMap<Operation *, std::pair<double, double>> functions;
  SymbolTableCollection symbols;
};
} // namespace

double TimeEstimate::move(Value value) {
  double bytes = getBytes(value.getType());
  if (bytes == 0)
    return 0;
  Value root = getRoot(value);
  auto last = lastUses.find(root);
  bool isCached =
      getBytes(root.getType()) <= model.cacheBytes &&
      (last == lastUses.end() || movedBytes - last->second <= model.cacheBytes);
  movedBytes += bytes;
  lastUses[root] = movedBytes;
  return bytes / (isCached ? model.cachedBytes : model.memoryBytes);
}

double TimeEstimate::evaluate(Region &region) {
  double time = 0;
  for (Block &block : region)
    for (Operation &op : block)
      time += evaluate(&op);
  return time;
}

double TimeEstimate::evaluateCall(CallOpInterface call) {
  auto function = dyn_cast_or_null<FunctionOpInterface>(
      call.resolveCallableInTable(&symbols));
  if (!function)
    return 0;
  auto [it, isNew] = functions.try_emplace(function, 0, 0);
  if (isNew) {
    double before = movedBytes;
    double time = evaluate(function.getFunctionBody());
    functions[function] = {time, movedBytes - before};
    return time;
  }
  auto [time, bytes] = it->second;
  movedBytes += bytes;
  return time;
}

double TimeEstimate::evaluate(Operation *op) {
  if (auto function = dyn_cast<FunctionOpInterface>(op))
    return evaluate(function.getFunctionBody());
  if (auto call = dyn_cast<CallOpInterface>(op))
    return evaluateCall(call);
  auto structured = dyn_cast<linalg::LinalgOp>(op);
  if (isFree(op) || op->hasTrait<OpTrait::IsTerminator>() ||
      isa<tensor::InsertOp>(op))
    return 0;
  if (auto coupling = dyn_cast<rev::CouplingOp>(op)) {
    double time = evaluate(coupling.getBody());
    return time + move(coupling.getCoupled()) + move(coupling.getResult());
  }
  if (!structured && op->getNumRegions() > 0 &&
      !isa<tensor::PadOp, tensor::GenerateOp>(op)) {
    double before = movedBytes, time = 0;
    if (auto branch = dyn_cast<scf::IfOp>(op))
      return std::max(evaluate(branch.getThenRegion()),
                      evaluate(branch.getElseRegion()));
    for (Region &region : op->getRegions())
      time += evaluate(region);
    double count = 1;
    if (auto loop = dyn_cast<scf::ForOp>(op)) {
      count = kUnknownExtent;
      if (std::optional<int64_t> known = getConstantTripCount(loop))
        count = *known;
    } else if (isa<LoopLikeOpInterface>(op)) {
      count = kUnknownExtent;
    }
    movedBytes = before + count * (movedBytes - before);
    return count * time;
  }

  double time = getWorkTime(model, op), moved = 0;
  for (OpOperand &operand : op->getOpOperands()) {
    Value value = operand.get();
    if (isFused(value))
      continue;
    if (structured && structured.isDpsInit(&operand) &&
        (!structured.payloadUsesValueFromOperand(&operand) ||
         value.getDefiningOp<linalg::FillOp>()))
      continue;
    // What is inserted into stays where it is.
    if (isa<tensor::InsertSliceOp>(op) && operand.getOperandNumber() == 1)
      continue;
    if (llvm::any_of(op->getResultTypes(), llvm::IsaPred<RankedTensorType>))
      moved += move(value);
  }
  if (auto insert = dyn_cast<tensor::InsertSliceOp>(op)) {
    if (!isFused(insert.getSource()))
      moved += move(insert.getSource());
  } else {
    for (Value result : op->getResults())
      if (!isFused(result))
        moved += move(result);
  }
  return std::max(time, moved);
}

int64_t CostModel::getTime(Operation *op) const {
  return toTicks(TimeEstimate(*this).evaluate(op));
}

int64_t CostModel::getStorageTime(int64_t bytes) const {
  double moved = 2.0 * bytes;
  return toTicks(moved / (moved <= cacheBytes ? cachedBytes : memoryBytes));
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

void CostModel::forEach(llvm::function_ref<void(StringRef, double &)> visit) {
  auto visitRates = [&](StringRef type, Rates &rates) {
    visit((type + "_contraction_multiply_adds_per_ns").str(),
          rates.contractions);
    visit((type + "_depthwise_multiply_adds_per_ns").str(), rates.depthwise);
    visit((type + "_functions_per_ns").str(), rates.functions);
  };
  visitRates("f64", f64);
  visitRates("f32", f32);
  visitRates("f16", f16);
  visitRates("bf16", bf16);
  visit("cached_bytes_per_ns", cachedBytes);
  visit("memory_bytes_per_ns", memoryBytes);
  visit("cache_bytes", cacheBytes);
}

/// Whether a rate may be `number`.
static bool isRate(double number) {
  return std::isfinite(number) && number > 0;
}

FailureOr<CostModel> CostModel::get(ModuleOp module) {
  CostModel model;
  Attribute attribute = module->getAttr(kCostModelAttrName);
  if (!attribute)
    return model;
  auto dictionary = dyn_cast<DictionaryAttr>(attribute);
  if (!dictionary)
    return module.emitError("expects attribute 'rev.cost_model' to be a "
                            "dictionary, but got ")
           << attribute;
  std::string wrong;
  model.forEach([&](StringRef name, double &number) {
    auto value = dictionary.getAs<FloatAttr>(name);
    if (value && value.getType().isF64() && isRate(value.getValueAsDouble()))
      number = value.getValueAsDouble();
    else if (wrong.empty())
      wrong = name.str();
  });
  if (wrong.empty())
    return model;
  return module.emitError("expects attribute 'rev.cost_model' to have a "
                          "positive number '")
         << wrong << "' of type f64, but got " << dictionary;
}

void CostModel::setOn(ModuleOp module) const {
  Builder builder(module.getContext());
  NamedAttrList numbers;
  CostModel copy = *this;
  copy.forEach([&](StringRef name, double &number) {
    numbers.append(name, builder.getF64FloatAttr(number));
  });
  module->setAttr(kCostModelAttrName,
                  numbers.getDictionary(module.getContext()));
}

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

/// The layout of files. Another one gets another number.
static constexpr int64_t kVersion = 1;

llvm::Expected<CostModel> CostModel::parse(StringRef text) {
  llvm::Expected<llvm::json::Value> value = llvm::json::parse(text);
  if (!value)
    return llvm::createStringError("expects a cost model in JSON, but got " +
                                   llvm::toString(value.takeError()));
  llvm::json::Object *object = value->getAsObject();
  if (!object)
    return llvm::createStringError(
        "expects a cost model to be a JSON object, but got " +
        llvm::formatv("{0}", *value).str());
  auto print = [&](StringRef name) {
    llvm::json::Value *member = object->get(name);
    return member ? llvm::formatv("{0}", *member).str() : "none";
  };
  if (object->getInteger("version") != kVersion)
    return llvm::createStringError(
        llvm::formatv("expects a cost model of version {0}, but got {1}",
                      kVersion, print("version")));
  std::optional<StringRef> processor = object->getString("processor");
  if (!processor)
    return llvm::createStringError(
        "expects member 'processor' of a cost model to be a text, but got " +
        print("processor"));
  CostModel model;
  model.processor = processor->str();
  std::string wrong;
  llvm::StringSet<> known{"version", "processor"};
  model.forEach([&](StringRef name, double &number) {
    known.insert(name);
    std::optional<double> found = object->getNumber(name);
    if (found && isRate(*found))
      number = *found;
    else if (wrong.empty())
      wrong = name.str();
  });
  if (!wrong.empty())
    return llvm::createStringError("expects member '" + wrong +
                                   "' of a cost model to be a positive number, "
                                   "but got " +
                                   print(wrong));
  for (auto &[name, member] : *object)
    if (!known.contains(name))
      return llvm::createStringError("unknown member '" + name.str() +
                                     "' of a cost model");
  return model;
}

void CostModel::print(llvm::raw_ostream &os) const {
  llvm::json::OStream json(os, /*IndentSize=*/2);
  CostModel copy = *this;
  json.object([&] {
    json.attribute("version", kVersion);
    json.attribute("processor", processor);
    copy.forEach(
        [&](StringRef name, double &number) { json.attribute(name, number); });
  });
  os << '\n';
}
