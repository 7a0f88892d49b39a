//===- MathToLibm.cpp - Elementary functions from the C library -----------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/CPU/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/StringSwitch.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CODEGENMATHTOLIBM
#include "memrev/Codegen/CPU/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;

/// Returns the C library's name of the function of doubles that `op` computes,
/// or an empty string. libmvec has each of them (glibc 2.35 and later).
static StringRef getLibmName(Operation *op) {
  return llvm::StringSwitch<StringRef>(op->getName().getStringRef())
      .Case("math.acos", "acos")
      .Case("math.acosh", "acosh")
      .Case("math.asin", "asin")
      .Case("math.asinh", "asinh")
      .Case("math.atan", "atan")
      .Case("math.atan2", "atan2")
      .Case("math.atanh", "atanh")
      .Case("math.cbrt", "cbrt")
      .Case("math.cos", "cos")
      .Case("math.cosh", "cosh")
      .Case("math.erf", "erf")
      .Case("math.erfc", "erfc")
      .Case("math.exp", "exp")
      .Case("math.exp2", "exp2")
      .Case("math.expm1", "expm1")
      .Case("math.log", "log")
      .Case("math.log10", "log10")
      .Case("math.log1p", "log1p")
      .Case("math.log2", "log2")
      .Case("math.powf", "pow")
      .Case("math.sin", "sin")
      .Case("math.sinh", "sinh")
      .Case("math.tan", "tan")
      .Case("math.tanh", "tanh")
      .Default("");
}

namespace {
/// Replaces elementary functions by calls, and declares what is called.
class LibmRewriter {
public:
  LibmRewriter(ModuleOp module, int64_t vectorBits)
      : symbols(module),
        // glibc has registers of 128, 256 and 512 bits.
        vectorBits(vectorBits < 128 ? 0
                                    : std::min<int64_t>(
                                          512, llvm::bit_floor<uint64_t>(
                                                   vectorBits))) {}

  void rewrite(Operation *op, StringRef function);

private:
  Value emit(OpBuilder &builder, Location loc, StringRef function,
             ArrayRef<Value> operands);
  Value emitCall(OpBuilder &builder, Location loc, StringRef name,
                 ArrayRef<Value> operands);

  SymbolTable symbols;
  int64_t vectorBits;
};
} // namespace

/// Calls `name`, which has no side effect, on operands of its result's type.
Value LibmRewriter::emitCall(OpBuilder &builder, Location loc, StringRef name,
                             ArrayRef<Value> operands) {
  Type type = operands.front().getType();
  auto function = symbols.lookup<func::FuncOp>(name);
  if (!function) {
    SmallVector<Type> inputs(operands.size(), type);
    function =
        func::FuncOp::create(loc, name, builder.getFunctionType(inputs, type));
    function.setPrivate();
    // errno is not read, so that LLVM may move and merge calls.
    function->setAttr(LLVM::LLVMDialect::getReadnoneAttrName(),
                      builder.getUnitAttr());
    symbols.insert(function);
  }
  return func::CallOp::create(builder, loc, function, operands).getResult(0);
}

/// The letter of glibc's names for the registers of so many bits.
static char getISA(int64_t bits) {
  return bits >= 512 ? 'e' : bits >= 256 ? 'd' : 'b';
}

/// Computes `function` of scalars or of vectors of rank one.
Value LibmRewriter::emit(OpBuilder &builder, Location loc, StringRef function,
                         ArrayRef<Value> operands) {
  Type type = operands.front().getType();
  Type element = getElementTypeOrSelf(type);
  bool isSingle = element.isF32();
  std::string name = (function + (isSingle ? "f" : "")).str();
  auto vector = dyn_cast<VectorType>(type);
  int64_t lanes = vectorBits / (isSingle ? 32 : 64);
  if (lanes < 2) {
    if (!vector)
      return emitCall(builder, loc, name, operands);
    Value result = ub::PoisonOp::create(builder, loc, vector);
    for (int64_t i = 0; i < vector.getNumElements(); ++i) {
      SmallVector<Value> scalars;
      for (Value operand : operands)
        scalars.push_back(vector::ExtractOp::create(builder, loc, operand, i));
      Value scalar = emitCall(builder, loc, name, scalars);
      result = vector::InsertOp::create(builder, loc, scalar, result, i);
    }
    return result;
  }

  // The widths differ in their last bits, and so do scalars: one for all, so
  // that an element does not depend on how many there are beside it.
  std::string wideName = "_ZGV" + std::string(1, getISA(vectorBits)) + "N" +
                         std::to_string(lanes) +
                         std::string(operands.size(), 'v') + "_" + name;
  auto wide = VectorType::get(lanes, element);
  if (!vector) {
    SmallVector<Value> splats;
    for (Value operand : operands)
      splats.push_back(
          vector::BroadcastOp::create(builder, loc, wide, operand));
    Value result = emitCall(builder, loc, wideName, splats);
    return vector::ExtractOp::create(builder, loc, result, int64_t(0));
  }
  int64_t count = vector.getNumElements();
  if (count == lanes)
    return emitCall(builder, loc, wideName, operands);
  Value result = ub::PoisonOp::create(builder, loc, vector);
  for (int64_t first = 0; first < count; first += lanes) {
    int64_t size = std::min(lanes, count - first);
    // What there is again fills up: anything else might take a slow path.
    SmallVector<int64_t> mask;
    for (int64_t i = 0; i < lanes; ++i)
      mask.push_back(first + i % size);
    SmallVector<Value> pieces;
    for (Value operand : operands)
      pieces.push_back(vector::ShuffleOp::create(builder, loc, operand, operand,
                                                 mask));
    Value piece = emitCall(builder, loc, wideName, pieces);
    if (size < lanes)
      piece = vector::ExtractStridedSliceOp::create(builder, loc, piece,
                                                    int64_t(0), size,
                                                    int64_t(1));
    result = vector::InsertStridedSliceOp::create(builder, loc, piece, result,
                                                  first, int64_t(1));
  }
  return result;
}

void LibmRewriter::rewrite(Operation *op, StringRef function) {
  OpBuilder builder(op);
  Location loc = op->getLoc();
  SmallVector<Value> operands(op->getOperands());
  auto vector = dyn_cast<VectorType>(op->getResult(0).getType());
  if (vector && vector.getRank() != 1) {
    auto flat =
        VectorType::get(vector.getNumElements(), vector.getElementType());
    for (Value &operand : operands)
      operand = vector::ShapeCastOp::create(builder, loc, flat, operand);
  }
  Value result = emit(builder, loc, function, operands);
  if (vector && vector.getRank() != 1)
    result = vector::ShapeCastOp::create(builder, loc, vector, result);
  op->getResult(0).replaceAllUsesWith(result);
  op->erase();
}

namespace {
class CodegenMathToLibmPass
    : public memrev::impl::CodegenMathToLibmBase<CodegenMathToLibmPass> {
public:
  using CodegenMathToLibmBase::CodegenMathToLibmBase;

  void runOnOperation() override {
    SmallVector<std::pair<Operation *, StringRef>> calls;
    getOperation().walk([&](Operation *op) {
      StringRef function = getLibmName(op);
      if (function.empty())
        return;
      Type type = op->getResult(0).getType();
      auto vector = dyn_cast<VectorType>(type);
      if (vector && vector.isScalable())
        return;
      if (getElementTypeOrSelf(type).isF32() ||
          getElementTypeOrSelf(type).isF64())
        calls.emplace_back(op, function);
    });
    LibmRewriter rewriter(getOperation(), vectorBits);
    for (auto [op, function] : calls)
      rewriter.rewrite(op, function);
  }
};
} // namespace
