// RUN: memrev-opt %s -rev-differentiate -split-input-file -verify-diagnostics

func.func private @branches_in_region(%x: tensor<4xf32>, %c: i1) -> tensor<4xf32> {
  // expected-error @below {{expects regions of one block where a gradient flows, but region 0 has 2}}
  %r = scf.execute_region -> tensor<4xf32> {
    %t = math.tanh %x : tensor<4xf32>
    cf.br ^next(%t : tensor<4xf32>)
  ^next(%y: tensor<4xf32>):
    scf.yield %y : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}

func.func @main(%x: tensor<4xf32>, %c: i1) -> tensor<4xf32> {
  %0 = rev.vjp @branches_in_region(%x, %c) cotangents(%x) : (tensor<4xf32>, i1, tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func private @branches_in_region_forward(%x: tensor<4xf32>, %c: i1) -> tensor<4xf32> {
  // expected-error @below {{expects regions of one block where a tangent flows, but region 0 has 2}}
  %r = scf.execute_region -> tensor<4xf32> {
    %t = math.tanh %x : tensor<4xf32>
    cf.br ^next(%t : tensor<4xf32>)
  ^next(%y: tensor<4xf32>):
    scf.yield %y : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}

func.func @main(%x: tensor<4xf32>, %c: i1) -> (tensor<4xf32>, tensor<4xf32>) {
  %0:2 = rev.jvp @branches_in_region_forward(%x, %c) tangents(%x) : (tensor<4xf32>, i1, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %0#0, %0#1 : tensor<4xf32>, tensor<4xf32>
}

// -----

func.func private @loop_in_generic(%x: tensor<4xf32>, %n: index) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %e = tensor.empty() : tensor<4xf32>
  %r = linalg.map ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) (%a: f32, %o: f32) {
    // expected-error @below {{expects no loops in the body of a linalg operation where a gradient flows}}
    %s = scf.for %i = %c0 to %n step %c1 iter_args(%b = %a) -> f32 {
      %t = math.tanh %b : f32
      scf.yield %t : f32
    }
    linalg.yield %s : f32
  }
  return %r : tensor<4xf32>
}

func.func @main(%x: tensor<4xf32>, %n: index) -> tensor<4xf32> {
  %0 = rev.vjp @loop_in_generic(%x, %n) cotangents(%x) : (tensor<4xf32>, index, tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func private @prints(%x: f32, %n: index) -> f32 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // expected-note @below {{the loop is here}}
  %r:2 = scf.while (%a = %x, %i = %c0) : (f32, index) -> (f32, index) {
    %more = arith.cmpi slt, %i, %n : index
    scf.condition(%more) %a, %i : f32, index
  } do {
  ^bb0(%a: f32, %i: index):
    // expected-error @below {{expects no side effects in a loop that the derivative runs again, but 'vector.print' has some}}
    vector.print %a : f32
    %t = math.tanh %a : f32
    %next = arith.addi %i, %c1 : index
    scf.yield %t, %next : f32, index
  }
  return %r#0 : f32
}

func.func @main(%x: f32, %n: index) -> f32 {
  %0 = rev.vjp @prints(%x, %n) cotangents(%x) : (f32, index, f32) -> f32
  return %0 : f32
}

// -----

func.func private @growing_checkpoints(%x: tensor<?xf32>, %n: index) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // expected-error @below {{expects a state whose shape no iteration changes for binomial checkpoints, but got 'tensor<?xf32>'}}
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x) -> tensor<?xf32> {
    %g = tensor.concat dim(0) %a, %a : (tensor<?xf32>, tensor<?xf32>) -> tensor<?xf32>
    scf.yield %g : tensor<?xf32>
  } {rev.checkpoint = #rev.binomial<4>}
  return %r : tensor<?xf32>
}

func.func @main(%x: tensor<?xf32>, %n: index) -> tensor<?xf32> {
  %0 = rev.vjp @growing_checkpoints(%x, %n) cotangents(%x) : (tensor<?xf32>, index, tensor<?xf32>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}

// -----

// Two elements from each offset on overlap.
func.func private @overlapping(%x: tensor<8xf32>) -> tensor<8xf32> {
  // expected-note @below {{of the loop here}}
  %r = scf.forall (%i) in (7) shared_outs(%o = %x) -> tensor<8xf32> {
    %s = tensor.extract_slice %x[%i] [2] [1] : tensor<8xf32> to tensor<2xf32>
    %t = math.tanh %s : tensor<2xf32>
    scf.forall.in_parallel {
      // expected-error @below {{expects slices that no two iterations share where a gradient flows, but induction variable 0 is not known to move an offset by at least the slice's extent}}
      tensor.parallel_insert_slice %t into %o[%i] [2] [1] : tensor<2xf32> into tensor<8xf32>
    }
  }
  return %r : tensor<8xf32>
}

func.func @main(%x: tensor<8xf32>) -> tensor<8xf32> {
  %0 = rev.vjp @overlapping(%x) cotangents(%x) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

// Where the second variable takes the slice is not known.
func.func private @modulo(%x: tensor<8x8xf32>) -> tensor<8x8xf32> {
  // expected-note @below {{of the loop here}}
  %r = scf.forall (%i, %j) in (8, 8) shared_outs(%o = %x) -> tensor<8x8xf32> {
    %k = affine.apply affine_map<(d0) -> (d0 mod 4)>(%j)
    %s = tensor.extract_slice %x[%i, %k] [1, 1] [1, 1] : tensor<8x8xf32> to tensor<1x1xf32>
    %t = math.tanh %s : tensor<1x1xf32>
    scf.forall.in_parallel {
      // expected-error @below {{but induction variable 1 is not known to move an offset}}
      tensor.parallel_insert_slice %t into %o[%i, %k] [1, 1] [1, 1] : tensor<1x1xf32> into tensor<8x8xf32>
    }
  }
  return %r : tensor<8x8xf32>
}

func.func @main(%x: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %0 = rev.vjp @modulo(%x) cotangents(%x) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  return %0 : tensor<8x8xf32>
}

// -----

func.func private @two_slices(%x: tensor<8xf32>) -> tensor<8xf32> {
  %r = scf.forall (%i) in (4) shared_outs(%o = %x) -> tensor<8xf32> {
    %s = tensor.extract_slice %x[%i] [1] [1] : tensor<8xf32> to tensor<1xf32>
    %t = math.tanh %s : tensor<1xf32>
    scf.forall.in_parallel {
      // expected-note @below {{the other slice is written here}}
      tensor.parallel_insert_slice %t into %o[%i] [1] [1] : tensor<1xf32> into tensor<8xf32>
      // expected-error @below {{expects slices of constant bounds that do not overlap where a gradient flows, but cannot tell two of one iteration apart}}
      tensor.parallel_insert_slice %t into %o[%i] [1] [1] : tensor<1xf32> into tensor<8xf32>
    }
  }
  return %r : tensor<8xf32>
}

func.func @main(%x: tensor<8xf32>) -> tensor<8xf32> {
  %0 = rev.vjp @two_slices(%x) cotangents(%x) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

func.func private @reads_others(%x: tensor<8xf32>) -> tensor<8xf32> {
  %c0 = arith.constant 0 : index
  // expected-note @below {{in the loop here}}
  %r = scf.forall (%i) in (8) shared_outs(%o = %x) -> tensor<8xf32> {
    // expected-error @below {{expects an iteration to read of an output only the slice that it writes where a gradient flows: what other iterations write arrives in no order}}
    %s = tensor.extract_slice %o[0] [1] [1] : tensor<8xf32> to tensor<1xf32>
    %t = math.tanh %s : tensor<1xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %t into %o[%i] [1] [1] : tensor<1xf32> into tensor<8xf32>
    }
  }
  return %r : tensor<8xf32>
}

func.func @main(%x: tensor<8xf32>) -> tensor<8xf32> {
  %0 = rev.vjp @reads_others(%x) cotangents(%x) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

func.func private @parallel_reduction(%x: tensor<8xf32>) -> f32 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %z = arith.constant 0.0 : f32
  // expected-error @below {{expects operations with a derivative rule where a gradient flows, but 'scf.parallel' has none}}
  %r = scf.parallel (%i) = (%c0) to (%c8) step (%c1) init (%z) -> f32 {
    %e = tensor.extract %x[%i] : tensor<8xf32>
    scf.reduce(%e : f32) {
    ^bb0(%a: f32, %b: f32):
      %s = arith.addf %a, %b : f32
      scf.reduce.return %s : f32
    }
  }
  return %r : f32
}

func.func @main(%x: tensor<8xf32>, %d: f32) -> tensor<8xf32> {
  %0 = rev.vjp @parallel_reduction(%x) cotangents(%d) : (tensor<8xf32>, f32) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}
