// Tiles that no small contraction would get, on the emulator: numbers are
// multiples of an eighth, so that results have to be equal.
// Python cannot load a library that is built with sanitizers.
// UNSUPPORTED: sanitize
// REQUIRES: slow
// RUN: memrev-opt %s --memrev-bufferize -o %t.cpu.mlir
// RUN: memrev-opt %s --memrev-gpu-schedule="chip=sm_90a" --memrev-bufferize -o %t.mlir
// RUN: %emulate %t.mlir --chip sm_90a --reference %t.cpu.mlir --multiples-of 0.125 --work-dir %t.d | FileCheck %s

// CHECK: @group_nn: 1 buffers written, error 0.0e+00
func.func @group_nn(%a: tensor<136x136xf16>, %b: tensor<136x264xf16>, %c: tensor<136x264xf32>) -> tensor<136x264xf32> {
  %r = call @group_nn_kernel(%a, %b, %c) : (tensor<136x136xf16>, tensor<136x264xf16>, tensor<136x264xf32>) -> tensor<136x264xf32>
  return %r : tensor<136x264xf32>
}
func.func private @group_nn_kernel(%a: tensor<136x136xf16>, %b: tensor<136x264xf16>, %c: tensor<136x264xf32>) -> tensor<136x264xf32> attributes {memrev.kernel, memrev.strategy = {
    engine = "contraction", unit = "warpgroup", swap = false, tile = array<i64: 128, 256, 64>, warps = array<i64: 8, 1>,
    stages = 4 : i64, splits = 1 : i64}} {
  %r = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%a, %b : tensor<136x136xf16>, tensor<136x264xf16>) outs(%c : tensor<136x264xf32>) -> tensor<136x264xf32>
  return %r : tensor<136x264xf32>
}

// CHECK: @group_tn: 1 buffers written, error 0.0e+00
func.func @group_tn(%a: tensor<136x136xf16>, %b: tensor<136x264xf16>, %c: tensor<136x264xf32>) -> tensor<136x264xf32> {
  %r = call @group_tn_kernel(%a, %b, %c) : (tensor<136x136xf16>, tensor<136x264xf16>, tensor<136x264xf32>) -> tensor<136x264xf32>
  return %r : tensor<136x264xf32>
}
func.func private @group_tn_kernel(%a: tensor<136x136xf16>, %b: tensor<136x264xf16>, %c: tensor<136x264xf32>) -> tensor<136x264xf32> attributes {memrev.kernel, memrev.strategy = {
    engine = "contraction", unit = "warpgroup", swap = false, tile = array<i64: 128, 256, 64>, warps = array<i64: 8, 1>,
    stages = 4 : i64, splits = 1 : i64}} {
  %r = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (k, m)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%a, %b : tensor<136x136xf16>, tensor<136x264xf16>) outs(%c : tensor<136x264xf32>) -> tensor<136x264xf32>
  return %r : tensor<136x264xf32>
}

// CHECK: @group_nt: 1 buffers written, error 0.0e+00
func.func @group_nt(%a: tensor<136x136xf16>, %b: tensor<264x136xf16>, %c: tensor<136x264xf32>) -> tensor<136x264xf32> {
  %r = call @group_nt_kernel(%a, %b, %c) : (tensor<136x136xf16>, tensor<264x136xf16>, tensor<136x264xf32>) -> tensor<136x264xf32>
  return %r : tensor<136x264xf32>
}
func.func private @group_nt_kernel(%a: tensor<136x136xf16>, %b: tensor<264x136xf16>, %c: tensor<136x264xf32>) -> tensor<136x264xf32> attributes {memrev.kernel, memrev.strategy = {
    engine = "contraction", unit = "warpgroup", swap = false, tile = array<i64: 128, 256, 64>, warps = array<i64: 8, 1>,
    stages = 4 : i64, splits = 1 : i64}} {
  %r = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%a, %b : tensor<136x136xf16>, tensor<264x136xf16>) outs(%c : tensor<136x264xf32>) -> tensor<136x264xf32>
  return %r : tensor<136x264xf32>
}

// CHECK: @group_tt: 1 buffers written, error 0.0e+00
func.func @group_tt(%a: tensor<136x136xf16>, %b: tensor<264x136xf16>, %c: tensor<136x264xf32>) -> tensor<136x264xf32> {
  %r = call @group_tt_kernel(%a, %b, %c) : (tensor<136x136xf16>, tensor<264x136xf16>, tensor<136x264xf32>) -> tensor<136x264xf32>
  return %r : tensor<136x264xf32>
}
func.func private @group_tt_kernel(%a: tensor<136x136xf16>, %b: tensor<264x136xf16>, %c: tensor<136x264xf32>) -> tensor<136x264xf32> attributes {memrev.kernel, memrev.strategy = {
    engine = "contraction", unit = "warpgroup", swap = false, tile = array<i64: 128, 256, 64>, warps = array<i64: 8, 1>,
    stages = 4 : i64, splits = 1 : i64}} {
  %r = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (k, m)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%a, %b : tensor<136x136xf16>, tensor<264x136xf16>) outs(%c : tensor<136x264xf32>) -> tensor<136x264xf32>
  return %r : tensor<136x264xf32>
}

// CHECK: @group_split: 1 buffers written, error 0.0e+00
func.func @group_split(%a: tensor<200x70xbf16>, %b: tensor<200x130xbf16>, %c: tensor<70x130xf32>) -> tensor<70x130xf32> {
  %r = call @group_split_kernel(%a, %b, %c) : (tensor<200x70xbf16>, tensor<200x130xbf16>, tensor<70x130xf32>) -> tensor<70x130xf32>
  return %r : tensor<70x130xf32>
}
func.func private @group_split_kernel(%a: tensor<200x70xbf16>, %b: tensor<200x130xbf16>, %c: tensor<70x130xf32>) -> tensor<70x130xf32> attributes {memrev.kernel, memrev.strategy = {
    engine = "contraction", unit = "warpgroup", swap = false, tile = array<i64: 64, 128, 64>, warps = array<i64: 4, 1>,
    stages = 3 : i64, splits = 2 : i64}} {
  %r = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (k, m)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%a, %b : tensor<200x70xbf16>, tensor<200x130xbf16>) outs(%c : tensor<70x130xf32>) -> tensor<70x130xf32>
  return %r : tensor<70x130xf32>
}

// CHECK: @group_columns: 1 buffers written, error 0.0e+00
func.func @group_columns(%a: tensor<130x72xbf16>, %b: tensor<72x136xbf16>, %c: tensor<130x136xf32>) -> tensor<130x136xf32> {
  %r = call @group_columns_kernel(%a, %b, %c) : (tensor<130x72xbf16>, tensor<72x136xbf16>, tensor<130x136xf32>) -> tensor<130x136xf32>
  return %r : tensor<130x136xf32>
}
func.func private @group_columns_kernel(%a: tensor<130x72xbf16>, %b: tensor<72x136xbf16>, %c: tensor<130x136xf32>) -> tensor<130x136xf32> attributes {memrev.kernel, memrev.strategy = {
    engine = "contraction", unit = "warpgroup", swap = false, tile = array<i64: 128, 128, 64>, warps = array<i64: 4, 2>,
    stages = 4 : i64, splits = 1 : i64}} {
  %r = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%a, %b : tensor<130x72xbf16>, tensor<72x136xbf16>) outs(%c : tensor<130x136xf32>) -> tensor<130x136xf32>
  return %r : tensor<130x136xf32>
}

// CHECK: @group_swapped: 1 buffers written, error 0.0e+00
func.func @group_swapped(%a: tensor<66x129xf16>, %b: tensor<70x129xf16>, %c: tensor<66x70xf32>) -> tensor<66x70xf32> {
  %r = call @group_swapped_kernel(%a, %b, %c) : (tensor<66x129xf16>, tensor<70x129xf16>, tensor<66x70xf32>) -> tensor<66x70xf32>
  return %r : tensor<66x70xf32>
}
func.func private @group_swapped_kernel(%a: tensor<66x129xf16>, %b: tensor<70x129xf16>, %c: tensor<66x70xf32>) -> tensor<66x70xf32> attributes {memrev.kernel, memrev.strategy = {
    engine = "contraction", unit = "warpgroup", swap = true, tile = array<i64: 64, 64, 64>, warps = array<i64: 4, 1>,
    stages = 4 : i64, splits = 1 : i64}} {
  %r = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%a, %b : tensor<66x129xf16>, tensor<70x129xf16>) outs(%c : tensor<66x70xf32>) -> tensor<66x70xf32>
  return %r : tensor<66x70xf32>
}

// CHECK: @half_wide: 1 buffers written, error 0.0e+00
func.func @half_wide(%a: tensor<72x136xf16>, %b: tensor<136x72xf16>, %c: tensor<136x136xf32>) -> tensor<136x136xf32> {
  %r = call @half_wide_kernel(%a, %b, %c) : (tensor<72x136xf16>, tensor<136x72xf16>, tensor<136x136xf32>) -> tensor<136x136xf32>
  return %r : tensor<136x136xf32>
}
func.func private @half_wide_kernel(%a: tensor<72x136xf16>, %b: tensor<136x72xf16>, %c: tensor<136x136xf32>) -> tensor<136x136xf32> attributes {memrev.kernel, memrev.strategy = {
    engine = "contraction", unit = "half", swap = false, tile = array<i64: 128, 128, 64>, warps = array<i64: 2, 2>,
    stages = 3 : i64, splits = 1 : i64}} {
  %r = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (k, m)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%a, %b : tensor<72x136xf16>, tensor<136x72xf16>) outs(%c : tensor<136x136xf32>) -> tensor<136x136xf32>
  return %r : tensor<136x136xf32>
}

// CHECK: @half_deep: 1 buffers written, error 0.0e+00
func.func @half_deep(%a: tensor<65x300xbf16>, %b: tensor<300x40xbf16>, %c: tensor<65x40xf32>) -> tensor<65x40xf32> {
  %r = call @half_deep_kernel(%a, %b, %c) : (tensor<65x300xbf16>, tensor<300x40xbf16>, tensor<65x40xf32>) -> tensor<65x40xf32>
  return %r : tensor<65x40xf32>
}
func.func private @half_deep_kernel(%a: tensor<65x300xbf16>, %b: tensor<300x40xbf16>, %c: tensor<65x40xf32>) -> tensor<65x40xf32> attributes {memrev.kernel, memrev.strategy = {
    engine = "contraction", unit = "half", swap = false, tile = array<i64: 64, 32, 128>, warps = array<i64: 2, 2>,
    stages = 4 : i64, splits = 3 : i64}} {
  %r = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%a, %b : tensor<65x300xbf16>, tensor<300x40xbf16>) outs(%c : tensor<65x40xf32>) -> tensor<65x40xf32>
  return %r : tensor<65x40xf32>
}

// CHECK: @tf32_wide: 1 buffers written, error 0.0e+00
func.func @tf32_wide(%a: tensor<70x130xf32>, %b: tensor<70x66xf32>, %c: tensor<130x66xf32>) -> tensor<130x66xf32> {
  %r = call @tf32_wide_kernel(%a, %b, %c) : (tensor<70x130xf32>, tensor<70x66xf32>, tensor<130x66xf32>) -> tensor<130x66xf32>
  return %r : tensor<130x66xf32>
}
func.func private @tf32_wide_kernel(%a: tensor<70x130xf32>, %b: tensor<70x66xf32>, %c: tensor<130x66xf32>) -> tensor<130x66xf32> attributes {memrev.kernel, memrev.strategy = {
    engine = "contraction", unit = "tf32", swap = false, tile = array<i64: 128, 64, 32>, warps = array<i64: 4, 1>,
    stages = 2 : i64, splits = 1 : i64}} {
  %r = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (k, m)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%a, %b : tensor<70x130xf32>, tensor<70x66xf32>) outs(%c : tensor<130x66xf32>) -> tensor<130x66xf32>
  return %r : tensor<130x66xf32>
}

// CHECK: @tf32_swapped: 1 buffers written, error 0.0e+00
func.func @tf32_swapped(%a: tensor<130x70xf32>, %b: tensor<66x70xf32>, %c: tensor<130x66xf32>) -> tensor<130x66xf32> {
  %r = call @tf32_swapped_kernel(%a, %b, %c) : (tensor<130x70xf32>, tensor<66x70xf32>, tensor<130x66xf32>) -> tensor<130x66xf32>
  return %r : tensor<130x66xf32>
}
func.func private @tf32_swapped_kernel(%a: tensor<130x70xf32>, %b: tensor<66x70xf32>, %c: tensor<130x66xf32>) -> tensor<130x66xf32> attributes {memrev.kernel, memrev.strategy = {
    engine = "contraction", unit = "tf32", swap = true, tile = array<i64: 64, 128, 16>, warps = array<i64: 2, 2>,
    stages = 5 : i64, splits = 2 : i64}} {
  %r = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%a, %b : tensor<130x70xf32>, tensor<66x70xf32>) outs(%c : tensor<130x66xf32>) -> tensor<130x66xf32>
  return %r : tensor<130x66xf32>
}

// CHECK: @tf32x3_wide: 1 buffers written, error 0.0e+00
func.func @tf32x3_wide(%a: tensor<40x66xf32>, %b: tensor<40x70xf32>, %c: tensor<66x70xf32>) -> tensor<66x70xf32> {
  %r = call @tf32x3_wide_kernel(%a, %b, %c) : (tensor<40x66xf32>, tensor<40x70xf32>, tensor<66x70xf32>) -> tensor<66x70xf32>
  return %r : tensor<66x70xf32>
}
func.func private @tf32x3_wide_kernel(%a: tensor<40x66xf32>, %b: tensor<40x70xf32>, %c: tensor<66x70xf32>) -> tensor<66x70xf32> attributes {memrev.kernel, memrev.strategy = {
    engine = "contraction", unit = "tf32x3", swap = false, tile = array<i64: 64, 64, 16>, warps = array<i64: 2, 2>,
    stages = 4 : i64, splits = 1 : i64}} {
  %r = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (k, m)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%a, %b : tensor<40x66xf32>, tensor<40x70xf32>) outs(%c : tensor<66x70xf32>) -> tensor<66x70xf32>
  return %r : tensor<66x70xf32>
}

// CHECK: @tf32x3_swapped: 1 buffers written, error 0.0e+00
func.func @tf32x3_swapped(%a: tensor<66x70xf32>, %b: tensor<70x70xf32>, %c: tensor<66x70xf32>) -> tensor<66x70xf32> {
  %r = call @tf32x3_swapped_kernel(%a, %b, %c) : (tensor<66x70xf32>, tensor<70x70xf32>, tensor<66x70xf32>) -> tensor<66x70xf32>
  return %r : tensor<66x70xf32>
}
func.func private @tf32x3_swapped_kernel(%a: tensor<66x70xf32>, %b: tensor<70x70xf32>, %c: tensor<66x70xf32>) -> tensor<66x70xf32> attributes {memrev.kernel, memrev.strategy = {
    engine = "contraction", unit = "tf32x3", swap = true, tile = array<i64: 64, 64, 32>, warps = array<i64: 2, 1>,
    stages = 3 : i64, splits = 2 : i64}} {
  %r = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%a, %b : tensor<66x70xf32>, tensor<70x70xf32>) outs(%c : tensor<66x70xf32>) -> tensor<66x70xf32>
  return %r : tensor<66x70xf32>
}

// CHECK: @double_wide: 1 buffers written, error 0.0e+00
func.func @double_wide(%a: tensor<30x70xf64>, %b: tensor<66x30xf64>, %c: tensor<70x66xf64>) -> tensor<70x66xf64> {
  %r = call @double_wide_kernel(%a, %b, %c) : (tensor<30x70xf64>, tensor<66x30xf64>, tensor<70x66xf64>) -> tensor<70x66xf64>
  return %r : tensor<70x66xf64>
}
func.func private @double_wide_kernel(%a: tensor<30x70xf64>, %b: tensor<66x30xf64>, %c: tensor<70x66xf64>) -> tensor<70x66xf64> attributes {memrev.kernel, memrev.strategy = {
    engine = "contraction", unit = "double", swap = false, tile = array<i64: 64, 64, 8>, warps = array<i64: 2, 2>,
    stages = 3 : i64, splits = 1 : i64}} {
  %r = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (k, m)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%a, %b : tensor<30x70xf64>, tensor<66x30xf64>) outs(%c : tensor<70x66xf64>) -> tensor<70x66xf64>
  return %r : tensor<70x66xf64>
}

// CHECK: @scalar_wide: 1 buffers written, error 0.0e+00
func.func @scalar_wide(%a: tensor<130x40xf32>, %b: tensor<132x40xf32>, %c: tensor<130x132xf32>) -> tensor<130x132xf32> {
  %r = call @scalar_wide_kernel(%a, %b, %c) : (tensor<130x40xf32>, tensor<132x40xf32>, tensor<130x132xf32>) -> tensor<130x132xf32>
  return %r : tensor<130x132xf32>
}
func.func private @scalar_wide_kernel(%a: tensor<130x40xf32>, %b: tensor<132x40xf32>, %c: tensor<130x132xf32>) -> tensor<130x132xf32> attributes {memrev.kernel, memrev.strategy = {
    engine = "contraction", unit = "scalar", swap = false, tile = array<i64: 128, 128, 16>, warps = array<i64: 2, 4>,
    stages = 4 : i64, splits = 1 : i64}} {
  %r = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%a, %b : tensor<130x40xf32>, tensor<132x40xf32>) outs(%c : tensor<130x132xf32>) -> tensor<130x132xf32>
  return %r : tensor<130x132xf32>
}
