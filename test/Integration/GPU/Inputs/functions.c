//===- functions.c - References for functions of the GPU ------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include <math.h>

// Each computes in long double and stores the result as the sum of two doubles.

#define UNARY(name)                                                            \
  void reference_##name(const double *x, double *high, double *low,            \
                        long count) {                                          \
    for (long i = 0; i < count; ++i) {                                         \
      long double result = name##l(x[i]);                                      \
      high[i] = result;                                                        \
      low[i] = result - (long double)high[i];                                  \
    }                                                                          \
  }

#define BINARY(name)                                                           \
  void reference_##name(const double *x, const double *y, double *high,        \
                        double *low, long count) {                             \
    for (long i = 0; i < count; ++i) {                                         \
      long double result = name##l(x[i], y[i]);                                \
      high[i] = result;                                                        \
      low[i] = result - (long double)high[i];                                  \
    }                                                                          \
  }

static long double rsqrtl(long double x) { return 1 / sqrtl(x); }

UNARY(acos)
UNARY(acosh)
UNARY(asin)
UNARY(asinh)
UNARY(atan)
UNARY(atanh)
UNARY(cbrt)
UNARY(cos)
UNARY(cosh)
UNARY(erf)
UNARY(erfc)
UNARY(exp)
UNARY(exp2)
UNARY(expm1)
UNARY(log)
UNARY(log10)
UNARY(log1p)
UNARY(log2)
UNARY(rsqrt)
UNARY(sin)
UNARY(sinh)
UNARY(tan)
UNARY(tanh)
BINARY(atan2)
BINARY(pow)
