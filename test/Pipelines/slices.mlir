// Slices that drop other unit dimensions than the first keep their box where upstream's
// canonicalization would move it, also those that passes make.

// RUN: memrev-opt %s --split-input-file --memrev-differentiate | FileCheck %s --check-prefixes=CHECK,DIFFERENTIATE
// RUN: memrev-opt %s --split-input-file --memrev-differentiate --memrev-lower | FileCheck %s --check-prefixes=CHECK,LOWER

// TOSA's conversion canonicalizes what is next to TOSA.
// CHECK-LABEL: @next_to_tosa
// CHECK:         tensor.extract_slice %{{.*}}[0, 0, %{{.*}}] [1, 4, 1] [1, 1, 1] : tensor<2x4x4xf32> to tensor<1x4x1xf32>
func.func @next_to_tosa(%x: tensor<2x4x4xf32>, %i: index) -> tensor<1x4xf32> {
  %c0 = arith.constant 0 : index
  %s = tensor.extract_slice %x[0, %c0, %i] [1, 4, 1] [1, 1, 1] : tensor<2x4x4xf32> to tensor<1x4xf32>
  %y = tosa.tanh %s : (tensor<1x4xf32>) -> tensor<1x4xf32>
  return %y : tensor<1x4xf32>
}

// -----

// Rows that a scatter writes along the last dimension.
// CHECK-LABEL: @scatter
// DIFFERENTIATE: tensor.scatter
// LOWER:         tensor.insert_slice %{{.*}} [1, 3, 1] [1, 1, 1] : tensor<1x3x1xf64> into tensor<1x3x4xf64>
func.func @scatter(%x: tensor<2x?x?xf64>, %z: tensor<1x3x4xf64>, %i: tensor<2x1xindex>) -> tensor<?x?x4xf64> {
  %c = tensor.cast %z : tensor<1x3x4xf64> to tensor<?x?x4xf64>
  %y = tensor.scatter %x into %c[%i] scatter_dims([2]) unique
      : (tensor<2x?x?xf64>, tensor<?x?x4xf64>, tensor<2x1xindex>) -> tensor<?x?x4xf64>
  return %y : tensor<?x?x4xf64>
}
