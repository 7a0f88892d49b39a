//===- MathFunctions.h - Elementary functions of floats ---------*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_CODEGEN_GPU_MATHFUNCTIONS_H
#define MEMREV_LIB_CODEGEN_GPU_MATHFUNCTIONS_H

#include "MathBuilder.h"

namespace mlir::memrev {

// Each function emits the arithmetic that computes it, in the type of the
// builder, for all arguments: infinities, NaN, zeros of both signs, subnormals.
// docs/GPU.md has the errors.

// Exponentials: MathExponentials.cpp.
Value expandExp(MathBuilder &b, Value x);
Value expandExp2(MathBuilder &b, Value x);
Value expandExpM1(MathBuilder &b, Value x);
Value expandSinh(MathBuilder &b, Value x);
Value expandCosh(MathBuilder &b, Value x);
Value expandTanh(MathBuilder &b, Value x);
Value expandErf(MathBuilder &b, Value x);
Value expandErfc(MathBuilder &b, Value x);
/// exp(x), whose value need not be in the range of the type. `x.low` may be
/// null.
Scaled expandScaledExp(MathBuilder &b, DoubleWord x);

// Logarithms: MathLogarithms.cpp.
Value expandLog(MathBuilder &b, Value x);
Value expandLog2(MathBuilder &b, Value x);
Value expandLog10(MathBuilder &b, Value x);
Value expandLog1p(MathBuilder &b, Value x);
Value expandAsinh(MathBuilder &b, Value x);
Value expandAcosh(MathBuilder &b, Value x);
Value expandAtanh(MathBuilder &b, Value x);
/// The logarithm of a number that is not negative, with twice the bits of its
/// type; its low word is any if x is 0, infinite or NaN.
DoubleWord expandPreciseLog(MathBuilder &b, Value x);

// Powers and roots: MathPowers.cpp.
Value expandPow(MathBuilder &b, Value x, Value y);
/// x^n for an integer of any type.
Value expandIntegerPow(MathBuilder &b, Value x, Value n);
Value expandCbrt(MathBuilder &b, Value x);
/// base^exponent for integers of one type.
Value expandIPow(ImplicitLocOpBuilder &b, Value base, Value exponent);

// Functions of angles: MathAngles.cpp.
/// Returns the sine and the cosine.
std::pair<Value, Value> expandSincos(MathBuilder &b, Value x);
Value expandTan(MathBuilder &b, Value x);
Value expandAtan(MathBuilder &b, Value x);
Value expandAtan2(MathBuilder &b, Value y, Value x);
Value expandAsin(MathBuilder &b, Value x);
Value expandAcos(MathBuilder &b, Value x);

} // namespace mlir::memrev

#endif // MEMREV_LIB_CODEGEN_GPU_MATHFUNCTIONS_H
