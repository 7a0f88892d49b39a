// Slices that drop other unit dimensions than the first keep their box where upstream's
// canonicalization would move it, also those that passes make.

// RUN: memrev-opt %s --split-input-file --memrev-differentiate | FileCheck %s --check-prefixes=CHECK,DIFFERENTIATE
// RUN: memrev-opt %s --split-input-file --memrev-differentiate --memrev-lower | FileCheck %s --check-prefixes=CHECK,LOWER
// RUN: memrev-opt %s --split-input-file --memrev-differentiate --memrev-lower --memrev-schedule-cpu | FileCheck %s --check-prefixes=CHECK,SCHEDULE

// TOSA's conversion canonicalizes what is next to TOSA.
// CHECK-LABEL: @next_to_tosa
// CHECK:         tensor.extract_slice %{{.*}}[0, 0, %{{.*}}] [1, 4, 1] [1, 1, 1] : tensor<2x4x4xf32> to tensor<1x4x1xf32>
func.func @next_to_tosa(%x: tensor<2x4x4xf32>, %i: index) -> tensor<1x4xf32> {
  %c0 = arith.constant 0 : index
  %s = tensor.extract_slice %x[0, %c0, %i] [1, 4, 1] [1, 1, 1] : tensor<2x4x4xf32> to tensor<1x4xf32>
  %y = tosa.tanh %s : (tensor<1x4xf32>) -> tensor<1x4xf32>
  return %y : tensor<1x4xf32>
}

// -----

// Rows that a scatter writes along the last dimension.
// CHECK-LABEL: @scatter
// DIFFERENTIATE: tensor.scatter
// LOWER:         tensor.insert_slice %{{.*}} [1, 3, 1] [1, 1, 1] : tensor<1x3x1xf64> into tensor<1x3x4xf64>
func.func @scatter(%x: tensor<2x?x?xf64>, %z: tensor<1x3x4xf64>, %i: tensor<2x1xindex>) -> tensor<?x?x4xf64> {
  %c = tensor.cast %z : tensor<1x3x4xf64> to tensor<?x?x4xf64>
  %y = tensor.scatter %x into %c[%i] scatter_dims([2]) unique
      : (tensor<2x?x?xf64>, tensor<?x?x4xf64>, tensor<2x1xindex>) -> tensor<?x?x4xf64>
  return %y : tensor<?x?x4xf64>
}

// -----

// A summand that is stacked along its last dimension, in the loop that an update of the
// stack has moved into.
// CHECK-LABEL: @update_of_stack
// SCHEDULE:      scf.for
// SCHEDULE:        tensor.extract_slice %{{.*}}[0, 0, %{{.*}}] [1, 8, 1] [1, 1, 1] : tensor<1x8x4xf32> to tensor<1x8x1xf32>
#id = affine_map<(i, j, k) -> (i, j, k)>
#last = affine_map<(i, j, k) -> (j, k, i)>
#id2 = affine_map<(j, k) -> (j, k)>
func.func @update_of_stack(%p: tensor<4x1x8xf32>, %q: tensor<1x8x4xf32>, %x: tensor<1x8xf32>) -> (tensor<4x1x8xf32>, tensor<1x8xf32>) {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %c4 = arith.constant 4 : index
  %e = tensor.empty() : tensor<4x1x8xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<4x1x8xf32>) -> tensor<4x1x8xf32>
  %r:2 = scf.for %i = %c0 to %c4 step %c1 iter_args(%s = %x, %a = %zeros) -> (tensor<1x8xf32>, tensor<4x1x8xf32>) {
    %n = arith.subi %c3, %i : index
    %w = tensor.extract_slice %p[%n, 0, 0] [1, 1, 8] [1, 1, 1] : tensor<4x1x8xf32> to tensor<1x8xf32>
    %old = tensor.extract_slice %a[%n, 0, 0] [1, 1, 8] [1, 1, 1] : tensor<4x1x8xf32> to tensor<1x8xf32>
    %d = linalg.generic {indexing_maps = [#id2, #id2, #id2], iterator_types = ["parallel", "parallel"]}
        ins(%s, %w : tensor<1x8xf32>, tensor<1x8xf32>) outs(%old : tensor<1x8xf32>) {
    ^bb0(%b0: f32, %b1: f32, %o: f32):
      %m = arith.mulf %b0, %b1 : f32
      %t = arith.addf %m, %o : f32
      linalg.yield %t : f32
    } -> tensor<1x8xf32>
    %u = tensor.insert_slice %d into %a[%n, 0, 0] [1, 1, 8] [1, 1, 1] : tensor<1x8xf32> into tensor<4x1x8xf32>
    scf.yield %d, %u : tensor<1x8xf32>, tensor<4x1x8xf32>
  }
  %nv = linalg.generic {indexing_maps = [#id, #last, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%r#1, %q : tensor<4x1x8xf32>, tensor<1x8x4xf32>) outs(%e : tensor<4x1x8xf32>) {
  ^bb0(%b0: f32, %b1: f32, %o: f32):
    %m = arith.addf %b0, %b1 : f32
    linalg.yield %m : f32
  } -> tensor<4x1x8xf32>
  return %nv, %r#0 : tensor<4x1x8xf32>, tensor<1x8xf32>
}
