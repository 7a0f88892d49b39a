//===- CouplingOp.cpp - The rev.coupling operation ------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Dialect/Rev/IR/Rev.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/CallInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::rev;

//===----------------------------------------------------------------------===//
// Parsing and printing
//===----------------------------------------------------------------------===//

ParseResult CouplingOp::parse(OpAsmParser &parser, OperationState &result) {
  BijectionAttrInterface kind;
  OpAsmParser::UnresolvedOperand coupled;
  SmallVector<OpAsmParser::UnresolvedOperand> given;
  if (parseBijection(parser, kind) || parser.parseOperand(coupled) ||
      parser.parseKeyword("given") ||
      parser.parseOperandList(given, OpAsmParser::Delimiter::Paren))
    return failure();
  result.addAttribute(getKindAttrName(result.name), kind);

  SMLoc logDetLoc = parser.getCurrentLocation();
  bool hasLogDet = succeeded(parser.parseOptionalKeyword("log_det"));
  if (parser.parseOptionalAttrDictWithKeyword(result.attributes) ||
      parser.parseRegion(*result.addRegion()))
    return failure();

  Type type;
  SmallVector<Type> givenTypes, furtherTypes;
  SMLoc typesLoc;
  if (parser.parseColonType(type) || parser.parseComma() ||
      parser.getCurrentLocation(&typesLoc) ||
      parser.parseCommaSeparatedList(OpAsmParser::Delimiter::Paren, [&] {
        return parser.parseType(givenTypes.emplace_back());
      }))
    return failure();
  // The type of the log-determinant, then those of the auxiliary results.
  if (parser.parseOptionalArrowTypeList(furtherTypes))
    return failure();
  if (hasLogDet && furtherTypes.empty())
    return parser.emitError(logDetLoc, "expects the type of the "
                                       "log-determinant, but got none");

  if (parser.resolveOperand(coupled, type, result.operands) ||
      parser.resolveOperands(given, givenTypes, typesLoc, result.operands))
    return failure();
  result.addTypes(type);
  result.addTypes(furtherTypes);
  int32_t numLogDets = hasLogDet ? 1 : 0;
  int32_t numFurther = furtherTypes.size();
  llvm::copy(
      ArrayRef<int32_t>{1, numLogDets, numFurther - numLogDets},
      result.getOrAddProperties<Properties>().resultSegmentSizes.begin());
  return success();
}

void CouplingOp::print(OpAsmPrinter &printer) {
  printer << ' ';
  printBijection(printer, getKind());
  printer << ' ' << getCoupled() << " given(" << getGiven() << ')';
  if (getLogDet())
    printer << " log_det";
  SmallVector<StringRef> elided{getKindAttrName(), getResultSegmentSizeAttr()};
  if (getBatchDim() == 0)
    elided.push_back(getBatchDimAttrName());
  printer.printOptionalAttrDictWithKeyword((*this)->getAttrs(), elided);
  printer << ' ';
  printer.printRegion(getBody());
  printer << " : " << getCoupled().getType() << ", (" << getGiven().getTypes()
          << ')';
  printer.printOptionalArrowTypeList(
      llvm::drop_begin((*this)->getResultTypes()));
}

//===----------------------------------------------------------------------===//
// Verification
//===----------------------------------------------------------------------===//

LogicalResult CouplingOp::verify() {
  auto type = cast<RankedTensorType>(getCoupled().getType());
  // coupling_c1
  if (!isa<FloatType>(type.getElementType()))
    return emitOpError("expects a coupled tensor of floats, but got ") << type;
  // coupling_c8
  if (failed(getKind().verifyElementType([&] { return emitOpError(); },
                                         cast<FloatType>(type.getElementType()))))
    return failure();

  // coupling_c6
  int64_t batch = getBatchDim();
  if (batch < 0 || batch >= std::max<int64_t>(type.getRank(), 1))
    return emitOpError("expects 'batch_dim' to be a dimension of ")
           << type << ", but got " << batch;
  if (!getLogDet())
    return success();
  if (type.getRank() == 0)
    return emitOpError("expects a coupled tensor with a batch dimension for "
                       "'log_det', but got ")
           << type;
  auto expected =
      RankedTensorType::get({type.getDimSize(batch)}, type.getElementType());
  if (getLogDet().getType() != expected)
    return emitOpError("expects a log-determinant of type ")
           << expected << ", but got " << getLogDet().getType();
  return success();
}

/// The first operation in `region` with side effects, or null. What a called
/// function does shows when it is inlined.
static Operation *findSideEffect(Region &region) {
  for (Operation &op : region.getOps()) {
    if (isa<CallOpInterface, VjpOp, ValueAndGradOp, JvpOp, InverseOp>(op) ||
        isMemoryEffectFree(&op))
      continue;
    if (!op.hasTrait<OpTrait::HasRecursiveMemoryEffects>() ||
        isa<MemoryEffectOpInterface>(op))
      return &op;
    for (Region &inner : op.getRegions())
      if (Operation *found = findSideEffect(inner))
        return found;
  }
  return nullptr;
}

LogicalResult CouplingOp::verifyRegions() {
  Block &block = getBody().front();
  // coupling_c2
  if (block.getArgumentTypes() != getGiven().getTypes())
    return emitOpError("expects region arguments of types (")
           << getGiven().getTypes() << "), but got ("
           << block.getArgumentTypes() << ")";

  // coupling_c3
  auto yield = block.empty() ? YieldOp() : dyn_cast<YieldOp>(block.back());
  if (!yield)
    return emitOpError("expects a region that ends with 'rev.yield'");
  unsigned numParameters = getKind().getNumParameters();
  unsigned count = numParameters + getAuxiliary().size();
  if (yield.getNumOperands() != count)
    return emitOpError("expects ")
           << count << " yielded values, but got " << yield.getNumOperands();
  for (Type type : getParameters().getTypes())
    if (type != getCoupled().getType()) {
      InFlightDiagnostic diag = emitOpError("expects yielded values of type ")
                                << getCoupled().getType() << ", but got "
                                << type;
      diag.attachNote(yield.getLoc()) << "yielded here";
      return diag;
    }

  // coupling_c7
  for (auto [i, result, yielded] :
       llvm::enumerate(getAuxiliary(), getYieldedAuxiliary()))
    if (result.getType() != yielded.getType()) {
      InFlightDiagnostic diag = emitOpError("expects auxiliary result ")
                                << i << " of type " << yielded.getType()
                                << ", but got " << result.getType();
      diag.attachNote(yield.getLoc()) << "yielded here";
      return diag;
    }

  // coupling_c4
  bool isOfTangents = (*this)->hasAttr(kOfTangentsAttrName);
  if (!isOfTangents && llvm::is_contained(getGiven(), getCoupled()))
    return emitOpError("expects given values other than the coupled value");
  Operation *reader = nullptr;
  getBody().walk([&](Operation *op) {
    if (isOfTangents || !llvm::is_contained(op->getOperands(), getCoupled()))
      return WalkResult::advance();
    reader = op;
    return WalkResult::interrupt();
  });
  if (reader) {
    InFlightDiagnostic diag =
        emitOpError("expects a region that does not read the coupled value");
    diag.attachNote(reader->getLoc()) << "read here";
    return diag;
  }

  // coupling_c5
  if (Operation *op = findSideEffect(getBody())) {
    InFlightDiagnostic diag =
        emitOpError("expects a region without side effects");
    diag.attachNote(op->getLoc()) << "first operation with side effects";
    return diag;
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Semantics
//===----------------------------------------------------------------------===//

OperandRange CouplingOp::getParameters() {
  return getBody().front().getTerminator()->getOperands().take_front(
      getKind().getNumParameters());
}

OperandRange CouplingOp::getYieldedAuxiliary() {
  return getBody().front().getTerminator()->getOperands().drop_front(
      getKind().getNumParameters());
}

Value CouplingOp::applyBijection(OpBuilder &builder, Value value,
                                 ValueRange parameters, bool inverse) {
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<AffineMap> maps(parameters.size() + 1,
                              builder.getMultiDimIdentityMap(type.getRank()));
  SmallVector<utils::IteratorType> iterators(type.getRank(),
                                             utils::IteratorType::parallel);
  auto body = [&](OpBuilder &b, Location loc, ValueRange args) {
    BijectionAttrInterface kind = getKind();
    Value x = args.back();
    Value y = inverse ? kind.buildInverse(b, loc, x, args.drop_back())
                      : kind.buildForward(b, loc, x, args.drop_back());
    linalg::YieldOp::create(b, loc, y);
  };
  return linalg::GenericOp::create(builder, getLoc(), TypeRange{type},
                                   parameters, ValueRange{value}, maps,
                                   iterators, body)
      .getResult(0);
}

Value CouplingOp::buildLogDet(OpBuilder &builder, Value coupled,
                              ValueRange parameters) {
  Location loc = getLoc();
  auto type = cast<RankedTensorType>(coupled.getType());
  auto resultType = cast<RankedTensorType>(getLogDet().getType());
  int64_t batch = getBatchDim();

  SmallVector<Value> dynamic;
  if (resultType.isDynamicDim(0))
    dynamic.push_back(tensor::DimOp::create(builder, loc, coupled, batch));
  Value empty = tensor::EmptyOp::create(builder, loc, resultType, dynamic);
  Value zero = arith::ConstantOp::create(
      builder, loc, builder.getZeroAttr(type.getElementType()));
  Value init = linalg::FillOp::create(builder, loc, zero, empty).getResult(0);

  SmallVector<Value> inputs{coupled};
  llvm::append_range(inputs, parameters);
  unsigned rank = type.getRank();
  SmallVector<AffineMap> maps(inputs.size(),
                              builder.getMultiDimIdentityMap(rank));
  maps.push_back(AffineMap::get(rank, 0, builder.getAffineDimExpr(batch)));
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::reduction);
  iterators[batch] = utils::IteratorType::parallel;

  if (getKind().preservesVolume())
    return init;
  auto generic = linalg::GenericOp::create(
      builder, loc, TypeRange{resultType}, inputs, ValueRange{init}, maps,
      iterators, [&](OpBuilder &b, Location l, ValueRange args) {
        Value log = getKind().buildLogDerivative(b, l, args.front(),
                                                 args.drop_front().drop_back());
        Value sum = arith::AddFOp::create(b, l, args.back(), log);
        linalg::YieldOp::create(b, l, sum);
      });
  return generic.getResult(0);
}

/// True if log |df/dx| of the coupling depends on x.
static bool hasLogDerivativeOfCoupled(CouplingOp op) {
  BijectionAttrInterface kind = op.getKind();
  Type type = getElementTypeOrSelf(op.getCoupled().getType());
  Block block;
  Value x = block.addArgument(type, op.getLoc());
  for (unsigned i = 0, e = kind.getNumParameters(); i < e; ++i)
    block.addArgument(type, op.getLoc());
  OpBuilder builder(op.getContext());
  builder.setInsertionPointToEnd(&block);
  SmallVector<Value> pending, parameters(block.getArguments().drop_front());
  if (Value log = kind.buildLogDerivative(builder, op.getLoc(), x, parameters))
    pending.push_back(log);
  while (!pending.empty()) {
    Value value = pending.pop_back_val();
    if (value == x)
      return true;
    if (Operation *def = value.getDefiningOp())
      llvm::append_range(pending, def->getOperands());
  }
  return false;
}

CouplingOp CouplingOp::yieldLogDet(RewriterBase &rewriter) {
  if (!getLogDet() || hasLogDerivativeOfCoupled(*this))
    return {};
  OpBuilder::InsertionGuard guard(rewriter);
  Operation *yield = getBody().front().getTerminator();
  rewriter.setInsertionPoint(yield);
  SmallVector<Value> parameters(getParameters());
  // A parameter stands for the coupled value, which is not read.
  yield->insertOperands(parameters.size(),
                        buildLogDet(rewriter, parameters.front(), parameters));
  rewriter.setInsertionPoint(*this);
  auto yielding = CouplingOp::create(
      rewriter, getLoc(), getResult().getType(), Type(),
      SmallVector<Type>(llvm::drop_begin(getResultTypes())), getKind(),
      getCoupled(), getGiven(), getBatchDim());
  yielding->setDiscardableAttrs((*this)->getDiscardableAttrDictionary());
  yielding.getBody().takeBody(getBody());
  rewriter.replaceOp(*this, yielding->getResults());
  return yielding;
}

SmallVector<Value> CouplingOp::decompose(RewriterBase &rewriter) {
  Block &block = getBody().front();
  Operation *yield = block.getTerminator();
  rewriter.inlineBlockBefore(&block, *this, getGiven());
  SmallVector<Value> yielded(yield->getOperands());
  auto parameters =
      ValueRange(yielded).take_front(getKind().getNumParameters());
  rewriter.eraseOp(yield);
  SmallVector<Value> results;
  // The log-determinant is read off before the coupled value is overwritten.
  Value logDet;
  if (getLogDet())
    logDet = buildLogDet(rewriter, getCoupled(), parameters);
  results.push_back(
      applyBijection(rewriter, getCoupled(), parameters, /*inverse=*/false));
  if (logDet)
    results.push_back(logDet);
  llvm::append_range(results,
                     ValueRange(yielded).drop_front(parameters.size()));
  return results;
}
