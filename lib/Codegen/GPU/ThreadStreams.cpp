//===- ThreadStreams.cpp - Run the kernels of a call on one stream --------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CallEntry.h"
#include "LibraryCallBuilder.h"
#include "memrev/Codegen/GPU/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/SetVector.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_GPUTHREADSTREAMS
#include "memrev/Codegen/GPU/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

/// Returns a message about why the host must not run `op`, or an empty string.
/// Views are computed on the host, memory is not touched there.
static StringRef getHostObjection(Operation *op) {
  if (isa<memref::LoadOp, gpu::LaunchFuncOp>(op) ||
      isa<CallOpInterface, FunctionOpInterface>(op))
    return "";
  if (isa<memref::AllocOp, memref::AllocaOp, memref::DeallocOp>(op))
    return "expects all buffers to be in the arena";
  if (op->hasTrait<OpTrait::HasRecursiveMemoryEffects>() ||
      isMemoryEffectFree(op))
    return "";
  bool touchesBuffers = llvm::any_of(op->getOperandTypes(), [](Type type) {
    return isa<BaseMemRefType>(type);
  });
  return touchesBuffers ? "expects device memory to be accessed in kernels only"
                        : "";
}

namespace {
/// Makes the host side of one module explicit.
class StreamThreader {
public:
  StreamThreader(ModuleOp module, bool bareEntries)
      : module(module), symbols(module), entries(module, symbols),
        libraries(module, symbols), bareEntries(bareEntries),
        streamType(LLVM::LLVMPointerType::get(module.getContext())) {}

  LogicalResult run();

private:
  LogicalResult checkHostCode(func::FuncOp function);

  /// Gives the private `function` internal linkage and plain pointers where its
  /// buffers allow.
  void finishPrivate(func::FuncOp function);

  /// Collects into `onDevice` the functions that use the device, into
  /// `waiting` those that wait for it, and into `callingLibraries` those that
  /// need one, callees included.
  void collectDeviceFunctions();

  /// Moves the body of the public `function` to a private one and leaves calls
  /// of the runtime around a call of it.
  LogicalResult makeEntry(func::FuncOp function);

  /// Gives `function` a stream argument, and the stream to all that it runs.
  void addStream(func::FuncOp function);

  void rewriteLaunch(gpu::LaunchFuncOp launch, Value stream);
  void rewriteLoad(memref::LoadOp load, Value stream);

  ModuleOp module;
  SymbolTable symbols;
  CallEntryBuilder entries;
  LibraryCallBuilder libraries;
  bool bareEntries;
  Type streamType;
  llvm::SetVector<func::FuncOp> onDevice;
  /// Those that wait for the device because the host reads something back.
  llvm::SetVector<func::FuncOp> waiting;
  llvm::SetVector<func::FuncOp> callingLibraries;
  /// The functions that the original ones are called by inside the module.
  llvm::DenseMap<StringAttr, func::FuncOp> internal;
  llvm::DenseMap<Attribute, func::FuncOp> launchers;
};
} // namespace

LogicalResult StreamThreader::checkHostCode(func::FuncOp function) {
  WalkResult result = function.walk([&](Operation *op) {
    if (auto call = dyn_cast<func::CallOp>(op)) {
      auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
      func::FuncOp library = libraries.getKernel(call);
      if (library && failed(libraries.verify(call, library)))
        return WalkResult::interrupt();
      bool opaque = !callee || (callee.isExternal() && !library);
      for (Value operand : call.getOperands()) {
        if (!isa<BaseMemRefType>(operand.getType()))
          continue;
        if (opaque) {
          call.emitOpError("expects a callee with a body to pass device memory "
                           "to, but got '")
              << call.getCallee() << "'";
          return WalkResult::interrupt();
        }
        if (operand.getDefiningOp<memref::GetGlobalOp>()) {
          call.emitOpError("expects constant buffers to be read by the "
                           "function that names them, but got one as operand "
                           "of a call of '")
              << call.getCallee() << "'";
          return WalkResult::interrupt();
        }
      }
      return WalkResult::advance();
    }
    if (auto load = dyn_cast<memref::LoadOp>(op);
        load && !load.getType().isIntOrIndexOrFloat()) {
      load.emitOpError("expects a number to read back from the device, but got "
                       "an element of type ")
          << load.getType();
      return WalkResult::interrupt();
    }
    if (auto launch = dyn_cast<gpu::LaunchFuncOp>(op);
        launch &&
        (launch.getAsyncToken() || launch.getAsyncObject() ||
         !launch.getAsyncDependencies().empty() || launch.hasClusterSize())) {
      launch.emitOpError("expects a launch without tokens, stream and clusters "
                         "to give it the stream of its function");
      return WalkResult::interrupt();
    }
    StringRef objection = getHostObjection(op);
    if (objection.empty())
      return WalkResult::advance();
    op->emitOpError(objection);
    return WalkResult::interrupt();
  });
  return failure(result.wasInterrupted());
}

void StreamThreader::collectDeviceFunctions() {
  llvm::DenseMap<func::FuncOp, SmallVector<func::FuncOp>> callers;
  for (auto function : module.getOps<func::FuncOp>()) {
    function.walk([&](Operation *op) {
      if (isa<gpu::LaunchFuncOp, memref::LoadOp>(op))
        onDevice.insert(function);
      if (auto load = dyn_cast<memref::LoadOp>(op)) {
        waiting.insert(function);
        load.emitRemark("the host reads this back and waits for it, so that "
                        "calls are not recorded as CUDA graphs");
      }
      auto call = dyn_cast<func::CallOp>(op);
      if (!call)
        return;
      if (auto callee = symbols.lookup<func::FuncOp>(call.getCallee()))
        callers[callee].push_back(function);
      if (libraries.getKernel(call)) {
        onDevice.insert(function);
        callingLibraries.insert(function);
      }
    });
  }
  for (llvm::SetVector<func::FuncOp> *closure :
       {&onDevice, &waiting, &callingLibraries})
    for (unsigned i = 0; i < closure->size(); ++i)
      for (func::FuncOp caller : callers.lookup((*closure)[i]))
        closure->insert(caller);
}

LogicalResult StreamThreader::makeEntry(func::FuncOp function) {
  if (bareEntries) {
    for (Type type : function.getArgumentTypes()) {
      if (!isa<BaseMemRefType>(type) || isPlainBuffer(type))
        continue;
      return function.emitOpError("expects buffers of static shape and "
                                  "identity layout for arguments, but got ")
             << type;
    }
    function->setAttr("llvm.bareptr", UnitAttr::get(module.getContext()));
  }

  Location loc = function.getLoc();
  OpBuilder builder(module.getContext());
  builder.setInsertionPointAfter(function);
  auto body = func::FuncOp::create(builder, loc,
                                   (function.getName() + "_on_stream").str(),
                                   function.getFunctionType());
  body.setPrivate();
  body.getBody().takeBody(function.getBody());
  symbols.insert(body);
  internal[function.getNameAttr()] = body;

  entries.build(function, body, !waiting.contains(function));
  if (callingLibraries.contains(function))
    libraries.prepare(function);
  return success();
}

void StreamThreader::finishPrivate(func::FuncOp function) {
  MLIRContext *context = module.getContext();
  function->setAttr("llvm.linkage",
                    LLVM::LinkageAttr::get(context, LLVM::Linkage::Internal));
  auto isPlain = [](Type type) {
    return !isa<BaseMemRefType>(type) || isPlainBuffer(type);
  };
  if (llvm::all_of(function.getArgumentTypes(), isPlain) &&
      llvm::all_of(function.getResultTypes(), isPlain))
    function->setAttr("llvm.bareptr", UnitAttr::get(context));
}

void StreamThreader::rewriteLaunch(gpu::LaunchFuncOp launch, Value stream) {
  Location loc = launch.getLoc();
  func::FuncOp &launcher = launchers[launch.getKernelAttr()];
  if (!launcher) {
    OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
    SmallVector<Type> types(launch->getOperandTypes());
    types.push_back(streamType);
    launcher = func::FuncOp::create(
        builder, loc, ("launch_" + launch.getKernelName().getValue()).str(),
        builder.getFunctionType(types, {}));
    launcher.setPrivate();
    // Inlined into a loop its stack space would be taken once a trip.
    launcher->setAttr("passthrough", builder.getStrArrayAttr({"noinline"}));
    symbols.insert(launcher);

    builder.setInsertionPointToStart(launcher.addEntryBlock());
    Block &entry = launcher.getBody().front();
    // The launch takes its stream as a token, which is lowered to a stream.
    Type tokenType = gpu::AsyncTokenType::get(module.getContext());
    Value token = UnrealizedConversionCastOp::create(
                      builder, loc, tokenType, entry.getArguments().back())
                      .getResult(0);
    auto inner = gpu::LaunchFuncOp::create(
        builder, loc, launch.getKernelAttr(), launch.getGridSizeOperandValues(),
        launch.getBlockSizeOperandValues(), launch.getDynamicSharedMemorySize(),
        launch.getKernelOperands(), tokenType, ValueRange(token));
    unsigned original = 0;
    for (OpOperand &operand : inner->getOpOperands())
      if (operand.get() != token)
        operand.set(entry.getArgument(original++));
    func::ReturnOp::create(builder, loc);
  }
  OpBuilder builder(launch);
  SmallVector<Value> operands(launch->getOperands());
  operands.push_back(stream);
  func::CallOp::create(builder, loc, launcher, operands);
  launch.erase();
}

void StreamThreader::rewriteLoad(memref::LoadOp load, Value stream) {
  Location loc = load.getLoc();
  Type type = load.getType();
  Type i64 = IntegerType::get(module.getContext(), 64);
  Type index = IndexType::get(module.getContext());

  // The element's address, from the strides that the buffer has at run time.
  OpBuilder builder(load);
  auto metadata =
      memref::ExtractStridedMetadataOp::create(builder, loc, load.getMemRef());
  Value offset = metadata.getOffset();
  for (auto [i, stride] :
       llvm::zip_equal(load.getIndices(), metadata.getStrides())) {
    Value distance = arith::MulIOp::create(builder, loc, i, stride);
    offset = arith::AddIOp::create(builder, loc, offset, distance);
  }
  int64_t bits = type.isIndex() ? 64 : type.getIntOrFloatBitWidth();
  Value bytes =
      arith::ConstantIndexOp::create(builder, loc, llvm::divideCeil(bits, 8));
  offset = arith::MulIOp::create(builder, loc, offset, bytes);
  Value base = memref::ExtractAlignedPointerAsIndexOp::create(builder, loc,
                                                              load.getMemRef());
  Value address = arith::AddIOp::create(builder, loc, base, offset);
  address = arith::IndexCastOp::create(builder, loc, i64, address);
  Value source = LLVM::IntToPtrOp::create(builder, loc, streamType, address);
  Value count = arith::IndexCastOp::create(builder, loc, i64, bytes);
  // One slot for each load, in the entry block for the sake of loops. A failed
  // copy leaves the zero in it.
  Type slotType = type.isIndex() ? i64 : type;
  Block &entry = load->getParentOfType<func::FuncOp>().getBody().front();
  OpBuilder atEntry = OpBuilder::atBlockBegin(&entry);
  Value one = LLVM::ConstantOp::create(atEntry, loc, i64, 1);
  Value slot = LLVM::AllocaOp::create(atEntry, loc, streamType, slotType, one);
  Value zero =
      arith::ConstantOp::create(builder, loc, builder.getZeroAttr(slotType));
  LLVM::StoreOp::create(builder, loc, zero, slot);
  func::CallOp::create(
      builder, loc,
      getRuntimeFunction(module, symbols, "mgpuMemcpy",
                         {streamType, streamType, i64, streamType}, {}),
      ValueRange{slot, source, count, stream});
  func::CallOp::create(builder, loc,
                       getRuntimeFunction(module, symbols,
                                          "mgpuStreamSynchronize", streamType,
                                          {}),
                       stream);
  Value value = LLVM::LoadOp::create(builder, loc, slotType, slot);
  if (type.isIndex())
    value = arith::IndexCastOp::create(builder, loc, index, value);
  load.replaceAllUsesWith(value);
  load.erase();
}

void StreamThreader::addStream(func::FuncOp function) {
  SmallVector<Type> types(function.getArgumentTypes());
  types.push_back(streamType);
  function.setFunctionType(
      FunctionType::get(module.getContext(), types, function.getResultTypes()));
  if (ArrayAttr attributes = function.getAllArgAttrs()) {
    SmallVector<Attribute> extended(attributes.getValue());
    extended.push_back(DictionaryAttr::get(module.getContext()));
    function.setAllArgAttrs(extended);
  }
  Value stream =
      function.getBody().front().addArgument(streamType, function.getLoc());

  SmallVector<Operation *> operations;
  function.walk([&](Operation *op) { operations.push_back(op); });
  for (Operation *op : operations) {
    if (auto launch = dyn_cast<gpu::LaunchFuncOp>(op)) {
      rewriteLaunch(launch, stream);
    } else if (auto load = dyn_cast<memref::LoadOp>(op)) {
      rewriteLoad(load, stream);
    } else if (auto call = dyn_cast<func::CallOp>(op)) {
      if (func::FuncOp kernel = libraries.getKernel(call)) {
        libraries.replace(call, kernel, stream);
        continue;
      }
      func::FuncOp callee = internal.lookup(call.getCalleeAttr().getAttr());
      if (!callee)
        continue;
      OpBuilder builder(call);
      SmallVector<Value> operands(call.getOperands());
      operands.push_back(stream);
      auto replacement =
          func::CallOp::create(builder, call.getLoc(), callee.getName(),
                               call.getResultTypes(), operands);
      call.replaceAllUsesWith(replacement);
      call.erase();
    }
  }
}

LogicalResult StreamThreader::run() {
  for (Operation &op : module.getOps())
    if (auto symbol = dyn_cast<SymbolOpInterface>(op))
      for (StringRef prefix : {"mgpu", "memrevCuda"})
        if (symbol.getName().starts_with(prefix))
          return op.emitOpError("expects names that start with '")
                 << prefix << "' to be left to the runtime, but got '"
                 << symbol.getName() << "'";
  for (auto function : module.getOps<func::FuncOp>())
    if (failed(checkHostCode(function)))
      return failure();
  collectDeviceFunctions();
  SmallVector<func::FuncOp> bodies;
  for (func::FuncOp function : onDevice) {
    if (function.isPrivate()) {
      internal[function.getNameAttr()] = function;
    } else if (failed(makeEntry(function))) {
      return failure();
    }
    bodies.push_back(internal[function.getNameAttr()]);
  }
  entries.finish();
  for (func::FuncOp body : bodies)
    addStream(body);
  libraries.finish();
  for (auto function : module.getOps<func::FuncOp>())
    if (function.isPrivate() && !function.isExternal())
      finishPrivate(function);
  return success();
}

namespace {
struct GPUThreadStreams : memrev::impl::GPUThreadStreamsBase<GPUThreadStreams> {
  using Base::Base;

  void runOnOperation() override {
    if (failed(StreamThreader(getOperation(), bareEntries).run()))
      signalPassFailure();
  }
};
} // namespace
