// RUN: memrev-opt %s --gpu-thread-streams -split-input-file -verify-diagnostics

func.func @store(%x: memref<f32>, %f: f32) {
  // expected-error @below {{'memref.store' op expects device memory to be accessed in kernels only}}
  memref.store %f, %x[] : memref<f32>
  return
}

// -----

func.func @alloc() {
  // expected-error @below {{'memref.alloc' op expects all buffers to be in the arena}}
  %0 = memref.alloc() : memref<4xf32>
  return
}

// -----

func.func private @external(%x: memref<f32>)
func.func @call_external(%x: memref<f32>) {
  // expected-error @below {{'func.call' op expects a callee with a body to pass device memory to, but got 'external'}}
  func.call @external(%x) : (memref<f32>) -> ()
  return
}

// -----

memref.global "private" constant @table : memref<f32> = dense<1.0>
func.func private @callee(%x: memref<f32>) {
  return
}
func.func @pass_constant() {
  %0 = memref.get_global @table : memref<f32>
  // expected-error @below {{'func.call' op expects constant buffers to be read by the function that names them, but got one as operand of a call of 'callee'}}
  func.call @callee(%0) : (memref<f32>) -> ()
  return
}

// -----

func.func @complex(%x: memref<complex<f32>>) {
  // expected-error @below {{'memref.load' op expects a number to read back from the device, but got an element of type 'complex<f32>'}}
  %0 = memref.load %x[] : memref<complex<f32>>
  return
}

// -----

module attributes {gpu.container_module} {
gpu.module @k {
  gpu.func @f() kernel {
    gpu.return
  }
}
func.func @token() {
  %c1 = arith.constant 1 : index
  %t = gpu.wait async
  // expected-error @below {{'gpu.launch_func' op expects a launch without tokens, stream and clusters to give it the stream of its function}}
  %u = gpu.launch_func async [%t] @k::@f blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1)
  return
}
}

// -----

// expected-error @below {{'func.func' op expects buffers of static shape and identity layout for arguments, but got 'memref<?xf32>'}}
func.func @dynamic(%x: memref<?xf32>) -> f32 {
  %c0 = arith.constant 0 : index
  // expected-remark @below {{the host reads this back}}
  %0 = memref.load %x[%c0] : memref<?xf32>
  return %0 : f32
}

// -----

// expected-error @below {{'func.func' op expects names that start with 'mgpu' to be left to the runtime, but got 'mgpuMemcpy'}}
func.func private @mgpuMemcpy(%x: memref<f32>)

// -----

// expected-error @below {{'func.func' op expects names that start with 'memrevCuda' to be left to the runtime, but got 'memrevCudaEndCall'}}
func.func private @memrevCudaEndCall()

// -----

// expected-error @below {{'func.func' op expects 'memrev.matmul' to describe a product of its arguments, but got {library = "cublas"}}}
func.func private @product_library(memref<8x6xf32>, memref<6x12xf32>, memref<1024xi8>, memref<8x12xf32>) attributes {memrev.kernel, memrev.matmul = {library = "cublas"}}
func.func @not_described(%a: memref<8x6xf32>, %b: memref<6x12xf32>, %w: memref<1024xi8>, %d: memref<8x12xf32>) {
  call @product_library(%a, %b, %w, %d) : (memref<8x6xf32>, memref<6x12xf32>, memref<1024xi8>, memref<8x12xf32>) -> ()
  return
}

// -----

// The columns of `a` lie further apart than its buffer is long.
// expected-error @below {{'func.func' op expects 'memrev.matmul' to describe a product of its arguments, but got}}
func.func private @product_library(memref<8x6xf32>, memref<6x12xf32>, memref<1024xi8>, memref<8x12xf32>) attributes {memrev.kernel,
  memrev.matmul = {a = {alignment = 16 : i64, argument = 1 : i64, leading = 13 : i64, offset = 0 : i64, step = 0 : i64, stride = 0 : i64, terms = array<i64>, transposed = false}, accumulates = false,
    b = {alignment = 16 : i64, argument = 0 : i64, leading = 6 : i64, offset = 0 : i64, step = 0 : i64, stride = 0 : i64, terms = array<i64>, transposed = false},
    c = {alignment = 16 : i64, argument = 3 : i64, leading = 12 : i64, offset = 0 : i64, step = 0 : i64, stride = 0 : i64, terms = array<i64>, transposed = false}, compute = "f32",
    d = {alignment = 16 : i64, argument = 3 : i64, leading = 12 : i64, offset = 0 : i64, step = 0 : i64, stride = 0 : i64, terms = array<i64>, transposed = false},
    library = "cublasLt", sizes = array<i64: 12, 8, 6, 1, 1>, types = [f32, f32], workspace = array<i64: 2, 768>}}
func.func @outside(%a: memref<8x6xf32>, %b: memref<6x12xf32>, %w: memref<1024xi8>, %d: memref<8x12xf32>) {
  call @product_library(%a, %b, %w, %d) : (memref<8x6xf32>, memref<6x12xf32>, memref<1024xi8>, memref<8x12xf32>) -> ()
  return
}

// -----

func.func private @product_library(memref<8x6xf32, strided<[6, 1], offset: ?>>, memref<6x12xf32>, memref<1024xi8>, memref<8x12xf32>) attributes {memrev.kernel,
  memrev.matmul = {a = {alignment = 16 : i64, argument = 1 : i64, leading = 12 : i64, offset = 0 : i64, step = 0 : i64, stride = 0 : i64, terms = array<i64>, transposed = false}, accumulates = false,
    b = {alignment = 16 : i64, argument = 0 : i64, leading = 6 : i64, offset = 0 : i64, step = 0 : i64, stride = 0 : i64, terms = array<i64>, transposed = false},
    c = {alignment = 16 : i64, argument = 3 : i64, leading = 12 : i64, offset = 0 : i64, step = 0 : i64, stride = 0 : i64, terms = array<i64>, transposed = false}, compute = "f32",
    d = {alignment = 16 : i64, argument = 3 : i64, leading = 12 : i64, offset = 0 : i64, step = 0 : i64, stride = 0 : i64, terms = array<i64>, transposed = false},
    library = "cublasLt", sizes = array<i64: 12, 8, 6, 1, 1>, types = [f32, f32], workspace = array<i64: 2, 768>}}
func.func @view(%a: memref<8x6xf32, strided<[6, 1], offset: ?>>, %b: memref<6x12xf32>, %w: memref<1024xi8>, %d: memref<8x12xf32>) {
  // expected-error @below {{'func.call' op expects buffers of static shape and identity layout for a library, but got 'memref<8x6xf32, strided<[6, 1], offset: ?>>'}}
  call @product_library(%a, %b, %w, %d) : (memref<8x6xf32, strided<[6, 1], offset: ?>>, memref<6x12xf32>, memref<1024xi8>, memref<8x12xf32>) -> ()
  return
}
