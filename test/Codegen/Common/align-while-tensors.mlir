// RUN: memrev-opt %s -codegen-align-while-tensors | FileCheck %s

// Each result goes where the first region has it from; nothing is copied.
// CHECK-LABEL: func.func @permuted
// CHECK-SAME: (%[[X:.*]]: tensor<4xf32>, %[[Y:.*]]: tensor<4xf32>,
// CHECK: %[[R:.*]]:2 = scf.while (%[[A:.*]] = %[[Y]], %[[B:.*]] = %[[X]])
// CHECK: scf.condition(%{{.*}}) %[[A]], %[[B]]
// CHECK: ^bb0(%[[C:.*]]: tensor<4xf32>, %[[D:.*]]: tensor<4xf32>):
// CHECK: scf.yield %[[D]], %[[C]]
// CHECK: return %[[R]]#0, %[[R]]#1
func.func @permuted(%x: tensor<4xf32>, %y: tensor<4xf32>, %c: i1) -> (tensor<4xf32>, tensor<4xf32>) {
  %r:2 = scf.while (%a = %x, %b = %y) : (tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
    scf.condition(%c) %b, %a : tensor<4xf32>, tensor<4xf32>
  } do {
  ^bb0(%a: tensor<4xf32>, %b: tensor<4xf32>):
    scf.yield %a, %b : tensor<4xf32>, tensor<4xf32>
  }
  return %r#0, %r#1 : tensor<4xf32>, tensor<4xf32>
}

// Tensors go first; one without a counterpart goes through the other region.
// CHECK-LABEL: func.func @alone
// CHECK-SAME: (%[[X:.*]]: tensor<4xf32>, %[[N:.*]]: index)
// CHECK: %[[E:.*]] = tensor.empty() : tensor<2xf32>
// CHECK: %[[R:.*]]:3 = scf.while (%[[A:.*]] = %[[X]], %[[B:.*]] = %[[E]], %[[I:.*]] = %[[N]])
// CHECK-SAME: (tensor<4xf32>, tensor<2xf32>, index) -> (tensor<4xf32>, tensor<2xf32>, index)
// CHECK: %[[S:.*]] = tensor.extract_slice %[[A]]
// CHECK: scf.condition(%{{.*}}) %[[A]], %[[S]], %[[I]]
// CHECK: ^bb0(%{{.*}}: tensor<4xf32>, %[[H:.*]]: tensor<2xf32>, %[[J:.*]]: index):
// CHECK: %[[P:.*]] = tensor.concat dim(0) %[[H]], %[[H]]
// CHECK: scf.yield %[[P]], %[[H]], %[[J]]
// CHECK: return %[[R]]#1, %[[R]]#2
func.func @alone(%x: tensor<4xf32>, %n: index) -> (tensor<2xf32>, index) {
  %c0 = arith.constant 0 : index
  %r:2 = scf.while (%i = %n, %a = %x) : (index, tensor<4xf32>) -> (index, tensor<2xf32>) {
    %c = arith.cmpi sgt, %i, %c0 : index
    %s = tensor.extract_slice %a[1] [2] [1] : tensor<4xf32> to tensor<2xf32>
    scf.condition(%c) %i, %s : index, tensor<2xf32>
  } do {
  ^bb0(%i: index, %s: tensor<2xf32>):
    %p = tensor.concat dim(0) %s, %s : (tensor<2xf32>, tensor<2xf32>) -> tensor<4xf32>
    scf.yield %i, %p : index, tensor<4xf32>
  }
  return %r#1, %r#0 : tensor<2xf32>, index
}

// What is in order stays, wherever the numbers are, and so does what the loop
// could not start from.
// CHECK-LABEL: func.func @in_order
// CHECK: scf.while (%{{.*}} = %{{.*}}, %[[A:.*]] = %{{.*}}) : (index, tensor<4xf32>) -> (i1, tensor<4xf32>)
// CHECK: scf.while (%{{.*}} = %{{.*}}) : (tensor<4xf32>) -> tensor<?xf32>
func.func @in_order(%x: tensor<4xf32>, %n: index, %c: i1) -> (tensor<4xf32>, tensor<?xf32>) {
  %r:2 = scf.while (%i = %n, %a = %x) : (index, tensor<4xf32>) -> (i1, tensor<4xf32>) {
    scf.condition(%c) %c, %a : i1, tensor<4xf32>
  } do {
  ^bb0(%d: i1, %a: tensor<4xf32>):
    scf.yield %n, %a : index, tensor<4xf32>
  }
  %s = scf.while (%a = %x) : (tensor<4xf32>) -> tensor<?xf32> {
    %b = tensor.extract_slice %a[0] [%n] [1] : tensor<4xf32> to tensor<?xf32>
    scf.condition(%c) %b : tensor<?xf32>
  } do {
  ^bb0(%b: tensor<?xf32>):
    scf.yield %x : tensor<4xf32>
  }
  return %r#1, %s : tensor<4xf32>, tensor<?xf32>
}
