//===- ScheduleKernels.cpp - Emit kernels for a GPU -----------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ContractionEmitter.h"
#include "EmittedKernel.h"
#include "KernelEmitters.h"
#include "memrev/Codegen/Common/AttributeNames.h"
#include "memrev/Codegen/Common/InlineCalls.h"
#include "memrev/Codegen/GPU/Passes.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/SymbolTable.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_GPUSCHEDULEKERNELS
#include "memrev/Codegen/GPU/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::simt;

/// Whether `output` writes every element of its buffer and reads none.
static bool overwritesAll(const Output &output, const Problem &problem) {
  if (output.init == InitKind::InPlace || !output.dest.symbols.empty())
    return false;
  int64_t written = 1;
  for (unsigned dim = 0; dim < problem.getNumDims(); ++dim)
    if (output.dest.uses(dim))
      written *= problem.extents[dim];
  int64_t elements = 1;
  for (int64_t size : output.dest.shape)
    elements *= size;
  return written == elements;
}

/// Which accesses of a problem a kernel makes.
enum class Part {
  All,
  /// Those of the factors of a contraction, or of what a reduction reduces.
  Terms,
  /// All but those.
  Results,
};

/// What `part` of `problem` does with each argument of `kernel`.
static SmallVector<ArgumentAccess>
getAccesses(func::FuncOp kernel, const Problem &problem, Part part) {
  SmallVector<ArgumentAccess> accesses(kernel.getNumArguments(),
                                       ArgumentAccess::None);
  auto read = [&](const Access &access) {
    if (auto argument = dyn_cast<BlockArgument>(access.source))
      accesses[argument.getArgNumber()] = ArgumentAccess::Read;
  };
  if (problem.isContraction && part != Part::Results) {
    read(problem.lhs);
    read(problem.rhs);
  }
  // The inputs of a contraction's body are those of its epilogue.
  if (part == Part::All || (part == Part::Results) == problem.isContraction) {
    for (const std::optional<Access> &input : problem.inputs)
      if (input)
        read(*input);
    if (problem.body)
      problem.body->walk([&](tensor::ExtractOp extract) {
        auto source = cast<BlockArgument>(extract.getTensor());
        accesses[source.getArgNumber()] = ArgumentAccess::Read;
      });
  }
  if (part == Part::Terms)
    return accesses;
  if (problem.isContraction && problem.accumulatorInit == InitKind::Read)
    read(problem.accumulatorRead);
  for (const Output &output : problem.outputs)
    if (output.init == InitKind::Read)
      read(output.read);
  for (const Output &output : problem.outputs) {
    unsigned number = cast<BlockArgument>(output.dest.source).getArgNumber();
    bool isRead = accesses[number] != ArgumentAccess::None;
    accesses[number] = overwritesAll(output, problem) && !isRead
                           ? ArgumentAccess::Write
                           : ArgumentAccess::ReadWrite;
  }
  return accesses;
}

namespace {
struct GPUScheduleKernelsPass
    : memrev::impl::GPUScheduleKernelsBase<GPUScheduleKernelsPass> {
  void runOnOperation() override {
    SmallVector<func::FuncOp> kernels;
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (!func.isExternal() && func->hasAttr(kStrategyAttr))
        kernels.push_back(func);
    for (func::FuncOp kernel : kernels)
      if (failed(schedule(kernel)))
        return signalPassFailure();
    inlineOthers();
  }

private:
  /// Where a kernel is not emitted here, its operations go back to its callers,
  /// who become kernels themselves after bufferization.
  void inlineOthers() {
    SymbolTable symbols(getOperation());
    SmallVector<std::pair<func::CallOp, func::FuncOp>> calls;
    getOperation().walk([&](func::CallOp call) {
      auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
      if (callee && callee->hasAttr(kKernelAttr) && !callee.isExternal())
        calls.emplace_back(call, callee);
    });
    for (auto [call, callee] : calls)
      inlineCall(call, callee);
    for (auto func :
         llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>()))
      if (func->hasAttr(kKernelAttr) && !func.isExternal())
        func.erase();
  }

  gpu::GPUModuleOp getModule() {
    if (!module)
      module = getKernelModule(getOperation());
    return module;
  }

  LogicalResult schedule(func::FuncOp kernel) {
    auto attribute = kernel->getAttrOfType<DictionaryAttr>(kStrategyAttr);
    StringAttr engine =
        attribute ? attribute.getAs<StringAttr>("engine") : StringAttr();
    StringRef name = engine ? engine.getValue() : StringRef();
    std::string reason;
    FailureOr<Problem> problem =
        buildProblem(kernel, Contractions::Widening, reason);
    if (failed(problem) || !canEmit(*problem, kernel, reason))
      return kernel.emitError()
             << "expects a kernel that can be scheduled, but " << reason;
    if (name == "contraction") {
      auto strategy = ContractionStrategy::fromAttribute(attribute, *problem);
      if (succeeded(strategy))
        return scheduleSplits(kernel, *problem, *strategy, emitContraction);
    }
    if (name == "reduction") {
      auto strategy = ReductionStrategy::fromAttribute(attribute, *problem);
      if (succeeded(strategy))
        return scheduleSplits(kernel, *problem, *strategy, emitReduction);
    }
    if (name == "elementwise") {
      auto strategy = ElementwiseStrategy::fromAttribute(attribute, *problem);
      if (succeeded(strategy))
        return declare(
            kernel, *problem,
            emitElementwise(getModule(), kernel, *problem, *strategy));
    }
    return kernel.emitError()
           << "expects '" << kStrategyAttr << "' to be a strategy for "
           << problem->getNumDims() << " loop dimensions, but got "
           << kernel->getAttr(kStrategyAttr);
  }

  /// Leaves a declaration of `kernel`, which has been emitted whole.
  LogicalResult declare(func::FuncOp kernel, const Problem &problem,
                        const LaunchShape &launch) {
    SmallVector<ArgumentAccess> accesses =
        getAccesses(kernel, problem, Part::All);
    kernel.getBody().getBlocks().clear();
    kernel->removeAttr(kStrategyAttr);
    return describeKernel(kernel, accesses, launch);
  }

  /// Declares `name` before `kernel`.
  func::FuncOp createDeclaration(func::FuncOp kernel, const Twine &name,
                                 TypeRange inputs, TypeRange results) {
    OpBuilder builder(kernel);
    auto function =
        func::FuncOp::create(builder, kernel.getLoc(), name.str(),
                             builder.getFunctionType(inputs, results));
    function.setPrivate();
    SymbolTable(getOperation()).insert(function);
    return function;
  }

  /// Schedules a kernel that may leave partial results to a second one. `emit`
  /// emits the first.
  template <typename StrategyT>
  LogicalResult scheduleSplits(func::FuncOp kernel, const Problem &problem,
                               const StrategyT &strategy,
                               LaunchShape emit(gpu::GPUModuleOp, func::FuncOp,
                                                StringRef, const Problem &,
                                                const StrategyT &)) {
    if (strategy.splits == 1)
      return declare(
          kernel, problem,
          emit(getModule(), kernel, kernel.getName(), problem, strategy));

    RankedTensorType workspace = getWorkspaceType(problem, strategy);
    SmallVector<Type> types(kernel.getArgumentTypes());
    SmallVector<Type> resultTypes(kernel.getResultTypes());
    SmallVector<Type> partialTypes(
        ArrayRef(types).drop_back(resultTypes.size()));
    partialTypes.push_back(workspace);
    func::FuncOp partials = createDeclaration(
        kernel, kernel.getName() + "_partials", partialTypes, {workspace});
    SmallVector<Type> combinedTypes{workspace};
    llvm::append_range(combinedTypes, types);
    func::FuncOp combined = createDeclaration(
        kernel, kernel.getName() + "_combined", combinedTypes, resultTypes);

    LaunchShape partialLaunch =
        emit(getModule(), kernel, partials.getName(), problem, strategy);
    LaunchShape combinedLaunch = emitCombination(
        getModule(), kernel, combined.getName(), problem, strategy);
    SmallVector<ArgumentAccess> accesses =
        getAccesses(kernel, problem, Part::Terms);
    accesses.truncate(partialTypes.size() - 1);
    accesses.push_back(ArgumentAccess::Write);
    if (failed(describeKernel(partials, accesses, partialLaunch)))
      return failure();
    accesses = getAccesses(kernel, problem, Part::Results);
    accesses.insert(accesses.begin(), ArgumentAccess::Read);
    if (failed(describeKernel(combined, accesses, combinedLaunch)))
      return failure();

    kernel.getBody().getBlocks().clear();
    kernel->removeAttr(kStrategyAttr);
    kernel->removeAttr(kKernelAttr);
    Location loc = kernel.getLoc();
    Block *entry = kernel.addEntryBlock();
    OpBuilder builder = OpBuilder::atBlockBegin(entry);
    Value empty = tensor::EmptyOp::create(builder, loc, workspace.getShape(),
                                          workspace.getElementType());
    SmallVector<Value> arguments(entry->getArguments());
    SmallVector<Value> operands(
        ArrayRef(arguments).drop_back(resultTypes.size()));
    operands.push_back(empty);
    auto call = func::CallOp::create(builder, loc, partials, operands);
    arguments.insert(arguments.begin(), call.getResult(0));
    auto result = func::CallOp::create(builder, loc, combined, arguments);
    func::ReturnOp::create(builder, loc, result.getResults());
    return success();
  }

  gpu::GPUModuleOp module;
};
} // namespace
