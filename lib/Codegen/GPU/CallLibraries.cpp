//===- CallLibraries.cpp - Kernels that libraries compute -----------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CopyConstants.h"
#include "FilterOrder.h"
#include "MatmulCall.h"
#include "Remarks.h"
#include "memrev/Codegen/Common/AttributeNames.h"
#include "memrev/Codegen/Common/DeclaredKernel.h"
#include "memrev/Codegen/GPU/AttributeNames.h"
#include "memrev/Codegen/GPU/Passes.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/SymbolTable.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_GPUCALLLIBRARIES
#include "memrev/Codegen/GPU/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::simt;

/// Whether an operation that `kernel` is made of, or `kernel` itself, is for a
/// library.
static bool isForLibrary(func::FuncOp kernel) {
  return kernel
      ->walk([](Operation *op) {
        auto engine = op->getAttrOfType<StringAttr>(kEngineAttr);
        return engine && engine.getValue() == "vendor" ? WalkResult::interrupt()
                                                       : WalkResult::advance();
      })
      .wasInterrupted();
}

namespace {
struct GPUCallLibrariesPass
    : memrev::impl::GPUCallLibrariesBase<GPUCallLibrariesPass> {
  using Base::Base;

  LogicalResult initialize(MLIRContext *context) override {
    return parseTarget(context, chip, fp32Precision, "to call libraries on",
                       description, precision);
  }

  void runOnOperation() override {
    SmallVector<func::FuncOp> kernels;
    for (auto func : getOperation().getOps<func::FuncOp>()) {
      if (!func->hasAttr(kKernelAttr) || func.isExternal())
        continue;
      auto engine = func->getAttrOfType<StringAttr>(kEngineAttr);
      if (func->hasAttr(kEngineAttr) &&
          !(engine &&
            llvm::is_contained({"generated", "vendor"}, engine.getValue()))) {
        func.emitOpError("expects '")
            << kEngineAttr << "' to be generated or vendor, but got "
            << func->getAttr(kEngineAttr);
        return signalPassFailure();
      }
      if (isForLibrary(func))
        kernels.push_back(func);
    }
    for (func::FuncOp kernel : kernels)
      replace(kernel);
  }

private:
  /// Leaves the kernel alone, with a remark, if no library runs it.
  void replace(func::FuncOp kernel) {
    std::string reason;
    FailureOr<Problem> problem =
        buildProblem(kernel, Contractions::Widening, reason);
    if (succeeded(problem)) {
      auto product =
          MatmulCall::get(*problem, kernel, description, precision, reason);
      if (succeeded(product))
        return replace(kernel, *product);
      std::string other;
      auto match = readConvolution(*problem, kernel, precision, other);
      if (succeeded(match))
        return replace(kernel, *problem, *match);
      if (hasWindows(*problem))
        reason = other;
    }
    kernel->walk([](Operation *op) { op->removeAttr(kEngineAttr); });
    reportMissed(kernel, "CallLibrary", "gpu-call-libraries",
                 "'" + kernel.getSymName() + "' is generated because " +
                     reason);
  }

  /// Makes `kernel` a function that gives a declared kernel, which the library
  /// is called for, a workspace.
  void replace(func::FuncOp kernel, MatmulCall call) {
    copyConstants(kernel);
    int64_t destination = getDestinationArgument(kernel, 0);
    RankedTensorType workspace = getWorkspaceType(call.workspaceBytes);
    SmallVector<Type> types(kernel.getArgumentTypes());
    types.insert(types.begin() + destination, workspace);
    call.workspace = destination;
    for (MatrixOperand *operand : {&call.a, &call.b, &call.c, &call.d})
      operand->argument += operand->argument >= destination;
    func::FuncOp library = declare(kernel, types, destination + 1);
    library->setAttr(kMatmulAttr, call.toAttribute(&getContext()));
    setAccesses(library, call);

    OpBuilder builder(&getContext());
    SmallVector<Value> operands = emptyBody(kernel, builder);
    operands.insert(operands.begin() + destination,
                    createEmpty(builder, kernel, workspace));
    auto result =
        func::CallOp::create(builder, kernel.getLoc(), library, operands);
    func::ReturnOp::create(builder, kernel.getLoc(), result.getResult(1));
  }

  /// The same for a convolution, with the filter in the library's order: copied
  /// before the call or, if it is the gradient, after it.
  void replace(func::FuncOp kernel, const Problem &problem,
               const ConvolutionMatch &match) {
    copyConstants(kernel);
    ConvolutionCall call = match.call;
    bool isForward = call.kind == ConvolutionCall::Kind::Forward;
    int64_t destination = getDestinationArgument(kernel, 0);
    RankedTensorType workspace = getWorkspaceType(call.workspaceBytes);
    RankedTensorType filter = getFilterType(match, problem);
    Type result = kernel.getArgumentTypes()[destination];
    FilterKernel copy = isForward ? createFilterCopy(kernel, problem, match)
                                  : createGradientCopy(kernel, problem, match);
    SymbolTable(getOperation()).insert(copy.function);

    // The filter is in front of the workspace, or the destination behind it.
    SmallVector<Type> types(kernel.getArgumentTypes().take_front(destination));
    if (isForward) {
      call.filter.argument = types.size();
      types.push_back(filter);
    }
    call.workspace = types.size();
    types.append({workspace, isForward ? result : Type(filter)});
    (isForward ? call.result : call.filter).argument = types.size() - 1;
    func::FuncOp library = declare(kernel, types, types.size() - 1);
    library->setAttr(kConvolutionAttr, call.toAttribute(&getContext()));
    setAccesses(library, call);

    OpBuilder builder(&getContext());
    Location loc = kernel.getLoc();
    SmallVector<Value> given = emptyBody(kernel, builder);
    SmallVector<Value> operands(given.begin(), given.begin() + destination);
    SmallVector<Value> ofCopy;
    for (int64_t number : copy.arguments)
      ofCopy.push_back(given[number]);
    Value space = createEmpty(builder, kernel, filter);
    if (isForward) {
      ofCopy.push_back(space);
      operands.push_back(
          func::CallOp::create(builder, loc, copy.function, ofCopy)
              .getResult(0));
    }
    operands.push_back(createEmpty(builder, kernel, workspace));
    operands.push_back(isForward ? given[destination] : space);
    Value computed =
        func::CallOp::create(builder, loc, library, operands).getResult(1);
    if (!isForward) {
      ofCopy.insert(ofCopy.begin(), computed);
      computed = func::CallOp::create(builder, loc, copy.function, ofCopy)
                     .getResult(0);
    }
    func::ReturnOp::create(builder, loc, computed);
  }

  /// Brings constants that calls of `kernel` have for operands to the device.
  void copyConstants(func::FuncOp kernel) {
    auto uses = SymbolTable::getSymbolUses(kernel, getOperation());
    for (SymbolTable::SymbolUse use : *uses)
      for (OpOperand &operand : use.getUser()->getOpOperands())
        copyIfConstant(operand);
  }

  RankedTensorType getWorkspaceType(int64_t bytes) {
    return RankedTensorType::get({bytes + kWorkspaceAlignment},
                                 IntegerType::get(&getContext(), 8));
  }

  static Value createEmpty(OpBuilder &builder, func::FuncOp kernel,
                           RankedTensorType type) {
    return tensor::EmptyOp::create(builder, kernel.getLoc(), type.getShape(),
                                   type.getElementType());
  }

  /// Declares what the library computes for `kernel`, with the workspace and
  /// argument `destination`, the last two, as its results.
  func::FuncOp declare(func::FuncOp kernel, ArrayRef<Type> types,
                       int64_t destination) {
    OpBuilder builder(kernel);
    auto library = func::FuncOp::create(
        builder, kernel.getLoc(), (kernel.getName() + "_library").str(),
        builder.getFunctionType(types,
                                {types[destination - 1], types[destination]}));
    library.setPrivate();
    SymbolTable(getOperation()).insert(library);
    library->setAttr(kKernelAttr, builder.getUnitAttr());
    return library;
  }

  template <typename Call>
  static void setAccesses(func::FuncOp library, const Call &call) {
    for (auto [number, type] : llvm::enumerate(library.getArgumentTypes()))
      if (isa<TensorType>(type))
        setArgumentAccess(library, number, getAccess(call, library, number));
  }

  /// Makes `kernel` an ordinary function without operations, which `builder`
  /// then appends to. Returns its arguments.
  static SmallVector<Value> emptyBody(func::FuncOp kernel, OpBuilder &builder) {
    kernel.getBody().getBlocks().clear();
    kernel->removeAttr(kKernelAttr);
    kernel->removeAttr(kEngineAttr);
    Block *entry = kernel.addEntryBlock();
    builder.setInsertionPointToStart(entry);
    return SmallVector<Value>(entry->getArguments());
  }

  static ArgumentAccess getAccess(const ConvolutionCall &call,
                                  func::FuncOp library, int64_t number) {
    if (number == call.workspace)
      return ArgumentAccess::Write;
    if (number == call.getWritten().argument)
      return call.overwritesAll(library) ? ArgumentAccess::Write
                                         : ArgumentAccess::ReadWrite;
    bool isRead = number == call.image.argument ||
                  number == call.filter.argument ||
                  number == call.result.argument;
    return isRead ? ArgumentAccess::Read : ArgumentAccess::None;
  }

  static ArgumentAccess getAccess(const MatmulCall &call, func::FuncOp library,
                                  int64_t number) {
    if (number == call.workspace)
      return ArgumentAccess::Write;
    if (number == call.d.argument)
      return call.overwritesAll(library) ? ArgumentAccess::Write
                                         : ArgumentAccess::ReadWrite;
    bool isRead = number == call.a.argument || number == call.b.argument ||
                  (call.accumulates && number == call.c.argument);
    return isRead ? ArgumentAccess::Read : ArgumentAccess::None;
  }

  Chip description;
  FP32Precision precision = FP32Precision::IEEE;
};
} // namespace
