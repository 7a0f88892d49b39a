//===- MathBuilder.cpp - Arithmetic in short notation ---------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MathBuilder.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace mlir::memrev;

Value MathBuilder::scale(Scaled x) {
  // Two factors, because the power alone may be out of range.
  Value half = shrSigned(x.exponent, 1);
  Value scaled = mul(x.significand, powerOfTwo(half));
  return mul(scaled, powerOfTwo(subi(x.exponent, half)));
}

std::pair<Value, Value> MathBuilder::roundProduct(Value x, double factor) {
  // Numbers as large as this have no bits after the point.
  Value shift = f(choose(0x1.8p52, 0x1.8p23));
  Value shifted = fma(x, f(factor), shift);
  return {sub(shifted, shift), subi(bits(shifted), bits(shift))};
}

Value MathBuilder::polynomial(Value x, ArrayRef<double> forF64,
                              ArrayRef<double> forF32) {
  ArrayRef<double> coefficients = isF64() ? forF64 : forF32;
  Value result = f(coefficients.back());
  for (double coefficient : llvm::reverse(coefficients.drop_back()))
    result = fma(result, x, f(coefficient));
  return result;
}

DoubleWord MathBuilder::constant(double high, double low) {
  if (isF64())
    return {f(high), f(low)};
  double rounded = static_cast<float>(high);
  return {f(rounded), f((high - rounded) + low)};
}

DoubleWord MathBuilder::fastTwoSum(Value x, Value y) {
  Value sum = add(x, y);
  return {sum, add(sub(x, sum), y)};
}

DoubleWord MathBuilder::twoSum(Value x, Value y) {
  Value sum = add(x, y);
  Value second = sub(sum, x);
  return {sum, add(sub(x, sub(sum, second)), sub(y, second))};
}

DoubleWord MathBuilder::twoProduct(Value x, Value y) {
  Value product = mul(x, y);
  return {product, fma(x, y, neg(product))};
}
