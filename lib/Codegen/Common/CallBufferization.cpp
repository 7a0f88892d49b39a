//===- CallBufferization.cpp - Bufferization of calls with many tensors ---===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A derivative takes and returns a tensor for each parameter of a network: a
// thousand. Upstream's model of func.call answers "which operands does this
// result alias?" by asking each operand for its results, and each answer copies
// what is known about the whole callee: cubic in the tensors of a call, for
// each step of the analysis. Here each answer is one look-up.
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/CallBufferization.h"
#include "memrev/Codegen/Common/DeclaredKernel.h"
#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Transforms/FuncBufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/DialectRegistry.h"

using namespace mlir;
using namespace mlir::bufferization;
using namespace mlir::memrev;
using func_ext::FuncAnalysisState;
using func_ext::FuncOpAnalysisState;

/// What the analysis knows about functions, or null if it is not for functions.
static const FuncAnalysisState *getFunctions(const AnalysisState &state) {
  if (!isa<OneShotAnalysisState>(state))
    return nullptr;
  return static_cast<const OneShotAnalysisState &>(state)
      .getExtension<FuncAnalysisState>();
}

static func::FuncOp getCallee(func::CallOp call,
                              SymbolTableCollection &symbols) {
  return symbols.lookupNearestSymbolFrom<func::FuncOp>(call,
                                                       call.getCalleeAttr());
}

/// The callee if the analysis is done with it, else null: then nothing is
/// known.
static func::FuncOp getAnalyzedCallee(func::CallOp call,
                                      const FuncAnalysisState *functions) {
  if (!functions)
    return {};
  func::FuncOp callee = getCallee(call, functions->symbolTables);
  auto it = functions->analyzedFuncOps.find(callee);
  if (!callee || it == functions->analyzedFuncOps.end() ||
      it->second != FuncOpAnalysisState::Analyzed)
    return {};
  return callee;
}

/// True if `sets` does not rule argument `number` of the callee out.
static bool
mayContain(const DenseMap<func::FuncOp, FuncAnalysisState::BbArgIndexSet> &sets,
           func::FuncOp callee, unsigned number) {
  if (!callee)
    return true;
  auto it = sets.find(callee);
  return it != sets.end() && it->second.contains(number);
}

/// The callee if it is a kernel without a body, which says itself what it does.
static func::FuncOp getDeclaredKernel(func::CallOp call,
                                      const FuncAnalysisState *functions) {
  if (!functions)
    return {};
  func::FuncOp callee = getCallee(call, functions->symbolTables);
  return callee && isDeclaredKernel(callee) ? callee : func::FuncOp();
}

/// The relation of argument `argument` of `callee` to its result `result`.
static BufferRelation getRelation(const FuncAnalysisState &functions,
                                  func::FuncOp callee, int64_t result,
                                  int64_t argument) {
  auto it = functions.equivalentFuncArgs.find(callee);
  if (it == functions.equivalentFuncArgs.end())
    return BufferRelation::Unknown;
  auto equivalent = it->second.find(result);
  return equivalent != it->second.end() && equivalent->second == argument
             ? BufferRelation::Equivalent
             : BufferRelation::Unknown;
}

namespace {

struct CallModel
    : BufferizableOpInterface::ExternalModel<CallModel, func::CallOp> {
  bool bufferizesToMemoryRead(Operation *op, OpOperand &operand,
                              const AnalysisState &state) const {
    const FuncAnalysisState *functions = getFunctions(state);
    if (func::FuncOp kernel =
            getDeclaredKernel(cast<func::CallOp>(op), functions))
      return readsArgument(kernel, operand.getOperandNumber());
    func::FuncOp callee = getAnalyzedCallee(cast<func::CallOp>(op), functions);
    return !callee || mayContain(functions->readBbArgs, callee,
                                 operand.getOperandNumber());
  }

  bool bufferizesToMemoryWrite(Operation *op, OpOperand &operand,
                               const AnalysisState &state) const {
    const FuncAnalysisState *functions = getFunctions(state);
    if (func::FuncOp kernel =
            getDeclaredKernel(cast<func::CallOp>(op), functions))
      return writesArgument(kernel, operand.getOperandNumber());
    func::FuncOp callee = getAnalyzedCallee(cast<func::CallOp>(op), functions);
    return !callee || mayContain(functions->writtenBbArgs, callee,
                                 operand.getOperandNumber());
  }

  AliasingValueList getAliasingValues(Operation *op, OpOperand &operand,
                                      const AnalysisState &state) const {
    const FuncAnalysisState *functions = getFunctions(state);
    AliasingValueList values;
    if (func::FuncOp kernel =
            getDeclaredKernel(cast<func::CallOp>(op), functions)) {
      unsigned first = getDestinationArgument(kernel, 0);
      if (operand.getOperandNumber() >= first)
        values.addAlias({op->getResult(operand.getOperandNumber() - first),
                         BufferRelation::Equivalent});
      return values;
    }
    func::FuncOp callee = getAnalyzedCallee(cast<func::CallOp>(op), functions);
    if (!callee)
      return bufferization::detail::unknownGetAliasingValues(operand);
    auto known = functions->aliasingReturnVals.find(callee);
    if (known == functions->aliasingReturnVals.end())
      return values;
    int64_t number = operand.getOperandNumber();
    auto results = known->second.find(number);
    if (results == known->second.end())
      return values;
    for (int64_t result : results->second) {
      BufferRelation relation = getRelation(*functions, callee, result, number);
      // Only an equivalent result is certain, and only if it is the only one.
      bool certain =
          results->second.size() == 1 && relation == BufferRelation::Equivalent;
      values.addAlias({op->getResult(result), relation, certain});
    }
    return values;
  }

  AliasingOpOperandList
  getAliasingOpOperands(Operation *op, Value value,
                        const AnalysisState &state) const {
    const FuncAnalysisState *functions = getFunctions(state);
    AliasingOpOperandList operands;
    if (func::FuncOp kernel =
            getDeclaredKernel(cast<func::CallOp>(op), functions)) {
      unsigned number = getDestinationArgument(
          kernel, cast<OpResult>(value).getResultNumber());
      operands.addAlias(
          {&op->getOpOperand(number), BufferRelation::Equivalent});
      return operands;
    }
    func::FuncOp callee = getAnalyzedCallee(cast<func::CallOp>(op), functions);
    if (!callee)
      return bufferization::detail::defaultGetAliasingOpOperands(value, state);
    auto known = functions->aliasingReturnVals.find(callee);
    if (known == functions->aliasingReturnVals.end())
      return operands;
    int64_t result = cast<OpResult>(value).getResultNumber();
    for (OpOperand &operand : op->getOpOperands()) {
      int64_t number = operand.getOperandNumber();
      auto results = known->second.find(number);
      if (results == known->second.end() ||
          !llvm::is_contained(results->second, result))
        continue;
      BufferRelation relation = getRelation(*functions, callee, result, number);
      operands.addAlias(
          {&operand, relation, relation == BufferRelation::Equivalent});
    }
    return operands;
  }

  FailureOr<BufferLikeType> getBufferType(Operation *op, Value value,
                                          const BufferizationOptions &options,
                                          const BufferizationState &state,
                                          SmallVector<Value> &) const {
    auto symbol = cast<func::CallOp>(op).getCalleeAttr();
    // The collection caches the module's table; only the look-up is logical
    // const.
    auto &symbols = const_cast<BufferizationState &>(state).getSymbolTables();
    auto callee = symbols.lookupNearestSymbolFrom<func::FuncOp>(op, symbol);
    Type type = callee.getFunctionType().getResult(
        cast<OpResult>(value).getResultNumber());
    if (auto buffer = dyn_cast<BufferLikeType>(type))
      return buffer;
    auto tensor = cast<TensorLikeType>(type);
    return cast<BufferLikeType>(options.functionArgTypeConverterFn(
        tensor, *options.defaultMemorySpaceFn(cast<TensorType>(type)), callee,
        options));
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    auto call = cast<func::CallOp>(op);
    func::FuncOp callee = getCallee(call, state.getSymbolTables());
    FunctionType type = callee.getFunctionType();
    SmallVector<Type> resultTypes;
    for (Value result : call.getResults()) {
      if (!isa<TensorType>(result.getType())) {
        resultTypes.push_back(result.getType());
        continue;
      }
      FailureOr<BufferLikeType> buffer =
          bufferization::getBufferType(result, options, state);
      if (failed(buffer))
        return failure();
      resultTypes.push_back(*buffer);
    }
    SmallVector<Value> operands;
    for (OpOperand &operand : call->getOpOperands()) {
      if (!isa<TensorType>(operand.get().getType())) {
        operands.push_back(operand.get());
        continue;
      }
      FailureOr<Value> buffer =
          getBuffer(rewriter, operand.get(), options, state);
      if (failed(buffer))
        return failure();
      auto expected =
          dyn_cast<MemRefType>(type.getInput(operand.getOperandNumber()));
      if (expected && buffer->getType() != expected) {
        buffer = castOrReallocMemRefValue(rewriter, *buffer, expected, options);
        if (failed(buffer))
          return failure();
      }
      operands.push_back(*buffer);
    }
    auto replacement = func::CallOp::create(
        rewriter, call.getLoc(), call.getCallee(), resultTypes, operands);
    replacement->setAttrs(call->getAttrs());
    replaceOpWithBufferizedValues(rewriter, op, replacement->getResults());
    return success();
  }
};

} // namespace

void memrev::registerCallBufferization(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, func::FuncDialect *) {
    func::CallOp::attachInterface<CallModel>(*context);
  });
}
