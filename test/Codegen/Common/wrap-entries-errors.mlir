// RUN: memrev-opt %s -codegen-wrap-entries=static-only -split-input-file -verify-diagnostics

// expected-error @below {{expects tensors of static shape at a public function, but got argument 0 of type 'memref<?xf32>'}}
func.func @dynamic(%x: memref<?xf32>) {
  return
}

// -----

// expected-error @below {{expects scalars and ranked tensors of numbers at a public function, but got argument 1 of type 'memref<4xcomplex<f32>>'}}
func.func @complex(%n: index, %x: memref<4xcomplex<f32>>) {
  return
}

// -----

// expected-error @below {{expects codegen-results-to-destinations to have run before codegen-wrap-entries}}
func.func @early(%x: memref<4xf32>) {
  return
}

// -----

func.func private @f.inplace()
// expected-error @below {{expects the name 'f.inplace' to be free}}
func.func @f() attributes {memrev.result_parameters = array<i64>, memrev.num_arguments = 0} {
  return
}
