// RUN: memrev-opt %s -rev-differentiate -split-input-file | FileCheck %s

// An operation that moves elements moves the tangents in the same way.
// CHECK-LABEL: func.func private @slices_jvp(
// CHECK-SAME:    %[[X:[a-z0-9]*]]: tensor<4x4xf32>, %[[I:[a-z0-9]*]]: index, %[[TX:[a-z0-9]*]]: tensor<4x4xf32>)
// CHECK:         %[[A:.*]] = tensor.extract_slice %[[X]][%[[I]], 0]
// CHECK:         %[[TA:.*]] = tensor.extract_slice %[[TX]][%[[I]], 0]
// CHECK:         %[[B:.*]] = tensor.insert_slice %[[A]] into %[[X]][0, 0]
// CHECK:         %[[TB:.*]] = tensor.insert_slice %[[TA]] into %[[TX]][0, 0]
// CHECK:         return %[[B]], %[[TB]]
func.func @slices(%x: tensor<4x4xf32>, %i: index) -> tensor<4x4xf32> {
  %a = tensor.extract_slice %x[%i, 0] [1, 4] [1, 1] : tensor<4x4xf32> to tensor<4xf32>
  %b = tensor.insert_slice %a into %x[0, 0] [1, 4] [1, 1] : tensor<4xf32> into tensor<4x4xf32>
  return %b : tensor<4x4xf32>
}

func.func @slices_call(%x: tensor<4x4xf32>, %i: index) -> tensor<4x4xf32> {
  %y, %ty = rev.jvp @slices(%x, %i) tangents(%x)
      : (tensor<4x4xf32>, index, tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>)
  return %ty : tensor<4x4xf32>
}

// -----

// A destination without a tangent is overwritten in zeros.
// CHECK-LABEL: func.func private @insert_jvp(
// CHECK-SAME:    %{{[a-z0-9]*}}: f32, %{{[a-z0-9]*}}: tensor<4xf32>, %[[TX:[a-z0-9]*]]: f32)
// CHECK:         %[[ZEROS:.*]] = linalg.fill
// CHECK:         tensor.insert %[[TX]] into %[[ZEROS]]
func.func @insert(%x: f32, %t: tensor<4xf32>) -> tensor<4xf32> {
  %c1 = arith.constant 1 : index
  %y = tensor.insert %x into %t[%c1] : tensor<4xf32>
  return %y : tensor<4xf32>
}

func.func @insert_call(%x: f32, %t: tensor<4xf32>) -> tensor<4xf32> {
  %y, %ty = rev.jvp @insert(%x, %t) tangents(%x) wrt [0]
      : (f32, tensor<4xf32>, f32) -> (tensor<4xf32>, tensor<4xf32>)
  return %ty : tensor<4xf32>
}

// -----

// The padding of tangents is the tangent of the padding.
// CHECK-LABEL: func.func private @pad_jvp(
// CHECK-SAME:    %[[V:[a-z0-9]*]]: f32, %[[TX:[a-z0-9]*]]: tensor<4xf32>, %[[TV:[a-z0-9]*]]: f32)
// CHECK:         tensor.pad %{{.*}} low[1] high[2]
// CHECK:           tensor.yield %[[V]]
// CHECK:         tensor.pad %[[TX]] low[1] high[2]
// CHECK:           tensor.yield %[[TV]]
func.func @pad(%x: tensor<4xf32>, %v: f32) -> tensor<7xf32> {
  %y = tensor.pad %x low[1] high[2] {
  ^bb0(%i: index):
    tensor.yield %v : f32
  } : tensor<4xf32> to tensor<7xf32>
  return %y : tensor<7xf32>
}

func.func @pad_call(%x: tensor<4xf32>, %v: f32) -> tensor<7xf32> {
  %y, %ty = rev.jvp @pad(%x, %v) tangents(%x, %v)
      : (tensor<4xf32>, f32, tensor<4xf32>, f32) -> (tensor<7xf32>, tensor<7xf32>)
  return %ty : tensor<7xf32>
}

// -----

// A region that computes is differentiated.
// CHECK-LABEL: func.func private @generate_jvp(
// CHECK-SAME:    %[[X:[a-z0-9]*]]: tensor<4xf32>, %[[TX:[a-z0-9]*]]: tensor<4xf32>)
// CHECK:         %[[TY:.*]] = tensor.generate
// CHECK:           %[[A:.*]] = tensor.extract %[[X]]
// CHECK:           %[[TA:.*]] = tensor.extract %[[TX]]
// CHECK:           tensor.yield
// CHECK:         %[[Y:.*]] = tensor.generate
// CHECK:           tensor.extract %[[X]]
// CHECK:         return %[[Y]], %[[TY]]
func.func @generate(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = tensor.generate {
  ^bb0(%i: index):
    %a = tensor.extract %x[%i] : tensor<4xf32>
    %b = arith.mulf %a, %a : f32
    tensor.yield %b : f32
  } : tensor<4xf32>
  return %y : tensor<4xf32>
}

func.func @generate_call(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y, %ty = rev.jvp @generate(%x) tangents(%x)
      : (tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %ty : tensor<4xf32>
}

// -----

// Sizes have no tangents, and bits read as integers stop them.
// CHECK-LABEL: func.func private @stops_jvp(
// CHECK-NEXT:    arith.constant 0 : index
// CHECK-NEXT:    tensor.dim
// CHECK-NEXT:    tensor.bitcast
// CHECK-NEXT:    return
func.func @stops(%x: tensor<?xf32>) -> (index, tensor<?xi32>) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %i = tensor.bitcast %x : tensor<?xf32> to tensor<?xi32>
  return %n, %i : index, tensor<?xi32>
}

func.func @stops_call(%x: tensor<?xf32>) -> index {
  %n, %i = rev.jvp @stops(%x) tangents(%x)
      : (tensor<?xf32>, tensor<?xf32>) -> (index, tensor<?xi32>)
  return %n : index
}
