//===- CallLibraries.cpp - Kernels that libraries compute -----------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CopyConstants.h"
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
    Location loc = UnknownLoc::get(context);
    FailureOr<Chip> known = Chip::get(chip);
    if (failed(known))
      return emitError(loc)
             << "expects a chip to call libraries on, sm_90 for example, but "
                "got '"
             << chip << "'";
    description = *known;
    std::optional<FP32Precision> parsed = parseFP32Precision(fp32Precision);
    if (!parsed)
      return emitError(loc)
             << "expects fp32-precision to be ieee, tf32 or tf32x3 to call "
                "libraries, but got '"
             << fp32Precision << "'";
    precision = *parsed;
    return success();
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
    FailureOr<MatmulCall> call = failure();
    if (succeeded(problem))
      call = MatmulCall::get(*problem, kernel, description, precision, reason);
    if (succeeded(call))
      return replace(kernel, *call);
    kernel->walk([](Operation *op) { op->removeAttr(kEngineAttr); });
    reportMissed(kernel, "CallLibrary", "gpu-call-libraries",
                 "'" + kernel.getSymName() + "' is generated because " +
                     reason);
  }

  /// Makes `kernel` a function that gives a declared kernel, which the library
  /// is called for, a workspace.
  void replace(func::FuncOp kernel, MatmulCall call) {
    auto uses = SymbolTable::getSymbolUses(kernel, getOperation());
    for (SymbolTable::SymbolUse use : *uses)
      for (OpOperand &operand : use.getUser()->getOpOperands())
        copyIfConstant(operand);

    Builder b(&getContext());
    int64_t destination = getDestinationArgument(kernel, 0);
    auto workspace = RankedTensorType::get(
        {call.workspaceBytes + kWorkspaceAlignment}, b.getI8Type());
    SmallVector<Type> types(kernel.getArgumentTypes());
    types.insert(types.begin() + destination, workspace);
    Type resultType = kernel.getResultTypes().front();
    call.workspace = destination;
    for (MatrixOperand *operand : {&call.a, &call.b, &call.c, &call.d})
      operand->argument += operand->argument >= destination;

    OpBuilder builder(kernel);
    auto library = func::FuncOp::create(
        builder, kernel.getLoc(), (kernel.getName() + "_library").str(),
        builder.getFunctionType(types, {workspace, resultType}));
    library.setPrivate();
    SymbolTable(getOperation()).insert(library);
    library->setAttr(kKernelAttr, builder.getUnitAttr());
    library->setAttr(kMatmulAttr, call.toAttribute(&getContext()));
    for (auto [number, type] : llvm::enumerate(types))
      if (isa<TensorType>(type))
        setArgumentAccess(library, number, getAccess(call, library, number));

    kernel.getBody().getBlocks().clear();
    kernel->removeAttr(kKernelAttr);
    kernel->removeAttr(kEngineAttr);
    Block *entry = kernel.addEntryBlock();
    builder.setInsertionPointToStart(entry);
    SmallVector<Value> operands(entry->getArguments());
    operands.insert(operands.begin() + destination,
                    tensor::EmptyOp::create(builder, kernel.getLoc(),
                                            workspace.getShape(),
                                            workspace.getElementType()));
    auto result =
        func::CallOp::create(builder, kernel.getLoc(), library, operands);
    func::ReturnOp::create(builder, kernel.getLoc(), result.getResult(1));
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
