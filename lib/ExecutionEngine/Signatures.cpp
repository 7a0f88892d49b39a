//===- Signatures.cpp - What a library says of itself ---------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/ExecutionEngine/Signatures.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/JSON.h"

using namespace mlir::memrev;

/// Writes `parameter`, whose pointer is at `place` in a call.
static void print(llvm::json::OStream &json,
                  const ParameterSignature &parameter, int64_t place) {
  json.object([&] {
    // A name may hold any bytes.
    json.attribute("name", llvm::json::fixUTF8(parameter.name));
    json.attribute("dtype", getName(parameter.type.dtype));
    json.attributeArray("shape", [&] {
      for (int64_t size : parameter.type.shape) {
        if (size == kOpenExtent)
          json.value(nullptr);
        else
          json.value(size);
      }
    });
    json.attribute("place", place);
    json.attribute("scalar", parameter.isScalar);
    json.attribute("donated", parameter.isDonated);
  });
}

static void print(llvm::json::OStream &json,
                  const FunctionSignature &function) {
  json.object([&] {
    json.attribute("name", llvm::json::fixUTF8(function.name));
    json.attributeArray("arguments", [&] {
      for (auto [place, argument] : llvm::enumerate(function.arguments))
        print(json, argument, place);
    });
    json.attributeArray("results", [&] {
      for (auto [result, place] :
           llvm::zip_equal(function.results, function.resultParameters))
        print(json, result, place);
    });
    // The argument and the axis of each.
    json.attributeArray("extents", [&] {
      for (const ArgumentExtent &extent : function.extents)
        json.array([&] {
          json.value(extent.argument);
          json.value(extent.axis);
        });
    });
    if (function.extents.empty())
      json.attribute("workspace_bytes", function.arenaBytes);
    else
      json.attribute("workspace_bytes", nullptr);
  });
}

void mlir::memrev::addSignatures(llvm::Module &module,
                                 llvm::ArrayRef<FunctionSignature> functions,
                                 llvm::StringRef target, llvm::StringRef chip) {
  std::string text;
  llvm::raw_string_ostream os(text);
  llvm::json::OStream json(os);
  json.object([&] {
    json.attribute("target", target);
    json.attribute("chip", chip);
    json.attributeArray("functions", [&] {
      for (const FunctionSignature &function : functions)
        print(json, function);
    });
  });
  auto *value = llvm::ConstantDataArray::getString(module.getContext(), text);
  new llvm::GlobalVariable(module, value->getType(), /*isConstant=*/true,
                           llvm::GlobalValue::ExternalLinkage, value,
                           kSignatures);
}
