// Updates at rows that the destination does not have are left out, as if the
// program asked before: negative numbers, numbers that are too large, and those
// of which the lower 32 bits are a row.
// Python cannot load a library that is built with sanitizers.
// UNSUPPORTED: sanitize
// RUN: split-file %s %t
// RUN: memrev-opt %t/plain.mlir --memrev-lower --memrev-gpu-schedule -o %t/scheduled.mlir
// RUN: FileCheck %s --check-prefix=KERNELS --input-file=%t/scheduled.mlir
// RUN: memrev-opt %t/scheduled.mlir --memrev-bufferize -o %t/gpu.mlir
// RUN: memrev-opt %t/guarded.mlir --memrev-lower --memrev-bufferize -o %t/cpu.mlir
// RUN: %emulate %t/gpu.mlir --reference %t/cpu.mlir --multiples-of 0.0137 --work-dir %t/work | FileCheck %s

// KERNELS-NOT: scf.for
// KERNELS: gpu.module

// CHECK: @below: 1 buffers written, error 0.0e+00
// CHECK: @above: 1 buffers written, error 0.0e+00
// CHECK: @wide: 1 buffers written, error 0.0e+00

//--- plain.mlir

func.func @below(%x: tensor<40x8xf32>, %i: tensor<40xi32>, %table: tensor<3x8xf32>) -> tensor<3x8xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c40 = arith.constant 40 : index
  %two = arith.constant 2 : i32
  %r = scf.for %k = %c0 to %c40 step %c1 iter_args(%t = %table) -> (tensor<3x8xf32>) {
    %e = tensor.extract %i[%k] : tensor<40xi32>
    %n = arith.subi %e, %two : i32
    %row = arith.index_cast %n : i32 to index
    %new = tensor.extract_slice %x[%k, 0] [1, 8] [1, 1] : tensor<40x8xf32> to tensor<8xf32>
    %old = tensor.extract_slice %t[%row, 0] [1, 8] [1, 1] : tensor<3x8xf32> to tensor<8xf32>
    %sum = linalg.add ins(%new, %old : tensor<8xf32>, tensor<8xf32>) outs(%old : tensor<8xf32>) -> tensor<8xf32>
    %s = tensor.insert_slice %sum into %t[%row, 0] [1, 8] [1, 1] : tensor<8xf32> into tensor<3x8xf32>
    scf.yield %s : tensor<3x8xf32>
  }
  return %r : tensor<3x8xf32>
}
func.func @above(%x: tensor<40x8xf32>, %i: tensor<40xi64>, %table: tensor<3x8xf32>) -> tensor<3x8xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c40 = arith.constant 40 : index
  %r = scf.for %k = %c0 to %c40 step %c1 iter_args(%t = %table) -> (tensor<3x8xf32>) {
    %e = tensor.extract %i[%k] : tensor<40xi64>
    %row = arith.index_cast %e : i64 to index
    %new = tensor.extract_slice %x[%k, 0] [1, 8] [1, 1] : tensor<40x8xf32> to tensor<8xf32>
    %old = tensor.extract_slice %t[%row, 0] [1, 8] [1, 1] : tensor<3x8xf32> to tensor<8xf32>
    %sum = linalg.add ins(%new, %old : tensor<8xf32>, tensor<8xf32>) outs(%old : tensor<8xf32>) -> tensor<8xf32>
    %s = tensor.insert_slice %sum into %t[%row, 0] [1, 8] [1, 1] : tensor<8xf32> into tensor<3x8xf32>
    scf.yield %s : tensor<3x8xf32>
  }
  return %r : tensor<3x8xf32>
}
func.func @wide(%x: tensor<40x8xf32>, %i: tensor<40xindex>, %table: tensor<3x8xf32>) -> tensor<3x8xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c40 = arith.constant 40 : index
  %wide = arith.constant 4294967297 : index
  %r = scf.for %k = %c0 to %c40 step %c1 iter_args(%t = %table) -> (tensor<3x8xf32>) {
    %e = tensor.extract %i[%k] : tensor<40xindex>
    %row = arith.muli %e, %wide : index
    %new = tensor.extract_slice %x[%k, 0] [1, 8] [1, 1] : tensor<40x8xf32> to tensor<8xf32>
    %old = tensor.extract_slice %t[%row, 0] [1, 8] [1, 1] : tensor<3x8xf32> to tensor<8xf32>
    %sum = linalg.add ins(%new, %old : tensor<8xf32>, tensor<8xf32>) outs(%old : tensor<8xf32>) -> tensor<8xf32>
    %s = tensor.insert_slice %sum into %t[%row, 0] [1, 8] [1, 1] : tensor<8xf32> into tensor<3x8xf32>
    scf.yield %s : tensor<3x8xf32>
  }
  return %r : tensor<3x8xf32>
}

//--- guarded.mlir

func.func @below(%x: tensor<40x8xf32>, %i: tensor<40xi32>, %table: tensor<3x8xf32>) -> tensor<3x8xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c40 = arith.constant 40 : index
  %two = arith.constant 2 : i32
  %c3 = arith.constant 3 : index
  %r = scf.for %k = %c0 to %c40 step %c1 iter_args(%t = %table) -> (tensor<3x8xf32>) {
    %e = tensor.extract %i[%k] : tensor<40xi32>
    %n = arith.subi %e, %two : i32
    %row = arith.index_cast %n : i32 to index
    %inside = arith.cmpi ult, %row, %c3 : index
    %u = scf.if %inside -> (tensor<3x8xf32>) {
      %new = tensor.extract_slice %x[%k, 0] [1, 8] [1, 1] : tensor<40x8xf32> to tensor<8xf32>
      %old = tensor.extract_slice %t[%row, 0] [1, 8] [1, 1] : tensor<3x8xf32> to tensor<8xf32>
      %sum = linalg.add ins(%new, %old : tensor<8xf32>, tensor<8xf32>) outs(%old : tensor<8xf32>) -> tensor<8xf32>
      %s = tensor.insert_slice %sum into %t[%row, 0] [1, 8] [1, 1] : tensor<8xf32> into tensor<3x8xf32>
      scf.yield %s : tensor<3x8xf32>
    } else {
      scf.yield %t : tensor<3x8xf32>
    }
    scf.yield %u : tensor<3x8xf32>
  }
  return %r : tensor<3x8xf32>
}
func.func @above(%x: tensor<40x8xf32>, %i: tensor<40xi64>, %table: tensor<3x8xf32>) -> tensor<3x8xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c40 = arith.constant 40 : index
  %c3 = arith.constant 3 : index
  %r = scf.for %k = %c0 to %c40 step %c1 iter_args(%t = %table) -> (tensor<3x8xf32>) {
    %e = tensor.extract %i[%k] : tensor<40xi64>
    %row = arith.index_cast %e : i64 to index
    %inside = arith.cmpi ult, %row, %c3 : index
    %u = scf.if %inside -> (tensor<3x8xf32>) {
      %new = tensor.extract_slice %x[%k, 0] [1, 8] [1, 1] : tensor<40x8xf32> to tensor<8xf32>
      %old = tensor.extract_slice %t[%row, 0] [1, 8] [1, 1] : tensor<3x8xf32> to tensor<8xf32>
      %sum = linalg.add ins(%new, %old : tensor<8xf32>, tensor<8xf32>) outs(%old : tensor<8xf32>) -> tensor<8xf32>
      %s = tensor.insert_slice %sum into %t[%row, 0] [1, 8] [1, 1] : tensor<8xf32> into tensor<3x8xf32>
      scf.yield %s : tensor<3x8xf32>
    } else {
      scf.yield %t : tensor<3x8xf32>
    }
    scf.yield %u : tensor<3x8xf32>
  }
  return %r : tensor<3x8xf32>
}
func.func @wide(%x: tensor<40x8xf32>, %i: tensor<40xindex>, %table: tensor<3x8xf32>) -> tensor<3x8xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c40 = arith.constant 40 : index
  %wide = arith.constant 4294967297 : index
  %c3 = arith.constant 3 : index
  %r = scf.for %k = %c0 to %c40 step %c1 iter_args(%t = %table) -> (tensor<3x8xf32>) {
    %e = tensor.extract %i[%k] : tensor<40xindex>
    %row = arith.muli %e, %wide : index
    %inside = arith.cmpi ult, %row, %c3 : index
    %u = scf.if %inside -> (tensor<3x8xf32>) {
      %new = tensor.extract_slice %x[%k, 0] [1, 8] [1, 1] : tensor<40x8xf32> to tensor<8xf32>
      %old = tensor.extract_slice %t[%row, 0] [1, 8] [1, 1] : tensor<3x8xf32> to tensor<8xf32>
      %sum = linalg.add ins(%new, %old : tensor<8xf32>, tensor<8xf32>) outs(%old : tensor<8xf32>) -> tensor<8xf32>
      %s = tensor.insert_slice %sum into %t[%row, 0] [1, 8] [1, 1] : tensor<8xf32> into tensor<3x8xf32>
      scf.yield %s : tensor<3x8xf32>
    } else {
      scf.yield %t : tensor<3x8xf32>
    }
    scf.yield %u : tensor<3x8xf32>
  }
  return %r : tensor<3x8xf32>
}
