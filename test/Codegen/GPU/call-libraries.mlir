// RUN: memrev-opt %s --gpu-call-libraries --split-input-file | FileCheck %s
// RUN: memrev-opt %s --gpu-call-libraries --split-input-file --remarks-filter=".*" --remark-policy=all -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: memrev-opt %s --gpu-call-libraries="chip=sm_80 fp32-precision=tf32" --split-input-file | FileCheck %s --check-prefix=SM80

// The kernel gives the declared one a workspace. The result is the last but its
// columns are the rows of the program.

// CHECK-LABEL: func.func private @product_library
// CHECK-SAME: (tensor<512x256xf32> {bufferization.access = "read"}, tensor<256x512xf32> {bufferization.access = "read"}, tensor<33554688xi8> {bufferization.access = "write"}, tensor<512x512xf32> {bufferization.access = "write"}) -> (tensor<33554688xi8>, tensor<512x512xf32>)
// CHECK-SAME: memrev.kernel
// CHECK-SAME: memrev.matmul = {a = {alignment = 16 : i64, argument = 1 : i64, leading = 512 : i64, offset = 0 : i64, step = 0 : i64, stride = 0 : i64, terms = array<i64>, transposed = false}, accumulates = false, b = {alignment = 16 : i64, argument = 0 : i64, leading = 256 : i64
// CHECK-SAME: c = {alignment = 16 : i64, argument = 3 : i64, leading = 512 : i64
// CHECK-SAME: compute = "f32", d = {alignment = 16 : i64, argument = 3 : i64, leading = 512 : i64
// CHECK-SAME: library = "cublasLt", sizes = array<i64: 512, 512, 256, 1, 1>, types = [f32, f32], workspace = array<i64: 2, 33554432>
// CHECK: func.func private @product(%[[A:.*]]: tensor<512x256xf32>, %[[B:.*]]: tensor<256x512xf32>, %[[D:.*]]: tensor<512x512xf32>) -> tensor<512x512xf32> {
// CHECK:   %[[W:.*]] = tensor.empty() : tensor<33554688xi8>
// CHECK:   %[[R:.*]]:2 = call @product_library(%[[A]], %[[B]], %[[W]], %[[D]])
// CHECK:   return %[[R]]#1

// Smaller before sm_90.
// SM80: compute = "tf32"
// SM80-SAME: workspace = array<i64: 2, 4194304>
func.func private @product(%a: tensor<512x256xf32>, %b: tensor<256x512xf32>, %d: tensor<512x512xf32>) -> tensor<512x512xf32> attributes {memrev.kernel} {
  %zero = arith.constant 0.0 : f32
  %init = linalg.fill ins(%zero : f32) outs(%d : tensor<512x512xf32>) -> tensor<512x512xf32>
  %r = linalg.matmul {memrev.alone, memrev.engine = "vendor"} ins(%a, %b : tensor<512x256xf32>, tensor<256x512xf32>) outs(%init : tensor<512x512xf32>) -> tensor<512x512xf32>
  return %r : tensor<512x512xf32>
}

// -----

// The kernel itself may ask for it. A layer of a stack is where an argument says;
// the others are read and written in part, at addresses that are multiples of 4
// and 8 bytes. Small results have a small workspace, and constants are copied.

// CHECK-LABEL: func.func @caller
// CHECK: %[[CONSTANT:.*]] = arith.constant dense<{{.*}}> : tensor<8x12xf32>
// CHECK: %[[COPY:.*]] = linalg.copy ins(%[[CONSTANT]] :
// CHECK: call @part(%{{.*}}, %[[COPY]], %{{.*}}, %{{.*}})
func.func @caller(%w: tensor<5x8x8xf32>, %i: index, %d: tensor<10x20xf32>) -> tensor<10x20xf32> {
  %x = arith.constant dense<"0x0000803F0000004000004040000080400000A0400000C0400000E04000000041000010410000204100003041000040410000803F0000004000004040000080400000A0400000C0400000E0400000004100001041000020410000304100004041000080BF000000C0000040C0000080C00000A0C00000C0C00000E0C0000000C1000010C1000020C1000030C1000040C10000803F0000004000004040000080400000A0400000C0400000E0400000004100001041000020410000304100004041000080BF000000C0000040C0000080C00000A0C00000C0C00000E0C0000000C1000010C1000020C1000030C1000040C1000080BF000000C0000040C0000080C00000A0C00000C0C00000E0C0000000C1000010C1000020C1000030C1000040C10000803F0000004000004040000080400000A0400000C0400000E0400000004100001041000020410000304100004041000080BF000000C0000040C0000080C00000A0C00000C0C00000E0C0000000C1000010C1000020C1000030C1000040C1"> : tensor<8x12xf32>
  %r = func.call @part(%w, %x, %i, %d) : (tensor<5x8x8xf32>, tensor<8x12xf32>, index, tensor<10x20xf32>) -> tensor<10x20xf32>
  return %r : tensor<10x20xf32>
}

// CHECK: func.func private @part_library(tensor<5x8x8xf32> {bufferization.access = "read"}, tensor<8x12xf32> {bufferization.access = "read"}, index, tensor<12544xi8> {bufferization.access = "write"}, tensor<10x20xf32> {bufferization.access = "read-write"})
// CHECK-SAME: a = {alignment = 16 : i64, argument = 1 : i64, leading = 12 : i64, offset = 0 : i64
// CHECK-SAME: accumulates = true
// CHECK-SAME: b = {alignment = 4 : i64, argument = 0 : i64, leading = 8 : i64, offset = 1 : i64, step = 0 : i64, stride = 0 : i64, terms = array<i64: 2, 64>
// CHECK-SAME: d = {alignment = 8 : i64, argument = 4 : i64, leading = 20 : i64, offset = 22 : i64
// CHECK-SAME: sizes = array<i64: 12, 8, 6, 1, 1>
// CHECK-SAME: workspace = array<i64: 3, 12288>
func.func private @part(%w: tensor<5x8x8xf32>, %x: tensor<8x12xf32>, %i: index, %d: tensor<10x20xf32>) -> tensor<10x20xf32> attributes {memrev.kernel, memrev.engine = "vendor"} {
  %a = tensor.extract_slice %w[%i, 0, 1] [1, 8, 6] [1, 1, 1] : tensor<5x8x8xf32> to tensor<8x6xf32>
  %b = tensor.extract_slice %x[0, 0] [6, 12] [1, 1] : tensor<8x12xf32> to tensor<6x12xf32>
  %c = tensor.extract_slice %d[1, 2] [8, 12] [1, 1] : tensor<10x20xf32> to tensor<8x12xf32>
  %r = linalg.matmul ins(%a, %b : tensor<8x6xf32>, tensor<6x12xf32>) outs(%c : tensor<8x12xf32>) -> tensor<8x12xf32>
  %in = tensor.insert_slice %r into %d[1, 2] [8, 12] [1, 1] : tensor<8x12xf32> into tensor<10x20xf32>
  return %in : tensor<10x20xf32>
}

// -----

// What is added is in another buffer.

// CHECK-LABEL: func.func private @added_library
// CHECK-SAME: tensor<8x30xf32> {bufferization.access = "read"}
// CHECK-SAME: tensor<8x12xf32> {bufferization.access = "read-write"}
// CHECK-SAME: accumulates = true
// CHECK-SAME: c = {alignment = 4 : i64, argument = 2 : i64, leading = 30 : i64, offset = 5 : i64
func.func private @added(%a: tensor<8x6xf32>, %b: tensor<6x12xf32>, %c: tensor<8x30xf32>, %d: tensor<8x12xf32>) -> tensor<8x12xf32> attributes {memrev.kernel, memrev.engine = "vendor"} {
  %part = tensor.extract_slice %c[0, 5] [8, 12] [1, 1] : tensor<8x30xf32> to tensor<8x12xf32>
  %r = linalg.matmul ins(%a, %b : tensor<8x6xf32>, tensor<6x12xf32>) outs(%part : tensor<8x12xf32>) -> tensor<8x12xf32>
  return %r : tensor<8x12xf32>
}

// -----

// REMARK: [Missed] CallLibrary | Category:gpu-call-libraries {{.*}}'relu' is generated because it is no sum of products
// CHECK-LABEL: func.func private @relu
// CHECK-SAME: attributes {memrev.kernel} {
func.func private @relu(%x: tensor<64xf32>, %d: tensor<64xf32>) -> tensor<64xf32> attributes {memrev.kernel, memrev.engine = "vendor"} {
  %zero = arith.constant 0.0 : f32
  %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x : tensor<64xf32>) outs(%d : tensor<64xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.maximumf %a, %zero : f32
    linalg.yield %0 : f32
  } -> tensor<64xf32>
  return %r : tensor<64xf32>
}

// -----

// A convolution has its filter in the library's order, the output channels first
// and the input channels last, from a kernel of its own. Padding is what the
// image is read outside of.

// CHECK-LABEL: func.func private @convolution_filter(%{{.*}}: tensor<3x3x4x8xf32>, %{{.*}}: tensor<8x3x3x4xf32>) -> tensor<8x3x3x4xf32> attributes {memrev.kernel}
// CHECK: linalg.generic
// CHECK: func.func private @convolution_library(tensor<2x8x8x4xf32> {bufferization.access = "read"}, tensor<3x3x4x8xf32> {bufferization.access = "none"}, tensor<8x3x3x4xf32> {bufferization.access = "read"}, tensor<4194560xi8> {bufferization.access = "write"}, tensor<2x8x8x8xf32> {bufferization.access = "write"}) -> (tensor<4194560xi8>, tensor<2x8x8x8xf32>)
// CHECK-SAME: memrev.convolution = {accumulates = false, filter = {argument = 2 : i64, offset = 0 : i64, terms = array<i64>}, height = array<i64: 8, 3, 8, 1, 1, 1>, image = {argument = 0 : i64, offset = 0 : i64, terms = array<i64>}, kind = "forward", library = "cudnn", result = {argument = 4 : i64, offset = 0 : i64, terms = array<i64>}, sizes = array<i64: 2, 1, 4, 8>, tf32 = false, type = f32, width = array<i64: 8, 3, 8, 1, 1, 1>, workspace = array<i64: 3, 4194304>}
// CHECK: func.func private @convolution(%[[X:.*]]: tensor<2x8x8x4xf32>, %[[W:.*]]: tensor<3x3x4x8xf32>, %[[Y:.*]]: tensor<2x8x8x8xf32>) -> tensor<2x8x8x8xf32> {
// CHECK:   %[[F:.*]] = call @convolution_filter(%[[W]], %{{.*}})
// CHECK:   %[[R:.*]]:2 = call @convolution_library(%[[X]], %[[W]], %[[F]], %{{.*}}, %[[Y]])
// CHECK:   return %[[R]]#1
// SM80: kind = "forward"{{.*}} tf32 = true
func.func private @convolution(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x4x8xf32>, %y: tensor<2x8x8x8xf32>) -> tensor<2x8x8x8xf32> attributes {memrev.kernel, memrev.engine = "vendor"} {
  %zero = arith.constant 0.0 : f32
  %p = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%a: index, %b: index, %c: index, %d: index):
    tensor.yield %zero : f32
  } : tensor<2x8x8x4xf32> to tensor<2x10x10x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%y : tensor<2x8x8x8xf32>) -> tensor<2x8x8x8xf32>
  %r = linalg.conv_2d_nhwc_hwcf ins(%p, %w : tensor<2x10x10x4xf32>, tensor<3x3x4x8xf32>) outs(%init : tensor<2x8x8x8xf32>) -> tensor<2x8x8x8xf32>
  return %r : tensor<2x8x8x8xf32>
}

// -----

// The gradient of a filter comes in that order and is added by a kernel.

// CHECK-LABEL: func.func private @gradient_gradient(%{{.*}}: tensor<8x3x3x4xf32>, %{{.*}}: tensor<3x3x4x8xf32>) -> tensor<3x3x4x8xf32> attributes {memrev.kernel}
// CHECK: arith.addf
// CHECK: func.func private @gradient_library(tensor<2x8x8x4xf32> {bufferization.access = "read"}, tensor<2x6x6x8xf32> {bufferization.access = "read"}, tensor<{{.*}}xi8> {bufferization.access = "write"}, tensor<8x3x3x4xf32> {bufferization.access = "write"})
// CHECK-SAME: accumulates = false, filter = {argument = 3 : i64
// CHECK-SAME: kind = "filterGradient"
// CHECK: func.func private @gradient(%[[X:.*]]: tensor<2x8x8x4xf32>, %[[Y:.*]]: tensor<2x6x6x8xf32>, %[[W:.*]]: tensor<3x3x4x8xf32>)
// CHECK:   %[[R:.*]]:2 = call @gradient_library(%[[X]], %[[Y]], %{{.*}}, %{{.*}})
// CHECK:   %[[S:.*]] = call @gradient_gradient(%[[R]]#1, %[[W]])
// CHECK:   return %[[S]]
func.func private @gradient(%x: tensor<2x8x8x4xf32>, %y: tensor<2x6x6x8xf32>, %w: tensor<3x3x4x8xf32>) -> tensor<3x3x4x8xf32> attributes {memrev.kernel, memrev.engine = "vendor"} {
  %r = linalg.generic {indexing_maps = [affine_map<(r, s, c, f, n, y, x) -> (n, y + r, x + s, c)>, affine_map<(r, s, c, f, n, y, x) -> (n, y, x, f)>,
                                        affine_map<(r, s, c, f, n, y, x) -> (r, s, c, f)>],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %y : tensor<2x8x8x4xf32>, tensor<2x6x6x8xf32>) outs(%w : tensor<3x3x4x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %o, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<3x3x4x8xf32>
  return %r : tensor<3x3x4x8xf32>
}

// -----

// REMARK: 'parts' is generated because the image is a part of another one
func.func private @parts(%x: tensor<2x8x8x8xf32>, %w: tensor<3x3x4x8xf32>, %y: tensor<2x6x6x8xf32>) -> tensor<2x6x6x8xf32> attributes {memrev.kernel, memrev.engine = "vendor"} {
  %p = tensor.extract_slice %x[0, 0, 0, 4] [2, 8, 8, 4] [1, 1, 1, 1] : tensor<2x8x8x8xf32> to tensor<2x8x8x4xf32>
  %r = linalg.conv_2d_nhwc_hwcf ins(%p, %w : tensor<2x8x8x4xf32>, tensor<3x3x4x8xf32>) outs(%y : tensor<2x6x6x8xf32>) -> tensor<2x6x6x8xf32>
  return %r : tensor<2x6x6x8xf32>
}
