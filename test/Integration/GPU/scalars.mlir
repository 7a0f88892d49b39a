// Scalars that are computed from elements of tensors and read by kernels never come
// to the host: no call waits for the device, and each can be recorded as a graph.
// Python cannot load a library that is built with sanitizers.
// UNSUPPORTED: sanitize
// RUN: memrev-opt %s --memrev-gpu-schedule --memrev-bufferize -o %t.gpu.mlir
// RUN: memrev-opt %s --memrev-bufferize -o %t.cpu.mlir
// RUN: %emulate %t.gpu.mlir --reference %t.cpu.mlir --work-dir %t.dir 2>&1 | FileCheck %s --implicit-check-not=remark

#one = affine_map<(i) -> (i)>
#none = affine_map<(i) -> ()>

// Adam's step: a rate by an index, corrected by the number of steps.

// CHECK: @adam: 3 buffers written
func.func @adam(%p: tensor<300xf32>, %m: tensor<300xf32>, %v: tensor<40xf32>, %w: tensor<40xf32>, %count: tensor<i32>, %rates: tensor<4xf32>, %k: index) -> (tensor<300xf32>, tensor<40xf32>, tensor<i32>) {
  %one = arith.constant 1 : i32
  %b1 = arith.constant 0.9 : f32
  %onef = arith.constant 1.0 : f32
  %c = tensor.extract %count[] : tensor<i32>
  %t = arith.addi %c, %one : i32
  %tf = arith.sitofp %t : i32 to f32
  %pow = math.powf %b1, %tf : f32
  %corr = arith.subf %onef, %pow : f32
  %r = tensor.extract %rates[%k] : tensor<4xf32>
  %rate = arith.divf %r, %corr : f32
  %e = tensor.empty() : tensor<300xf32>
  %p2 = linalg.generic {indexing_maps = [#one, #one, #one], iterator_types = ["parallel"]} ins(%p, %m : tensor<300xf32>, tensor<300xf32>) outs(%e : tensor<300xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.mulf %b, %rate : f32
    %1 = arith.subf %a, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<300xf32>
  %f = tensor.empty() : tensor<40xf32>
  %sc = linalg.fill ins(%rate : f32) outs(%f : tensor<40xf32>) -> tensor<40xf32>
  %x = arith.mulf %sc, %w : tensor<40xf32>
  %v2 = arith.subf %v, %x : tensor<40xf32>
  %n = tensor.insert %t into %count[] : tensor<i32>
  return %p2, %v2, %n : tensor<300xf32>, tensor<40xf32>, tensor<i32>
}

// Gradients clipped by their norm, which is a result, or left as they are.

// CHECK: @clip: 3 buffers written
func.func @clip(%g: tensor<500xf32>, %h: tensor<30x20xf32>) -> (tensor<500xf32>, tensor<30x20xf32>, f32) {
  %z = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %eps = arith.constant 1.0e-6 : f32
  %big = arith.constant 1.0e6 : f32
  %e0 = tensor.empty() : tensor<f32>
  %f0 = linalg.fill ins(%z : f32) outs(%e0 : tensor<f32>) -> tensor<f32>
  %n1 = linalg.generic {indexing_maps = [#one, #none], iterator_types = ["reduction"]} ins(%g : tensor<500xf32>) outs(%f0 : tensor<f32>) {
  ^bb0(%a: f32, %o: f32):
    %q = arith.mulf %a, %a : f32
    %0 = arith.addf %q, %o : f32
    linalg.yield %0 : f32
  } -> tensor<f32>
  %n2 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> ()>], iterator_types = ["reduction", "reduction"]} ins(%h : tensor<30x20xf32>) outs(%f0 : tensor<f32>) {
  ^bb0(%a: f32, %o: f32):
    %q = arith.mulf %a, %a : f32
    %0 = arith.addf %q, %o : f32
    linalg.yield %0 : f32
  } -> tensor<f32>
  %s1 = tensor.extract %n1[] : tensor<f32>
  %s2 = tensor.extract %n2[] : tensor<f32>
  %s = arith.addf %s1, %s2 : f32
  %norm = math.sqrt %s : f32
  %ne = arith.addf %norm, %eps : f32
  %fac = arith.divf %one, %ne : f32
  %factor = arith.minimumf %fac, %one : f32
  %sp = tensor.splat %factor : tensor<500xf32>
  %g2 = arith.mulf %g, %sp : tensor<500xf32>
  %h2 = linalg.map ins(%h : tensor<30x20xf32>) outs(%h : tensor<30x20xf32>) (%a: f32, %o: f32) {
    %0 = arith.mulf %a, %factor : f32
    linalg.yield %0 : f32
  }
  %ok = arith.cmpf olt, %norm, %big : f32
  %g3 = arith.select %ok, %g2, %g : tensor<500xf32>
  return %g3, %h2, %norm : tensor<500xf32>, tensor<30x20xf32>, f32
}

// A loop and a branch that carry a scalar.

// CHECK: @carried: 2 buffers written
func.func @carried(%x: tensor<6x40xf32>, %b: i1) -> (tensor<40xf32>, f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c6 = arith.constant 6 : index
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<40xf32>
  %zero = linalg.fill ins(%z : f32) outs(%e : tensor<40xf32>) -> tensor<40xf32>
  %r:2 = scf.for %i = %c0 to %c6 step %c1 iter_args(%s = %z, %y = %zero) -> (f32, tensor<40xf32>) {
    %a = tensor.extract %x[%i, %c1] : tensor<6x40xf32>
    %d = scf.if %b -> f32 {
      %m = arith.mulf %a, %a : f32
      scf.yield %m : f32
    } else {
      scf.yield %s : f32
    }
    %s2 = arith.addf %s, %d : f32
    %row = tensor.extract_slice %x[%i, 0] [1, 40] [1, 1] : tensor<6x40xf32> to tensor<40xf32>
    %y2 = linalg.generic {indexing_maps = [#one, #one], iterator_types = ["parallel"]} ins(%row : tensor<40xf32>) outs(%y : tensor<40xf32>) {
    ^bb0(%u: f32, %o: f32):
      %0 = arith.mulf %u, %s2 : f32
      %1 = arith.addf %0, %o : f32
      linalg.yield %1 : f32
    } -> tensor<40xf32>
    scf.yield %s2, %y2 : f32, tensor<40xf32>
  }
  return %r#1, %r#0 : tensor<40xf32>, f32
}

// The tensors that elements are taken from are overwritten before, or where, they are
// read; the place of one element is the device's.

// CHECK: @overwritten: 2 buffers written
func.func @overwritten(%x: tensor<50xf32>, %idx: tensor<3xi32>, %n: index) -> (tensor<50xf32>, tensor<50xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %r:2 = scf.for %i = %c0 to %c4 step %c1 iter_args(%a = %x, %b = %x) -> (tensor<50xf32>, tensor<50xf32>) {
    %s = tensor.extract %a[%c1] : tensor<50xf32>
    %a2 = linalg.generic {indexing_maps = [#one], iterator_types = ["parallel"]} outs(%a : tensor<50xf32>) {
    ^bb0(%o: f32):
      %0 = math.exp %o : f32
      %1 = arith.divf %0, %s : f32
      linalg.yield %1 : f32
    } -> tensor<50xf32>
    %k = tensor.extract %idx[%c1] : tensor<3xi32>
    %ki = arith.index_cast %k : i32 to index
    %u = tensor.extract %x[%ki] : tensor<50xf32>
    %t = tensor.extract %a2[%c0] : tensor<50xf32>
    %v0 = arith.mulf %s, %t : f32
    %v = arith.addf %v0, %u : f32
    %b2 = linalg.generic {indexing_maps = [#one, #one], iterator_types = ["parallel"]} ins(%a2 : tensor<50xf32>) outs(%b : tensor<50xf32>) {
    ^bb0(%p: f32, %o: f32):
      %0 = arith.mulf %o, %v : f32
      %1 = arith.addf %0, %p : f32
      linalg.yield %1 : f32
    } -> tensor<50xf32>
    scf.yield %a2, %b2 : tensor<50xf32>, tensor<50xf32>
  }
  return %r#0, %r#1 : tensor<50xf32>, tensor<50xf32>
}

func.func private @update(%w: tensor<20xf32>, %g: tensor<20xf32>, %r: f32) -> tensor<20xf32> {
  %y = linalg.generic {indexing_maps = [#one, #one], iterator_types = ["parallel"]} ins(%g : tensor<20xf32>) outs(%w : tensor<20xf32>) {
  ^bb0(%p: f32, %o: f32):
    %0 = arith.mulf %p, %r : f32
    %1 = arith.subf %o, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<20xf32>
  return %y : tensor<20xf32>
}

// A rate and a condition that a private function gets, or a selection.

// CHECK: @calls: 2 buffers written
func.func @calls(%w: tensor<20xf32>, %g: tensor<20xf32>, %rate: tensor<f32>, %k: tensor<i1>) -> (tensor<20xf32>, tensor<20xf32>) {
  %r = tensor.extract %rate[] : tensor<f32>
  %c = tensor.extract %k[] : tensor<i1>
  %y = call @update(%w, %g, %r) : (tensor<20xf32>, tensor<20xf32>, f32) -> tensor<20xf32>
  %h = arith.constant 0.5 : f32
  %r2 = arith.mulf %r, %h : f32
  %y2 = call @update(%y, %g, %r2) : (tensor<20xf32>, tensor<20xf32>, f32) -> tensor<20xf32>
  %y3 = arith.select %c, %y2, %w : tensor<20xf32>
  return %y2, %y3 : tensor<20xf32>, tensor<20xf32>
}
