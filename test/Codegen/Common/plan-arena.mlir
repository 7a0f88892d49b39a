// RUN: memrev-opt %s -codegen-plan-arena=max-stack-bytes=128 -split-input-file | FileCheck %s
// RUN: memrev-opt %s -codegen-plan-arena="max-stack-bytes=128 max-threads=4" -split-input-file | FileCheck %s --check-prefix=THREADS

// Buffers whose lives do not overlap share bytes; those that do, do not. Where
// and when they are is left for the report.
// CHECK-LABEL: func.func @reuse(
// CHECK-SAME: %[[F:[a-z0-9]+]]: memref<256xi8> {memrev.role = "arena"})
// CHECK-SAME: memrev.arena_buffers = [{at_peak, begin = 0.088{{[0-9]+}} : f64, bytes = 128 : i64, end = 5.000000e-01 : f64, location = {{[^,]*}}, offset = 0 : i64, type = memref<32xf32>},
// CHECK-SAME: {at_peak, begin = 0.323{{[0-9]+}} : f64, bytes = 128 : i64, end = 0.735{{[0-9]+}} : f64, location = {{[^,]*}}, offset = 128 : i64, type = memref<32xf32>},
// CHECK-SAME: {begin = 0.558{{[0-9]+}} : f64, bytes = 128 : i64, end = 0.911{{[0-9]+}} : f64, location = {{[^,]*}}, offset = 0 : i64, type = memref<32xf32>}],
// CHECK-SAME: memrev.arena_bytes = 256 : i64, memrev.entry}
// CHECK: %[[C0:.*]] = arith.constant 0
// CHECK: memref.view %[[F]][%[[C0]]][] : memref<256xi8> to memref<32xf32>
// CHECK: %[[C128:.*]] = arith.constant 128
// CHECK: memref.view %[[F]][%[[C128]]]
// CHECK: %[[C0B:.*]] = arith.constant 0
// CHECK: memref.view %[[F]][%[[C0B]]]
// CHECK-NOT: memref.alloc
func.func @reuse(%x: memref<32xf32>) attributes {memrev.entry} {
  %a = memref.alloc() : memref<32xf32>
  linalg.exp ins(%x : memref<32xf32>) outs(%a : memref<32xf32>)
  %b = memref.alloc() : memref<32xf32>
  linalg.exp ins(%a : memref<32xf32>) outs(%b : memref<32xf32>)
  %c = memref.alloc() : memref<32xf32>
  linalg.exp ins(%b : memref<32xf32>) outs(%c : memref<32xf32>)
  linalg.exp ins(%c : memref<32xf32>) outs(%x : memref<32xf32>)
  return
}

// -----

// A buffer without elements has a place, too.
// CHECK-LABEL: func.func private @empty(
// CHECK-SAME: %[[F:[a-z0-9]+]]: memref<1xi8>)
// CHECK: memref.view %[[F]]{{.*}} : memref<1xi8> to memref<0x3xf32>
// CHECK-NOT: memref.alloc
func.func private @empty(%x: memref<0x3xf32>) {
  %a = memref.alloc() : memref<0x3xf32>
  linalg.exp ins(%x : memref<0x3xf32>) outs(%a : memref<0x3xf32>)
  linalg.exp ins(%a : memref<0x3xf32>) outs(%x : memref<0x3xf32>)
  return
}

// -----

// A buffer from outside a loop lives as long as the loop, through its views too,
// and one that is made in the loop may not share with it. Offsets are multiples
// of 64.
// CHECK-LABEL: func.func @loop(
// CHECK-SAME: memref<68xi8>
// CHECK: arith.constant 0 : index
// CHECK: memref.view {{.*}} to memref<1xf32>
// CHECK: scf.for
// CHECK: arith.constant 64 : index
// CHECK-NEXT: memref.view {{.*}} to memref<1xf32>
func.func @loop(%x: memref<1xf32>, %n: index) attributes {memrev.entry} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %a = memref.alloc() : memref<1xf32>
  %v = memref.expand_shape %a [[0, 1]] output_shape [1, 1] : memref<1xf32> into memref<1x1xf32>
  scf.for %i = %c0 to %n step %c1 {
    %f = memref.load %v[%c0, %c0] : memref<1x1xf32>
    %b = memref.alloc() : memref<1xf32>
    memref.store %f, %b[%c0] : memref<1xf32>
    linalg.exp ins(%b : memref<1xf32>) outs(%x : memref<1xf32>)
  }
  return
}

// -----

// The frame of a callee is a buffer of the caller that lives during the call.
// CHECK-LABEL: func.func private @callee(
// CHECK-SAME: memref<4xf32>, %{{.*}}: memref<16xi8>)
func.func private @callee(%x: memref<4xf32>) {
  %a = memref.alloc() : memref<4xf32>
  linalg.exp ins(%x : memref<4xf32>) outs(%a : memref<4xf32>)
  linalg.exp ins(%a : memref<4xf32>) outs(%x : memref<4xf32>)
  return
}
// CHECK-LABEL: func.func @caller(
// CHECK-SAME: memref<16xi8>
// CHECK: %[[V:.*]] = memref.view %{{.*}} : memref<16xi8> to memref<16xi8>
// CHECK: call @callee(%{{.*}}, %[[V]])
func.func @caller(%x: memref<4xf32>) attributes {memrev.entry} {
  call @callee(%x) : (memref<4xf32>) -> ()
  call @callee(%x) : (memref<4xf32>) -> ()
  return
}

// -----

// A branch yields a buffer: it lives around the branch.
// CHECK-LABEL: func.func @escape(
// CHECK-SAME: memref<80xi8>
func.func @escape(%x: memref<4xf32>, %c: i1) attributes {memrev.entry} {
  %r = scf.if %c -> memref<4xf32> {
    %a = memref.alloc() : memref<4xf32>
    linalg.exp ins(%x : memref<4xf32>) outs(%a : memref<4xf32>)
    scf.yield %a : memref<4xf32>
  } else {
    scf.yield %x : memref<4xf32>
  }
  %b = memref.alloc() : memref<4xf32>
  linalg.exp ins(%x : memref<4xf32>) outs(%b : memref<4xf32>)
  linalg.add ins(%r, %b : memref<4xf32>, memref<4xf32>) outs(%x : memref<4xf32>)
  return
}

// -----

// Scratch in a parallel loop is on the stack if it is small, else in the arena,
// once for each thread.
// CHECK-LABEL: func.func @parallel(
// CHECK-SAME: memref<256xi8>
// CHECK: scf.forall
// CHECK-NEXT: memref.alloca() {alignment = 64 : i64} : memref<4xf32>
// CHECK-NEXT: memref.alloca() {alignment = 64 : i64} : memref<4xf32>
// CHECK: scf.forall
// CHECK-NOT: memref.alloca
// THREADS-LABEL: func.func @parallel(
// THREADS-SAME: memref<1024xi8>
// THREADS: scf.forall
// THREADS: scf.forall
// THREADS-NEXT: %[[T:.*]] = func.call @omp_get_thread_num()
// THREADS-NEXT: %[[I:.*]] = arith.index_cast %[[T]]
// THREADS-NEXT: %[[S:.*]] = arith.constant 256
// THREADS-NEXT: %[[B:.*]] = arith.muli %[[I]], %[[S]]
// THREADS: %[[O:.*]] = arith.addi %[[B]]
// THREADS-NEXT: memref.view %{{.*}}[%[[O]]]
// THREADS: } {memrev.max_threads = 4 : i64}
func.func @parallel(%x: memref<4xf32>, %y: memref<64xf32>) attributes {memrev.entry} {
  scf.forall (%i) in (8) {
    %a = memref.alloc() : memref<4xf32>
    %b = memref.alloc() : memref<4xf32>
    linalg.exp ins(%x : memref<4xf32>) outs(%a : memref<4xf32>)
    linalg.exp ins(%a : memref<4xf32>) outs(%b : memref<4xf32>)
  }
  scf.forall (%i) in (8) {
    %a = memref.alloc() : memref<64xf32>
    linalg.exp ins(%y : memref<64xf32>) outs(%a : memref<64xf32>)
  }
  return
}

// -----

// Largest first, the second of the buffers of 192 bytes would end above both that
// live with it, for 576 bytes. Choosing first, it leaves no hole.
// CHECK-LABEL: func.func @holes(
// CHECK-SAME: memref<512xi8>
func.func @holes(%x: memref<256xi8>, %y: memref<192xi8>, %z: memref<128xi8>) attributes {memrev.entry} {
  %a = memref.alloc() : memref<256xi8>
  linalg.copy ins(%x : memref<256xi8>) outs(%a : memref<256xi8>)
  %b = memref.alloc() : memref<192xi8>
  linalg.copy ins(%y : memref<192xi8>) outs(%b : memref<192xi8>)
  linalg.copy ins(%a : memref<256xi8>) outs(%x : memref<256xi8>)
  %c = memref.alloc() : memref<192xi8>
  linalg.copy ins(%y : memref<192xi8>) outs(%c : memref<192xi8>)
  %d = memref.alloc() : memref<128xi8>
  linalg.copy ins(%z : memref<128xi8>) outs(%d : memref<128xi8>)
  linalg.copy ins(%b : memref<192xi8>) outs(%y : memref<192xi8>)
  linalg.copy ins(%d : memref<128xi8>) outs(%z : memref<128xi8>)
  linalg.copy ins(%c : memref<192xi8>) outs(%y : memref<192xi8>)
  return
}

// -----

// What lies in the frame of a callee is at its place in the caller's, during the
// call.
// CHECK-LABEL: func.func @caller(
// CHECK-SAME: memrev.arena_buffers = [{at_peak, begin = 0.136{{[0-9]+}} : f64, bytes = 128 : i64, end = 0.863{{[0-9]+}} : f64, location = {{[^,]*}}, offset = 0 : i64, type = memref<32xf32>},
// CHECK-SAME: {at_peak, begin = 0.515{{[0-9]+}} : f64, bytes = 64 : i64, end = 0.575{{[0-9]+}} : f64, location = {{[^,]*}}, offset = 128 : i64, type = memref<16xf32>}]
func.func @caller(%x: memref<32xf32>, %y: memref<16xf32>) attributes {memrev.entry} {
  %a = memref.alloc() : memref<32xf32>
  linalg.exp ins(%x : memref<32xf32>) outs(%a : memref<32xf32>)
  func.call @callee(%y) : (memref<16xf32>) -> ()
  linalg.exp ins(%a : memref<32xf32>) outs(%x : memref<32xf32>)
  return
}
func.func private @callee(%y: memref<16xf32>) {
  %b = memref.alloc() : memref<16xf32>
  linalg.exp ins(%y : memref<16xf32>) outs(%b : memref<16xf32>)
  linalg.exp ins(%b : memref<16xf32>) outs(%y : memref<16xf32>)
  return
}

// -----

// A buffer that nobody uses takes no place, in a parallel loop either.
// CHECK-LABEL: func.func @unused(
// CHECK-SAME: memref<8000xi8>
// CHECK: scf.parallel
// CHECK: memref.view {{.*}} to memref<2000xf32>
func.func @unused(%x: memref<100xf32>) attributes {memrev.entry} {
  %c = arith.constant 1.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = arith.constant 100 : index
  scf.parallel (%i) = (%c0) to (%n) step (%c1) {
    %a = memref.alloc() : memref<1000xf32>
    %b = memref.alloc() : memref<2000xf32>
    memref.store %c, %b[%c0] : memref<2000xf32>
    %v = memref.load %b[%i] : memref<2000xf32>
    memref.store %v, %x[%i] : memref<100xf32>
  }
  return
}
