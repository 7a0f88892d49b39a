// Loops that update slices at indices out of tensors are one kernel each, which
// leaves the bits that the loops of the CPU leave: sums are of numbers that
// round, and no error is allowed. Indices are 0 to 4, so most of them repeat.
// Python cannot load a library that is built with sanitizers.
// UNSUPPORTED: sanitize
// RUN: memrev-opt %s --memrev-differentiate --memrev-lower --memrev-gpu-schedule -o %t.scheduled.mlir
// RUN: FileCheck %s --check-prefix=KERNELS --input-file=%t.scheduled.mlir
// RUN: memrev-opt %t.scheduled.mlir --memrev-bufferize -o %t.gpu.mlir
// RUN: memrev-opt %s --memrev-differentiate --memrev-lower --memrev-bufferize -o %t.cpu.mlir
// RUN: %emulate %t.gpu.mlir --reference %t.cpu.mlir --multiples-of 0.0137 --schedules 3 --work-dir %t.dir | FileCheck %s

// No loop is left on the host.
// KERNELS-NOT: scf.for
// KERNELS: gpu.module

// Rows of 75 vectors, in three warps; 77 iterations, in three rounds.
func.func private @rows(%table: tensor<7x300xf32>, %i: tensor<77x1xi32>) -> tensor<77x300xf32> {
  %y = tensor.gather %table[%i] gather_dims([0])
      : (tensor<7x300xf32>, tensor<77x1xi32>) -> tensor<77x300xf32>
  return %y : tensor<77x300xf32>
}
// CHECK: @gradient_of_rows: 1 buffers written, error 0.0e+00
func.func @gradient_of_rows(%table: tensor<7x300xf32>, %i: tensor<77x1xi32>, %dy: tensor<77x300xf32>) -> tensor<7x300xf32> {
  %d = rev.vjp @rows(%table, %i) cotangents(%dy)
      : (tensor<7x300xf32>, tensor<77x1xi32>, tensor<77x300xf32>) -> tensor<7x300xf32>
  return %d : tensor<7x300xf32>
}

// Slices of two dimensions between the indexed ones, of which the last one has
// an odd size, and indices with two dimensions.
func.func private @columns(%table: tensor<6x5x3x9xf64>, %i: tensor<4x9x2xi64>) -> tensor<4x9x5x3xf64> {
  %y = tensor.gather %table[%i] gather_dims([0, 3])
      : (tensor<6x5x3x9xf64>, tensor<4x9x2xi64>) -> tensor<4x9x5x3xf64>
  return %y : tensor<4x9x5x3xf64>
}
// CHECK: @gradient_of_columns: 1 buffers written, error 0.0e+00
func.func @gradient_of_columns(%table: tensor<6x5x3x9xf64>, %i: tensor<4x9x2xi64>, %dy: tensor<4x9x5x3xf64>) -> tensor<6x5x3x9xf64> {
  %d = rev.vjp @columns(%table, %i) cotangents(%dy)
      : (tensor<6x5x3x9xf64>, tensor<4x9x2xi64>, tensor<4x9x5x3xf64>) -> tensor<6x5x3x9xf64>
  return %d : tensor<6x5x3x9xf64>
}

// Single elements, with sums in f32.
func.func private @elements(%table: tensor<5x6xf16>, %i: tensor<13x11x2xindex>) -> tensor<13x11xf16> {
  %y = tensor.gather %table[%i] gather_dims([0, 1])
      : (tensor<5x6xf16>, tensor<13x11x2xindex>) -> tensor<13x11xf16>
  return %y : tensor<13x11xf16>
}
// CHECK: @gradient_of_elements: 1 buffers written, error 0.0e+00
func.func @gradient_of_elements(%table: tensor<5x6xf16>, %i: tensor<13x11x2xindex>, %dy: tensor<13x11xf16>) -> tensor<5x6xf16> {
  %d = rev.vjp @elements(%table, %i) cotangents(%dy)
      : (tensor<5x6xf16>, tensor<13x11x2xindex>, tensor<13x11xf16>) -> tensor<5x6xf16>
  return %d : tensor<5x6xf16>
}

// Slices with a dimension of one element are updated by element.
func.func private @units(%table: tensor<5x1x6xf32>, %i: tensor<13x1xi32>) -> tensor<13x1x6xf32> {
  %y = tensor.gather %table[%i] gather_dims([0])
      : (tensor<5x1x6xf32>, tensor<13x1xi32>) -> tensor<13x1x6xf32>
  return %y : tensor<13x1x6xf32>
}
// CHECK: @gradient_of_units: 1 buffers written, error 0.0e+00
func.func @gradient_of_units(%table: tensor<5x1x6xf32>, %i: tensor<13x1xi32>, %dy: tensor<13x1x6xf32>) -> tensor<5x1x6xf32> {
  %d = rev.vjp @units(%table, %i) cotangents(%dy)
      : (tensor<5x1x6xf32>, tensor<13x1xi32>, tensor<13x1x6xf32>) -> tensor<5x1x6xf32>
  return %d : tensor<5x1x6xf32>
}

// Copies: the last one of a row stays.
// CHECK: @overwrite: 1 buffers written, error 0.0e+00
func.func @overwrite(%x: tensor<3x4x6xf64>, %table: tensor<11x6xf64>, %i: tensor<3x4x1xi64>) -> tensor<11x6xf64> {
  %y = tensor.scatter %x into %table[%i] scatter_dims([0]) unique
      : (tensor<3x4x6xf64>, tensor<11x6xf64>, tensor<3x4x1xi64>) -> tensor<11x6xf64>
  return %y : tensor<11x6xf64>
}
// CHECK: @overwrite_elements: 1 buffers written, error 0.0e+00
func.func @overwrite_elements(%x: tensor<9xi32>, %table: tensor<5xi32>, %i: tensor<9x1xi32>) -> tensor<5xi32> {
  %y = tensor.scatter %x into %table[%i] scatter_dims([0]) unique
      : (tensor<9xi32>, tensor<5xi32>, tensor<9x1xi32>) -> tensor<5xi32>
  return %y : tensor<5xi32>
}

// Indices that do not repeat, out of a constant.
// CHECK: @permute: 1 buffers written, error 0.0e+00
func.func @permute(%x: tensor<5x16xbf16>, %table: tensor<5x16xbf16>) -> tensor<5x16xbf16> {
  %i = arith.constant dense<[[4], [0], [3], [1], [2]]> : tensor<5x1xi32>
  %y = tensor.scatter %x into %table[%i] scatter_dims([0]) unique
      : (tensor<5x16xbf16>, tensor<5x16xbf16>, tensor<5x1xi32>) -> tensor<5x16xbf16>
  return %y : tensor<5x16xbf16>
}

// Another operation than a sum, of every other row from the second one on, with
// a factor from outside, one of each row, and the number of the column.
// CHECK: @weighted: 1 buffers written, error 0.0e+00
func.func @weighted(%x: tensor<70x10xf32>, %w: tensor<70xf32>, %f: f32, %table: tensor<8x10xf32>, %i: tensor<70xi32>) -> tensor<8x10xf32> {
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c70 = arith.constant 70 : index
  %r = scf.for %k = %c1 to %c70 step %c2 iter_args(%t = %table) -> (tensor<8x10xf32>) {
    %e = tensor.extract %i[%k] : tensor<70xi32>
    %row = arith.index_cast %e : i32 to index
    %next = arith.addi %row, %c1 : index
    %weight = tensor.extract %w[%k] : tensor<70xf32>
    %part = tensor.extract_slice %x[%k, 0] [1, 10] [1, 1] : tensor<70x10xf32> to tensor<10xf32>
    %old = tensor.extract_slice %t[%next, 0] [1, 10] [1, 1] : tensor<8x10xf32> to tensor<10xf32>
    %new = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
        ins(%part : tensor<10xf32>) outs(%old : tensor<10xf32>) {
    ^bb0(%a: f32, %o: f32):
      %n = linalg.index 0 : index
      %m = arith.index_cast %n : index to i32
      %c = arith.sitofp %m : i32 to f32
      %0 = arith.mulf %a, %weight : f32
      %1 = arith.mulf %o, %f : f32
      %2 = arith.subf %0, %1 : f32
      %3 = arith.maximumf %2, %c : f32
      linalg.yield %3 : f32
    } -> tensor<10xf32>
    %s = tensor.insert_slice %new into %t[%next, 0] [1, 10] [1, 1] : tensor<10xf32> into tensor<8x10xf32>
    scf.yield %s : tensor<8x10xf32>
  }
  return %r : tensor<8x10xf32>
}

// Slices of several unit dimensions, beside the indexed one.
// CHECK: @unit_slices: 1 buffers written, error 0.0e+00
func.func @unit_slices(%x: tensor<5x1x1x3x1xf32>, %table: tensor<1x5x3x1xf32>) -> tensor<1x5x3x1xf32> {
  %i = arith.constant dense<[[4], [0], [3], [1], [2]]> : tensor<5x1xi32>
  %y = tensor.scatter %x into %table[%i] scatter_dims([1]) unique
      : (tensor<5x1x1x3x1xf32>, tensor<1x5x3x1xf32>, tensor<5x1xi32>) -> tensor<1x5x3x1xf32>
  return %y : tensor<1x5x3x1xf32>
}
// CHECK: @single_elements: 1 buffers written, error 0.0e+00
func.func @single_elements(%x: tensor<5x1x1xf32>, %table: tensor<5x3xf32>) -> tensor<5x3xf32> {
  %i = arith.constant dense<[[4, 0], [0, 2], [3, 1], [1, 1], [2, 0]]> : tensor<5x2xi32>
  %y = tensor.scatter %x into %table[%i] scatter_dims([0, 1]) unique
      : (tensor<5x1x1xf32>, tensor<5x3xf32>, tensor<5x2xi32>) -> tensor<5x3xf32>
  return %y : tensor<5x3xf32>
}
