//===- Register.cpp - Derivative and inverse rules of upstream ops --------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/ExternalInterfaces/Register.h"
#include "Models.h"

using namespace mlir;

void memrev::registerExternalInterfaces(DialectRegistry &registry) {
  registerArithModels(registry);
  registerCounterModels(registry);
  registerComplexInverses(registry);
  registerComplexModels(registry);
  registerFuncModels(registry);
  registerLinalgContractionModels(registry);
  registerLinalgConvolutionModels(registry);
  registerLinalgDataMovementModels(registry);
  registerLinalgGenericModels(registry);
  registerLinalgPackingModels(registry);
  registerLinalgPoolingModels(registry);
  registerLinalgSoftmaxModels(registry);
  registerLinalgTangentModels(registry);
  registerMathModels(registry);
  registerPiecewiseLinearModels(registry);
  registerSCFForwardModels(registry);
  registerSCFLoopModels(registry);
  registerSCFModels(registry);
  registerTensorElementModels(registry);
  registerTensorIndexedModels(registry);
  registerTensorModels(registry);
  registerTensorPadModels(registry);
  registerTensorSliceModels(registry);
  registerTensorTangentModels(registry);
}
