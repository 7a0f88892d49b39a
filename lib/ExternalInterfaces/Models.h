//===- Models.h - External models by dialect ------------------ -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_EXTERNALINTERFACES_MODELS_H
#define MEMREV_LIB_EXTERNALINTERFACES_MODELS_H

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace mlir::memrev {

void registerArithModels(DialectRegistry &registry);
void registerCounterModels(DialectRegistry &registry);
void registerComplexInverses(DialectRegistry &registry);
void registerComplexModels(DialectRegistry &registry);
void registerFuncModels(DialectRegistry &registry);
void registerLinalgContractionModels(DialectRegistry &registry);
void registerLinalgConvolutionModels(DialectRegistry &registry);
void registerLinalgDataMovementModels(DialectRegistry &registry);
void registerLinalgGenericModels(DialectRegistry &registry);
void registerLinalgPackingModels(DialectRegistry &registry);
void registerLinalgPoolingModels(DialectRegistry &registry);
void registerLinalgSoftmaxModels(DialectRegistry &registry);
void registerLinalgTangentModels(DialectRegistry &registry);
void registerMathModels(DialectRegistry &registry);
void registerPiecewiseLinearModels(DialectRegistry &registry);
void registerSCFForwardModels(DialectRegistry &registry);
void registerSCFLoopModels(DialectRegistry &registry);
void registerSCFModels(DialectRegistry &registry);
void registerTensorElementModels(DialectRegistry &registry);
void registerTensorIndexedModels(DialectRegistry &registry);
void registerTensorModels(DialectRegistry &registry);
void registerTensorPadModels(DialectRegistry &registry);
void registerTensorSliceModels(DialectRegistry &registry);
void registerTensorTangentModels(DialectRegistry &registry);

} // namespace mlir::memrev

#endif // MEMREV_LIB_EXTERNALINTERFACES_MODELS_H
