// RUN: memrev-opt %s -rev-differentiate="function=mmt4d" -canonicalize | FileCheck %s --check-prefix=MMT4D
// RUN: memrev-opt %s -rev-differentiate="function=filter_gradient" -canonicalize | FileCheck %s --check-prefix=FILTER
// RUN: memrev-opt %s -rev-differentiate="function=window" -canonicalize | FileCheck %s --check-prefix=WINDOW
// RUN: memrev-opt %s -rev-differentiate="function=half" -canonicalize | FileCheck %s --check-prefix=HALF
// RUN: memrev-opt %s -rev-differentiate="function=maximum" -canonicalize | FileCheck %s --check-prefix=MAXIMUM
// RUN: memrev-opt %s -rev-differentiate="function=multiplied" -canonicalize | FileCheck %s --check-prefix=MULTIPLIED
// RUN: memrev-opt %s -rev-differentiate="function=trace" -canonicalize | FileCheck %s --check-prefix=TRACE
// RUN: memrev-opt %s -rev-differentiate="function=looked_up" -canonicalize | FileCheck %s --check-prefix=LOOKED

// What a product of tiles is differentiated to is a product each: two factors, and
// sums that start from the cotangent so far.
// MMT4D-LABEL: func.func @mmt4d_vjp(
// MMT4D-SAME:    %[[A:[a-z0-9]*]]: tensor<2x3x4x2xf32>, %[[B:[a-z0-9]*]]: tensor<3x3x5x2xf32>, %{{.*}}, %[[DY:[a-z0-9]*]]: tensor<2x3x4x5xf32>)
// MMT4D:         linalg.generic {{.*}}iterator_types = ["parallel", "reduction", "parallel", "parallel", "reduction", "parallel"]} ins(%[[B]], %[[DY]] :
// MMT4D-NEXT:    ^bb0
// MMT4D-NEXT:      %[[P:.*]] = arith.mulf
// MMT4D-NEXT:      arith.addf %{{.*}}, %[[P]]
// MMT4D-NEXT:      linalg.yield
// MMT4D:         linalg.generic {{.*}}iterator_types = ["reduction", "parallel", "parallel", "reduction", "parallel", "parallel"]} ins(%[[A]], %[[DY]] :
// MMT4D:         return
func.func @mmt4d(%a: tensor<2x3x4x2xf32>, %b: tensor<3x3x5x2xf32>, %c: tensor<2x3x4x5xf32>) -> tensor<2x3x4x5xf32> {
  %y = linalg.mmt4d ins(%a, %b : tensor<2x3x4x2xf32>, tensor<3x3x5x2xf32>) outs(%c : tensor<2x3x4x5xf32>) -> tensor<2x3x4x5xf32>
  return %y : tensor<2x3x4x5xf32>
}

// The gradient of a filter is a convolution whose filter is the cotangent, so that
// it is differentiated like one. The input gets one contraction for each element of
// the original filter's window, into a slice: no result is written at o + k.
// FILTER-DAG:    #[[ROWS:.*]] = affine_map<(d0, d1, d2, d3) -> (d2, d3, d0)>
// FILTER-LABEL:  func.func @filter_gradient_vjp(
// FILTER-SAME:     %[[X:[a-z0-9]*]]: tensor<1x6x3xf32>, %[[D:[a-z0-9]*]]: tensor<1x4x2xf32>, %{{.*}}, %[[DY:[a-z0-9]*]]: tensor<3x3x2xf32>)
// FILTER-COUNT-3:  tensor.insert_slice {{.*}} : tensor<1x4x3xf32> into tensor<1x6x3xf32>
// FILTER-NOT:      tensor.insert_slice
// FILTER:          return
func.func @filter_gradient(%x: tensor<1x6x3xf32>, %d: tensor<1x4x2xf32>, %c: tensor<3x3x2xf32>) -> tensor<3x3x2xf32> {
  %y = linalg.generic {indexing_maps = [affine_map<(k, c, f, n, o) -> (n, o + k, c)>, affine_map<(k, c, f, n, o) -> (n, o, f)>, affine_map<(k, c, f, n, o) -> (k, c, f)>],
      iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%x, %d : tensor<1x6x3xf32>, tensor<1x4x2xf32>) outs(%c : tensor<3x3x2xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %p = arith.mulf %a, %b : f32
    %t = arith.addf %s, %p : f32
    linalg.yield %t : f32
  } -> tensor<3x3x2xf32>
  return %y : tensor<3x3x2xf32>
}

// Two iterations that read one element do not write it at once: each position in
// the window has a pass of its own.
// WINDOW-LABEL: func.func @window_vjp(
// WINDOW-SAME:    %{{.*}}: tensor<5xf32>, %[[DY:[a-z0-9]*]]: tensor<4x2xf32>)
// WINDOW:         %[[ZERO:.*]] = linalg.fill
// WINDOW:         %[[S0:.*]] = tensor.extract_slice %[[ZERO]][0] [4] [1]
// WINDOW:         %[[D0:.*]] = tensor.extract_slice %[[DY]][0, 0] [4, 1] [1, 1]
// WINDOW:         %[[T0:.*]] = linalg.generic {{.*}} ins(%[[D0]] : tensor<4xf32>) outs(%[[S0]] :
// WINDOW:         %[[U0:.*]] = tensor.insert_slice %[[T0]] into %[[ZERO]][0] [4] [1]
// WINDOW:         %[[S1:.*]] = tensor.extract_slice %[[U0]][1] [4] [1]
// WINDOW:         %[[D1:.*]] = tensor.extract_slice %[[DY]][0, 1] [4, 1] [1, 1]
// WINDOW:         %[[T1:.*]] = linalg.generic {{.*}} ins(%[[D1]] : tensor<4xf32>) outs(%[[S1]] :
// WINDOW:         %[[U1:.*]] = tensor.insert_slice %[[T1]] into %[[U0]][1] [4] [1]
// WINDOW:         return %[[U1]]
func.func @window(%x: tensor<5xf32>) -> tensor<4x2xf32> {
  %e = tensor.empty() : tensor<4x2xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i + j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<5xf32>) outs(%e : tensor<4x2xf32>) {
  ^bb0(%a: f32, %out: f32):
    linalg.yield %a : f32
  } -> tensor<4x2xf32>
  return %y : tensor<4x2xf32>
}

// Sums of 16-bit floats are carried in f32 and rounded once.
// HALF-LABEL: func.func @half_vjp(
// HALF-SAME:    %[[A:[a-z0-9]*]]: tensor<3x4xf16>, %[[B:[a-z0-9]*]]: tensor<4x5xf16>, %{{.*}}, %[[DY:[a-z0-9]*]]: tensor<3x5xf16>)
// HALF:         %[[DA:.*]] = linalg.matmul {{.*}} ins(%[[DY]], %[[B]] : tensor<3x5xf16>, tensor<4x5xf16>) outs(%{{.*}} : tensor<3x4xf32>)
// HALF:         linalg.copy ins(%[[DA]] : tensor<3x4xf32>) outs(%{{.*}} : tensor<3x4xf16>)
// HALF:         %[[DB:.*]] = linalg.matmul {{.*}} ins(%[[A]], %[[DY]] : tensor<3x4xf16>, tensor<3x5xf16>) outs(%{{.*}} : tensor<4x5xf32>)
// HALF:         linalg.copy ins(%[[DB]] : tensor<4x5xf32>) outs(%{{.*}} : tensor<4x5xf16>)
func.func @half(%a: tensor<3x4xf16>, %b: tensor<4x5xf16>, %c: tensor<3x5xf16>) -> tensor<3x5xf16> {
  %y = linalg.matmul ins(%a, %b : tensor<3x4xf16>, tensor<4x5xf16>) outs(%c : tensor<3x5xf16>) -> tensor<3x5xf16>
  return %y : tensor<3x5xf16>
}

// A pass finds who wins, the first of equal elements, before any that equals what it
// started from; the winner alone gets the cotangent.
// MAXIMUM-LABEL: func.func @maximum_vjp(
// MAXIMUM-SAME:    %[[X:[a-z0-9]*]]: tensor<3x4xf32>, %[[C:[a-z0-9]*]]: tensor<3xf32>, %[[DY:[a-z0-9]*]]: tensor<3xf32>)
// MAXIMUM:         %[[NONE:.*]] = linalg.fill ins(%c-1_i32
// MAXIMUM:         %[[W:.*]]:2 = linalg.generic {{.*}} ins(%[[X]] : tensor<3x4xf32>) outs(%[[C]], %[[NONE]] :
// MAXIMUM:           arith.cmpf ogt, %in, %out
// MAXIMUM:         linalg.generic {{.*}} ins(%[[DY]], %[[W]]#1 : tensor<3xf32>, tensor<3xi32>) outs(%{{.*}} : tensor<3xf32>)
// MAXIMUM:           arith.cmpi eq, %{{.*}}, %c-1_i32
// MAXIMUM:         linalg.generic {{.*}}iterator_types = ["parallel", "parallel"]} ins(%[[DY]], %[[W]]#1 :
// MAXIMUM:           %[[I:.*]] = linalg.index 1
// MAXIMUM:           %[[N:.*]] = arith.index_cast %[[I]]
// MAXIMUM:           arith.cmpi eq, %{{.*}}, %[[N]]
func.func @maximum(%x: tensor<3x4xf32>, %c: tensor<3xf32>) -> tensor<3xf32> {
  %y = linalg.reduce {arith.maximumf} ins(%x : tensor<3x4xf32>) outs(%c : tensor<3xf32>) dimensions = [1]
  return %y : tensor<3xf32>
}

// The products before and behind each factor: nothing is divided.
// MULTIPLIED-LABEL: func.func @multiplied_vjp(
// MULTIPLIED-SAME:    %[[X:[a-z0-9]*]]: tensor<3x4xf32>, %[[C:[a-z0-9]*]]: tensor<3xf32>, %[[DY:[a-z0-9]*]]: tensor<3xf32>)
// MULTIPLIED-NOT:     arith.divf
// MULTIPLIED:         scf.for {{.*}} iter_args(%{{.*}} = %[[C]],
// MULTIPLIED:         %[[R:.*]]:2 = scf.for {{.*}} iter_args(%{{.*}} = %[[DY]],
// MULTIPLIED-NOT:     arith.divf
// MULTIPLIED:         return %{{.*}}, %[[R]]#0
func.func @multiplied(%x: tensor<3x4xf32>, %c: tensor<3xf32>) -> tensor<3xf32> {
  %y = linalg.reduce {arith.mulf} ins(%x : tensor<3x4xf32>) outs(%c : tensor<3xf32>) dimensions = [1]
  return %y : tensor<3xf32>
}

// TRACE-LABEL: func.func @trace_vjp(
// TRACE:         %[[SUMS:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<4xf32>)
// TRACE:         linalg.generic {{.*}}iterator_types = ["parallel", "parallel"]} ins(%[[SUMS]] : tensor<4xf32>) outs(%{{.*}} : tensor<4x4xf32>)
// TRACE:           %[[ON:.*]] = arith.cmpi eq
// TRACE:           arith.select %[[ON]]
func.func @trace(%x: tensor<4x4xf32>, %c: tensor<f32>) -> tensor<f32> {
  %y = linalg.generic {indexing_maps = [affine_map<(i) -> (i, i)>, affine_map<(i) -> ()>], iterator_types = ["reduction"]}
      ins(%x : tensor<4x4xf32>) outs(%c : tensor<f32>) {
  ^bb0(%a: f32, %s: f32):
    %t = arith.addf %s, %a : f32
    linalg.yield %t : f32
  } -> tensor<f32>
  return %y : tensor<f32>
}

// LOOKED-LABEL: func.func @looked_up_vjp(
// LOOKED-SAME:    %{{.*}}: tensor<4xf32>, %[[N:[a-z0-9]*]]: tensor<5xindex>, %[[DY:[a-z0-9]*]]: tensor<5xf32>)
// LOOKED:         scf.for %[[I:.*]] = {{.*}} iter_args(%[[SUM:.*]] = %{{.*}})
// LOOKED-DAG:       %[[D:.*]] = tensor.extract %[[DY]][%[[I]]]
// LOOKED-DAG:       %[[AT:.*]] = tensor.extract %[[N]][%[[I]]]
// LOOKED:           %[[V:.*]] = tensor.extract %[[SUM]][%[[AT]]]
// LOOKED:           %[[S:.*]] = arith.addf %[[V]], %[[D]]
// LOOKED:           tensor.insert %[[S]] into %[[SUM]][%[[AT]]]
func.func @looked_up(%x: tensor<4xf32>, %n: tensor<5xindex>) -> tensor<5xf32> {
  %e = tensor.empty() : tensor<5xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%n : tensor<5xindex>) outs(%e : tensor<5xf32>) {
  ^bb0(%i: index, %out: f32):
    %v = tensor.extract %x[%i] : tensor<4xf32>
    linalg.yield %v : f32
  } -> tensor<5xf32>
  return %y : tensor<5xf32>
}
