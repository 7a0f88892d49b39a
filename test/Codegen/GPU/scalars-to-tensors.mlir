// RUN: memrev-opt %s --pass-pipeline="builtin.module(func.func(gpu-scalars-to-tensors))" | FileCheck %s

#id = affine_map<(i) -> (i)>

// Computed once for both readers, and for the result.

// CHECK-LABEL: func @arithmetic
// CHECK-SAME: (%[[X:.*]]: tensor<8xf32>, %[[S:.*]]: tensor<f32>, %[[T:.*]]: tensor<4xf32>, %[[I:.*]]: index)
// CHECK: %[[E:.*]] = tensor.extract_slice %[[T]][%[[I]]] [1] [1] : tensor<4xf32> to tensor<f32>
// CHECK: %[[F:.*]] = linalg.generic {{.*}} ins(%[[S]], %[[E]] : tensor<f32>, tensor<f32>)
// CHECK-NEXT: ^bb0(%[[A:.*]]: f32, %[[B:.*]]: f32,
// CHECK-NEXT: %[[R:.*]] = math.sqrt %[[A]]
// CHECK-NEXT: arith.divf %[[R]], %[[B]]
// CHECK: %[[L:.*]] = tensor.extract %[[F]][]
// CHECK: %[[Y:.*]] = linalg.generic {{.*}} ins(%[[X]], %[[F]] : tensor<8xf32>, tensor<f32>)
// CHECK: %[[Z:.*]] = linalg.generic {{.*}} ins(%[[F]] : tensor<f32>)
// CHECK: return %[[Y]], %[[Z]], %[[L]]
func.func @arithmetic(%x: tensor<8xf32>, %s: tensor<f32>, %t: tensor<4xf32>, %i: index) -> (tensor<8xf32>, tensor<2x3xf32>, f32) {
  %a = tensor.extract %s[] : tensor<f32>
  %b = tensor.extract %t[%i] : tensor<4xf32>
  %r = math.sqrt %a : f32
  %f = arith.divf %r, %b : f32
  %e = tensor.empty() : tensor<8xf32>
  %y = linalg.map ins(%x : tensor<8xf32>) outs(%e : tensor<8xf32>) (%u: f32, %o: f32) {
    %0 = arith.mulf %u, %f : f32
    linalg.yield %0 : f32
  }
  %z = tensor.splat %f : tensor<2x3xf32>
  return %y, %z, %f : tensor<8xf32>, tensor<2x3xf32>, f32
}

// What the host needs stays there, and so does what is only stored.

// CHECK-LABEL: func @host
// CHECK: %[[N:.*]] = tensor.extract
// CHECK: %[[M:.*]] = arith.addi %[[N]]
// CHECK: scf.for {{.*}} to %[[M]]
// CHECK: linalg.fill ins(%[[M]] : index)
// CHECK: tensor.splat %[[M]]
// CHECK: tensor.from_elements %[[M]]
// CHECK: tensor.insert %[[M]]
func.func @host(%n: tensor<index>, %x: tensor<4xindex>, %t: tensor<3xindex>) -> (tensor<4xindex>, tensor<3xindex>, tensor<2xindex>, tensor<index>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %a = tensor.extract %n[] : tensor<index>
  %m = arith.addi %a, %c1 : index
  %r = scf.for %i = %c0 to %m step %c1 iter_args(%s = %x) -> tensor<4xindex> {
    %f = linalg.fill ins(%m : index) outs(%s : tensor<4xindex>) -> tensor<4xindex>
    scf.yield %f : tensor<4xindex>
  }
  %p = tensor.splat %m : tensor<2xindex>
  %q = tensor.from_elements %m : tensor<index>
  %u = tensor.insert %m into %t[%c1] : tensor<3xindex>
  return %r, %u, %p, %q : tensor<4xindex>, tensor<3xindex>, tensor<2xindex>, tensor<index>
}

// A tensor that is overwritten before the reader is copied, the element of it alone.

// CHECK-LABEL: func @overwritten
// CHECK-SAME: (%[[X:.*]]: tensor<8xf32>)
// CHECK: %[[E:.*]] = tensor.extract_slice %[[X]][2] [1] [1]
// CHECK-NEXT: %[[C:.*]] = bufferization.alloc_tensor() copy(%[[E]]) : tensor<f32>
// CHECK: linalg.generic {{.*}} ins(%[[C]] : tensor<f32>) outs(%[[X]] : tensor<8xf32>)
func.func @overwritten(%x: tensor<8xf32>) -> tensor<8xf32> {
  %c2 = arith.constant 2 : index
  %a = tensor.extract %x[%c2] : tensor<8xf32>
  %y = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel"]} outs(%x : tensor<8xf32>) {
  ^bb0(%u: f32):
    %0 = arith.divf %u, %a : f32
    linalg.yield %0 : f32
  } -> tensor<8xf32>
  return %y : tensor<8xf32>
}

// A loop and a branch carry tensors; an index of the device is looked up there; a
// condition of a selection is read by its kernel.

// CHECK-LABEL: func @carried
// CHECK-SAME: (%[[K:.*]]: tensor<4xi32>, %[[T:.*]]: tensor<9xf32>, %[[B:.*]]: i1
// CHECK: scf.for {{.*}} iter_args(%[[S:.*]] = %{{.*}}) -> (tensor<f32>)
// CHECK: %[[E:.*]] = tensor.extract_slice %[[K]]
// CHECK: %[[D:.*]] = scf.if %[[B]] -> (tensor<f32>)
// CHECK: linalg.generic {{.*}} ins(%[[E]] : tensor<i32>)
// CHECK: %[[J:.*]] = arith.index_cast
// CHECK-NEXT: tensor.extract %[[T]][%[[J]]]
// CHECK: scf.yield
// CHECK: linalg.generic {{.*}} ins(%[[S]], %[[D]] : tensor<f32>, tensor<f32>)
// CHECK: %[[P:.*]] = linalg.generic
// CHECK: arith.cmpf
// CHECK: linalg.generic {{.*}} ins(%[[P]], %{{.*}}, %{{.*}} : tensor<i1>, tensor<?xf32>, tensor<?xf32>)
// CHECK: arith.select
func.func @carried(%k: tensor<4xi32>, %t: tensor<9xf32>, %b: i1, %x: tensor<?xf32>, %y: tensor<?xf32>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %zero = arith.constant 0.0 : f32
  %r = scf.for %i = %c0 to %c4 step %c1 iter_args(%s = %zero) -> f32 {
    %e = tensor.extract %k[%i] : tensor<4xi32>
    %d = scf.if %b -> f32 {
      %j = arith.index_cast %e : i32 to index
      %u = tensor.extract %t[%j] : tensor<9xf32>
      scf.yield %u : f32
    } else {
      scf.yield %zero : f32
    }
    %n = arith.addf %s, %d : f32
    scf.yield %n : f32
  }
  %c = arith.cmpf ogt, %r, %zero : f32
  %z = arith.select %c, %x, %y : tensor<?xf32>
  return %z : tensor<?xf32>
}
