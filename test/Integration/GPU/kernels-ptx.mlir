// What kernels become for a device.
// RUN: memrev-compile %s --target=cuda --chip=sm_80 --emit=ptx -o - | FileCheck %s

#two = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (j)>

// Four loads of 16 bytes are on their way before the first addition, and no
// division is left: the rows of a thread's vectors are a whole number apart.

// CHECK-LABEL: .entry
// CHECK-NOT: {{(div|rem)\.}}
// CHECK: ld.global.nc.v4.b32
// CHECK: ld.global.nc.v4.b32
// CHECK: ld.global.nc.v4.b32
// CHECK: ld.global.nc.v4.b32
// CHECK: ld.global.nc.v4.b32
// CHECK: add.{{.*}}f32
// CHECK-COUNT-4: st.global.v4.b32
// CHECK-NOT: {{(ld|st)\.global}}
// CHECK: ret
func.func @bias(%x: tensor<43264x64xf32>, %b: tensor<64xf32>) -> tensor<43264x64xf32> {
  %e = tensor.empty() : tensor<43264x64xf32>
  %r = linalg.generic {indexing_maps = [#two, #row, #two], iterator_types = ["parallel", "parallel"]}
      ins(%x, %b : tensor<43264x64xf32>, tensor<64xf32>) outs(%e : tensor<43264x64xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %0 = arith.addf %a, %c : f32
    linalg.yield %0 : f32
  } -> tensor<43264x64xf32>
  return %r : tensor<43264x64xf32>
}

// Tiles of 32 x 33 elements: what is read along one dimension is written along
// the other.

// CHECK-LABEL: .entry
// CHECK-COUNT-4: ld.global.nc.b32
// CHECK-COUNT-4: st.shared.b32
// CHECK: bar.sync
// CHECK: ld.shared.b32
// CHECK: st.global.b32
func.func @transpose(%x: tensor<96x640xf32>) -> tensor<640x96xf32> {
  %e = tensor.empty() : tensor<640x96xf32>
  %r = linalg.transpose ins(%x : tensor<96x640xf32>) outs(%e : tensor<640x96xf32>) permutation = [1, 0]
  return %r : tensor<640x96xf32>
}
