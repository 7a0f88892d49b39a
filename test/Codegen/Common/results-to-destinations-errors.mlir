// RUN: memrev-opt %s -codegen-results-to-destinations -split-input-file -verify-diagnostics

// expected-error @below {{expects extents of results that follow from those of the arguments, but got result 0 of type 'memref<?xf32>' whose axis 0 does not}}
func.func private @dynamic(%n: index) -> memref<?xf32> {
  %r = memref.alloc(%n) : memref<?xf32>
  return %r : memref<?xf32>
}

// -----

// expected-error @below {{expects structured control flow, but got a function of more than one block}}
func.func @blocks() {
  cf.br ^bb1
^bb1:
  return
}

// -----

func.func @ping() {
  call @pong() : () -> ()
  return
}
func.func @pong() {
  // expected-error @below {{expects a callee that does not call its caller, but the calls form a cycle}}
  call @ping() : () -> ()
  return
}
