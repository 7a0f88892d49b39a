// RUN: memrev-opt %s -rev-differentiate="function=contract" -canonicalize | FileCheck %s --check-prefix=CONTRACT
// RUN: memrev-opt %s -rev-differentiate="function=gather wrt=0" -canonicalize | FileCheck %s --check-prefix=GATHER

// Products of 16-bit floats are formed where they are summed: 300 * 300 is no f16.
// CONTRACT-LABEL: func.func @contract_vjp(
// CONTRACT:         linalg.generic
// CONTRACT:           %[[L:.*]] = arith.extf %{{.*}} : f16 to f32
// CONTRACT:           %[[R:.*]] = arith.extf %{{.*}} : f16 to f32
// CONTRACT:           %[[P:.*]] = arith.mulf %[[L]], %[[R]] : f32
// CONTRACT-NEXT:      arith.addf %{{.*}}, %[[P]] : f32
// CONTRACT-NOT:     arith.mulf {{.*}} : f16
func.func @contract(%a: tensor<2x3xf16>, %b: tensor<3x4xf16>, %c: tensor<2x4xf16>) -> tensor<2x4xf16> {
  %0 = linalg.contract indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%a, %b : tensor<2x3xf16>, tensor<3x4xf16>) outs(%c : tensor<2x4xf16>) -> tensor<2x4xf16>
  return %0 : tensor<2x4xf16>
}

// An element that is read often gets its sum rounded once.
// GATHER-LABEL: func.func @gather_vjp(
// GATHER:         %[[SUM:.*]] = scf.for {{.*}} -> (tensor<5x4xf32>)
// GATHER:         linalg.copy ins(%[[SUM]] : tensor<5x4xf32>) outs(%{{.*}} : tensor<5x4xf16>)
func.func @gather(%x: tensor<5x4xf16>, %i: tensor<9x1xindex>) -> tensor<9x4xf16> {
  %0 = tensor.gather %x[%i] gather_dims([0]) : (tensor<5x4xf16>, tensor<9x1xindex>) -> tensor<9x4xf16>
  return %0 : tensor<9x4xf16>
}
