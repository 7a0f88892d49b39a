// Loops, branches and calls on the host, with scalars that come from device
// memory or go there.
// Python cannot load a library that is built with sanitizers.
// UNSUPPORTED: sanitize
// RUN: memrev-opt %s --memrev-gpu-schedule --memrev-bufferize -o %t.gpu.mlir
// RUN: memrev-opt %s --memrev-bufferize -o %t.cpu.mlir
// RUN: %emulate %t.gpu.mlir --reference %t.cpu.mlir --work-dir %t.dir | FileCheck %s

// CHECK: @stacked_weights: 1 buffers written
func.func @stacked_weights(%w: tensor<6x8x8xf64>, %x: tensor<3x8xf64>, %trips: index) -> tensor<3x8xf64> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f64
  %y = scf.for %i = %c0 to %trips step %c1 iter_args(%s = %x) -> (tensor<3x8xf64>) {
    %wi = tensor.extract_slice %w[%i, 0, 0] [1, 8, 8] [1, 1, 1] : tensor<6x8x8xf64> to tensor<8x8xf64>
    %e = tensor.empty() : tensor<3x8xf64>
    %z = linalg.fill ins(%zero : f64) outs(%e : tensor<3x8xf64>) -> tensor<3x8xf64>
    %m = linalg.matmul ins(%s, %wi : tensor<3x8xf64>, tensor<8x8xf64>) outs(%z : tensor<3x8xf64>) -> tensor<3x8xf64>
    %a = linalg.add ins(%s, %m : tensor<3x8xf64>, tensor<3x8xf64>) outs(%s : tensor<3x8xf64>) -> tensor<3x8xf64>
    scf.yield %a : tensor<3x8xf64>
  }
  return %y : tensor<3x8xf64>
}

// The mean of a loss is computed by one thread; the result leaves through a
// buffer.

// CHECK: @mean: 1 buffers written
func.func @mean(%x: tensor<12x3xf64>) -> f64 {
  %zero = arith.constant 0.0 : f64
  %n = arith.constant 36.0 : f64
  %e = tensor.empty() : tensor<f64>
  %z = linalg.fill ins(%zero : f64) outs(%e : tensor<f64>) -> tensor<f64>
  %r = linalg.reduce { arith.addf } ins(%x : tensor<12x3xf64>) outs(%z : tensor<f64>) dimensions = [0, 1]
  %s = tensor.extract %r[] : tensor<f64>
  %m = arith.divf %s, %n : f64
  return %m : f64
}

// The host waits for a number of trips and a condition.

// CHECK: @data_dependent: 1 buffers written
func.func @data_dependent(%n: tensor<2xi32>, %x: tensor<5xf32>) -> tensor<5xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %two = arith.constant 2 : i32
  %a = tensor.extract %n[%c1] : tensor<2xi32>
  %trips = arith.index_cast %a : i32 to index
  %y = scf.for %i = %c0 to %trips step %c1 iter_args(%s = %x) -> (tensor<5xf32>) {
    %b = linalg.add ins(%s, %s : tensor<5xf32>, tensor<5xf32>) outs(%s : tensor<5xf32>) -> tensor<5xf32>
    scf.yield %b : tensor<5xf32>
  }
  %b = tensor.extract %n[%c0] : tensor<2xi32>
  %c = arith.cmpi sgt, %b, %two : i32
  %z = scf.if %c -> (tensor<5xf32>) {
    %m = linalg.mul ins(%y, %y : tensor<5xf32>, tensor<5xf32>) outs(%y : tensor<5xf32>) -> tensor<5xf32>
    scf.yield %m : tensor<5xf32>
  } else {
    scf.yield %y : tensor<5xf32>
  }
  return %z : tensor<5xf32>
}

// A scalar from memory scales what overwrites that memory.

// CHECK: @overwritten: 1 buffers written, error 0.0
func.func @overwritten(%x: tensor<300xf32>) -> tensor<300xf32> {
  %c7 = arith.constant 7 : index
  %s = tensor.extract %x[%c7] : tensor<300xf32>
  %y = linalg.generic {
      indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]} outs(%x : tensor<300xf32>) {
  ^bb0(%a: f32):
    %0 = arith.addf %a, %s : f32
    linalg.yield %0 : f32
  } -> tensor<300xf32>
  return %y : tensor<300xf32>
}

// CHECK: @elements: 1 buffers written
func.func @elements(%a: f32, %b: f32, %i: index) -> tensor<4xf32> {
  %c = arith.mulf %a, %b : f32
  %t = tensor.from_elements %a, %b, %c, %a : tensor<4xf32>
  %c3 = arith.constant 3 : index
  %j = arith.remui %i, %c3 : index
  %u = tensor.insert %c into %t[%j] : tensor<4xf32>
  return %u : tensor<4xf32>
}

// CHECK: @calls: 1 buffers written
func.func @calls(%x: tensor<9xf32>) -> tensor<9xf32> {
  %0 = func.call @twice(%x) : (tensor<9xf32>) -> tensor<9xf32>
  %1 = func.call @twice(%0) : (tensor<9xf32>) -> tensor<9xf32>
  return %1 : tensor<9xf32>
}
func.func private @twice(%x: tensor<9xf32>) -> tensor<9xf32> {
  %0 = linalg.add ins(%x, %x : tensor<9xf32>, tensor<9xf32>) outs(%x : tensor<9xf32>) -> tensor<9xf32>
  return %0 : tensor<9xf32>
}

// Constants that branches, loops and selections carry are in device memory.

// CHECK: @carried_constants: 3 buffers written
func.func @carried_constants(%condition: i1, %trips: index, %x: tensor<4xf64>)
    -> (tensor<4xf64>, tensor<4xf64>, tensor<4xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %rising = arith.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf64>
  %falling = arith.constant dense<[4.0, 3.0, 2.0, 1.0]> : tensor<4xf64>
  %branch = scf.if %condition -> tensor<4xf64> {
    scf.yield %rising : tensor<4xf64>
  } else {
    scf.yield %falling : tensor<4xf64>
  }
  %loop = scf.for %i = %c0 to %trips step %c1 iter_args(%s = %rising) -> (tensor<4xf64>) {
    %e = tensor.empty() : tensor<4xf64>
    %product = linalg.mul ins(%s, %x : tensor<4xf64>, tensor<4xf64>) outs(%e : tensor<4xf64>) -> tensor<4xf64>
    scf.yield %product : tensor<4xf64>
  }
  %selected = arith.select %condition, %falling, %rising : tensor<4xf64>
  return %branch, %loop, %selected : tensor<4xf64>, tensor<4xf64>, tensor<4xf64>
}
