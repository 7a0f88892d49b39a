// RUN: memrev-opt %s -rev-differentiate -symbol-dce -split-input-file | FileCheck %s

// A coupling gets its log-determinant, an addition has none, that of a product
// with a constant is the sum of the logarithms of its derivatives, that of what
// moves elements is nothing.
// CHECK-LABEL: func.func private @flow_log_det(
// CHECK-SAME:    %[[A:.*]]: tensor<3x4xf32>, %[[B:.*]]: tensor<3x4xf32>) -> (tensor<3x8xf32>, tensor<3xf32>)
// CHECK:         %[[TWO:.*]] = arith.constant dense<2.0
// CHECK:         %[[Y:.*]], %[[FIRST:.*]] = rev.coupling affine<exp> %[[A]] given(%[[B]]) log_det
// CHECK:         %[[S:.*]] = arith.addf %[[B]], %[[Y]]
// CHECK:         %[[ONE:.*]] = arith.constant dense<1.0
// CHECK:         %[[Z:.*]] = arith.mulf %[[S]], %[[TWO]]
// CHECK:         %[[D:.*]] = arith.mulf %[[ONE]], %[[TWO]]
// CHECK:         %[[SECOND:.*]] = linalg.generic {{.*}} iterator_types = ["parallel", "reduction"]} ins(%[[D]] :
// CHECK:           math.absf
// CHECK:           math.log
// CHECK:         %[[SUM:.*]] = arith.addf %[[FIRST]], %[[SECOND]]
// CHECK-NOT:     linalg.generic
// CHECK:         return %{{.*}}, %[[SUM]]
func.func private @flow(%a: tensor<3x4xf32>, %b: tensor<3x4xf32>) -> tensor<3x8xf32> {
  %two = arith.constant dense<2.0> : tensor<3x4xf32>
  %y = rev.coupling affine<exp> %a given(%b) {
  ^bb0(%c: tensor<3x4xf32>):
    rev.yield %c, %c : tensor<3x4xf32>, tensor<3x4xf32>
  } : tensor<3x4xf32>, (tensor<3x4xf32>)
  %s = arith.addf %b, %y : tensor<3x4xf32>
  %z = arith.mulf %s, %two : tensor<3x4xf32>
  %both = tensor.concat dim(1) %z, %y : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x8xf32>
  return %both : tensor<3x8xf32>
}
func.func @main(%a: tensor<3x4xf32>, %b: tensor<3x4xf32>) -> (tensor<3x8xf32>, tensor<3xf32>) {
  %y, %ld = rev.log_det @flow(%a, %b) wrt [0, 1] : (tensor<3x4xf32>, tensor<3x4xf32>) -> (tensor<3x8xf32>, tensor<3xf32>)
  return %y, %ld : tensor<3x8xf32>, tensor<3xf32>
}

// -----

// In a loop the sum is carried. A coupling that has the result already gives it;
// the samples are those of the second dimension, behind a transpose of the first.
// CHECK-LABEL: func.func private @loop_log_det(
// CHECK:         %[[LOOP:.*]]:2 = scf.for {{.*}} iter_args(%[[V:.*]] = %{{.*}}, %[[SUM:.*]] = %{{.*}}) -> (tensor<3x4xf32>, tensor<4xf32>)
// CHECK:           %[[U:.*]], %[[LD:.*]] = rev.coupling inverse_of<affine<exp>> %[[V]] given() log_det attributes {batch_dim = 1 : i64}
// CHECK:           %[[MORE:.*]] = arith.addf %[[SUM]], %[[LD]]
// CHECK:           %[[N:.*]], %[[LN:.*]] = rev.coupling affine<sigmoid> %[[U]] given() log_det attributes {batch_dim = 1 : i64}
// CHECK:           %[[ALL:.*]] = arith.addf %[[MORE]], %[[LN]]
// CHECK:           scf.yield %[[N]], %[[ALL]]
// CHECK:         return %[[LOOP]]#0, %[[LOOP]]#1
func.func private @loop(%x: tensor<4x3xf32>, %w: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  %e = tensor.empty() : tensor<3x4xf32>
  %t = linalg.transpose ins(%x : tensor<4x3xf32>) outs(%e : tensor<3x4xf32>) permutation = [1, 0]
  %r = scf.for %i = %c0 to %c5 step %c1 iter_args(%v = %t) -> (tensor<3x4xf32>) {
    %u, %ld = rev.coupling inverse_of<affine<exp>> %v given() log_det attributes {batch_dim = 1 : i64} {
      rev.yield %w, %w : tensor<3x4xf32>, tensor<3x4xf32>
    } : tensor<3x4xf32>, () -> tensor<4xf32>
    %n = rev.coupling affine<sigmoid> %u given() {
      rev.yield %w, %w : tensor<3x4xf32>, tensor<3x4xf32>
    } : tensor<3x4xf32>, ()
    scf.yield %n : tensor<3x4xf32>
  }
  return %r : tensor<3x4xf32>
}
func.func @main(%x: tensor<4x3xf32>, %w: tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<4xf32>) {
  %y, %ld = rev.log_det @loop(%x, %w) : (tensor<4x3xf32>, tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<4xf32>)
  return %y, %ld : tensor<3x4xf32>, tensor<4xf32>
}

// -----

// A structured operation: the derivative of its body. Results that are not of the
// map go along; extents may be open.
// CHECK-LABEL: func.func private @open_log_det(
// CHECK-SAME:    %[[X:.*]]: tensor<?x4xf32>) -> (tensor<?x4xf32>, tensor<4xf32>, tensor<?xf32>)
// CHECK:         %[[BOTH:.*]]:2 = linalg.generic {{.*}} ins(%[[X]], %{{.*}} : tensor<?x4xf32>, tensor<?x4xf32>)
// CHECK:           math.exp
// CHECK:         linalg.generic {{.*}} ins(%[[BOTH]]#1 : tensor<?x4xf32>)
// CHECK:           math.log
func.func private @open(%x: tensor<?x4xf32>) -> (tensor<?x4xf32>, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %d = tensor.dim %x, %c0 : tensor<?x4xf32>
  %e = tensor.empty(%d) : tensor<?x4xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]} ins(%x : tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) {
  ^bb0(%a: f32, %b: f32):
    %n = arith.negf %a : f32
    %f = math.exp %n : f32
    linalg.yield %f : f32
  } -> tensor<?x4xf32>
  %init = arith.constant dense<0.0> : tensor<4xf32>
  %sum = linalg.reduce { arith.addf } ins(%y : tensor<?x4xf32>) outs(%init : tensor<4xf32>) dimensions = [0]
  return %y, %sum : tensor<?x4xf32>, tensor<4xf32>
}
func.func @main(%x: tensor<?x4xf32>) -> (tensor<?x4xf32>, tensor<4xf32>, tensor<?xf32>) {
  %y, %s, %ld = rev.log_det @open(%x) of [0] : (tensor<?x4xf32>) -> (tensor<?x4xf32>, tensor<4xf32>, tensor<?xf32>)
  return %y, %s, %ld : tensor<?x4xf32>, tensor<4xf32>, tensor<?xf32>
}

// -----

// A function names its log-determinant. One that names its inverse alone is
// looked into.
func.func private @scale(%x: tensor<3x4xf32>, %s: tensor<3x4xf32>) -> tensor<3x4xf32>
    attributes {rev.inverse = @unscale, rev.log_det = @factor}
func.func private @unscale(%y: tensor<3x4xf32>, %s: tensor<3x4xf32>) -> tensor<3x4xf32>
func.func private @factor(%x: tensor<3x4xf32>, %s: tensor<3x4xf32>) -> tensor<3xf32>
func.func private @exp(%x: tensor<3x4xf32>) -> tensor<3x4xf32> attributes {rev.inverse = @log} {
  %y = math.exp %x : tensor<3x4xf32>
  return %y : tensor<3x4xf32>
}
func.func private @log(%y: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %x = math.log %y : tensor<3x4xf32>
  return %x : tensor<3x4xf32>
}

// CHECK-LABEL: func.func private @exp_log_det(
// CHECK:         math.log
// CHECK-LABEL: func.func private @named_log_det(
// CHECK-SAME:    %[[X:.*]]: tensor<3x4xf32>, %[[S:.*]]: tensor<3x4xf32>)
// CHECK:         %[[Y:.*]] = call @scale(%[[X]], %[[S]])
// CHECK:         %[[FIRST:.*]] = call @factor(%[[X]], %[[S]])
// CHECK:         %[[Z:.*]]:2 = call @exp_log_det(%[[Y]])
// CHECK:         %[[SUM:.*]] = arith.addf %[[FIRST]], %[[Z]]#1
// CHECK:         return %[[Z]]#0, %[[SUM]]
func.func private @named(%x: tensor<3x4xf32>, %s: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %y = call @scale(%x, %s) : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  %z = call @exp(%y) : (tensor<3x4xf32>) -> tensor<3x4xf32>
  return %z : tensor<3x4xf32>
}

// CHECK-LABEL: func.func @main(
// CHECK:         call @named_log_det(
// CHECK:         call @scale_log_det(
func.func @main(%x: tensor<3x4xf32>, %s: tensor<3x4xf32>) -> (tensor<3xf32>, tensor<3xf32>) {
  %y:2 = rev.log_det @named(%x, %s) : (tensor<3x4xf32>, tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<3xf32>)
  %z:2 = rev.log_det @scale(%x, %s) : (tensor<3x4xf32>, tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<3xf32>)
  return %y#1, %z#1 : tensor<3xf32>, tensor<3xf32>
}

// -----

// It is about values: rev.stop_gradient is the identity, in bodies too, and stays.
// CHECK-LABEL: func.func private @stopped_log_det(
// CHECK-SAME:    %[[X:.*]]: tensor<3x4xf32>)
// CHECK:         %[[S:.*]] = rev.stop_gradient %[[X]]
// CHECK:         %[[Y:.*]] = math.exp %[[S]]
// CHECK:         %[[BOTH:.*]]:2 = linalg.generic {{.*}} ins(%[[Y]],
// CHECK:           %[[A:.*]] = rev.stop_gradient %{{.*}} : f32
// CHECK:           %[[B:.*]] = math.exp %[[A]]
// CHECK:           %[[T:.*]] = arith.mulf %{{.*}}, %[[B]]
// CHECK:           linalg.yield %[[B]], %[[T]]
// CHECK:         linalg.generic {{.*}} ins(%[[BOTH]]#1 :
// CHECK:         return %[[BOTH]]#0, %{{.*}}
func.func private @stopped(%x: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %s = rev.stop_gradient %x : tensor<3x4xf32>
  %y = math.exp %s : tensor<3x4xf32>
  %e = tensor.empty() : tensor<3x4xf32>
  %z = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]} ins(%y : tensor<3x4xf32>) outs(%e : tensor<3x4xf32>) {
  ^bb0(%a: f32, %b: f32):
    %c = rev.stop_gradient %a : f32
    %d = math.exp %c : f32
    linalg.yield %d : f32
  } -> tensor<3x4xf32>
  return %z : tensor<3x4xf32>
}
func.func @main(%x: tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<3xf32>) {
  %y:2 = rev.log_det @stopped(%x) : (tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<3xf32>)
  return %y#0, %y#1 : tensor<3x4xf32>, tensor<3xf32>
}

// -----

// Where no way leads through a function, the inverse is asked at its results: what
// that names, or else its operations.
func.func private @scale(%x: tensor<3x4xf32>, %s: tensor<3x4xf32>) -> tensor<3x4xf32>
    attributes {rev.inverse = @unscale, rev.log_det = @factor}
func.func private @unscale(%y: tensor<3x4xf32>, %s: tensor<3x4xf32>) -> tensor<3x4xf32>
func.func private @factor(%x: tensor<3x4xf32>, %s: tensor<3x4xf32>) -> tensor<3xf32>
func.func private @solve(%x: tensor<3x4xf32>) -> tensor<3x4xf32> attributes {rev.inverse = @exp}
func.func private @exp(%y: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %x = math.exp %y : tensor<3x4xf32>
  return %x : tensor<3x4xf32>
}

// CHECK-LABEL: func.func private @unscale_log_det(
// CHECK-SAME:    %[[Y:.*]]: tensor<3x4xf32>, %[[S:.*]]: tensor<3x4xf32>)
// CHECK:         %[[X:.*]] = call @unscale(%[[Y]], %[[S]])
// CHECK:         %[[D:.*]] = call @factor(%[[X]], %[[S]])
// CHECK:         %[[N:.*]] = arith.negf %[[D]]
// CHECK:         return %[[X]], %[[N]]
// CHECK-LABEL: func.func private @solve_log_det(
// CHECK-SAME:    %[[Y:.*]]: tensor<3x4xf32>)
// CHECK:         %[[X:.*]] = call @solve(%[[Y]])
// CHECK:         %[[D:.*]]:2 = call @exp_log_det(%[[X]])
// CHECK:         %[[N:.*]] = arith.negf %[[D]]#1
// CHECK:         return %[[X]], %[[N]]
// CHECK-LABEL: func.func private @flow_log_det(
// CHECK:         call @unscale_log_det(
// CHECK:         call @solve_log_det(
func.func private @flow(%y: tensor<3x4xf32>, %s: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %x = call @unscale(%y, %s) : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  %z = call @solve(%x) : (tensor<3x4xf32>) -> tensor<3x4xf32>
  return %z : tensor<3x4xf32>
}

// A function without a body may be asked for itself.
// CHECK-LABEL: func.func @main(
// CHECK:         call @flow_log_det(
// CHECK:         call @solve_log_det(
func.func @main(%x: tensor<3x4xf32>, %s: tensor<3x4xf32>) -> (tensor<3xf32>, tensor<3xf32>) {
  %y:2 = rev.log_det @flow(%x, %s) : (tensor<3x4xf32>, tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<3xf32>)
  %z:2 = rev.log_det @solve(%x) : (tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<3xf32>)
  return %y#1, %z#1 : tensor<3xf32>, tensor<3xf32>
}

// -----

// Both slopes are of the same operation, whose derivative is taken once.
// CHECK-LABEL: func.func private @same_slopes_log_det(
// CHECK:         math.log
// CHECK:         return
func.func private @same_slopes(%x: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %zero = arith.constant dense<0.0> : tensor<3x4xf32>
  %two = arith.constant dense<2.0> : tensor<3x4xf32>
  %m = arith.mulf %x, %two : tensor<3x4xf32>
  %c = arith.cmpf ogt, %x, %zero : tensor<3x4xf32>
  %y = arith.select %c, %m, %m : tensor<3x4xi1>, tensor<3x4xf32>
  return %y : tensor<3x4xf32>
}
func.func @main(%x: tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<3xf32>) {
  %y:2 = rev.log_det @same_slopes(%x) : (tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<3xf32>)
  return %y#0, %y#1 : tensor<3x4xf32>, tensor<3xf32>
}

// -----

// Side results are not what the argument is mapped to.
// CHECK-LABEL: func.func private @side_log_det(
// CHECK:         math.log
// CHECK:         return
func.func private @side(%x: tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<3x4xf32>)
    attributes {rev.inverse = @back, rev.side_results = 1 : i64} {
  %t = math.exp %x : tensor<3x4xf32>
  %y = math.log1p %t : tensor<3x4xf32>
  return %y, %t : tensor<3x4xf32>, tensor<3x4xf32>
}
func.func private @back(%y: tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<3x4xf32>) {
  %t = math.expm1 %y : tensor<3x4xf32>
  %x = math.log %t : tensor<3x4xf32>
  return %x, %t : tensor<3x4xf32>, tensor<3x4xf32>
}
func.func @main(%x: tensor<3x4xf32>) -> tensor<3xf32> {
  %y:3 = rev.log_det @side(%x) : (tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<3x4xf32>, tensor<3xf32>)
  return %y#2 : tensor<3xf32>
}
