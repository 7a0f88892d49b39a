// Functions whose times follow from the rates in rates.json.
// RUN: memrev-compile %s --cost-model=%S/Inputs/rates.json --report=memory | FileCheck %s

// 64^3 multiply-adds at the rate of each type.
// CHECK-LABEL: function product_f64
// CHECK: time {{ *}}0.2621 ms, by estimate
// CHECK-LABEL: function product_f32
// CHECK: time {{ *}}0.1311 ms, by estimate
// CHECK-LABEL: function product_f16
// CHECK: time {{ *}}0.5243 ms, by estimate
// CHECK-LABEL: function product_bf16
// CHECK: time {{ *}}0.0655 ms, by estimate
func.func @product_f64(%a: tensor<64x64xf64>) -> tensor<64x64xf64> {
  %zero = arith.constant 0.0 : f64
  %empty = tensor.empty() : tensor<64x64xf64>
  %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<64x64xf64>) -> tensor<64x64xf64>
  %b = linalg.matmul ins(%a, %a : tensor<64x64xf64>, tensor<64x64xf64>) outs(%init : tensor<64x64xf64>) -> tensor<64x64xf64>
  return %b : tensor<64x64xf64>
}

func.func @product_f32(%a: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<64x64xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<64x64xf32>) -> tensor<64x64xf32>
  %b = linalg.matmul ins(%a, %a : tensor<64x64xf32>, tensor<64x64xf32>) outs(%init : tensor<64x64xf32>) -> tensor<64x64xf32>
  return %b : tensor<64x64xf32>
}

func.func @product_f16(%a: tensor<64x64xf16>) -> tensor<64x64xf16> {
  %zero = arith.constant 0.0 : f16
  %empty = tensor.empty() : tensor<64x64xf16>
  %init = linalg.fill ins(%zero : f16) outs(%empty : tensor<64x64xf16>) -> tensor<64x64xf16>
  %b = linalg.matmul ins(%a, %a : tensor<64x64xf16>, tensor<64x64xf16>) outs(%init : tensor<64x64xf16>) -> tensor<64x64xf16>
  return %b : tensor<64x64xf16>
}

func.func @product_bf16(%a: tensor<64x64xbf16>) -> tensor<64x64xbf16> {
  %zero = arith.constant 0.0 : bf16
  %empty = tensor.empty() : tensor<64x64xbf16>
  %init = linalg.fill ins(%zero : bf16) outs(%empty : tensor<64x64xbf16>) -> tensor<64x64xbf16>
  %b = linalg.matmul ins(%a, %a : tensor<64x64xbf16>, tensor<64x64xbf16>) outs(%init : tensor<64x64xbf16>) -> tensor<64x64xbf16>
  return %b : tensor<64x64xbf16>
}

// 1 x 30 x 30 x 16 x 9 multiply-adds that share no operands.
// CHECK-LABEL: function depthwise
// CHECK: time {{ *}}0.5184 ms, by estimate
func.func @depthwise(%x: tensor<1x32x32x16xf32>, %w: tensor<3x3x16xf32>) -> tensor<1x30x30x16xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<1x30x30x16xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<1x30x30x16xf32>) -> tensor<1x30x30x16xf32>
  %y = linalg.depthwise_conv_2d_nhwc_hwc {dilations = dense<1> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>}
      ins(%x, %w : tensor<1x32x32x16xf32>, tensor<3x3x16xf32>)
      outs(%init : tensor<1x30x30x16xf32>) -> tensor<1x30x30x16xf32>
  return %y : tensor<1x30x30x16xf32>
}

// Three times 16 KiB that the cache holds, and three times 16 MiB that it does
// not. Two additions are one kernel, which moves four tensors.
// CHECK-LABEL: function cached
// CHECK: time {{ *}}0.0031 ms, by estimate
func.func @cached(%a: tensor<4096xf32>, %b: tensor<4096xf32>) -> tensor<4096xf32> {
  %y = arith.addf %a, %b : tensor<4096xf32>
  return %y : tensor<4096xf32>
}
// CHECK-LABEL: function uncached
// CHECK: time {{ *}}50.3316 ms, by estimate
func.func @uncached(%a: tensor<4194304xf32>, %b: tensor<4194304xf32>) -> tensor<4194304xf32> {
  %y = arith.addf %a, %b : tensor<4194304xf32>
  return %y : tensor<4194304xf32>
}
// CHECK-LABEL: function fused
// CHECK: time {{ *}}0.0041 ms, by estimate
func.func @fused(%a: tensor<4096xf32>, %b: tensor<4096xf32>, %c: tensor<4096xf32>) -> tensor<4096xf32> {
  %x = arith.addf %a, %b : tensor<4096xf32>
  %y = arith.addf %x, %c : tensor<4096xf32>
  return %y : tensor<4096xf32>
}

// What was used last before the cache was filled with something else has to come
// from memory: 6 x 16 KiB from the cache and once 16 KiB from memory.
// CHECK-LABEL: function evicted
// CHECK: time {{ *}}0.0225 ms, by estimate
func.func @evicted(%a: tensor<4096xf32>, %b: tensor<4096xf32>, %c: tensor<4096xf32>)
    -> (tensor<4096xf32>, tensor<4096xf32>, tensor<4096xf32>) {
  %x = arith.negf %a : tensor<4096xf32>
  %y = arith.addf %b, %c : tensor<4096xf32>
  %z = math.absf %a : tensor<4096xf32>
  return %x, %y, %z : tensor<4096xf32>, tensor<4096xf32>, tensor<4096xf32>
}

// Ten times 4096 evaluations of exp, in a function that is called.
// CHECK-LABEL: function loop
// CHECK: time {{ *}}0.3277 ms, by estimate
func.func private @body(%x: tensor<4096xf32>) -> tensor<4096xf32> {
  %y = math.exp %x : tensor<4096xf32>
  return %y : tensor<4096xf32>
}
func.func @loop(%x: tensor<4096xf32>) -> tensor<4096xf32> {
  %begin = arith.constant 0 : index
  %end = arith.constant 20 : index
  %step = arith.constant 2 : index
  %y = scf.for %i = %begin to %end step %step iter_args(%state = %x) -> tensor<4096xf32> {
    %next = func.call @body(%state) : (tensor<4096xf32>) -> tensor<4096xf32>
    scf.yield %next : tensor<4096xf32>
  }
  return %y : tensor<4096xf32>
}
