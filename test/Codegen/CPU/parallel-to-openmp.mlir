// RUN: memrev-opt %s -codegen-parallel-to-openmp | FileCheck %s
// RUN: memrev-opt %s -codegen-parallel-to-openmp=parallel=false | FileCheck %s --check-prefix=SEQUENTIAL

// The outermost loop is shared out as a whole nest, the inner one is sequential;
// the stack buffer is allocated once for each thread.
// CHECK-LABEL: func.func @nest
// CHECK: omp.parallel {
// CHECK-NEXT: memref.alloca
// CHECK-NEXT: omp.wsloop nowait {
// CHECK-NEXT: omp.loop_nest {{.*}} collapse(2)
// CHECK: scf.for
// CHECK-NOT: omp
// CHECK: omp.yield
// CHECK: omp.terminator
// SEQUENTIAL-LABEL: func.func @nest
// SEQUENTIAL-NOT: omp
// SEQUENTIAL: memref.alloca
// SEQUENTIAL-COUNT-3: scf.for
func.func @nest(%x: memref<8x8xf32>) {
  scf.forall (%i, %j) in (8, 8) {
    %a = memref.alloca() : memref<1xf32>
    %c0 = arith.constant 0 : index
    scf.forall (%k) in (4) {
      %v = memref.load %x[%i, %k] : memref<8x8xf32>
      memref.store %v, %a[%c0] : memref<1xf32>
    }
  }
  return
}

// CHECK-LABEL: func.func @limited
// CHECK: %[[MAX:.*]] = call @omp_get_max_threads()
// CHECK: %[[N:.*]] = arith.minsi %[[MAX]], %{{.*}} : i32
// CHECK: omp.parallel num_threads(%[[N]] : i32)
func.func @limited() {
  scf.forall (%i) in (8) {
  } {memrev.max_threads = 2 : i64}
  return
}

// One iteration is not worth a team.
// CHECK-LABEL: func.func @single
// CHECK-NOT: omp
func.func @single() {
  scf.forall (%i) in (1) {
  }
  return
}

// CHECK-LABEL: func.func @parallel
// CHECK: omp.wsloop
func.func @parallel(%n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.parallel (%i) = (%c0) to (%n) step (%c1) {
  }
  return
}
