// RUN: memrev-opt %s -codegen-plan-arena -split-input-file | FileCheck %s

// Where all bytes are multiples of one product of extents, buffers share places
// as those of known bytes do: two at once, of three. They lie above the others.
// CHECK-DAG: #[[BYTES:.*]] = affine_map<()[s0] -> (s0 * 512 + 64)>
// CHECK-DAG: #[[SECOND:.*]] = affine_map<()[s0] -> (s0 * 256 + 64)>
// CHECK-LABEL: func.func @reuse(
// CHECK-SAME: %[[N:[a-z0-9]+]]: index {memrev.role = "extent"}, %[[F:[a-z0-9]+]]: memref<1xi8> {memrev.role = "arena"})
// CHECK-SAME: memrev.arena_bytes = #[[BYTES]]
// CHECK: %[[ZERO:.*]] = arith.constant 0
// CHECK: memref.view %[[F]][%[[ZERO]]][] : memref<1xi8> to memref<4xf32>
// CHECK: %[[C64:.*]] = arith.constant 64
// CHECK: memref.view %[[F]][%[[C64]]][%[[N]]] : memref<1xi8> to memref<?x64xf32>
// CHECK: %[[O:.*]] = affine.apply #[[SECOND]]()[%[[N]]]
// CHECK: memref.view %[[F]][%[[O]]][%[[N]]]
// CHECK: %[[C64B:.*]] = arith.constant 64
// CHECK: memref.view %[[F]][%[[C64B]]][%[[N]]]
// CHECK-NOT: memref.alloc
// CHECK: func.func @reuse_arena_bytes(
func.func @reuse(%x: memref<4xf32>, %n: index {memrev.role = "extent"}) attributes {memrev.entry} {
  %s = memref.alloc() : memref<4xf32>
  linalg.exp ins(%x : memref<4xf32>) outs(%s : memref<4xf32>)
  %a = memref.alloc(%n) : memref<?x64xf32>
  linalg.exp ins(%a : memref<?x64xf32>) outs(%a : memref<?x64xf32>)
  %b = memref.alloc(%n) : memref<?x64xf32>
  linalg.exp ins(%a : memref<?x64xf32>) outs(%b : memref<?x64xf32>)
  %c = memref.alloc(%n) : memref<?x64xf32>
  linalg.exp ins(%b : memref<?x64xf32>) outs(%c : memref<?x64xf32>)
  linalg.exp ins(%s : memref<4xf32>) outs(%x : memref<4xf32>)
  return
}

// -----

// Which of two extents is larger is not known: what lives with the buffers of
// both lies above both. Bytes are rounded up to where the next may begin.
// CHECK-DAG: #[[ABOVE:.*]] = affine_map<()[s0, s1] -> (s0 * 256, s1 * 256)>
// CHECK-LABEL: func.func private @unknown(
// CHECK: affine.max #[[ABOVE]]()
func.func private @unknown(%x: memref<?x64xf32>, %y: memref<?x64xf32>) {
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?x64xf32>
  %m = memref.dim %y, %c0 : memref<?x64xf32>
  %k = memref.alloc(%n) : memref<?xf32>
  linalg.exp ins(%k : memref<?xf32>) outs(%k : memref<?xf32>)
  %a = memref.alloc(%n) : memref<?x64xf32>
  linalg.exp ins(%x : memref<?x64xf32>) outs(%a : memref<?x64xf32>)
  linalg.exp ins(%a : memref<?x64xf32>) outs(%x : memref<?x64xf32>)
  %b = memref.alloc(%m) : memref<?x64xf32>
  linalg.exp ins(%y : memref<?x64xf32>) outs(%b : memref<?x64xf32>)
  linalg.exp ins(%b : memref<?x64xf32>) outs(%y : memref<?x64xf32>)
  linalg.exp ins(%k : memref<?xf32>) outs(%k : memref<?xf32>)
  return
}

// -----

// Extents that an operation wants to be equal are one.
// CHECK: affine_map<()[s0, s1] -> (s0 * 512)>
// CHECK-LABEL: func.func private @equal(
func.func private @equal(%x: memref<?x64xf32>, %y: memref<?x64xf32>) {
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?x64xf32>
  %m = memref.dim %y, %c0 : memref<?x64xf32>
  %a = memref.alloc(%n) : memref<?x64xf32>
  linalg.exp ins(%x : memref<?x64xf32>) outs(%a : memref<?x64xf32>)
  %b = memref.alloc(%m) : memref<?x64xf32>
  linalg.add ins(%a, %y : memref<?x64xf32>, memref<?x64xf32>) outs(%b : memref<?x64xf32>)
  linalg.exp ins(%b : memref<?x64xf32>) outs(%y : memref<?x64xf32>)
  return
}
func.func @entry(%p: memref<1xf32>, %q: memref<1xf32>, %n: index {memrev.role = "extent"}, %m: index {memrev.role = "extent"}) attributes {memrev.entry} {
  %x = memref.reinterpret_cast %p to offset: [0], sizes: [%n, 64], strides: [64, 1] : memref<1xf32> to memref<?x64xf32>
  %y = memref.reinterpret_cast %q to offset: [0], sizes: [%m, 64], strides: [64, 1] : memref<1xf32> to memref<?x64xf32>
  call @equal(%x, %y) : (memref<?x64xf32>, memref<?x64xf32>) -> ()
  return
}
// CHECK-LABEL: func.func @entry_arena_bytes(
// CHECK: arith.cmpi eq, %{{.*}}, %{{.*}} : index
// CHECK: arith.constant -2
// CHECK: arith.constant -1

// -----

// An extent that changes with the iteration has a bound.
// CHECK-LABEL: func.func private @bounded(
// CHECK-SAME: memref<64xi8>
// CHECK: memref.view %{{.*}}[%{{.*}}][%{{.*}}] : memref<64xi8> to memref<?xf32>
func.func private @bounded(%x: memref<50xf32>) {
  %c0 = arith.constant 0 : index
  %c16 = arith.constant 16 : index
  %c50 = arith.constant 50 : index
  scf.for %i = %c0 to %c50 step %c16 {
    %n = affine.min affine_map<(i) -> (16, 50 - i)>(%i)
    %a = memref.alloc(%n) : memref<?xf32>
    linalg.exp ins(%a : memref<?xf32>) outs(%a : memref<?xf32>)
  }
  return
}
