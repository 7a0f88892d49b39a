// RUN: memrev-opt %s --gpu-outline-scatters --split-input-file | FileCheck %s

// A row has 3 vectors of 16 bytes, for lanes of one warp; 40 iterations are two
// rounds of the lanes. The rows are dealt to 9 warps.

// CHECK-LABEL: func.func @add_rows
// CHECK-SAME:    %[[X:.*]]: tensor<40x12xf32>, %[[I:.*]]: tensor<40xi32>, %[[D:.*]]: tensor<9x12xf32>
// CHECK:         %[[R:.*]] = call @scatter(%[[I]], %[[X]], %[[D]])
// CHECK-NEXT:    return %[[R]]
// CHECK-NOT:   func.func private @add
// CHECK: func.func private @scatter(tensor<40xi32> {bufferization.access = "read"}, tensor<40x12xf32> {bufferization.access = "read"}, tensor<9x12xf32> {bufferization.access = "read-write"}) -> tensor<9x12xf32> attributes {memrev.kernel, memrev.launch = array<i64: 3, 128, 0>}
// CHECK: gpu.module @memrev_kernels
// CHECK: llvm.func @scatter(%{{.*}}: !llvm.ptr<1> {llvm.noalias, llvm.readonly}, %{{.*}}: !llvm.ptr<1> {llvm.noalias, llvm.readonly}, %{{.*}}: !llvm.ptr<1> {llvm.noalias})
// CHECK: %[[WARP:.*]] = arith.addi
// CHECK: %[[EXISTS:.*]] = arith.cmpi ult, %[[WARP]], %c9_i32
// CHECK: scf.if %[[EXISTS]] {
// CHECK:   scf.for %[[FIRST:.*]] = %c0{{.*}} to %c40{{.*}} step %c32
// A number outside of the 9 rows is in no bucket.
// CHECK:     %[[E:.*]] = llvm.load {{.*}} -> i32
// CHECK:     %[[ROW:.*]] = arith.index_cast %[[E]] : i32 to index
// CHECK:     arith.cmpi ult, %[[ROW]], %c9 : index
// CHECK:     arith.cmpi eq
// CHECK:     %[[MASK:.*]] = nvvm.vote.sync ballot
// CHECK:     %[[COUNT:.*]] = llvm.intr.ctpop(%[[MASK]])
// CHECK:     scf.for %{{.*}} = %c0{{.*}} to %[[COUNT]] step %c1{{.*}} iter_args(%[[LEFT:.*]] = %[[MASK]])
// CHECK:       "llvm.intr.cttz"(%[[LEFT]])
// CHECK:       scf.if
// CHECK-COUNT-2: llvm.load {{.*}} -> vector<4xf32>
// CHECK-COUNT-4: arith.addf
// CHECK:         llvm.store {{.*}} : vector<4xf32>
// CHECK:       arith.andi %[[LEFT]]
func.func @add_rows(%x: tensor<40x12xf32>, %i: tensor<40xi32>, %d: tensor<9x12xf32>) -> tensor<9x12xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c40 = arith.constant 40 : index
  %r = scf.for %k = %c0 to %c40 step %c1 iter_args(%a = %d) -> (tensor<9x12xf32>) {
    %e = tensor.extract %i[%k] : tensor<40xi32>
    %row = arith.index_cast %e : i32 to index
    %s = func.call @add(%x, %k, %row, %a) : (tensor<40x12xf32>, index, index, tensor<9x12xf32>) -> tensor<9x12xf32>
    scf.yield %s : tensor<9x12xf32>
  }
  return %r : tensor<9x12xf32>
}
func.func private @add(%x: tensor<40x12xf32>, %k: index, %row: index, %d: tensor<9x12xf32>) -> tensor<9x12xf32> attributes {memrev.kernel} {
  %new = tensor.extract_slice %x[%k, 0] [1, 12] [1, 1] : tensor<40x12xf32> to tensor<12xf32>
  %old = tensor.extract_slice %d[%row, 0] [1, 12] [1, 1] : tensor<9x12xf32> to tensor<12xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%new : tensor<12xf32>) outs(%old : tensor<12xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.addf %o, %a : f32
    linalg.yield %0 : f32
  } -> tensor<12xf32>
  %r = tensor.insert_slice %sum into %d[%row, 0] [1, 12] [1, 1] : tensor<12xf32> into tensor<9x12xf32>
  return %r : tensor<9x12xf32>
}

// -----

// A nest of loops; its kernel gets a scalar from outside too.

// CHECK-LABEL: func.func @nest
// CHECK-SAME:    %[[F:.*]]: f64, %[[I:.*]]: tensor<3x5x1xindex>, %[[D:.*]]: tensor<7xf64>
// CHECK:         call @scatter(%[[I]], %[[F]], %[[D]]) : (tensor<3x5x1xindex>, f64, tensor<7xf64>)
// CHECK: llvm.func @scatter(%{{.*}}: !llvm.ptr<1> {{.*}}, %{{.*}}: f64, %{{.*}}: !llvm.ptr<1>
// CHECK: scf.for %{{.*}} = %c0{{.*}} to %c15
// CHECK:   arith.remui %{{.*}}, %c5
// CHECK:   arith.divui %{{.*}}, %c5
func.func @nest(%f: f64, %i: tensor<3x5x1xindex>, %d: tensor<7xf64>) -> tensor<7xf64> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %c5 = arith.constant 5 : index
  %r = scf.for %k = %c0 to %c3 step %c1 iter_args(%a = %d) -> (tensor<7xf64>) {
    %s = scf.for %l = %c0 to %c5 step %c1 iter_args(%b = %a) -> (tensor<7xf64>) {
      %row = tensor.extract %i[%k, %l, %c0] : tensor<3x5x1xindex>
      %old = tensor.extract %b[%row] : tensor<7xf64>
      %new = arith.mulf %old, %f : f64
      %t = tensor.insert %new into %b[%row] : tensor<7xf64>
      scf.yield %t : tensor<7xf64>
    }
    scf.yield %s : tensor<7xf64>
  }
  return %r : tensor<7xf64>
}

// -----

// Loops that stay.

// Nothing is read from a tensor to know where to write.
// CHECK-LABEL: func.func @all_rows
// CHECK: scf.for
func.func @all_rows(%d: tensor<7xf32>, %f: f32) -> tensor<7xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c7 = arith.constant 7 : index
  %r = scf.for %k = %c0 to %c7 step %c1 iter_args(%a = %d) -> (tensor<7xf32>) {
    %s = tensor.insert %f into %a[%k] : tensor<7xf32>
    scf.yield %s : tensor<7xf32>
  }
  return %r : tensor<7xf32>
}

// An element is read elsewhere than where one is written.
// CHECK-LABEL: func.func @chain
// CHECK: scf.for
func.func @chain(%i: tensor<7xindex>, %d: tensor<7xf32>) -> tensor<7xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c7 = arith.constant 7 : index
  %r = scf.for %k = %c0 to %c7 step %c1 iter_args(%a = %d) -> (tensor<7xf32>) {
    %row = tensor.extract %i[%k] : tensor<7xindex>
    %f = tensor.extract %a[%k] : tensor<7xf32>
    %s = tensor.insert %f into %a[%row] : tensor<7xf32>
    scf.yield %s : tensor<7xf32>
  }
  return %r : tensor<7xf32>
}

// Where to write depends on what has been written.
// CHECK-LABEL: func.func @follow
// CHECK: scf.for
func.func @follow(%d: tensor<7xindex>, %j: index) -> tensor<7xindex> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c7 = arith.constant 7 : index
  %r = scf.for %k = %c0 to %c7 step %c1 iter_args(%a = %d) -> (tensor<7xindex>) {
    %row = tensor.extract %a[%k] : tensor<7xindex>
    %s = tensor.insert %j into %a[%row] : tensor<7xindex>
    scf.yield %s : tensor<7xindex>
  }
  return %r : tensor<7xindex>
}

// Slices can overlap without being equal.
// CHECK-LABEL: func.func @windows
// CHECK: scf.for
func.func @windows(%x: tensor<7x3xf32>, %i: tensor<7xindex>, %d: tensor<9xf32>) -> tensor<9xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c7 = arith.constant 7 : index
  %r = scf.for %k = %c0 to %c7 step %c1 iter_args(%a = %d) -> (tensor<9xf32>) {
    %start = tensor.extract %i[%k] : tensor<7xindex>
    %new = tensor.extract_slice %x[%k, 0] [1, 3] [1, 1] : tensor<7x3xf32> to tensor<3xf32>
    %s = tensor.insert_slice %new into %a[%start] [3] [1] : tensor<3xf32> into tensor<9xf32>
    scf.yield %s : tensor<9xf32>
  }
  return %r : tensor<9xf32>
}

// So can these, of a column each.
// CHECK-LABEL: func.func @windows_of_kernel
// CHECK: scf.for
func.func @windows_of_kernel(%x: tensor<7x4xf32>, %i: tensor<7xindex>, %d: tensor<9x4xf32>) -> tensor<9x4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c7 = arith.constant 7 : index
  %r = scf.for %k = %c0 to %c7 step %c1 iter_args(%a = %d) -> (tensor<9x4xf32>) {
    %start = tensor.extract %i[%k] : tensor<7xindex>
    %s = func.call @column(%x, %k, %start, %a) : (tensor<7x4xf32>, index, index, tensor<9x4xf32>) -> tensor<9x4xf32>
    scf.yield %s : tensor<9x4xf32>
  }
  return %r : tensor<9x4xf32>
}
func.func private @column(%x: tensor<7x4xf32>, %k: index, %start: index, %d: tensor<9x4xf32>) -> tensor<9x4xf32> attributes {memrev.kernel} {
  %new = tensor.extract_slice %x[%k, 0] [1, 4] [1, 1] : tensor<7x4xf32> to tensor<4xf32>
  %old = tensor.extract_slice %d[%start, 0] [4, 1] [1, 1] : tensor<9x4xf32> to tensor<4xf32>
  %copy = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%new : tensor<4xf32>) outs(%old : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<4xf32>
  %r = tensor.insert_slice %copy into %d[%start, 0] [4, 1] [1, 1] : tensor<4xf32> into tensor<9x4xf32>
  return %r : tensor<9x4xf32>
}

// A count that is not known, no iteration, a second tensor, a dynamic shape.
// CHECK-LABEL: func.func @others
// CHECK-COUNT-4: scf.for
func.func @others(%n: index, %i: tensor<7xindex>, %u: tensor<?xindex>, %d: tensor<7xf32>, %f: f32)
    -> (tensor<7xf32>, tensor<7xf32>, tensor<7xf32>, tensor<7xf32>, tensor<7xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c7 = arith.constant 7 : index
  %r = scf.for %k = %c0 to %n step %c1 iter_args(%a = %d) -> (tensor<7xf32>) {
    %row = tensor.extract %i[%k] : tensor<7xindex>
    %s = tensor.insert %f into %a[%row] : tensor<7xf32>
    scf.yield %s : tensor<7xf32>
  }
  %t = scf.for %k = %c0 to %c0 step %c1 iter_args(%a = %d) -> (tensor<7xf32>) {
    %row = tensor.extract %i[%k] : tensor<7xindex>
    %s = tensor.insert %f into %a[%row] : tensor<7xf32>
    scf.yield %s : tensor<7xf32>
  }
  %v:2 = scf.for %k = %c0 to %c7 step %c1 iter_args(%a = %d, %b = %d) -> (tensor<7xf32>, tensor<7xf32>) {
    %row = tensor.extract %i[%k] : tensor<7xindex>
    %s = tensor.insert %f into %a[%row] : tensor<7xf32>
    %w = tensor.insert %f into %b[%row] : tensor<7xf32>
    scf.yield %s, %w : tensor<7xf32>, tensor<7xf32>
  }
  %x = scf.for %k = %c0 to %c7 step %c1 iter_args(%a = %d) -> (tensor<7xf32>) {
    %row = tensor.extract %u[%k] : tensor<?xindex>
    %s = tensor.insert %f into %a[%row] : tensor<7xf32>
    scf.yield %s : tensor<7xf32>
  }
  return %r, %t, %v#0, %v#1, %x : tensor<7xf32>, tensor<7xf32>, tensor<7xf32>, tensor<7xf32>, tensor<7xf32>
}
