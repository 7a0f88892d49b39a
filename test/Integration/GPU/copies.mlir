// Copies of whole buffers, rows, columns and overlapping parts of one buffer.
// Python cannot load a library that is built with sanitizers.
// UNSUPPORTED: sanitize
// RUN: memrev-opt %s --memrev-gpu-schedule --memrev-bufferize -o %t.gpu.mlir
// RUN: memrev-opt %s --memrev-bufferize -o %t.cpu.mlir
// RUN: %emulate %t.gpu.mlir --reference %t.cpu.mlir --work-dir %t.dir | FileCheck %s
// RUN: memrev-opt %t.gpu.mlir --memrev-gpu-kernels | FileCheck %s --check-prefix=KERNELS

// Nothing is left to the route of a thread an element.
// KERNELS-NOT: gpu.func

// Arguments that are results.
// CHECK: @whole: 3 buffers written
func.func @whole(%x: tensor<1000xf32>, %y: tensor<33x7xf16>, %s: tensor<f64>) -> (tensor<1000xf32>, tensor<33x7xf16>, tensor<f64>) {
  return %x, %y, %s : tensor<1000xf32>, tensor<33x7xf16>, tensor<f64>
}

// Columns, of which some are aligned and some are not.
// CHECK: @concat: 1 buffers written
func.func @concat(%x: tensor<6x40xf32>, %y: tensor<6x24xf32>, %z: tensor<6x13xf32>) -> tensor<6x77xf32> {
  %r = tensor.concat dim(1) %x, %y, %z : (tensor<6x40xf32>, tensor<6x24xf32>, tensor<6x13xf32>) -> tensor<6x77xf32>
  return %r : tensor<6x77xf32>
}

// A row at an index, and a part with strides.
// CHECK: @rows: 2 buffers written
func.func @rows(%x: tensor<4x64xbf16>, %y: tensor<64xbf16>, %i: index) -> (tensor<4x64xbf16>, tensor<2x32xbf16>) {
  %c0 = arith.constant 0 : index
  %c3 = arith.constant 3 : index
  %c1 = arith.constant 1 : index
  %r = scf.for %j = %c0 to %c3 step %c1 iter_args(%a = %x) -> tensor<4x64xbf16> {
    %b = tensor.insert_slice %y into %a[%j, 0] [1, 64] [1, 1] : tensor<64xbf16> into tensor<4x64xbf16>
    scf.yield %b : tensor<4x64xbf16>
  }
  %s = tensor.extract_slice %r[1, 3] [2, 32] [2, 1] : tensor<4x64xbf16> to tensor<2x32xbf16>
  return %r, %s : tensor<4x64xbf16>, tensor<2x32xbf16>
}

// Parts that overlap, and a constant.
// CHECK: @shift: 2 buffers written
func.func @shift(%x: tensor<40xi1>, %c: i1) -> (tensor<40xi1>, tensor<3xf32>) {
  %a = tensor.extract_slice %x[3] [20] [1] : tensor<40xi1> to tensor<20xi1>
  %b = tensor.insert_slice %a into %x[4] [20] [1] : tensor<20xi1> into tensor<40xi1>
  %k = arith.constant dense<[1.0, 2.0, 3.0]> : tensor<3xf32>
  return %b, %k : tensor<40xi1>, tensor<3xf32>
}

// Slices in other shapes.
// CHECK: @shapes: 2 buffers written
func.func @shapes(%x: tensor<3x32x4xf32>, %y: tensor<2x8x16xf32>) -> (tensor<4x8x4xf32>, tensor<3x32x4xf32>) {
  %s = tensor.extract_slice %x[1, 0, 0] [1, 32, 4] [1, 1, 1] : tensor<3x32x4xf32> to tensor<32x4xf32>
  %t = tensor.expand_shape %s [[0, 1], [2]] output_shape [4, 8, 4] : tensor<32x4xf32> into tensor<4x8x4xf32>
  %u = tensor.collapse_shape %y [[0, 1, 2]] : tensor<2x8x16xf32> into tensor<256xf32>
  %v = tensor.expand_shape %u [[0, 1, 2]] output_shape [2, 32, 4] : tensor<256xf32> into tensor<2x32x4xf32>
  %w = tensor.insert_slice %v into %x[1, 0, 0] [2, 32, 4] [1, 1, 1] : tensor<2x32x4xf32> into tensor<3x32x4xf32>
  return %t, %w : tensor<4x8x4xf32>, tensor<3x32x4xf32>
}

// Constants that no pass gives another shape, which kernels name; a row of one.
// CHECK: @resources: 3 buffers written, error 0.0
func.func @resources(%x: tensor<2x3xf32>, %i: i1) -> (tensor<2x3xf32>, tensor<3xf32>, tensor<2x3xf32>) {
  %k = arith.constant dense_resource<six> : tensor<6xf32>
  %e = tensor.expand_shape %k [[0, 1]] output_shape [2, 3] : tensor<6xf32> into tensor<2x3xf32>
  %j = arith.index_castui %i : i1 to index
  %s = tensor.extract_slice %e[%j, 0] [1, 3] [1, 1] : tensor<2x3xf32> to tensor<3xf32>
  %a = arith.addf %e, %x : tensor<2x3xf32>
  return %e, %s, %a : tensor<2x3xf32>, tensor<3xf32>, tensor<2x3xf32>
}

{-#
  dialect_resources: {
    builtin: {
      six: "0x040000000000803f0000004000004040000080400000a0400000c040"
    }
  }
#-}
