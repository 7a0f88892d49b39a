//===- Derivatives.cpp - Derived functions of a program -------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Derivatives.h"
#include "Generator.h"
#include "memrev/Conversion/Passes.h"
#include "memrev/Dialect/Rev/IR/Rev.h"
#include "memrev/Transforms/Passes.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::testing;

StringRef mlir::memrev::testing::getName(Derived derived) {
  switch (derived) {
  case Derived::Function:
    return "f";
  case Derived::VjpStore:
    return "vjp_store";
  case Derived::VjpInvert:
    return "vjp_invert";
  case Derived::Jvp:
    return "jvp";
  case Derived::ValueAndGrad:
    return "value_and_grad";
  case Derived::JvpOfVjp:
    return "jvp_of_vjp";
  case Derived::VjpOfVjp:
    return "vjp_of_vjp";
  }
  return "";
}

Signature::Signature(ModuleOp program)
    : func(program.lookupSymbol<func::FuncOp>("f")) {
  if (auto attr = func->getAttrOfType<DenseI64ArrayAttr>(kWrtAttr))
    wrt.assign(attr.asArrayRef().begin(), attr.asArrayRef().end());
  if (auto attr = func->getAttrOfType<DenseI64ArrayAttr>(kOfAttr))
    of.assign(attr.asArrayRef().begin(), attr.asArrayRef().end());
}

SmallVector<Type> Signature::typesOfWrt() {
  SmallVector<Type> types;
  for (int64_t n : wrt)
    types.push_back(func.getArgumentTypes()[n]);
  return types;
}

SmallVector<Type> Signature::typesOf() {
  SmallVector<Type> types;
  for (int64_t n : of)
    types.push_back(func.getResultTypes()[n]);
  return types;
}

/// Runs `body` in a function of these types and returns what it returns.
static void addFunction(ImplicitLocOpBuilder &b, ModuleOp module,
                        StringRef name, ArrayRef<Type> inputs,
                        ArrayRef<Type> outputs,
                        function_ref<ValueRange(ValueRange)> body) {
  b.setInsertionPointToEnd(module.getBody());
  auto func = func::FuncOp::create(b, name, b.getFunctionType(inputs, outputs));
  b.setInsertionPointToStart(func.addEntryBlock());
  func::ReturnOp::create(b, body(func.getArguments()));
}

static void addDerived(ImplicitLocOpBuilder &b, ModuleOp module,
                       Signature &signature, Derived derived) {
  SmallVector<Type> arguments(signature.func.getArgumentTypes());
  SmallVector<Type> results(signature.func.getResultTypes());
  SmallVector<Type> wrt = signature.typesOfWrt(), of = signature.typesOf();
  auto wrtAttr = b.getDenseI64ArrayAttr(signature.wrt);
  auto ofAttr = b.getDenseI64ArrayAttr(signature.of);
  unsigned count = arguments.size();
  SmallVector<Type> inputs = arguments;
  auto vjp = [&](ValueRange values, rev::Policy policy) -> ValueRange {
    return rev::VjpOp::create(b, wrt, "f", values.take_front(count),
                              values.drop_front(count), wrtAttr, ofAttr, policy)
        .getResults();
  };
  switch (derived) {
  case Derived::Function:
    return;
  case Derived::VjpStore:
  case Derived::VjpInvert:
    llvm::append_range(inputs, of);
    addFunction(b, module, getName(derived), inputs, wrt,
                [&](ValueRange values) {
                  return vjp(values, derived == Derived::VjpStore
                                         ? rev::Policy::Store
                                         : rev::Policy::Invert);
                });
    return;
  case Derived::Jvp: {
    SmallVector<Type> outputs = results;
    llvm::append_range(outputs, of);
    llvm::append_range(inputs, wrt);
    addFunction(b, module, getName(derived), inputs, outputs,
                [&](ValueRange values) -> ValueRange {
                  return rev::JvpOp::create(
                             b, outputs, "f", values.take_front(count),
                             values.drop_front(count), wrtAttr, ofAttr)
                      .getResults();
                });
    return;
  }
  case Derived::ValueAndGrad: {
    SmallVector<Type> outputs = results;
    llvm::append_range(outputs, wrt);
    addFunction(b, module, getName(derived), inputs, outputs,
                [&](ValueRange values) -> ValueRange {
                  return rev::ValueAndGradOp::create(b, outputs, "f", values,
                                                     wrtAttr,
                                                     rev::Policy::Store)
                      .getResults();
                });
    return;
  }
  case Derived::JvpOfVjp:
  case Derived::VjpOfVjp: {
    llvm::append_range(inputs, of);
    std::string inner = ("inner_" + getName(derived)).str();
    addFunction(b, module, inner, inputs, wrt, [&](ValueRange values) {
      return vjp(values, rev::Policy::Store);
    });
    unsigned innerCount = inputs.size();
    SmallVector<Type> innerInputs = inputs, outputs;
    llvm::append_range(inputs, wrt);
    if (derived == Derived::JvpOfVjp)
      llvm::append_range(outputs, wrt);
    llvm::append_range(outputs, wrt);
    SmallVector<int64_t> all;
    for (size_t n = 0; n < wrt.size(); ++n)
      all.push_back(n);
    auto allAttr = b.getDenseI64ArrayAttr(all);
    addFunction(b, module, getName(derived), inputs, outputs,
                [&](ValueRange values) -> ValueRange {
                  ValueRange first = values.take_front(innerCount);
                  ValueRange second = values.drop_front(innerCount);
                  if (derived == Derived::JvpOfVjp)
                    return rev::JvpOp::create(b, outputs, inner, first, second,
                                              wrtAttr, allAttr)
                        .getResults();
                  return rev::VjpOp::create(b, outputs, inner, first, second,
                                            wrtAttr, allAttr,
                                            rev::Policy::Store)
                      .getResults();
                });
    return;
  }
  }
}

void mlir::memrev::testing::addTransforms(ModuleOp program, Derived derived) {
  Signature signature(program);
  ImplicitLocOpBuilder b(program.getLoc(), program.getContext());
  addDerived(b, program, signature, derived);
}

/// Runs `pipeline` on `module` and keeps the first error.
static void runPasses(DerivedModule &derived,
                      function_ref<void(OpPassManager &)> pipeline) {
  ModuleOp module = *derived.module;
  MLIRContext *context = module.getContext();
  ScopedDiagnosticHandler handler(context, [&](Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() != DiagnosticSeverity::Error ||
        !derived.error.empty())
      return success();
    derived.error = diagnostic.str();
    if (derived.error.empty())
      derived.error = "an error without a message";
    return success();
  });
  PassManager manager(context);
  // Verified below, once.
  manager.enableVerifier(false);
  pipeline(manager);
  LogicalResult result = manager.run(module);
  if (failed(result) && derived.error.empty()) {
    derived.error = "failure without an error";
    derived.isLocated = false;
  }
  if (failed(result))
    return;
  derived.error.clear();
  if (failed(verify(module))) {
    derived.error = "verifier: " + derived.error;
    derived.isLocated = false;
  }
}

DerivedModule mlir::memrev::testing::derive(ModuleOp program,
                                            ArrayRef<Derived> derived,
                                            bool strongZero) {
  DerivedModule result;
  result.module = program.clone();
  Builder b(program.getContext());
  for (Derived one : derived)
    addTransforms(*result.module, one);
  if (strongZero)
    result.module->walk([&](Operation *op) {
      if (isa<rev::VjpOp, rev::JvpOp, rev::ValueAndGradOp>(op))
        op->setAttr("strong_zero", b.getUnitAttr());
    });
  runPasses(result, [&](OpPassManager &manager) {
    if (!derived.empty())
      manager.addPass(createRevDifferentiate());
    manager.addPass(createConvertRevToLinalg());
  });
  if (!result.error.empty())
    return result;
  result.module->walk([&](Operation *op) {
    if (isa<rev::RevDialect>(op->getDialect()))
      result.error = ("left over: " + op->getName().getStringRef()).str();
  });
  if (!result.error.empty())
    result.isLocated = false;
  return result;
}

DerivedModule mlir::memrev::testing::split(ModuleOp program) {
  DerivedModule result;
  result.module = program.clone();
  Signature signature(*result.module);
  runPasses(result, [&](OpPassManager &manager) {
    RevDifferentiateOptions options;
    options.function = "f";
    options.mode = "split";
    options.policy = "store";
    options.wrt.assign(signature.wrt.begin(), signature.wrt.end());
    manager.addPass(createRevDifferentiate(options));
    manager.addPass(createConvertRevToLinalg());
  });
  return result;
}
