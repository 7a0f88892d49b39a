// RUN: memrev-opt %s -split-input-file -verify-diagnostics -pass-pipeline='builtin.module(codegen-verify-stage{stage=input})'
// RUN: memrev-opt %s -split-input-file -verify-diagnostics -pass-pipeline='builtin.module(codegen-verify-stage{stage=lower})'

// The most that is allowed.
func.func @largest(%x: tensor<281474976710655xi8>, %y: tensor<?x?xf32>, %z: tensor<*xf32>, %w: tensor<0x281474976710655xi1>) {
  return
}

// -----

// expected-error @below {{expects types of less than 2^48 bytes, but got 'tensor<140737488355328xi16>'}}
func.func @argument(%x: tensor<140737488355328xi16>) {
  return
}

// -----

// expected-error @below {{expects types of less than 2^48 bytes, but got 'tensor<17592186044416xcomplex<f64>>'}}
func.func private @declared(tensor<17592186044416xcomplex<f64>>)

// -----

// The number of its elements is 0 in 64 bits.
func.func @result() {
  // expected-error @below {{expects types of less than 2^48 bytes, but got 'tensor<1099511627776x1099511627776xf64>'}}
  %0 = tensor.empty() : tensor<1099511627776x1099511627776xf64>
  return
}

// -----

// Strides are products of extents, whatever the number of elements is.
func.func @empty() {
  // expected-error @below {{expects types of less than 2^48 bytes, but got 'tensor<0x1099511627776x1099511627776xf64>'}}
  %0 = tensor.empty() : tensor<0x1099511627776x1099511627776xf64>
  return
}

// -----

func.func @state(%n: index, %x: tensor<?x281474976710655xi8>) {
  %c0 = arith.constant 0 : index
  // expected-error @below {{expects types of less than 2^48 bytes, but got 'tensor<?x281474976710656xi8>'}}
  %y = tensor.pad %x low[0, 0] high[0, 1] {
  ^bb0(%i: index, %j: index):
    %v = arith.constant 0 : i8
    tensor.yield %v : i8
  } : tensor<?x281474976710655xi8> to tensor<?x281474976710656xi8>
  return
}
