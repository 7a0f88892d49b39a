//===- Problem.cpp - What a kernel computes, as loops and accesses --------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/Problem.h"
#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::memrev;

std::optional<TypedAttr> memrev::getNeutralElement(Operation *combiner) {
  // Upstream asks an index type for its width where the number depends on it.
  if (combiner->getResult(0).getType().isIndex() &&
      !isa<arith::AddIOp, arith::MulIOp, arith::OrIOp, arith::XOrIOp>(combiner))
    return std::nullopt;
  return arith::getNeutralElement(combiner);
}

int64_t Problem::getIterations() const {
  int64_t product = 1;
  for (int64_t extent : extents)
    product *= extent;
  return product;
}

void Problem::forEachAccess(function_ref<void(Access &)> fn) {
  if (isContraction) {
    fn(lhs);
    fn(rhs);
    if (accumulatorInit == InitKind::Read)
      fn(accumulatorRead);
  }
  for (std::optional<Access> &input : inputs)
    if (input)
      fn(*input);
  for (Output &output : outputs) {
    fn(output.dest);
    if (output.init == InitKind::Read)
      fn(output.read);
  }
}

void Problem::forEachAccess(function_ref<void(const Access &)> fn) const {
  const_cast<Problem *>(this)->forEachAccess(
      [&](Access &access) { fn(access); });
}

//===----------------------------------------------------------------------===//
// Simplification
//===----------------------------------------------------------------------===//

/// Replaces dimension `dim` by `expr` in every access and the body's indices.
static void substitute(Problem &problem, unsigned dim, AffineExpr expr) {
  MLIRContext *context = expr.getContext();
  SmallVector<AffineExpr> dims;
  for (unsigned d = 0; d < problem.getNumDims(); ++d)
    dims.push_back(d == dim ? expr : getAffineDimExpr(d, context));
  auto apply = [&](AffineExpr old, unsigned symbols) {
    return simplifyAffineExpr(old.replaceDims(dims), problem.getNumDims(),
                              symbols);
  };
  problem.forEachAccess([&](Access &access) {
    for (AffineExpr &index : access.indices)
      index = apply(index, access.symbols.size());
    for (Bound &bound : access.bounds)
      bound.expr = apply(bound.expr, access.symbols.size());
  });
  for (AffineExpr &index : problem.bodyIndices)
    index = apply(index, 0);
}

/// Removes dimension `dim`, which no access uses any more.
static void eraseDim(Problem &problem, unsigned dim, MLIRContext *context) {
  problem.extents.erase(problem.extents.begin() + dim);
  problem.isReduction.erase(problem.isReduction.begin() + dim);
  SmallVector<AffineExpr> dims;
  for (unsigned d = 0; d < problem.getNumDims() + 1; ++d)
    dims.push_back(getAffineDimExpr(d > dim ? d - 1 : d, context));
  problem.forEachAccess([&](Access &access) {
    for (AffineExpr &index : access.indices)
      index = index.replaceDims(dims);
    for (Bound &bound : access.bounds)
      bound.expr = bound.expr.replaceDims(dims);
  });
  for (AffineExpr &index : problem.bodyIndices)
    index = index.replaceDims(dims);
}

/// The position at which `access` walks `outer` and `inner` as one contiguous
/// range; -1 if it uses neither; nothing if merging would change it.
static std::optional<int> findMergePosition(const Access &access,
                                            unsigned outer, unsigned inner,
                                            int64_t innerExtent) {
  if (!access.uses(outer) && !access.uses(inner))
    return -1;
  for (const Bound &bound : access.bounds)
    if (bound.expr.isFunctionOfDim(outer) || bound.expr.isFunctionOfDim(inner))
      return std::nullopt;
  std::optional<int> position;
  for (auto [p, expr] : llvm::enumerate(access.indices)) {
    bool usesOuter = expr.isFunctionOfDim(outer);
    bool usesInner = expr.isFunctionOfDim(inner);
    if (!usesOuter && !usesInner)
      continue;
    if (usesOuter && p + 1 < access.indices.size() && !position &&
        isa<AffineDimExpr>(expr) && isa<AffineDimExpr>(access.indices[p + 1]) &&
        access.indices[p + 1].isFunctionOfDim(inner) &&
        access.shape[p + 1] == innerExtent) {
      position = p;
      continue;
    }
    if (position && static_cast<int>(p) == *position + 1)
      continue;
    return std::nullopt;
  }
  return position;
}

static bool mergeDims(Problem &problem, unsigned outer, unsigned inner,
                      MLIRContext *context) {
  if (problem.isReduction[outer] != problem.isReduction[inner])
    return false;
  for (AffineExpr index : problem.bodyIndices)
    if (index.isFunctionOfDim(outer) || index.isFunctionOfDim(inner))
      return false;
  bool ok = true;
  problem.forEachAccess([&](Access &access) {
    ok &= findMergePosition(access, outer, inner, problem.extents[inner])
              .has_value();
  });
  if (!ok)
    return false;
  problem.forEachAccess([&](Access &access) {
    int p = *findMergePosition(access, outer, inner, problem.extents[inner]);
    if (p < 0)
      return;
    access.shape[p] *= access.shape[p + 1];
    access.shape.erase(access.shape.begin() + p + 1);
    llvm::append_range(access.groups[p], access.groups[p + 1]);
    access.groups.erase(access.groups.begin() + p + 1);
    access.indices.erase(access.indices.begin() + p + 1);
  });
  problem.extents[outer] *= problem.extents[inner];
  eraseDim(problem, inner, context);
  return true;
}

/// Folds last dimensions of extent 1 into the one before, so that the last index
/// is the one that moves through memory.
static void foldLastUnits(Access &access) {
  while (access.shape.size() > 1 && access.shape.back() == 1 &&
         access.indices.back() == 0) {
    llvm::append_range(access.groups[access.groups.size() - 2],
                       access.groups.back());
    access.groups.pop_back();
    access.shape.pop_back();
    access.indices.pop_back();
  }
}

static void simplify(Problem &problem, MLIRContext *context) {
  for (unsigned dim = problem.getNumDims(); dim-- > 0;) {
    if (problem.extents[dim] != 1)
      continue;
    substitute(problem, dim, getAffineConstantExpr(0, context));
    eraseDim(problem, dim, context);
  }
  problem.forEachAccess([](Access &access) { foldLastUnits(access); });
  // A bound that always holds is none.
  problem.forEachAccess([&](Access &access) {
    llvm::erase_if(access.bounds, [&](const Bound &bound) {
      int64_t low = 0, high = 0;
      for (unsigned dim = 0; dim < problem.getNumDims(); ++dim) {
        int64_t reach =
            getCoefficient(bound.expr, dim) * (problem.extents[dim] - 1);
        (reach < 0 ? low : high) += reach;
      }
      SmallVector<AffineExpr> zeros(problem.getNumDims(),
                                    getAffineConstantExpr(0, context));
      auto constant =
          dyn_cast<AffineConstantExpr>(bound.expr.replaceDims(zeros));
      return constant && constant.getValue() + low >= 0 &&
             constant.getValue() + high < bound.size;
    });
  });
  bool changed = true;
  while (changed) {
    changed = false;
    for (unsigned outer = 0; outer < problem.getNumDims() && !changed; ++outer)
      for (unsigned inner = 0; inner < problem.getNumDims() && !changed;
           ++inner)
        if (outer != inner)
          changed = mergeDims(problem, outer, inner, context);
  }
}

//===----------------------------------------------------------------------===//
// Reading a kernel
//===----------------------------------------------------------------------===//

/// Sets how `operand`, an init of a linalg op, starts.
static LogicalResult resolveInit(Value init, AffineMap map, bool isRead,
                                 InitKind &kind, Value &fill, Access &read) {
  if (!isRead) {
    kind = InitKind::None;
    return success();
  }
  if (auto op = init.getDefiningOp<linalg::FillOp>()) {
    kind = InitKind::Fill;
    fill = op.getInputs()[0];
    return success();
  }
  FailureOr<Access> access = Access::resolve(init, map);
  if (failed(access))
    return failure();
  kind = InitKind::Read;
  read = *access;
  return success();
}

/// Whether both accesses are to the same element at every point.
static bool isSameElement(const Access &left, const Access &right,
                          const Problem &problem) {
  return left.source == right.source && left.symbols == right.symbols &&
         left.bounds.empty() && right.bounds.empty() &&
         llvm::all_of(llvm::zip_equal(left.indices, right.indices),
                      [&](auto pair) {
                        AffineExpr difference = simplifyAffineExpr(
                            std::get<0>(pair) - std::get<1>(pair),
                            problem.getNumDims(), left.symbols.size());
                        return difference == 0;
                      });
}

/// The access that writes result `number` of `op`, and the slice it is put in.
static FailureOr<Access> resolveDest(linalg::LinalgOp op, unsigned number,
                                     Value returned, BlockArgument buffer) {
  Access access;
  access.source = buffer;
  access.elementType = getElementTypeOrSelf(buffer.getType());
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInitOperand(number));
  llvm::append_range(access.indices, map.getResults());
  if (auto insert = returned.getDefiningOp<tensor::InsertSliceOp>()) {
    if (insert.getSource() != op->getResult(number) ||
        insert.getDest() != buffer)
      return failure();
    access.addSlice(insert, insert.getDroppedDims());
  } else if (returned != op->getResult(number)) {
    return failure();
  }
  llvm::append_range(access.shape,
                     cast<RankedTensorType>(buffer.getType()).getShape());
  for (int64_t dim = 0, e = access.shape.size(); dim < e; ++dim)
    access.groups.push_back({dim});
  return access;
}

/// Whether the body of `op` adds the product of its two inputs to its output.
static bool isSumOfProducts(linalg::LinalgOp op, Contractions contractions) {
  if (contractions == Contractions::None || op.getNumDpsInputs() != 2 ||
      op.getNumDpsInits() != 1 || op.getNumReductionLoops() == 0 ||
      op.hasIndexSemantics())
    return false;
  Block *body = op.getBlock();
  auto add =
      body->getTerminator()->getOperand(0).getDefiningOp<arith::AddFOp>();
  if (!add)
    return false;
  auto mul = add.getLhs().getDefiningOp<arith::MulFOp>();
  Value sum = add.getRhs();
  if (!mul) {
    mul = add.getRhs().getDefiningOp<arith::MulFOp>();
    sum = add.getLhs();
  }
  if (!mul || sum != body->getArgument(2))
    return false;
  size_t numOps = 3;
  auto strip = [&](Value factor) -> Value {
    auto ext = factor.getDefiningOp<arith::ExtFOp>();
    if (!ext || contractions != Contractions::Widening)
      return factor;
    ++numOps;
    return ext.getIn();
  };
  Value left = strip(mul.getLhs()), right = strip(mul.getRhs());
  Value lhs = body->getArgument(0), rhs = body->getArgument(1);
  return ((left == lhs && right == rhs) || (left == rhs && right == lhs)) &&
         left.getType() == right.getType() &&
         body->getOperations().size() == numOps;
}

static FailureOr<Problem> readProblem(func::FuncOp kernel,
                                      Contractions contractions,
                                      std::string &reason) {
  MLIRContext *context = kernel.getContext();
  if (!kernel.getBody().hasOneBlock()) {
    reason = "it has control flow";
    return failure();
  }
  Block &entry = kernel.getBody().front();
  auto ret = dyn_cast<func::ReturnOp>(entry.getTerminator());
  if (!ret || ret.getNumOperands() == 0 ||
      ret.getNumOperands() > entry.getNumArguments()) {
    reason = "it does not return its last arguments";
    return failure();
  }
  Value first = ret.getOperand(0);
  if (auto insert = first.getDefiningOp<tensor::InsertSliceOp>())
    first = insert.getSource();

  Problem problem(kernel.getLoc());
  // A padding alone is the copy of its result.
  if (auto pad = first.getDefiningOp<tensor::PadOp>()) {
    int64_t rank = pad.getResultType().getRank();
    AffineMap identity = AffineMap::getMultiDimIdentityMap(rank, context);
    FailureOr<Access> input = Access::resolve(pad.getResult(), identity);
    if (failed(input) || input->source == pad.getResult()) {
      reason = "its padding is not a constant";
      return failure();
    }
    problem.extents.append(pad.getResultType().getShape().begin(),
                           pad.getResultType().getShape().end());
    problem.isReduction.assign(rank, false);
    BlockArgument buffer = entry.getArguments().back();
    Output output;
    output.dest.source = buffer;
    output.dest.elementType = getElementTypeOrSelf(buffer.getType());
    llvm::append_range(output.dest.indices, identity.getResults());
    if (auto insert = ret.getOperand(0).getDefiningOp<tensor::InsertSliceOp>())
      output.dest.addSlice(insert, insert.getDroppedDims());
    llvm::append_range(output.dest.shape,
                       cast<RankedTensorType>(buffer.getType()).getShape());
    for (int64_t dim = 0, e = output.dest.shape.size(); dim < e; ++dim)
      output.dest.groups.push_back({dim});
    problem.inputs.push_back(*input);
    problem.outputs.push_back(std::move(output));
    simplify(problem, context);
    return problem;
  }

  auto final = first.getDefiningOp<linalg::LinalgOp>();
  if (!final || final->getNumResults() != ret.getNumOperands()) {
    reason = "its result is not that of a linalg op";
    return failure();
  }
  linalg::LinalgOp root = final;
  std::optional<unsigned> sumInput;
  auto isProduct = [&](linalg::LinalgOp op) {
    return isSumOfProducts(op, contractions);
  };
  for (OpOperand *input : final.getDpsInputOperands()) {
    auto producer = input->get().getDefiningOp<linalg::LinalgOp>();
    if (producer && isProduct(producer)) {
      root = producer;
      sumInput = input->getOperandNumber();
      break;
    }
  }

  SmallVector<int64_t> ranges = root.getStaticLoopRanges();
  if (llvm::any_of(ranges, ShapedType::isDynamic)) {
    reason = "it has a dynamic shape";
    return failure();
  }
  problem.extents.assign(ranges.begin(), ranges.end());
  for (utils::IteratorType kind : root.getIteratorTypesArray())
    problem.isReduction.push_back(kind == utils::IteratorType::reduction);

  auto resolveOperand = [&](linalg::LinalgOp op, OpOperand *operand,
                            AffineMap outer) -> FailureOr<Access> {
    AffineMap map = op.getMatchingIndexingMap(operand);
    if (outer)
      map = map.compose(outer);
    return Access::resolve(operand->get(), map);
  };
  reason = "an operand is not accessed by an affine function of the loops";

  // Dimensions of the epilogue are those of the contraction's result.
  AffineMap toRoot;
  problem.isContraction = isProduct(root);
  if (problem.isContraction) {
    FailureOr<Access> lhs =
        resolveOperand(root, root.getDpsInputOperand(0), AffineMap());
    FailureOr<Access> rhs =
        resolveOperand(root, root.getDpsInputOperand(1), AffineMap());
    if (failed(lhs) || failed(rhs))
      return failure();
    problem.lhs = *lhs;
    problem.rhs = *rhs;
    problem.sumType = getElementTypeOrSelf(root->getResult(0).getType());
    OpOperand *init = root.getDpsInitOperand(0);
    AffineMap rootMap = root.getMatchingIndexingMap(init);
    if (failed(resolveInit(init->get(), rootMap, true, problem.accumulatorInit,
                           problem.accumulatorFill, problem.accumulatorRead)))
      return failure();
    if (root != final) {
      AffineMap use =
          final.getMatchingIndexingMap(final.getDpsInputOperand(*sumInput));
      if (!use.isPermutation())
        return failure();
      toRoot = inversePermutation(use).compose(rootMap);
    }
  }
  if (!problem.isContraction || root != final) {
    problem.body = final.getBlock();
    for (OpOperand *input : final.getDpsInputOperands()) {
      if (sumInput && input->getOperandNumber() == *sumInput) {
        problem.inputs.push_back(std::nullopt);
        continue;
      }
      FailureOr<Access> access = resolveOperand(final, input, toRoot);
      if (failed(access))
        return failure();
      problem.inputs.push_back(*access);
    }
    for (unsigned dim = 0; dim < final.getNumLoops(); ++dim) {
      AffineExpr expr = getAffineDimExpr(dim, context);
      bool used = false;
      final.getBlock()->walk(
          [&](linalg::IndexOp op) { used |= op.getDim() == dim; });
      // Unused ones must not keep dimensions from being merged.
      problem.bodyIndices.push_back(
          !used ? getAffineConstantExpr(0, context)
                : (toRoot ? toRoot.getResult(dim) : expr));
    }
  }

  unsigned firstDest = entry.getNumArguments() - ret.getNumOperands();
  for (unsigned number = 0; number < ret.getNumOperands(); ++number) {
    Output output;
    BlockArgument buffer = entry.getArgument(firstDest + number);
    OpOperand *init = final.getDpsInitOperand(number);
    AffineMap map = final.getMatchingIndexingMap(init);
    if (!map.isProjectedPermutation()) {
      reason = "its result is not indexed by loop dimensions";
      return failure();
    }
    FailureOr<Access> dest =
        resolveDest(final, number, ret.getOperand(number), buffer);
    if (failed(dest)) {
      reason = "its result is not written to its last arguments";
      return failure();
    }
    output.dest = *dest;
    if (toRoot)
      for (AffineExpr &index : output.dest.indices)
        index = simplifyAffineExpr(index.replaceDims(toRoot.getResults()),
                                   problem.getNumDims(),
                                   output.dest.symbols.size());
    if (problem.isContraction && root == final) {
      output.init = problem.accumulatorInit;
      output.fill = problem.accumulatorFill;
      output.read = problem.accumulatorRead;
      if (output.init == InitKind::Read &&
          isSameElement(output.read, output.dest, problem))
        output.init = problem.accumulatorInit = InitKind::InPlace;
    } else {
      if (failed(resolveInit(init->get(), toRoot ? map.compose(toRoot) : map,
                             final.payloadUsesValueFromOperand(init),
                             output.init, output.fill, output.read)))
        return failure();
      if (output.init == InitKind::Read &&
          isSameElement(output.read, output.dest, problem))
        output.init = InitKind::InPlace;
      if (final.getNumReductionLoops() != 0) {
        SmallVector<Operation *> combiners;
        if (matchReduction(final.getRegionOutputArgs(), number, combiners) &&
            combiners.size() == 1 && getNeutralElement(combiners.front()))
          output.combiner = combiners.front();
      }
    }
    problem.outputs.push_back(std::move(output));
  }
  // What one point starts from must not be what another one has written.
  for (const Output &output : problem.outputs) {
    auto isOverwritten = [&](InitKind kind, const Access &read) {
      return kind == InitKind::Read && read.source == output.dest.source &&
             !isSameElement(read, output.dest, problem);
    };
    if (isOverwritten(problem.accumulatorInit, problem.accumulatorRead) ||
        llvm::any_of(problem.outputs, [&](const Output &other) {
          return isOverwritten(other.init, other.read);
        })) {
      reason = "it starts from elements that it overwrites elsewhere";
      return failure();
    }
  }
  reason.clear();
  simplify(problem, context);
  return problem;
}

FailureOr<Problem> memrev::buildProblem(func::FuncOp kernel,
                                        Contractions contractions,
                                        std::string &reason) {
  FailureOr<Problem> problem = readProblem(kernel, contractions, reason);
  if (failed(problem))
    return failure();
  if (llvm::is_contained(problem->extents, 0)) {
    reason = "it has no iterations";
    return failure();
  }
  int64_t iterations = 1;
  for (int64_t extent : problem->extents)
    if (llvm::MulOverflow(iterations, extent, iterations)) {
      reason = "it has 2^63 iterations or more";
      return failure();
    }
  bool areNumbers = true;
  problem->forEachAccess([&](Access &access) {
    areNumbers &= access.elementType.isIntOrIndexOrFloat();
  });
  if (!areNumbers) {
    reason = "its elements are no integers or floats";
    return failure();
  }
  return problem;
}
