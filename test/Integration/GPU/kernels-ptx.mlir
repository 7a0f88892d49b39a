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

// A warp's lanes share rows and exchange what they have, no memory between them.

// CHECK-LABEL: .entry
// CHECK-COUNT-2: ld.global.nc.v4.b32
// CHECK-NOT: shared
// CHECK: shfl.sync.bfly.b32 {{.*}}, 4, 31, -1;
// CHECK: shfl.sync.bfly.b32 {{.*}}, 2, 31, -1;
// CHECK: shfl.sync.bfly.b32 {{.*}}, 1, 31, -1;
// CHECK: st.global.b32
func.func @rows(%x: tensor<9000x128xf32>) -> tensor<9000xf32> {
  %z = arith.constant 0xFF800000 : f32
  %e = tensor.empty() : tensor<9000xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<9000xf32>) -> tensor<9000xf32>
  %r = linalg.reduce ins(%x : tensor<9000x128xf32>) outs(%f : tensor<9000xf32>) dimensions = [1]
    (%a: f32, %o: f32) {
      %0 = arith.maximumf %a, %o : f32
      linalg.yield %0 : f32
    }
  return %r : tensor<9000xf32>
}

// The statistics of a batch norm: four loads on their way, then one row of threads
// after the other, and no atomics; a second kernel combines the blocks.

// CHECK-LABEL: .entry {{.*}}_partials
// CHECK-COUNT-4: ld.global.nc.v4.b32
// CHECK: st.shared.b32
// CHECK: bar.sync
// CHECK-NOT: {{(atom|red)\.global}}
// CHECK: st.global.b32
// CHECK-LABEL: .entry {{.*}}_combined
// CHECK: ld.global.nc.b32
// CHECK: st.global.b32
func.func @statistics(%x: tensor<102400x16xf32>) -> (tensor<16xf32>, tensor<16xf32>) {
  %z = arith.constant 0.0 : f32
  %d = tensor.empty() : tensor<16xf32>
  %e = tensor.empty() : tensor<16xf32>
  %f = linalg.fill ins(%z : f32) outs(%d : tensor<16xf32>) -> tensor<16xf32>
  %g = linalg.fill ins(%z : f32) outs(%e : tensor<16xf32>) -> tensor<16xf32>
  %r:2 = linalg.generic {indexing_maps = [#two, #row, #row], iterator_types = ["reduction", "parallel"]}
      ins(%x : tensor<102400x16xf32>) outs(%f, %g : tensor<16xf32>, tensor<16xf32>) {
  ^bb0(%a: f32, %o: f32, %p: f32):
    %0 = arith.addf %o, %a : f32
    %1 = arith.mulf %a, %a : f32
    %2 = arith.addf %p, %1 : f32
    linalg.yield %0, %2 : f32, f32
  } -> (tensor<16xf32>, tensor<16xf32>)
  return %r#0, %r#1 : tensor<16xf32>, tensor<16xf32>
}
