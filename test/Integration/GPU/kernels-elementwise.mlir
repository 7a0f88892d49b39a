// Kernels without reductions.
// Python cannot load a library that is built with sanitizers.
// UNSUPPORTED: sanitize
// RUN: memrev-opt %s --memrev-gpu-schedule --memrev-bufferize -o %t.gpu.mlir
// RUN: memrev-opt %s --memrev-bufferize -o %t.cpu.mlir
// RUN: %emulate %t.gpu.mlir --reference %t.cpu.mlir --work-dir %t.dir | FileCheck %s

#one = affine_map<(i) -> (i)>
#two = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (j)>
#column = affine_map<(i, j) -> (i)>

// A prime number of elements.
// CHECK: @prime: 1 buffers written
func.func @prime(%x: tensor<7001xf64>, %y: tensor<7001xf64>) -> tensor<7001xf64> {
  %e = tensor.empty() : tensor<7001xf64>
  %r = linalg.sub ins(%x, %y : tensor<7001xf64>, tensor<7001xf64>) outs(%e : tensor<7001xf64>) -> tensor<7001xf64>
  return %r : tensor<7001xf64>
}

// CHECK: @one: 1 buffers written
func.func @one(%x: tensor<1x1xf32>) -> tensor<1x1xf32> {
  %e = tensor.empty() : tensor<1x1xf32>
  %r = linalg.exp ins(%x : tensor<1x1xf32>) outs(%e : tensor<1x1xf32>) -> tensor<1x1xf32>
  return %r : tensor<1x1xf32>
}

// CHECK: @scalar: 1 buffers written
func.func @scalar(%x: tensor<f32>) -> tensor<f32> {
  %e = tensor.empty() : tensor<f32>
  %r = linalg.negf ins(%x : tensor<f32>) outs(%e : tensor<f32>) -> tensor<f32>
  return %r : tensor<f32>
}

// Rows of seven elements are not aligned, and a result has another type.
// CHECK: @mask: 2 buffers written
func.func @mask(%x: tensor<129x7xf64>, %b: tensor<129xf64>) -> (tensor<129x7xi1>, tensor<129x7xf32>) {
  %e0 = tensor.empty() : tensor<129x7xi1>
  %e1 = tensor.empty() : tensor<129x7xf32>
  %r:2 = linalg.generic {indexing_maps = [#two, #column, #two, #two], iterator_types = ["parallel", "parallel"]}
      ins(%x, %b : tensor<129x7xf64>, tensor<129xf64>) outs(%e0, %e1 : tensor<129x7xi1>, tensor<129x7xf32>) {
  ^bb0(%a: f64, %c: f64, %o: i1, %p: f32):
    %0 = arith.cmpf ogt, %a, %c : f64
    %1 = arith.truncf %a : f64 to f32
    linalg.yield %0, %1 : i1, f32
  } -> (tensor<129x7xi1>, tensor<129x7xf32>)
  return %r#0, %r#1 : tensor<129x7xi1>, tensor<129x7xf32>
}

// CHECK: @select: 1 buffers written
func.func @select(%m: tensor<96x32xi1>, %x: tensor<96x32xi32>, %i: tensor<96x32xindex>) -> tensor<96x32xi64> {
  %e = tensor.empty() : tensor<96x32xi64>
  %r = linalg.generic {indexing_maps = [#two, #two, #two, #two], iterator_types = ["parallel", "parallel"]}
      ins(%m, %x, %i : tensor<96x32xi1>, tensor<96x32xi32>, tensor<96x32xindex>) outs(%e : tensor<96x32xi64>) {
  ^bb0(%c: i1, %a: i32, %b: index, %o: i64):
    %n = linalg.index 1 : index
    %0 = arith.addi %b, %n : index
    %1 = arith.extsi %a : i32 to i64
    %2 = arith.index_cast %0 : index to i64
    %3 = arith.select %c, %1, %2 : i64
    linalg.yield %3 : i64
  } -> tensor<96x32xi64>
  return %r : tensor<96x32xi64>
}

// Whole vectors are inside or outside of what is padded along their dimension.
// CHECK: @pad: 1 buffers written
func.func @pad(%x: tensor<3x5x8xf32>) -> tensor<5x7x16xf32> {
  %c = arith.constant 2.0 : f32
  %r = tensor.pad %x low[1, 0, 4] high[1, 2, 4] {
  ^bb0(%i: index, %j: index, %k: index):
    tensor.yield %c : f32
  } : tensor<3x5x8xf32> to tensor<5x7x16xf32>
  return %r : tensor<5x7x16xf32>
}

// CHECK: @pad_unaligned: 1 buffers written
func.func @pad_unaligned(%x: tensor<3x5x8xf32>) -> tensor<3x6x12xf32> {
  %c = arith.constant 2.0 : f32
  %r = tensor.pad %x low[0, 1, 1] high[0, 0, 3] {
  ^bb0(%i: index, %j: index, %k: index):
    tensor.yield %c : f32
  } : tensor<3x5x8xf32> to tensor<3x6x12xf32>
  return %r : tensor<3x6x12xf32>
}

// A slice that is updated in place, and one that moves by a run-time offset.
// CHECK: @slices: 1 buffers written
func.func @slices(%x: tensor<6x20xf32>, %d: tensor<2x40xf32>) -> tensor<2x40xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c6 = arith.constant 6 : index
  %r = scf.for %i = %c0 to %c6 step %c1 iter_args(%t = %d) -> tensor<2x40xf32> {
    %s = tensor.extract_slice %x[%i, 0] [1, 20] [1, 1] : tensor<6x20xf32> to tensor<20xf32>
    %u = tensor.extract_slice %t[1, 12] [1, 20] [1, 1] : tensor<2x40xf32> to tensor<20xf32>
    %v = linalg.generic {indexing_maps = [#one, #one, #one], iterator_types = ["parallel"]}
        ins(%s, %u : tensor<20xf32>, tensor<20xf32>) outs(%u : tensor<20xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %0 = arith.mulf %b, %b : f32
      %1 = arith.addf %a, %0 : f32
      linalg.yield %1 : f32
    } -> tensor<20xf32>
    %w = tensor.insert_slice %v into %t[1, 12] [1, 20] [1, 1] : tensor<20xf32> into tensor<2x40xf32>
    scf.yield %w : tensor<2x40xf32>
  }
  return %r : tensor<2x40xf32>
}

// Flipped and strided, too short on one side for tiles.
// CHECK: @moves: 1 buffers written
func.func @moves(%x: tensor<3x64xf64>) -> tensor<31x3xf64> {
  %s = tensor.extract_slice %x[0, 1] [3, 31] [1, 2] : tensor<3x64xf64> to tensor<3x31xf64>
  %e = tensor.empty() : tensor<31x3xf64>
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, -i + 30)>, #two], iterator_types = ["parallel", "parallel"]}
      ins(%s : tensor<3x31xf64>) outs(%e : tensor<31x3xf64>) {
  ^bb0(%a: f64, %o: f64):
    %0 = arith.addf %a, %a : f64
    linalg.yield %0 : f64
  } -> tensor<31x3xf64>
  return %r : tensor<31x3xf64>
}

// Tiles through shared memory, whole and not, in rows of other dimensions.
// CHECK: @transpose: 3 buffers written
func.func @transpose(%x: tensor<64x96xf32>, %y: tensor<37x65xf16>, %z: tensor<3x41x2x50xf64>)
    -> (tensor<96x64xf32>, tensor<65x37xf16>, tensor<50x3x2x41xf64>) {
  %e0 = tensor.empty() : tensor<96x64xf32>
  %e1 = tensor.empty() : tensor<65x37xf16>
  %e2 = tensor.empty() : tensor<50x3x2x41xf64>
  %r0 = linalg.transpose ins(%x : tensor<64x96xf32>) outs(%e0 : tensor<96x64xf32>) permutation = [1, 0]
  %r1 = linalg.transpose ins(%y : tensor<37x65xf16>) outs(%e1 : tensor<65x37xf16>) permutation = [1, 0]
  %r2 = linalg.transpose ins(%z : tensor<3x41x2x50xf64>) outs(%e2 : tensor<50x3x2x41xf64>) permutation = [3, 0, 2, 1]
  return %r0, %r1, %r2 : tensor<96x64xf32>, tensor<65x37xf16>, tensor<50x3x2x41xf64>
}

// Two transposed inputs of different types, one padded and flipped, beside one
// that is not transposed, and a destination that is read.
// CHECK: @transposed_sum: 1 buffers written
func.func @transposed_sum(%x: tensor<33x40xf64>, %m: tensor<35x40xi1>, %y: tensor<40x35xf64>, %d: tensor<40x35xf64>) -> tensor<40x35xf64> {
  %c = arith.constant 0.5 : f64
  %p = tensor.pad %x low[1, 0] high[1, 0] {
  ^bb0(%i: index, %j: index):
    tensor.yield %c : f64
  } : tensor<33x40xf64> to tensor<35x40xf64>
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (-j + 34, i)>, affine_map<(i, j) -> (j, i)>, #two, #two], iterator_types = ["parallel", "parallel"]}
      ins(%p, %m, %y : tensor<35x40xf64>, tensor<35x40xi1>, tensor<40x35xf64>) outs(%d : tensor<40x35xf64>) {
  ^bb0(%a: f64, %n: i1, %b: f64, %o: f64):
    %0 = arith.select %n, %a, %b : f64
    %1 = arith.addf %0, %o : f64
    linalg.yield %1 : f64
  } -> tensor<40x35xf64>
  return %r : tensor<40x35xf64>
}

// A table at computed places.
// CHECK: @look_up: 1 buffers written
func.func @look_up(%t: tensor<5x12xf32>, %i: tensor<40xi32>) -> tensor<40x12xf32> {
  %e = tensor.empty() : tensor<40x12xf32>
  %r = linalg.generic {indexing_maps = [#column, #two], iterator_types = ["parallel", "parallel"]}
      ins(%i : tensor<40xi32>) outs(%e : tensor<40x12xf32>) {
  ^bb0(%a: i32, %o: f32):
    %n = arith.index_cast %a : i32 to index
    %j = linalg.index 1 : index
    %0 = tensor.extract %t[%n, %j] : tensor<5x12xf32>
    linalg.yield %0 : f32
  } -> tensor<40x12xf32>
  return %r : tensor<40x12xf32>
}

// CHECK: @bytes: 1 buffers written, error 0.0e+00
func.func @bytes(%x: tensor<37xi8>, %y: tensor<37xi8>) -> tensor<37xi8> {
  %0 = arith.muli %x, %y : tensor<37xi8>
  %1 = arith.subi %0, %x : tensor<37xi8>
  return %1 : tensor<37xi8>
}
