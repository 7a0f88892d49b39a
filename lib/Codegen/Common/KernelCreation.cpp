//===- KernelCreation.cpp - Creates the kernel of a group -----------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/KernelCreation.h"
#include "KernelGroup.h"
#include "memrev/Codegen/Common/AttributeNames.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"

using namespace mlir;
using namespace mlir::memrev;

SmallVector<OpFoldResult>
KernelGroup::mapOffsets(OpBuilder &builder, Operation *slice,
                        ArrayRef<Value> arguments) const {
  SmallVector<OpFoldResult> offsets;
  const SmallVector<int64_t> &numbers = sliceOffsets.find(slice)->second;
  auto interface = cast<OffsetSizeAndStrideOpInterface>(slice);
  for (auto [number, offset] :
       llvm::zip(numbers, interface.getMixedOffsets())) {
    if (number < 0)
      offsets.push_back(offset);
    else
      offsets.push_back(arguments[number]);
  }
  return offsets;
}

/// Clones the final op with `inits`, and without the inputs that became one.
Operation *KernelGroup::cloneFinal(OpBuilder &builder, IRMapping &map,
                                   ArrayRef<Value> inits) const {
  Operation *final = getFinal();
  auto linalgOp = dyn_cast<linalg::LinalgOp>(final);
  if (!linalgOp)
    return builder.clone(*final, map);

  bool reuses = llvm::any_of(
      destinations, [](const auto &d) { return d.reusedInput.has_value(); });
  if (!reuses) {
    IRMapping local = map;
    for (auto [number, init] : llvm::enumerate(inits))
      local.map(linalgOp.getDpsInitOperand(number)->get(), init);
    // Two inits may be one value in the caller, or an init also an input, so
    // operands are set one by one.
    Operation *clone = builder.clone(*final, map);
    for (auto [number, init] : llvm::enumerate(inits))
      cast<linalg::LinalgOp>(clone).setDpsInitOperand(number, init);
    return clone;
  }

  auto generic = cast<linalg::GenericOp>(final);
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  DenseMap<unsigned, unsigned> replacedBy;
  for (auto [number, destination] : llvm::enumerate(destinations))
    if (destination.reusedInput)
      replacedBy[*destination.reusedInput] = number;
  for (OpOperand *input : generic.getDpsInputOperands()) {
    if (replacedBy.contains(input->getOperandNumber()))
      continue;
    inputs.push_back(map.lookup(input->get()));
    maps.push_back(generic.getMatchingIndexingMap(input));
  }
  for (OpOperand &init : generic.getDpsInitsMutable())
    maps.push_back(generic.getMatchingIndexingMap(&init));
  auto clone = linalg::GenericOp::create(
      builder, generic.getLoc(), ValueRange(inits).getTypes(), inputs, inits,
      maps, generic.getIteratorTypesArray());
  Block *body = builder.createBlock(&clone.getRegion());
  IRMapping inner = map;
  SmallVector<BlockArgument> initArguments;
  for (OpOperand *input : generic.getDpsInputOperands()) {
    if (replacedBy.contains(input->getOperandNumber()))
      continue;
    BlockArgument old = generic.getMatchingBlockArgument(input);
    inner.map(old, body->addArgument(old.getType(), old.getLoc()));
  }
  for (OpOperand &init : generic.getDpsInitsMutable()) {
    BlockArgument old = generic.getMatchingBlockArgument(&init);
    initArguments.push_back(body->addArgument(old.getType(), old.getLoc()));
    inner.map(old, initArguments.back());
  }
  for (auto [input, result] : replacedBy)
    inner.map(generic.getBody()->getArgument(input), initArguments[result]);
  for (Operation &op : *generic.getBody())
    builder.clone(op, inner);
  return clone;
}

func::FuncOp KernelGroup::createKernel(OpBuilder &builder, StringRef name) {
  Operation *final = getFinal();
  SmallVector<Type> types;
  SmallVector<Location> locations;
  for (OpFoldResult external : externals) {
    auto value = dyn_cast<Value>(external);
    types.push_back(value ? value.getType() : builder.getIndexType());
  }
  SmallVector<Type> resultTypes;
  for (OpResult result : final->getResults()) {
    GroupDestination &destination = destinations[result.getResultNumber()];
    resultTypes.push_back(destination.insert ? destination.insert.getType()
                                             : result.getType());
  }
  llvm::append_range(types, resultTypes);

  Location loc = root->getLoc();
  auto func = func::FuncOp::create(builder, loc, name,
                                   builder.getFunctionType(types, resultTypes));
  func.setPrivate();
  func->setAttr(kKernelAttr, builder.getUnitAttr());
  OpBuilder::InsertionGuard guard(builder);
  Block *entry = func.addEntryBlock();
  builder.setInsertionPointToStart(entry);

  SmallVector<Value> arguments(entry->getArguments());
  IRMapping map;
  for (auto [value, number] : externalIds)
    map.map(value, arguments[number]);

  SmallVector<Value> results;
  for (Operation *op : ops) {
    if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
      auto clone = tensor::ExtractSliceOp::create(
          builder, loc, slice.getType(), map.lookup(slice.getSource()),
          mapOffsets(builder, slice, arguments), slice.getMixedSizes(),
          slice.getMixedStrides());
      map.map(slice.getResult(), clone.getResult());
      continue;
    }
    if (op == root && epilogue) {
      // The result stays in registers; this is the shape of it.
      auto linalgOp = cast<linalg::LinalgOp>(op);
      Value init = linalgOp.getDpsInitOperand(0)->get();
      auto type = cast<RankedTensorType>(init.getType());
      if (!map.contains(init))
        map.map(init, tensor::EmptyOp::create(builder, loc, type.getShape(),
                                              type.getElementType())
                          .getResult());
    } else if (isa<linalg::FillOp>(op) && op != final) {
      auto fill = cast<linalg::FillOp>(op);
      auto type = cast<RankedTensorType>(fill.getResult(0).getType());
      Value empty = tensor::EmptyOp::create(builder, loc, type.getShape(),
                                            type.getElementType());
      map.map(fill.getResult(0),
              linalg::FillOp::create(builder, loc,
                                     map.lookup(fill.getInputs()[0]), empty)
                  .getResult(0));
      continue;
    } else if (isDataMovement(op) && op != final) {
      auto linalgOp = cast<linalg::LinalgOp>(op);
      auto type = cast<RankedTensorType>(op->getResult(0).getType());
      IRMapping local = map;
      local.map(linalgOp.getDpsInitOperand(0)->get(),
                tensor::EmptyOp::create(builder, loc, type.getShape(),
                                        type.getElementType())
                    .getResult());
      map.map(op->getResult(0), builder.clone(*op, local)->getResult(0));
      continue;
    }
    if (op != final) {
      builder.clone(*op, map);
      continue;
    }

    SmallVector<Value> inits;
    for (auto [number, destination] : llvm::enumerate(destinations)) {
      Value init = arguments[externals.size() + number];
      if (destination.insert)
        init = tensor::ExtractSliceOp::create(
            builder, loc,
            cast<RankedTensorType>(destination.insert.getSourceType()), init,
            mapOffsets(builder, destination.insert, arguments),
            destination.insert.getMixedSizes(),
            destination.insert.getMixedStrides());
      if (destination.fill)
        init =
            linalg::FillOp::create(
                builder, loc, map.lookup(destination.fill.getInputs()[0]), init)
                .getResult(0);
      inits.push_back(init);
    }
    Operation *clone = cloneFinal(builder, map, inits);
    builder.setInsertionPointAfter(clone);
    for (auto [number, destination] : llvm::enumerate(destinations)) {
      Value result = clone->getResult(number);
      if (destination.insert)
        result = tensor::InsertSliceOp::create(
            builder, loc, result, arguments[externals.size() + number],
            mapOffsets(builder, destination.insert, arguments),
            destination.insert.getMixedSizes(),
            destination.insert.getMixedStrides());
      results.push_back(result);
    }
  }
  func::ReturnOp::create(builder, loc, results);
  return func;
}

void KernelGroup::replaceWithCall(func::FuncOp kernel, IRMapping &replaced,
                                  SmallVectorImpl<Operation *> &dead) {
  OpBuilder builder(last);
  Location loc = root->getLoc();
  SmallVector<Value> operands;
  for (OpFoldResult external : externals)
    operands.push_back(replaced.lookupOrDefault(
        getValueOrCreateConstantIndexOp(builder, loc, external)));
  Operation *final = getFinal();
  for (auto [number, destination] : llvm::enumerate(destinations)) {
    Value buffer = destination.buffer;
    if (!buffer) {
      auto type = cast<RankedTensorType>(final->getResult(number).getType());
      buffer = tensor::EmptyOp::create(builder, loc, type.getShape(),
                                       type.getElementType());
    }
    operands.push_back(replaced.lookupOrDefault(buffer));
  }
  auto call = func::CallOp::create(builder, loc, kernel, operands);
  for (auto [number, destination] : llvm::enumerate(destinations)) {
    Value old = destination.insert ? destination.insert.getResult()
                                   : Value(final->getResult(number));
    replaced.map(old, call.getResult(number));
    old.replaceAllUsesWith(call.getResult(number));
    if (destination.insert)
      dead.push_back(destination.insert);
  }
  dead.push_back(final);
  if (epilogue)
    dead.push_back(root);
  for (Operation *op : llvm::reverse(ops))
    if (op != root && op != epilogue)
      dead.push_back(op);
  for (auto &destination : destinations)
    if (destination.fill)
      dead.push_back(destination.fill);
}

OwningOpRef<func::FuncOp> memrev::createKernelOf(Operation *root) {
  if (!isKernelRoot(root))
    return {};
  OpBuilder builder(root->getContext());
  return KernelGroup(root, /*claimed=*/{}).createKernel(builder, "kernel");
}
