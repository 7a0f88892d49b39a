// RUN: memrev-opt %s -codegen-fuse-updates-into-loops -canonicalize -split-input-file | FileCheck %s
// RUN: memrev-opt %s -codegen-fuse-updates-into-loops -split-input-file -o /dev/null --remarks-filter='.*' --remark-policy=all 2>&1 | FileCheck %s --check-prefix=REMARK

#id1 = affine_map<(i) -> (i)>
#id = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (j)>
#number = affine_map<(i, j) -> ()>

// The gradient of a stack goes; momentum and parameters are updated slice by
// slice, in their place: the loop starts from the arguments, and what reads
// slices of the parameters in it reads them from what it carries. Both are
// computed by one operation. The rate is computed in front of the loop.

// CHECK-LABEL: func.func @momentum
// CHECK-SAME: %[[P:[^ ]*]]: tensor<4x8xf32> {rev.donated}, %[[V:[^ ]*]]: tensor<4x8xf32> {rev.donated}
// CHECK: %[[RATE:.*]] = linalg.generic {{.*}} ins(%arg3 : tensor<f32>)
// CHECK: %[[R:.*]]:3 = scf.for %[[I:.*]] = {{.*}} iter_args(%{{.*}} = %{{.*}}, %[[NV:.*]] = %[[V]], %[[NP:.*]] = %[[P]])
// CHECK: %[[N:.*]] = arith.subi %{{.*}}, %[[I]]
// CHECK-DAG: %[[PS:.*]] = tensor.extract_slice %[[NP]][%[[N]], 0] [1, 8] [1, 1]
// CHECK-DAG: %[[VS:.*]] = tensor.extract_slice %[[NV]][%[[N]], 0] [1, 8] [1, 1]
// CHECK: %[[G:.*]] = linalg.generic {{.*}} ins(%{{.*}}, %[[PS]]
// CHECK: arith.addf %{{.*}}, %cst
// CHECK: %[[NEW:.*]]:2 = linalg.generic {{.*}} ins(%[[PS]], %[[RATE]], %[[VS]], %[[G]] :
// CHECK: %[[VI:.*]] = tensor.insert_slice %[[NEW]]#0 into %[[NV]][%[[N]], 0] [1, 8] [1, 1]
// CHECK: %[[PI:.*]] = tensor.insert_slice %[[NEW]]#1 into %[[NP]][%[[N]], 0] [1, 8] [1, 1]
// CHECK: scf.yield %{{.*}}, %[[VI]], %[[PI]]
// CHECK-NOT: linalg.generic
// CHECK: return %[[R]]#2, %[[R]]#1, %[[R]]#0
func.func @momentum(%p: tensor<4x8xf32> {rev.donated}, %v: tensor<4x8xf32> {rev.donated}, %x: tensor<8xf32>, %rate: tensor<f32>)
    -> (tensor<4x8xf32>, tensor<4x8xf32>, tensor<8xf32>) {
  %zero = arith.constant 0.0 : f32
  %half = arith.constant 0.5 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %c4 = arith.constant 4 : index
  %e = tensor.empty() : tensor<4x8xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  %r:2 = scf.for %i = %c0 to %c4 step %c1 iter_args(%s = %x, %a = %zeros) -> (tensor<8xf32>, tensor<4x8xf32>) {
    %n = arith.subi %c3, %i : index
    %w = tensor.extract_slice %p[%n, 0] [1, 8] [1, 1] : tensor<4x8xf32> to tensor<8xf32>
    %old = tensor.extract_slice %a[%n, 0] [1, 8] [1, 1] : tensor<4x8xf32> to tensor<8xf32>
    %d = linalg.generic {indexing_maps = [#id1, #id1, #id1], iterator_types = ["parallel"]}
        ins(%s, %w : tensor<8xf32>, tensor<8xf32>) outs(%old : tensor<8xf32>) {
    ^bb0(%b0: f32, %b1: f32, %o: f32):
      %m = arith.mulf %b0, %b1 : f32
      %t = arith.addf %m, %o : f32
      linalg.yield %t : f32
    } -> tensor<8xf32>
    %u = tensor.insert_slice %d into %a[%n, 0] [1, 8] [1, 1] : tensor<8xf32> into tensor<4x8xf32>
    scf.yield %d, %u : tensor<8xf32>, tensor<4x8xf32>
  }
  %en = tensor.empty() : tensor<f32>
  %step = linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []}
      ins(%rate : tensor<f32>) outs(%en : tensor<f32>) {
  ^bb0(%b0: f32, %o: f32):
    %m = arith.mulf %b0, %half : f32
    linalg.yield %m : f32
  } -> tensor<f32>
  %nv = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%v, %r#1 : tensor<4x8xf32>, tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%b0: f32, %b1: f32, %o: f32):
    %m = arith.mulf %b0, %half : f32
    %t = arith.addf %m, %b1 : f32
    linalg.yield %t : f32
  } -> tensor<4x8xf32>
  %np = linalg.generic {indexing_maps = [#id, #number, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%p, %step, %nv : tensor<4x8xf32>, tensor<f32>, tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%b0: f32, %b1: f32, %b2: f32, %o: f32):
    %m = arith.mulf %b1, %b2 : f32
    %t = arith.subf %b0, %m : f32
    linalg.yield %t : f32
  } -> tensor<4x8xf32>
  return %np, %nv, %r#0 : tensor<4x8xf32>, tensor<4x8xf32>, tensor<8xf32>
}

// -----

#id1 = affine_map<(i) -> (i)>
#id = affine_map<(i, j) -> (i, j)>

// An argument that is not donated is only read: the loop starts from nothing.
// CHECK-LABEL: func.func @kept_argument
// CHECK: %[[E:.*]] = tensor.empty() : tensor<4x8xf32>
// CHECK: scf.for {{.*}} iter_args(%[[A:.*]] = %[[E]])
// CHECK: tensor.extract_slice %arg0[
// CHECK-NOT: linalg.fill
// CHECK: return
func.func @kept_argument(%p: tensor<4x8xf32>, %x: tensor<8xf32>) -> tensor<4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %e = tensor.empty() : tensor<4x8xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  %r = scf.for %i = %c0 to %c4 step %c1 iter_args(%a = %zeros) -> (tensor<4x8xf32>) {
    %u = tensor.insert_slice %x into %a[%i, 0] [1, 8] [1, 1] : tensor<8xf32> into tensor<4x8xf32>
    scf.yield %u : tensor<4x8xf32>
  }
  %np = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%p, %r : tensor<4x8xf32>, tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%b0: f32, %b1: f32, %o: f32):
    %t = arith.subf %b0, %b1 : f32
    linalg.yield %t : f32
  } -> tensor<4x8xf32>
  return %np : tensor<4x8xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>

// Two slices in each iteration, and a last one in front of the loop, as a loop
// has them whose roles were permuted. What reads a slice that is written in
// front of the loop reads the argument, what reads those of the loop what it
// carries.
// CHECK-LABEL: func.func @several_writers
// CHECK: tensor.extract_slice %arg0[4, 0]
// CHECK: %[[LAST:.*]] = tensor.insert_slice %{{.*}} into %arg0[4, 0]
// CHECK: scf.for %[[I:.*]] = {{.*}} iter_args(%[[A:.*]] = %[[LAST]])
// CHECK-DAG: %[[W0:.*]] = tensor.extract_slice %[[A]][%[[I]], 0]
// CHECK: linalg.generic {{.*}} ins(%[[W0]],
// CHECK: %[[B:.*]] = tensor.insert_slice %{{.*}} into %[[A]][%[[I]], 0]
// CHECK: %[[C:.*]] = tensor.insert_slice %{{.*}} into %[[B]][
// CHECK: scf.yield %[[C]]
func.func @several_writers(%p: tensor<5x8xf32> {rev.donated}, %x: tensor<8xf32>) -> tensor<5x8xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c4 = arith.constant 4 : index
  %e = tensor.empty() : tensor<5x8xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<5x8xf32>) -> tensor<5x8xf32>
  %wl = tensor.extract_slice %p[4, 0] [1, 8] [1, 1] : tensor<5x8xf32> to tensor<8xf32>
  %last = tensor.insert_slice %wl into %zeros[4, 0] [1, 8] [1, 1] : tensor<8xf32> into tensor<5x8xf32>
  %r = scf.for %i = %c0 to %c4 step %c2 iter_args(%a = %last) -> (tensor<5x8xf32>) {
    %w = tensor.extract_slice %p[%i, 0] [1, 8] [1, 1] : tensor<5x8xf32> to tensor<8xf32>
    %u = tensor.insert_slice %w into %a[%i, 0] [1, 8] [1, 1] : tensor<8xf32> into tensor<5x8xf32>
    %j = arith.addi %i, %c1 : index
    %t = tensor.insert_slice %x into %u[%j, 0] [1, 8] [1, 1] : tensor<8xf32> into tensor<5x8xf32>
    scf.yield %t : tensor<5x8xf32>
  }
  %np = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%p, %r : tensor<5x8xf32>, tensor<5x8xf32>) outs(%e : tensor<5x8xf32>) {
  ^bb0(%b0: f32, %b1: f32, %o: f32):
    %t = arith.subf %b0, %b1 : f32
    linalg.yield %t : f32
  } -> tensor<5x8xf32>
  return %np : tensor<5x8xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>

// Two loops, the first one over the last slices. Each reads the slices that it
// writes from what it carries.
// CHECK-LABEL: func.func @two_loops
// CHECK: %[[FIRST:.*]] = scf.for %[[I:.*]] = %c3 to %c5 {{.*}} iter_args(%[[A:.*]] = %arg0)
// CHECK: tensor.extract_slice %[[A]][%[[I]], 0]
// CHECK: scf.for %[[J:.*]] = %c0 to %c3 {{.*}} iter_args(%[[B:.*]] = %[[FIRST]])
// CHECK: tensor.extract_slice %[[B]][%[[J]], 0]
func.func @two_loops(%p: tensor<5x8xf32> {rev.donated}) -> tensor<5x8xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %c5 = arith.constant 5 : index
  %e = tensor.empty() : tensor<5x8xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<5x8xf32>) -> tensor<5x8xf32>
  %last = scf.for %i = %c3 to %c5 step %c1 iter_args(%a = %zeros) -> (tensor<5x8xf32>) {
    %w = tensor.extract_slice %p[%i, 0] [1, 8] [1, 1] : tensor<5x8xf32> to tensor<8xf32>
    %t = math.exp %w : tensor<8xf32>
    %u = tensor.insert_slice %t into %a[%i, 0] [1, 8] [1, 1] : tensor<8xf32> into tensor<5x8xf32>
    scf.yield %u : tensor<5x8xf32>
  }
  %r = scf.for %i = %c0 to %c3 step %c1 iter_args(%a = %last) -> (tensor<5x8xf32>) {
    %w = tensor.extract_slice %p[%i, 0] [1, 8] [1, 1] : tensor<5x8xf32> to tensor<8xf32>
    %t = math.exp %w : tensor<8xf32>
    %u = tensor.insert_slice %t into %a[%i, 0] [1, 8] [1, 1] : tensor<8xf32> into tensor<5x8xf32>
    scf.yield %u : tensor<5x8xf32>
  }
  %np = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%p, %r : tensor<5x8xf32>, tensor<5x8xf32>) outs(%e : tensor<5x8xf32>) {
  ^bb0(%b0: f32, %b1: f32, %o: f32):
    %t = arith.subf %b0, %b1 : f32
    linalg.yield %t : f32
  } -> tensor<5x8xf32>
  return %np : tensor<5x8xf32>
}

// -----

#id = affine_map<(i, j, k) -> (i, j, k)>

// A stack of stacks: the update moves into the inner loop, on slices of slices.
// CHECK-LABEL: func.func @nested
// CHECK: scf.for %[[I:.*]] = {{.*}} iter_args(%[[A:.*]] = %arg0)
// CHECK: %[[S:.*]] = tensor.extract_slice %[[A]][%[[I]], 0, 0] [1, 3, 8]
// CHECK: %[[R:.*]] = scf.for %[[J:.*]] = {{.*}} iter_args(%[[B:.*]] = %[[S]])
// CHECK: tensor.extract_slice %[[B]][%[[J]], 0]
// CHECK: linalg.generic
// CHECK: tensor.insert_slice %{{.*}} into %[[B]][%[[J]], 0]
// CHECK: tensor.insert_slice %[[R]] into %[[A]][%[[I]], 0, 0]
// CHECK-NOT: linalg
// CHECK: return
func.func @nested(%p: tensor<2x3x8xf32> {rev.donated}, %x: tensor<8xf32>) -> tensor<2x3x8xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %e = tensor.empty() : tensor<2x3x8xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<2x3x8xf32>) -> tensor<2x3x8xf32>
  %r = scf.for %i = %c0 to %c2 step %c1 iter_args(%a = %zeros) -> (tensor<2x3x8xf32>) {
    %s = tensor.extract_slice %a[%i, 0, 0] [1, 3, 8] [1, 1, 1] : tensor<2x3x8xf32> to tensor<3x8xf32>
    %inner = scf.for %j = %c0 to %c3 step %c1 iter_args(%b = %s) -> (tensor<3x8xf32>) {
      %u = tensor.insert_slice %x into %b[%j, 0] [1, 8] [1, 1] : tensor<8xf32> into tensor<3x8xf32>
      scf.yield %u : tensor<3x8xf32>
    }
    %u = tensor.insert_slice %inner into %a[%i, 0, 0] [1, 3, 8] [1, 1, 1] : tensor<3x8xf32> into tensor<2x3x8xf32>
    scf.yield %u : tensor<2x3x8xf32>
  }
  %np = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%p, %r : tensor<2x3x8xf32>, tensor<2x3x8xf32>) outs(%e : tensor<2x3x8xf32>) {
  ^bb0(%b0: f32, %b1: f32, %o: f32):
    %t = arith.subf %b0, %b1 : f32
    linalg.yield %t : f32
  } -> tensor<2x3x8xf32>
  return %np : tensor<2x3x8xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>

// What stays as it is, and why.
// CHECK-LABEL: func.func @written_twice
// CHECK: scf.for
// CHECK: linalg.generic
// REMARK: a stack is kept: a slice of it is written twice
func.func @written_twice(%p: tensor<4x8xf32> {rev.donated}, %x: tensor<8xf32>) -> tensor<4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %e = tensor.empty() : tensor<4x8xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  %first = tensor.insert_slice %x into %zeros[2, 0] [1, 8] [1, 1] : tensor<8xf32> into tensor<4x8xf32>
  %r = scf.for %i = %c0 to %c4 step %c1 iter_args(%a = %first) -> (tensor<4x8xf32>) {
    %u = tensor.insert_slice %x into %a[%i, 0] [1, 8] [1, 1] : tensor<8xf32> into tensor<4x8xf32>
    scf.yield %u : tensor<4x8xf32>
  }
  %np = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%p, %r : tensor<4x8xf32>, tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%b0: f32, %b1: f32, %o: f32):
    %t = arith.subf %b0, %b1 : f32
    linalg.yield %t : f32
  } -> tensor<4x8xf32>
  return %np : tensor<4x8xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>

// CHECK-LABEL: func.func @not_all_written
// CHECK: scf.for
// CHECK: linalg.generic
// REMARK: a stack is kept: a slice of it is not written
func.func @not_all_written(%p: tensor<4x8xf32> {rev.donated}, %x: tensor<8xf32>) -> tensor<4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %c4 = arith.constant 4 : index
  %e = tensor.empty() : tensor<4x8xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  %r = scf.for %i = %c0 to %c4 step %c2 iter_args(%a = %zeros) -> (tensor<4x8xf32>) {
    %u = tensor.insert_slice %x into %a[%i, 0] [1, 8] [1, 1] : tensor<8xf32> into tensor<4x8xf32>
    scf.yield %u : tensor<4x8xf32>
  }
  %np = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%p, %r : tensor<4x8xf32>, tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%b0: f32, %b1: f32, %o: f32):
    %t = arith.subf %b0, %b1 : f32
    linalg.yield %t : f32
  } -> tensor<4x8xf32>
  return %np : tensor<4x8xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>

// The gradient is a result as well.
// CHECK-LABEL: func.func @used_elsewhere
// CHECK: scf.for
// CHECK: linalg.generic
// REMARK: a stack is kept: something needs all of it at once
func.func @used_elsewhere(%p: tensor<4x8xf32> {rev.donated}, %x: tensor<8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %e = tensor.empty() : tensor<4x8xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  %r = scf.for %i = %c0 to %c4 step %c1 iter_args(%a = %zeros) -> (tensor<4x8xf32>) {
    %u = tensor.insert_slice %x into %a[%i, 0] [1, 8] [1, 1] : tensor<8xf32> into tensor<4x8xf32>
    scf.yield %u : tensor<4x8xf32>
  }
  %np = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%p, %r : tensor<4x8xf32>, tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%b0: f32, %b1: f32, %o: f32):
    %t = arith.subf %b0, %b1 : f32
    linalg.yield %t : f32
  } -> tensor<4x8xf32>
  return %np, %r : tensor<4x8xf32>, tensor<4x8xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>
#number = affine_map<(i, j) -> ()>

// Clipping by the norm: the update needs the sum over all slices.
// CHECK-LABEL: func.func @norm
// CHECK: scf.for
// CHECK: iterator_types = ["reduction", "reduction"]
// CHECK: iterator_types = ["parallel", "parallel"]
// REMARK: a stack is kept: something needs all of it at once
func.func @norm(%p: tensor<4x8xf32> {rev.donated}, %x: tensor<8xf32>) -> tensor<4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %e = tensor.empty() : tensor<4x8xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  %r = scf.for %i = %c0 to %c4 step %c1 iter_args(%a = %zeros) -> (tensor<4x8xf32>) {
    %u = tensor.insert_slice %x into %a[%i, 0] [1, 8] [1, 1] : tensor<8xf32> into tensor<4x8xf32>
    scf.yield %u : tensor<4x8xf32>
  }
  %en = tensor.empty() : tensor<f32>
  %fn = linalg.fill ins(%zero : f32) outs(%en : tensor<f32>) -> tensor<f32>
  %sum = linalg.generic {indexing_maps = [#id, #number], iterator_types = ["reduction", "reduction"]}
      ins(%r : tensor<4x8xf32>) outs(%fn : tensor<f32>) {
  ^bb0(%b0: f32, %o: f32):
    %m = arith.mulf %b0, %b0 : f32
    %t = arith.addf %m, %o : f32
    linalg.yield %t : f32
  } -> tensor<f32>
  %np = linalg.generic {indexing_maps = [#id, #id, #number, #id], iterator_types = ["parallel", "parallel"]}
      ins(%p, %r, %sum : tensor<4x8xf32>, tensor<4x8xf32>, tensor<f32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%b0: f32, %b1: f32, %b2: f32, %o: f32):
    %m = arith.divf %b1, %b2 : f32
    %t = arith.subf %b0, %m : f32
    linalg.yield %t : f32
  } -> tensor<4x8xf32>
  return %np : tensor<4x8xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>

// A later iteration reads the slice, and nothing is won by a second stack.
// CHECK-LABEL: func.func private @read_later
// CHECK: scf.for
// CHECK: linalg.generic
// REMARK: a stack is kept: what is computed from it takes as many bytes
func.func private @read_later(%p: tensor<4x8xf32>, %use: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %c4 = arith.constant 4 : index
  %e = tensor.empty() : tensor<4x8xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  %r = scf.for %i = %c0 to %c4 step %c1 iter_args(%a = %zeros) -> (tensor<4x8xf32>) {
    %n = arith.subi %c3, %i : index
    %w = tensor.extract_slice %p[%n, 0] [1, 8] [1, 1] : tensor<4x8xf32> to tensor<8xf32>
    %u = tensor.insert_slice %w into %a[%i, 0] [1, 8] [1, 1] : tensor<8xf32> into tensor<4x8xf32>
    scf.yield %u : tensor<4x8xf32>
  }
  %np = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%p, %r : tensor<4x8xf32>, tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%b0: f32, %b1: f32, %o: f32):
    %t = arith.subf %b0, %b1 : f32
    linalg.yield %t : f32
  } -> tensor<4x8xf32>
  %q = tensor.insert_slice %np into %use[0, 0] [4, 8] [1, 1] : tensor<4x8xf32> into tensor<4x8xf32>
  return %q, %p : tensor<4x8xf32>, tensor<4x8xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>

// Iterations read slices that others have written: the new parameters do not take
// the place of the old ones.
// CHECK-LABEL: func.func @read_in_another_order
// CHECK: %[[E:.*]] = tensor.empty() : tensor<4x8xf32>
// CHECK: scf.for {{.*}} iter_args(%{{.*}} = %[[E]])
// CHECK: %[[N:.*]] = arith.subi
// CHECK: tensor.extract_slice %arg0[%[[N]], 0]
func.func @read_in_another_order(%p: tensor<4x8xf32> {rev.donated}) -> tensor<4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %c4 = arith.constant 4 : index
  %e = tensor.empty() : tensor<4x8xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  %r = scf.for %i = %c0 to %c4 step %c1 iter_args(%a = %zeros) -> (tensor<4x8xf32>) {
    %n = arith.subi %c3, %i : index
    %w = tensor.extract_slice %p[%n, 0] [1, 8] [1, 1] : tensor<4x8xf32> to tensor<8xf32>
    %u = tensor.insert_slice %w into %a[%i, 0] [1, 8] [1, 1] : tensor<8xf32> into tensor<4x8xf32>
    scf.yield %u : tensor<4x8xf32>
  }
  %np = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%p, %r : tensor<4x8xf32>, tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%b0: f32, %b1: f32, %o: f32):
    %t = arith.subf %b0, %b1 : f32
    linalg.yield %t : f32
  } -> tensor<4x8xf32>
  return %np : tensor<4x8xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>

// Some iterations read slices of the gradient that are there already.
// CHECK-LABEL: func.func @read_back
// CHECK: %[[R:.*]] = scf.for
// CHECK: scf.yield
// CHECK: linalg.generic {{.*}} ins(%arg0, %[[R]] :
func.func @read_back(%p: tensor<4x8xf32> {rev.donated}, %x: tensor<8xf32>) -> tensor<4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %c4 = arith.constant 4 : index
  %e = tensor.empty() : tensor<4x8xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  %r = scf.for %i = %c0 to %c4 step %c1 iter_args(%a = %zeros) -> (tensor<4x8xf32>) {
    %n = arith.subi %c3, %i : index
    %g = tensor.extract_slice %a[%n, 0] [1, 8] [1, 1] : tensor<4x8xf32> to tensor<8xf32>
    %h = arith.addf %g, %x : tensor<8xf32>
    %u = tensor.insert_slice %h into %a[%i, 0] [1, 8] [1, 1] : tensor<8xf32> into tensor<4x8xf32>
    scf.yield %u : tensor<4x8xf32>
  }
  %np = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%p, %r : tensor<4x8xf32>, tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%b0: f32, %b1: f32, %o: f32):
    %t = arith.subf %b0, %b1 : f32
    linalg.yield %t : f32
  } -> tensor<4x8xf32>
  return %np : tensor<4x8xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>
#transposed = affine_map<(i, j) -> (j, i)>

// The gradient is added to its transpose: no slice of that is there with one of it.
// CHECK-LABEL: func.func @transposed
// CHECK: %[[R:.*]] = scf.for
// CHECK: scf.yield
// CHECK: linalg.generic {{.*}} ins(%arg0, %[[R]], %[[R]] :
// REMARK: a stack is kept: something needs all of it at once
func.func @transposed(%p: tensor<4x4xf32> {rev.donated}, %x: tensor<4xf32>) -> tensor<4x4xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %e = tensor.empty() : tensor<4x4xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  %r = scf.for %i = %c0 to %c4 step %c1 iter_args(%a = %zeros) -> (tensor<4x4xf32>) {
    %u = tensor.insert_slice %x into %a[%i, 0] [1, 4] [1, 1] : tensor<4xf32> into tensor<4x4xf32>
    scf.yield %u : tensor<4x4xf32>
  }
  %np = linalg.generic {indexing_maps = [#id, #id, #transposed, #id], iterator_types = ["parallel", "parallel"]}
      ins(%p, %r, %r : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) {
  ^bb0(%b0: f32, %b1: f32, %b2: f32, %o: f32):
    %s = arith.addf %b1, %b2 : f32
    %t = arith.subf %b0, %s : f32
    linalg.yield %t : f32
  } -> tensor<4x4xf32>
  return %np : tensor<4x4xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>

// The number of layers is not known, nor is a step.
// CHECK-LABEL: func.func @dynamic
// CHECK-COUNT-2: scf.for
// CHECK-COUNT-2: linalg.generic
// REMARK-NOT: a stack is kept
func.func @dynamic(%p: tensor<?x8xf32> {rev.donated}, %q: tensor<4x8xf32> {rev.donated}, %x: tensor<8xf32>, %n: index)
    -> (tensor<?x8xf32>, tensor<4x8xf32>) {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %e = tensor.empty(%n) : tensor<?x8xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%a = %zeros) -> (tensor<?x8xf32>) {
    %u = tensor.insert_slice %x into %a[%i, 0] [1, 8] [1, 1] : tensor<8xf32> into tensor<?x8xf32>
    scf.yield %u : tensor<?x8xf32>
  }
  %es = tensor.empty() : tensor<4x8xf32>
  %zs = linalg.fill ins(%zero : f32) outs(%es : tensor<4x8xf32>) -> tensor<4x8xf32>
  %s = scf.for %i = %c0 to %n step %c1 iter_args(%a = %zs) -> (tensor<4x8xf32>) {
    %u = tensor.insert_slice %x into %a[%i, 0] [1, 8] [1, 1] : tensor<8xf32> into tensor<4x8xf32>
    scf.yield %u : tensor<4x8xf32>
  }
  %np = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%p, %r : tensor<?x8xf32>, tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) {
  ^bb0(%b0: f32, %b1: f32, %o: f32):
    %t = arith.subf %b0, %b1 : f32
    linalg.yield %t : f32
  } -> tensor<?x8xf32>
  %nq = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%q, %s : tensor<4x8xf32>, tensor<4x8xf32>) outs(%es : tensor<4x8xf32>) {
  ^bb0(%b0: f32, %b1: f32, %o: f32):
    %t = arith.subf %b0, %b1 : f32
    linalg.yield %t : f32
  } -> tensor<4x8xf32>
  return %np, %nq : tensor<?x8xf32>, tensor<4x8xf32>
}
