//===- RevDialect.cpp - The rev dialect -----------------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Dialect/Rev/IR/Rev.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::rev;

#include "memrev/Dialect/Rev/IR/RevDialect.cpp.inc"
#include "memrev/Dialect/Rev/IR/RevEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "memrev/Dialect/Rev/IR/RevAttrs.cpp.inc"

void RevDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "memrev/Dialect/Rev/IR/RevOps.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "memrev/Dialect/Rev/IR/RevAttrs.cpp.inc"
      >();
}

/// Discardable attributes that mean something only on a function.
static LogicalResult verifyCustomRule(Operation *op, NamedAttribute attribute,
                                      bool hasRightKind, StringRef kind) {
  if (!isa<FunctionOpInterface>(op))
    return op->emitError("expects '")
           << attribute.getName().getValue() << "' on a function";
  if (!hasRightKind)
    return op->emitError("expects '")
           << attribute.getName().getValue() << "' to be " << kind
           << ", but got " << attribute.getValue();
  return success();
}

static LogicalResult verifySideResults(Operation *op,
                                       NamedAttribute attribute) {
  if (!op->hasAttr(kInverseAttrName))
    return op->emitError("expects '")
           << kSideResultsAttrName << "' beside '" << kInverseAttrName << "'";
  // Later stages make results arguments: whether there are so many is asked
  // where the inverse is.
  auto number = dyn_cast<IntegerAttr>(attribute.getValue());
  if (number && number.getType().isInteger(64) && number.getInt() >= 0)
    return success();
  return op->emitError("expects '")
         << kSideResultsAttrName << "' to be an i64 of at least 0, but got "
         << attribute.getValue();
}

static LogicalResult verifyCheckpoint(Operation *op, NamedAttribute attribute) {
  if (!isa<scf::ForOp, scf::WhileOp>(op))
    return op->emitError("expects 'rev.checkpoint' on an scf.for or scf.while");
  if (!isa<PeriodicAttr, BinomialAttr>(attribute.getValue()))
    return op->emitError("expects 'rev.checkpoint' to be a #rev.periodic or "
                         "#rev.binomial, but got ")
           << attribute.getValue();
  return success();
}

/// A number that is at least `least`, or more than that.
static LogicalResult verifyNumber(Operation *op, NamedAttribute attribute,
                                  double least, bool isIncluded) {
  auto number = dyn_cast<FloatAttr>(attribute.getValue());
  if (number && number.getType().isF64()) {
    double value = number.getValueAsDouble();
    if (isIncluded ? value >= least : value > least)
      return success();
  }
  return op->emitError("expects '")
         << attribute.getName().getValue() << "' to be an f64 "
         << (isIncluded ? "of at least " : "above ") << int64_t(least)
         << ", but got " << attribute.getValue();
}

LogicalResult RevDialect::verifyOperationAttribute(Operation *op,
                                                   NamedAttribute attribute) {
  if (attribute.getName() == kCustomVjpAttrName)
    return verifyCustomRule(op, attribute,
                            isa<CustomVjpAttr>(attribute.getValue()),
                            "a #rev.custom_vjp");
  if (attribute.getName() == kCustomJvpAttrName ||
      attribute.getName() == kInverseAttrName ||
      attribute.getName() == kLogDetAttrName)
    return verifyCustomRule(op, attribute,
                            isa<FlatSymbolRefAttr>(attribute.getValue()),
                            "the name of a function");
  if (attribute.getName() == kSideResultsAttrName)
    return verifySideResults(op, attribute);
  if (attribute.getName() == kCheckpointAttrName)
    return verifyCheckpoint(op, attribute);
  if (attribute.getName() == kDriftToleranceAttrName)
    return verifyNumber(op, attribute, 0, /*isIncluded=*/false);
  if (attribute.getName() == kCheckDriftAttrName &&
      !(isa<ModuleOp>(op) && isa<UnitAttr>(attribute.getValue())))
    return op->emitError("expects '")
           << kCheckDriftAttrName
           << "' to be a unit attribute of a module, but got "
           << attribute.getValue() << " on '" << op->getName() << "'";
  if (attribute.getName() == kGainAttrName)
    return verifyNumber(op, attribute, 1, /*isIncluded=*/true);
  return success();
}

/// Attributes of an argument or a result, which `what` says.
static LogicalResult verifyParameterAttribute(Operation *op, StringRef what,
                                              unsigned index,
                                              NamedAttribute attribute) {
  StringRef name = attribute.getName();
  if ((name == kNameAttrName || name == kResidualAttrName) &&
      !isa<StringAttr>(attribute.getValue()))
    return op->emitError("expects '")
           << name << "' of " << what << " #" << index
           << " to be a string, but got " << attribute.getValue();
  return success();
}

LogicalResult RevDialect::verifyRegionArgAttribute(Operation *op,
                                                   unsigned /*regionIndex*/,
                                                   unsigned argIndex,
                                                   NamedAttribute attribute) {
  return verifyParameterAttribute(op, "argument", argIndex, attribute);
}

LogicalResult
RevDialect::verifyRegionResultAttribute(Operation *op, unsigned /*regionIndex*/,
                                        unsigned resultIndex,
                                        NamedAttribute attribute) {
  return verifyParameterAttribute(op, "result", resultIndex, attribute);
}

//===----------------------------------------------------------------------===//
// Checkpointing
//===----------------------------------------------------------------------===//

LogicalResult PeriodicAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                   int64_t period) {
  if (period < 1)
    return emitError() << "expects a positive period, but got " << period;
  return success();
}

LogicalResult BinomialAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                   int64_t slots) {
  if (slots < 1)
    return emitError() << "expects a positive number of slots, but got "
                       << slots;
  return success();
}

//===----------------------------------------------------------------------===//
// Differentiable types
//===----------------------------------------------------------------------===//

bool rev::isDifferentiable(Type type) {
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    type = tensor.getElementType();
  if (auto complex = dyn_cast<ComplexType>(type))
    type = complex.getElementType();
  return isa<FloatType>(type);
}

SmallVector<int64_t>
rev::getDifferentiated(std::optional<ArrayRef<int64_t>> indices,
                       TypeRange types) {
  if (indices)
    return SmallVector<int64_t>(*indices);
  SmallVector<int64_t> result;
  for (auto [i, type] : llvm::enumerate(types))
    if (isDifferentiable(type))
      result.push_back(i);
  return result;
}
