//===- TransformOps.cpp - Operations that stand for derivatives -----------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Dialect/Rev/IR/Rev.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/OpImplementation.h"
#include "llvm/ADT/SmallSet.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::rev;

// EnumAttr's own printer puts a space before the keyword.
static ParseResult parsePolicy(OpAsmParser &parser, PolicyAttr &policy) {
  StringRef keyword;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseKeyword(&keyword))
    return failure();
  std::optional<Policy> value = symbolizePolicy(keyword);
  if (!value)
    return parser.emitError(loc,
                            "expects a policy 'invert' or 'store', but got '")
           << keyword << "'";
  policy = PolicyAttr::get(parser.getContext(), *value);
  return success();
}

static void printPolicy(OpAsmPrinter &printer, Operation *, PolicyAttr policy) {
  printer << stringifyPolicy(policy.getValue());
}

#define GET_OP_CLASSES
#include "memrev/Dialect/Rev/IR/RevOps.cpp.inc"

bool rev::isTransform(Operation *op) {
  return isa<VjpOp, ValueAndGradOp, JvpOp, InverseOp, LogDetOp>(op);
}

//===----------------------------------------------------------------------===//
// Verification of symbol uses
//===----------------------------------------------------------------------===//

/// Returns the function that `op` transforms, or null after an error.
static func::FuncOp resolveCallee(Operation *op, FlatSymbolRefAttr name,
                                  SymbolTableCollection &symbols) {
  auto callee = symbols.lookupNearestSymbolFrom<func::FuncOp>(op, name);
  if (!callee) {
    op->emitOpError("expects the name of a function, but got '@")
        << name.getValue() << "'";
    return {};
  }
  bool hasRule = isa<InverseOp>(op)  ? callee->hasAttr(kInverseAttrName)
                 : isa<LogDetOp>(op) ? callee->hasAttr(kLogDetAttrName) ||
                                           callee->hasAttr(kInverseAttrName)
                                     : callee->hasAttr(kCustomVjpAttrName) ||
                                           callee->hasAttr(kCustomJvpAttrName);
  if (!hasRule && !llvm::hasSingleElement(callee.getBody())) {
    InFlightDiagnostic diag =
        op->emitOpError("expects a function with a body of one block, but '@")
        << name.getValue() << "' has " << callee.getBody().getBlocks().size();
    diag.attachNote(callee.getLoc()) << "function defined here";
    return {};
  }
  return callee;
}

/// Verifies that `indices` are distinct numbers of `types`, and of
/// differentiable ones if `floats` is set.
static LogicalResult verifyIndices(Operation *op, StringRef clause,
                                   StringRef what, ArrayRef<int64_t> indices,
                                   TypeRange types, bool floats) {
  llvm::SmallSet<int64_t, 8> seen;
  for (int64_t index : indices) {
    if (index < 0 || index >= static_cast<int64_t>(types.size()))
      return op->emitOpError("expects '")
             << clause << "' to hold numbers of " << what << "s below "
             << types.size() << ", but got " << index;
    if (!seen.insert(index).second)
      return op->emitOpError("expects '")
             << clause << "' to hold distinct numbers, but got " << index
             << " twice";
    if (floats && !isDifferentiable(types[index]))
      return op->emitOpError("expects '")
             << clause << "' to hold " << what
             << "s with a float element type, but " << what << " " << index
             << " has type " << types[index];
  }
  return success();
}

static LogicalResult verifyTypes(Operation *op, StringRef what,
                                 TypeRange expected, TypeRange actual) {
  if (llvm::equal(expected, actual))
    return success();
  return op->emitOpError("expects ") << what << " of types (" << expected
                                     << "), but got (" << actual << ")";
}

static SmallVector<Type> select(ArrayRef<int64_t> indices,
                                ArrayRef<Type> types) {
  return llvm::map_to_vector(indices, [&](int64_t i) { return types[i]; });
}

namespace {
/// The types of what a derivative is of.
struct Differentiated {
  ArrayRef<Type> results;
  SmallVector<Type> wrt, of;
};
} // namespace

/// Verifies the arguments of `op` and what it differentiates: constraints 1 to
/// 4 of vjp and jvp.
template <typename OpTy>
static FailureOr<Differentiated>
verifyDifferentiated(OpTy op, SymbolTableCollection &symbols) {
  func::FuncOp callee = resolveCallee(op, op.getCalleeAttr(), symbols);
  if (!callee)
    return failure();
  ArrayRef<Type> argTypes = callee.getArgumentTypes();
  ArrayRef<Type> resultTypes = callee.getResultTypes();
  SmallVector<int64_t> wrt = getDifferentiated(op.getWrt(), argTypes);
  SmallVector<int64_t> of = getDifferentiated(op.getOf(), resultTypes);
  if (failed(verifyTypes(op, "arguments", argTypes, op.getArgs().getTypes())) ||
      failed(verifyIndices(op, "wrt", "argument", wrt, argTypes, true)) ||
      failed(verifyIndices(op, "of", "result", of, resultTypes, true)))
    return failure();
  return Differentiated{resultTypes, select(wrt, argTypes),
                        select(of, resultTypes)};
}

LogicalResult VjpOp::verifySymbolUses(SymbolTableCollection &symbols) {
  // vjp_c1 to vjp_c4
  FailureOr<Differentiated> types = verifyDifferentiated(*this, symbols);
  if (failed(types))
    return failure();
  // vjp_c5, vjp_c6
  if (failed(verifyTypes(*this, "cotangents", types->of,
                         getCotangents().getTypes())))
    return failure();
  return verifyTypes(*this, "results", types->wrt, getResultTypes());
}

LogicalResult ValueAndGradOp::verifySymbolUses(SymbolTableCollection &symbols) {
  // value_and_grad_c1
  func::FuncOp callee = resolveCallee(*this, getCalleeAttr(), symbols);
  if (!callee)
    return failure();
  ArrayRef<Type> argTypes = callee.getArgumentTypes();
  SmallVector<int64_t> wrt = getDifferentiated(getWrt(), argTypes);
  // value_and_grad_c2, value_and_grad_c3
  if (failed(verifyTypes(*this, "arguments", argTypes, getArgs().getTypes())) ||
      failed(verifyIndices(*this, "wrt", "argument", wrt, argTypes, true)))
    return failure();
  // value_and_grad_c4
  if (callee.getNumResults() == 0)
    return emitOpError("expects a function with a result");
  Type loss = callee.getResultTypes()[0];
  auto tensor = dyn_cast<RankedTensorType>(loss);
  if (!isDifferentiable(loss) || !isa<FloatType>(getElementTypeOrSelf(loss)) ||
      (tensor && tensor.getRank() != 0))
    return emitOpError("expects a float as result 0 of the function, but got ")
           << loss;
  // value_and_grad_c5
  SmallVector<Type> expected(callee.getResultTypes());
  for (int64_t i : wrt)
    expected.push_back(argTypes[i]);
  return verifyTypes(*this, "results", expected, getResultTypes());
}

LogicalResult JvpOp::verifySymbolUses(SymbolTableCollection &symbols) {
  // jvp_c1 to jvp_c4
  FailureOr<Differentiated> types = verifyDifferentiated(*this, symbols);
  if (failed(types))
    return failure();
  // jvp_c5, jvp_c6
  if (failed(
          verifyTypes(*this, "tangents", types->wrt, getTangents().getTypes())))
    return failure();
  SmallVector<Type> expected(types->results);
  llvm::append_range(expected, types->of);
  return verifyTypes(*this, "results", expected, getResultTypes());
}

LogicalResult InverseOp::verifySymbolUses(SymbolTableCollection &symbols) {
  // inverse_c1
  func::FuncOp callee = resolveCallee(*this, getCalleeAttr(), symbols);
  if (!callee)
    return failure();
  ArrayRef<Type> argTypes = callee.getArgumentTypes();
  SmallVector<int64_t> wrt =
      getWrt() ? SmallVector<int64_t>(*getWrt()) : SmallVector<int64_t>{0};
  // inverse_c3
  if (failed(verifyIndices(*this, "wrt", "argument", wrt, argTypes, false)))
    return failure();
  // inverse_c2, inverse_c4
  SmallVector<Type> inputs(callee.getResultTypes()), outputs;
  for (auto [i, type] : llvm::enumerate(argTypes))
    if (!llvm::is_contained(wrt, static_cast<int64_t>(i)))
      inputs.push_back(type);
  for (int64_t i : wrt)
    outputs.push_back(argTypes[i]);
  if (failed(verifyTypes(*this, "inputs", inputs, getInputs().getTypes())))
    return failure();
  return verifyTypes(*this, "results", outputs, getResultTypes());
}

/// The type of a log-determinant of functions of values of the types `wrt`, or
/// null after an error.
static RankedTensorType getLogDetType(LogDetOp op, ArrayRef<int64_t> wrt,
                                      ArrayRef<Type> arguments) {
  RankedTensorType found;
  int64_t batch = op.getBatchDim();
  for (int64_t i : wrt) {
    auto type = dyn_cast<RankedTensorType>(arguments[i]);
    if (!type || !isa<FloatType>(type.getElementType()) || batch < 0 ||
        batch >= type.getRank()) {
      op.emitOpError("expects 'wrt' to hold tensors of floats with the "
                     "dimension ")
          << batch << ", but argument " << i << " has type " << arguments[i];
      return {};
    }
    auto samples =
        RankedTensorType::get({type.getDimSize(batch)}, type.getElementType());
    if (found && samples != found) {
      op.emitOpError("expects arguments 'wrt' with samples of type ")
          << found << ", but argument " << i << " has " << samples;
      return {};
    }
    found = samples;
  }
  if (!found)
    op.emitOpError("expects 'wrt' to hold an argument, but got none");
  return found;
}

LogicalResult LogDetOp::verifySymbolUses(SymbolTableCollection &symbols) {
  // log_det_c1
  func::FuncOp callee = resolveCallee(*this, getCalleeAttr(), symbols);
  if (!callee)
    return failure();
  ArrayRef<Type> argTypes = callee.getArgumentTypes();
  SmallVector<int64_t> wrt =
      getWrt() ? SmallVector<int64_t>(*getWrt()) : SmallVector<int64_t>{0};
  SmallVector<int64_t> of =
      getOf() ? SmallVector<int64_t>(*getOf()) : SmallVector<int64_t>();
  // log_det_c2 to log_det_c4
  if (failed(verifyTypes(*this, "arguments", argTypes, getArgs().getTypes())) ||
      failed(verifyIndices(*this, "wrt", "argument", wrt, argTypes, true)) ||
      failed(verifyIndices(*this, "of", "result", of, callee.getResultTypes(),
                           true)))
    return failure();
  RankedTensorType logDet = getLogDetType(*this, wrt, argTypes);
  if (!logDet)
    return failure();
  // log_det_c5
  SmallVector<Type> expected(callee.getResultTypes());
  expected.push_back(logDet);
  return verifyTypes(*this, "results", expected, getResultTypes());
}
