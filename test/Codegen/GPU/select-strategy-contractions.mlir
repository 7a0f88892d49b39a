// RUN: memrev-opt %s --pass-pipeline='builtin.module(func.func(gpu-select-strategy{chip=sm_90}))' --split-input-file 2>&1 | FileCheck %s --check-prefixes=CHECK,SM90
// RUN: memrev-opt %s --pass-pipeline='builtin.module(func.func(gpu-select-strategy{chip=sm_80 fp32-precision=tf32}))' --split-input-file 2>&1 | FileCheck %s --check-prefixes=CHECK,TF32
// RUN: memrev-opt %s --pass-pipeline='builtin.module(func.func(gpu-select-strategy{chip=sm_90a}))' --split-input-file 2>&1 | FileCheck %s --check-prefixes=CHECK,SM90A
// RUN: memrev-opt %s --pass-pipeline='builtin.module(func.func(gpu-select-strategy{chip=sm_75}))' --split-input-file 2>&1 | FileCheck %s --check-prefix=SM75

// Tensor cores multiply f32 only when they may round it.
// CHECK-LABEL: func.func private @matmul
// SM90-SAME: unit = "scalar"
// TF32-SAME: unit = "tf32"
// SM90A-SAME: unit = "scalar"
// SM75-LABEL: func.func private @matmul
// SM75-SAME: engine = "reduction"
func.func private @matmul(%a: tensor<4096x4096xf32>, %b: tensor<4096x4096xf32>, %c: tensor<4096x4096xf32>) -> tensor<4096x4096xf32> attributes {memrev.kernel} {
  %r = linalg.matmul ins(%a, %b : tensor<4096x4096xf32>, tensor<4096x4096xf32>) outs(%c : tensor<4096x4096xf32>) -> tensor<4096x4096xf32>
  return %r : tensor<4096x4096xf32>
}

// -----

// CHECK-LABEL: func.func private @half
// SM90-SAME: tile = array<i64: 128, 256, 32>, unit = "half", warps = array<i64: 2, 4>
// TF32-SAME: unit = "half"
// SM90A-SAME: tile = array<i64: 128, 256, 64>, unit = "warpgroup", warps = array<i64: 8, 1>
func.func private @half(%a: tensor<4096x4096xf16>, %b: tensor<4096x4096xf16>, %c: tensor<4096x4096xf32>) -> tensor<4096x4096xf32> attributes {memrev.kernel} {
  %r = linalg.matmul ins(%a, %b : tensor<4096x4096xf16>, tensor<4096x4096xf16>) outs(%c : tensor<4096x4096xf32>) -> tensor<4096x4096xf32>
  return %r : tensor<4096x4096xf32>
}

// -----

// CHECK-LABEL: func.func private @double
// CHECK-SAME: unit = "double"
func.func private @double(%a: tensor<512x512xf64>, %b: tensor<512x512xf64>, %c: tensor<512x512xf64>) -> tensor<512x512xf64> attributes {memrev.kernel} {
  %r = linalg.matmul ins(%a, %b : tensor<512x512xf64>, tensor<512x512xf64>) outs(%c : tensor<512x512xf64>) -> tensor<512x512xf64>
  return %r : tensor<512x512xf64>
}

// -----

// A result whose rows lie one after another is computed transposed.
// CHECK-LABEL: func.func private @transposed
// CHECK-SAME: swap = true
func.func private @transposed(%a: tensor<512x512xf32>, %b: tensor<512x512xf32>, %c: tensor<512x512xf32>) -> tensor<512x512xf32> attributes {memrev.kernel} {
  %r = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (n, m)>],
                       iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<512x512xf32>, tensor<512x512xf32>) outs(%c : tensor<512x512xf32>) {
  ^bb0(%x: f32, %y: f32, %s: f32):
    %0 = arith.mulf %x, %y : f32
    %1 = arith.addf %s, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<512x512xf32>
  return %r : tensor<512x512xf32>
}

// -----

// A long sum to few results is split for the sake of more blocks.
// CHECK-LABEL: func.func private @filter_gradient
// CHECK-SAME: splits = {{[0-9][0-9]+}}
func.func private @filter_gradient(%x: tensor<100x34x34x16xf32>, %dy: tensor<100x32x32x16xf32>, %c: tensor<3x3x16x16xf32>) -> tensor<3x3x16x16xf32> attributes {memrev.kernel} {
  %r = linalg.generic {indexing_maps = [affine_map<(i, j, c, f, n, h, w) -> (n, h + i, w + j, c)>,
                                        affine_map<(i, j, c, f, n, h, w) -> (n, h, w, f)>,
                                        affine_map<(i, j, c, f, n, h, w) -> (i, j, c, f)>],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %dy : tensor<100x34x34x16xf32>, tensor<100x32x32x16xf32>) outs(%c : tensor<3x3x16x16xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %s, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<3x3x16x16xf32>
  return %r : tensor<3x3x16x16xf32>
}

// -----

// Seven columns are no matrix.
// CHECK-LABEL: func.func private @narrow
// CHECK-SAME: engine = "reduction"
func.func private @narrow(%a: tensor<512x512xf32>, %b: tensor<512x7xf32>, %c: tensor<512x7xf32>) -> tensor<512x7xf32> attributes {memrev.kernel} {
  %r = linalg.matmul ins(%a, %b : tensor<512x512xf32>, tensor<512x7xf32>) outs(%c : tensor<512x7xf32>) -> tensor<512x7xf32>
  return %r : tensor<512x7xf32>
}
