//===- MathPolynomials.h - Polynomials of functions -------------*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Printed by utils/minimax.py. The constant coefficient comes first.
// clang-format off

#ifndef MEMREV_LIB_CODEGEN_GPU_MATHPOLYNOMIALS_H
#define MEMREV_LIB_CODEGEN_GPU_MATHPOLYNOMIALS_H

namespace mlir::memrev {

constexpr double kErfcCenter = 4;

// (exp(r) - 1 - r) / r^2 for |r| <= ln(2) / 2, to 2^-61.7.
inline constexpr double kExpF64[] = {
    0x1.0000000000000p-1,
    0x1.5555555555559p-3,
    0x1.555555555555ap-5,
    0x1.111111110f6afp-7,
    0x1.6c16c16c144a6p-10,
    0x1.a01a01afe5262p-13,
    0x1.a01a01b09fce3p-16,
    0x1.71ddf8539d70ap-19,
    0x1.27e4c5cd315a6p-22,
    0x1.af5ebf050929dp-26,
    0x1.1f95257838f0ep-29};

// (exp(r) - 1 - r) / r^2 for |r| <= ln(2) / 2, to 2^-32.0.
inline constexpr double kExpF32[] = {
    0x1.0000000000000p-1,
    0x1.5555560000000p-3,
    0x1.5554ae0000000p-5,
    0x1.1110900000000p-7,
    0x1.6d74860000000p-10,
    0x1.a1a1400000000p-13};

// (2 atanh(s) - 2 s) / s^3 in s^2, for |s| <= 3 - sqrt(8), to 2^-59.5.
inline constexpr double kLogF64[] = {
    0x1.5555555555592p-1,
    0x1.999999997fd81p-2,
    0x1.24924941f473ap-2,
    0x1.c71c520671dd2p-3,
    0x1.74663f8cc5b18p-3,
    0x1.39a1a91f7918bp-3,
    0x1.2f061e803fbb1p-3};

// (2 atanh(s) - 2 s) / s^3 in s^2, for |s| <= 3 - sqrt(8), to 2^-30.2.
inline constexpr double kLogF32[] = {
    0x1.55557a0000000p-1,
    0x1.995eb80000000p-2,
    0x1.31e3400000000p-2};

// ((atanh(s) / s - 1) / s^2 - 1/3) / s^2 in s^2, for |s| <= 3 - sqrt(8), to
// 2^-73.5.
inline constexpr double kLogTailF64[] = {
    0x1.9999999999996p-3,
    0x1.2492492493036p-3,
    0x1.c71c71c5804c9p-4,
    0x1.745d18325fe62p-4,
    0x1.3b1362b29652bp-4,
    0x1.1120b6249ec73p-4,
    0x1.de335c25ade70p-5,
    0x1.eb11ca7d3c308p-5};

// ((atanh(s) / s - 1) / s^2 - 1/3) / s^2 in s^2, for |s| <= 3 - sqrt(8), to
// 2^-36.8.
inline constexpr double kLogTailF32[] = {
    0x1.999a000000000p-3,
    0x1.2452960000000p-3,
    0x1.df9d580000000p-4};

// (sin(r) / r - 1) / r^2 in r^2, for |r| <= pi / 4, to 2^-58.0.
inline constexpr double kSinF64[] = {
    -0x1.5555555555549p-3,
    0x1.111111110f860p-7,
    -0x1.a01a019c0e1a1p-13,
    0x1.71de35748c831p-19,
    -0x1.ae5e63a7e843ep-26,
    0x1.5d923b70b3d3dp-33};

// (sin(r) / r - 1) / r^2 in r^2, for |r| <= pi / 4, to 2^-28.0.
inline constexpr double kSinF32[] = {
    -0x1.5555460000000p-3,
    0x1.11075c0000000p-7,
    -0x1.994ce40000000p-13};

// (cos(r) - 1 + r^2 / 2) / r^4 in r^2, for |r| <= pi / 4, to 2^-64.2.
inline constexpr double kCosF64[] = {
    0x1.555555555554cp-5,
    -0x1.6c16c16c15161p-10,
    0x1.a01a019caec96p-16,
    -0x1.27e4f807b6404p-22,
    0x1.1ee9ea5619168p-29,
    -0x1.8fadc43653be5p-37};

// (cos(r) - 1 + r^2 / 2) / r^4 in r^2, for |r| <= pi / 4, to 2^-33.3.
inline constexpr double kCosF32[] = {
    0x1.55554a0000000p-5,
    -0x1.6c0c860000000p-10,
    0x1.9a00b80000000p-16};

// (atan(q) / q - 1) / q^2 in q^2, for |q| <= tan(pi / 8), to 2^-59.5.
inline constexpr double kAtanF64[] = {
    -0x1.555555555553dp-2,
    0x1.99999999958f5p-3,
    -0x1.24924922b15e1p-3,
    0x1.c71c70e7baf06p-4,
    -0x1.745cf90df4260p-4,
    0x1.3b111c98aa222p-4,
    -0x1.10ebdffe91d75p-4,
    0x1.df118aea0775ep-5,
    -0x1.9cdcca04a411ep-5,
    0x1.37eee756a1722p-5,
    -0x1.25a0f982cc3b7p-6};

// (atan(q) / q - 1) / q^2 in q^2, for |q| <= tan(pi / 8), to 2^-30.5.
inline constexpr double kAtanF32[] = {
    -0x1.55554a0000000p-2,
    0x1.9991ae0000000p-3,
    -0x1.23b6c60000000p-3,
    0x1.b202d60000000p-4,
    -0x1.f259b00000000p-5};

// (asin(x) / x - 1) / x^2 in x^2, for |x| <= 1/2, to 2^-59.8.
inline constexpr double kAsinF64[] = {
    0x1.5555555555578p-3,
    0x1.333333332df7bp-4,
    0x1.6db6db72262c5p-5,
    0x1.f1c71a8dba2a1p-6,
    0x1.6e8bdfa735ce4p-6,
    0x1.1c49e2b021f11p-6,
    0x1.ca20cef199e3fp-7,
    0x1.757b73da12f65p-7,
    0x1.617411fdc87e5p-7,
    0x1.e2bcf9cfb783fp-9,
    0x1.64931d4006c16p-6,
    -0x1.595510a73662bp-6,
    0x1.0bb08c348d371p-5};

// (asin(x) / x - 1) / x^2 in x^2, for |x| <= 1/2, to 2^-31.7.
inline constexpr double kAsinF32[] = {
    0x1.55554c0000000p-3,
    0x1.33388e0000000p-4,
    0x1.6cac3c0000000p-5,
    0x1.04a6520000000p-5,
    0x1.d7f2800000000p-7,
    0x1.33bbb00000000p-5};

// erf(x) / x - 1 in x^2, for |x| <= 3/4, to 2^-60.1.
inline constexpr double kErfF64[] = {
    0x1.06eba8214db69p-3,
    -0x1.812746b0379e0p-2,
    0x1.ce2f21a0424ddp-4,
    -0x1.b82ce31257d61p-6,
    0x1.565bcd0380603p-8,
    -0x1.c02db127a0971p-11,
    0x1.f9a2b057e0bd4p-14,
    -0x1.f4c5ecd3a28a0p-17,
    0x1.b90f777a97e15p-20,
    -0x1.5653e494df561p-23,
    0x1.8a4a7a97d8467p-27};

// erf(x) / x - 1 in x^2, for |x| <= 3/4, to 2^-29.3.
inline constexpr double kErfF32[] = {
    0x1.06eba80000000p-3,
    -0x1.81273a0000000p-2,
    0x1.ce2af40000000p-4,
    -0x1.b7abfa0000000p-6,
    0x1.4f47f60000000p-8,
    -0x1.627a100000000p-11};

// (1 + 2 x) exp(x^2) erfc(x) in t = (x - 4) / (x + 4), for 1/2 <= x <= 28 in
// f64 and 21/2 in f32, to 2^-58.4.
inline constexpr double kErfcF64[] = {
    0x1.3ba5916e9fd7fp+0,
    -0x1.1df1ad154a28ep-3,
    0x1.f7f5df66fd53bp-7,
    0x1.16ecefcfa5335p-4,
    -0x1.9ddb23c3e7b19p-4,
    0x1.7fee004e13679p-4,
    -0x1.0fb06dfe6e136p-4,
    0x1.3079edf653bd3p-5,
    -0x1.0962387d19185p-6,
    0x1.49c6729866415p-8,
    -0x1.8d4aa1f3feffap-11,
    -0x1.a1df36f6fe6e4p-13,
    0x1.3be0def4e1934p-13,
    -0x1.99568b94373b4p-16,
    -0x1.78a52dbe7f7bfp-17,
    0x1.7f054b144c27ep-18,
    0x1.41f016a015c2fp-22,
    -0x1.b8bbeb1789232p-21,
    0x1.1edb09d6a5d5cp-24,
    0x1.c087d67ff4b4ep-24,
    -0x1.a1065fa905bc8p-27,
    -0x1.59dd21c9d7110p-27};

// (1 + 2 x) exp(x^2) erfc(x) in t = (x - 4) / (x + 4), for 1/2 <= x <= 28 in
// f64 and 21/2 in f32, to 2^-28.4.
inline constexpr double kErfcF32[] = {
    0x1.3ba5920000000p+0,
    -0x1.1df1a60000000p-3,
    0x1.f7f7300000000p-7,
    0x1.16ea460000000p-4,
    -0x1.9de0a20000000p-4,
    0x1.8012fc0000000p-4,
    -0x1.0f69080000000p-4,
    0x1.2f09b40000000p-5,
    -0x1.0f8a720000000p-6,
    0x1.59a9920000000p-8};

} // namespace mlir::memrev

#endif // MEMREV_LIB_CODEGEN_GPU_MATHPOLYNOMIALS_H
