//===- memrev-plugin.cpp - memrev for a stock mlir-opt --------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A library that Debian's mlir-opt loads with --load-dialect-plugin and
// --load-pass-plugin. Pass flags are parsed before plugins are loaded, so the
// passes are named in --pass-pipeline.
//
//===----------------------------------------------------------------------===//

#include "memrev/InitAll.h"
#include "mlir/Tools/Plugins/DialectPlugin.h"
#include "mlir/Tools/Plugins/PassPlugin.h"

using namespace mlir;

/// Registers memrev's passes and pipelines.
extern "C" LLVM_ATTRIBUTE_WEAK
    __attribute__((visibility("default"))) PassPluginLibraryInfo
    mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "MemRev", MEMREV_VERSION,
          [] { memrev::registerMemRevPasses(); }};
}

/// Registers the rev dialect and the rules of upstream's operations.
extern "C" LLVM_ATTRIBUTE_WEAK
    __attribute__((visibility("default"))) DialectPluginLibraryInfo
    mlirGetDialectPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "MemRev", MEMREV_VERSION,
          [](DialectRegistry *registry) {
            memrev::registerMemRevDialects(*registry);
          }};
}
