// RUN: memrev-opt %s --pass-pipeline='builtin.module(func.func(gpu-select-engines{contractions=vendor}))' --split-input-file | FileCheck %s --check-prefixes=CHECK,VENDOR
// RUN: memrev-opt %s --pass-pipeline='builtin.module(func.func(gpu-select-engines{contractions=auto}))' --split-input-file | FileCheck %s --check-prefixes=CHECK,AUTO
// RUN: memrev-opt %s --pass-pipeline='builtin.module(func.func(gpu-select-engines{contractions=auto chip=sm_90a fp32-precision=tf32}))' --split-input-file | FileCheck %s --check-prefixes=CHECK,GROUPS
// RUN: memrev-opt %s --pass-pipeline='builtin.module(func.func(gpu-select-engines{contractions=auto chip=sm_80 fp32-precision=tf32}))' --split-input-file | FileCheck %s --check-prefixes=CHECK,SM80
// RUN: memrev-opt %s --pass-pipeline='builtin.module(func.func(gpu-select-engines))' --split-input-file | FileCheck %s --check-prefixes=CHECK,GENERATED

// Not worth a call by itself, but where all are asked for.

// CHECK-LABEL: @small
// VENDOR: linalg.matmul {memrev.alone, memrev.engine = "vendor"}
// AUTO-NOT: memrev.engine
// GROUPS-NOT: memrev.engine
// GENERATED-NOT: memrev.engine
func.func @small(%a: tensor<64x32xf32>, %b: tensor<32x48xf32>, %c: tensor<64x48xf32>) -> tensor<64x48xf32> {
  %r = linalg.matmul ins(%a, %b : tensor<64x32xf32>, tensor<32x48xf32>) outs(%c : tensor<64x48xf32>) -> tensor<64x48xf32>
  return %r : tensor<64x48xf32>
}

// -----

// Faster in the library where a kernel could not use what the chip has.

// CHECK-LABEL: @large
// VENDOR: linalg.matmul {memrev.alone, memrev.engine = "vendor"}
// AUTO: linalg.matmul {memrev.alone, memrev.engine = "vendor"}
// GROUPS-NOT: memrev.engine
// SM80-NOT: memrev.engine
func.func @large(%a: tensor<1024x1024xf16>, %b: tensor<1024x1024xf16>, %c: tensor<1024x1024xf32>) -> tensor<1024x1024xf32> {
  %r = linalg.matmul ins(%a, %b : tensor<1024x1024xf16>, tensor<1024x1024xf16>) outs(%c : tensor<1024x1024xf32>) -> tensor<1024x1024xf32>
  return %r : tensor<1024x1024xf32>
}

// -----

// Kernels multiply as tf32 with mma.sync on all chips; f32 with every bit is not
// faster in a library.

// CHECK-LABEL: @single
// VENDOR: memrev.engine = "vendor"
// AUTO-NOT: memrev.engine
// GROUPS: linalg.matmul {memrev.alone, memrev.engine = "vendor"}
// SM80-NOT: memrev.engine
func.func @single(%a: tensor<1024x1024xf32>, %b: tensor<1024x1024xf32>, %c: tensor<1024x1024xf32>) -> tensor<1024x1024xf32> {
  %r = linalg.matmul ins(%a, %b : tensor<1024x1024xf32>, tensor<1024x1024xf32>) outs(%c : tensor<1024x1024xf32>) -> tensor<1024x1024xf32>
  return %r : tensor<1024x1024xf32>
}

// -----

// An operation that only rounds the sums goes with them.

#id = affine_map<(i, j) -> (i, j)>
// CHECK-LABEL: @rounded
// AUTO: linalg.matmul {memrev.alone, memrev.engine = "vendor"}
// AUTO: linalg.generic
// AUTO-SAME: attrs = {memrev.alone}
func.func @rounded(%a: tensor<1024x1024xf16>, %b: tensor<1024x1024xf16>) -> tensor<1024x1024xf16> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1024x1024xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<1024x1024xf32>) -> tensor<1024x1024xf32>
  %r = linalg.matmul ins(%a, %b : tensor<1024x1024xf16>, tensor<1024x1024xf16>) outs(%init : tensor<1024x1024xf32>) -> tensor<1024x1024xf32>
  %h = tensor.empty() : tensor<1024x1024xf16>
  %n = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%r : tensor<1024x1024xf32>) outs(%h : tensor<1024x1024xf16>) {
  ^bb0(%v: f32, %o: f16):
    %t = arith.truncf %v : f32 to f16
    linalg.yield %t : f16
  } -> tensor<1024x1024xf16>
  return %n : tensor<1024x1024xf16>
}

// -----

// Another one would be part of a generated kernel: auto leaves it that. Where
// the library is asked for, the other is a kernel of its own.

#id = affine_map<(i, j) -> (i, j)>
// CHECK-LABEL: @followed
// AUTO-NOT: memrev.engine
// VENDOR: linalg.matmul {memrev.alone, memrev.engine = "vendor"}
// VENDOR: linalg.generic
// VENDOR-NOT: memrev.engine
func.func @followed(%a: tensor<1024x1024xf16>, %b: tensor<1024x1024xf16>) -> tensor<1024x1024xf16> {
  %zero = arith.constant 0.0 : f16
  %e = tensor.empty() : tensor<1024x1024xf16>
  %init = linalg.fill ins(%zero : f16) outs(%e : tensor<1024x1024xf16>) -> tensor<1024x1024xf16>
  %r = linalg.matmul ins(%a, %b : tensor<1024x1024xf16>, tensor<1024x1024xf16>) outs(%init : tensor<1024x1024xf16>) -> tensor<1024x1024xf16>
  %n = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%r : tensor<1024x1024xf16>) outs(%e : tensor<1024x1024xf16>) {
  ^bb0(%v: f16, %o: f16):
    %t = arith.maximumf %v, %zero : f16
    linalg.yield %t : f16
  } -> tensor<1024x1024xf16>
  return %n : tensor<1024x1024xf16>
}

// -----

// What the program says of an operation counts more than the option.

// CHECK-LABEL: @asked
// CHECK: linalg.matmul {memrev.alone, memrev.engine = "vendor"}
// CHECK-NOT: memrev.engine
func.func @asked(%a: tensor<64x32xf32>, %b: tensor<32x48xf32>, %c: tensor<64x48xf32>, %d: tensor<64x48xf32>)
    -> (tensor<64x48xf32>, tensor<64x48xf32>) {
  %r = linalg.matmul {memrev.engine = "vendor"} ins(%a, %b : tensor<64x32xf32>, tensor<32x48xf32>) outs(%c : tensor<64x48xf32>) -> tensor<64x48xf32>
  %s = linalg.matmul {memrev.engine = "generated"} ins(%a, %b : tensor<64x32xf32>, tensor<32x48xf32>) outs(%d : tensor<64x48xf32>) -> tensor<64x48xf32>
  return %r, %s : tensor<64x48xf32>, tensor<64x48xf32>
}

// -----

// The library rounds nothing that it adds to.

#id = affine_map<(i, j) -> (i, j)>
// CHECK-LABEL: @added
// VENDOR: linalg.matmul {memrev.alone, memrev.engine = "vendor"}
// VENDOR-NOT: memrev.alone
func.func @added(%a: tensor<64x32xf16>, %b: tensor<32x48xf16>, %c: tensor<64x48xf32>) -> tensor<64x48xf16> {
  %r = linalg.matmul ins(%a, %b : tensor<64x32xf16>, tensor<32x48xf16>) outs(%c : tensor<64x48xf32>) -> tensor<64x48xf32>
  %h = tensor.empty() : tensor<64x48xf16>
  %n = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%r : tensor<64x48xf32>) outs(%h : tensor<64x48xf16>) {
  ^bb0(%v: f32, %o: f16):
    %t = arith.truncf %v : f32 to f16
    linalg.yield %t : f16
  } -> tensor<64x48xf16>
  return %n : tensor<64x48xf16>
}
