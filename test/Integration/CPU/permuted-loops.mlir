// Loops and branches whose tensors change places, or come from elsewhere, compared
// with the same loops in Python.

// Python cannot load a library that is built with sanitizers.
// REQUIRES: numpy
// UNSUPPORTED: sanitize
// RUN: python3 %S/Inputs/check_permuted_loops.py %s

// The end of the loop changes places.
func.func @while_yield(%a: tensor<8xf64>, %b: tensor<8xf64>, %n: index) -> (tensor<8xf64>, tensor<8xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r:3 = scf.while (%x = %a, %y = %b, %i = %c0) : (tensor<8xf64>, tensor<8xf64>, index) -> (tensor<8xf64>, tensor<8xf64>, index) {
    %c = arith.cmpi slt, %i, %n : index
    scf.condition(%c) %x, %y, %i : tensor<8xf64>, tensor<8xf64>, index
  } do {
  ^bb0(%x: tensor<8xf64>, %y: tensor<8xf64>, %i: index):
    %next = arith.addi %i, %c1 : index
    scf.yield %y, %x, %next : tensor<8xf64>, tensor<8xf64>, index
  }
  return %r#0, %r#1 : tensor<8xf64>, tensor<8xf64>
}

// The condition does, which costs no copy but for the last trip.
func.func @while_condition(%a: tensor<8xf64>, %b: tensor<8xf64>, %n: index) -> (tensor<8xf64>, tensor<8xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r:3 = scf.while (%x = %a, %y = %b, %i = %c0) : (tensor<8xf64>, tensor<8xf64>, index) -> (tensor<8xf64>, tensor<8xf64>, index) {
    %c = arith.cmpi slt, %i, %n : index
    scf.condition(%c) %y, %x, %i : tensor<8xf64>, tensor<8xf64>, index
  } do {
  ^bb0(%x: tensor<8xf64>, %y: tensor<8xf64>, %i: index):
    %next = arith.addi %i, %c1 : index
    scf.yield %x, %y, %next : tensor<8xf64>, tensor<8xf64>, index
  }
  return %r#0, %r#1 : tensor<8xf64>, tensor<8xf64>
}

// Both do.
func.func @while_both(%a: tensor<8xf64>, %b: tensor<8xf64>, %n: index) -> (tensor<8xf64>, tensor<8xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r:3 = scf.while (%x = %a, %y = %b, %i = %c0) : (tensor<8xf64>, tensor<8xf64>, index) -> (tensor<8xf64>, tensor<8xf64>, index) {
    %c = arith.cmpi slt, %i, %n : index
    %z = arith.addf %x, %y : tensor<8xf64>
    scf.condition(%c) %y, %z, %i : tensor<8xf64>, tensor<8xf64>, index
  } do {
  ^bb0(%x: tensor<8xf64>, %y: tensor<8xf64>, %i: index):
    %next = arith.addi %i, %c1 : index
    %z = arith.addf %x, %y : tensor<8xf64>
    scf.yield %y, %z, %next : tensor<8xf64>, tensor<8xf64>, index
  }
  return %r#0, %r#1 : tensor<8xf64>, tensor<8xf64>
}

// One tensor is passed on twice.
func.func @while_twice(%a: tensor<8xf64>, %b: tensor<8xf64>, %n: index) -> (tensor<8xf64>, tensor<8xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r:3 = scf.while (%x = %a, %y = %b, %i = %c0) : (tensor<8xf64>, tensor<8xf64>, index) -> (tensor<8xf64>, tensor<8xf64>, index) {
    %c = arith.cmpi slt, %i, %n : index
    scf.condition(%c) %y, %y, %i : tensor<8xf64>, tensor<8xf64>, index
  } do {
  ^bb0(%x: tensor<8xf64>, %y: tensor<8xf64>, %i: index):
    %next = arith.addi %i, %c1 : index
    %z = arith.addf %x, %b : tensor<8xf64>
    scf.yield %z, %z, %next : tensor<8xf64>, tensor<8xf64>, index
  }
  return %r#0, %r#1 : tensor<8xf64>, tensor<8xf64>
}

// A tensor and a constant come from outside of the loop.
func.func @while_outside(%a: tensor<8xf64>, %b: tensor<8xf64>, %n: index) -> (tensor<8xf64>, tensor<8xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r:3 = scf.while (%x = %a, %y = %b, %i = %c0) : (tensor<8xf64>, tensor<8xf64>, index) -> (tensor<8xf64>, tensor<8xf64>, index) {
    %c = arith.cmpi slt, %i, %n : index
    scf.condition(%c) %x, %y, %i : tensor<8xf64>, tensor<8xf64>, index
  } do {
  ^bb0(%x: tensor<8xf64>, %y: tensor<8xf64>, %i: index):
    %next = arith.addi %i, %c1 : index
    scf.yield %y, %a, %next : tensor<8xf64>, tensor<8xf64>, index
  }
  return %r#0, %r#1 : tensor<8xf64>, tensor<8xf64>
}

// The condition passes a constant on.
func.func @while_constant(%a: tensor<8xf64>, %b: tensor<8xf64>, %n: index) -> (tensor<8xf64>, tensor<8xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %k = arith.constant dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]> : tensor<8xf64>
  %r:3 = scf.while (%x = %a, %y = %b, %i = %c0) : (tensor<8xf64>, tensor<8xf64>, index) -> (tensor<8xf64>, tensor<8xf64>, index) {
    %c = arith.cmpi slt, %i, %n : index
    scf.condition(%c) %k, %y, %i : tensor<8xf64>, tensor<8xf64>, index
  } do {
  ^bb0(%x: tensor<8xf64>, %y: tensor<8xf64>, %i: index):
    %next = arith.addi %i, %c1 : index
    scf.yield %y, %x, %next : tensor<8xf64>, tensor<8xf64>, index
  }
  return %r#0, %r#1 : tensor<8xf64>, tensor<8xf64>
}

// A branch chooses what changes places.
func.func @while_branch(%a: tensor<8xf64>, %b: tensor<8xf64>, %n: index) -> (tensor<8xf64>, tensor<8xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r:3 = scf.while (%x = %a, %y = %b, %i = %c0) : (tensor<8xf64>, tensor<8xf64>, index) -> (tensor<8xf64>, tensor<8xf64>, index) {
    %c = arith.cmpi slt, %i, %n : index
    scf.condition(%c) %x, %y, %i : tensor<8xf64>, tensor<8xf64>, index
  } do {
  ^bb0(%x: tensor<8xf64>, %y: tensor<8xf64>, %i: index):
    %next = arith.addi %i, %c1 : index
    %p = arith.andi %i, %c1 : index
    %odd = arith.cmpi eq, %p, %c1 : index
    %s:2 = scf.if %odd -> (tensor<8xf64>, tensor<8xf64>) {
      scf.yield %y, %x : tensor<8xf64>, tensor<8xf64>
    } else {
      %z = arith.addf %x, %y : tensor<8xf64>
      scf.yield %z, %y : tensor<8xf64>, tensor<8xf64>
    }
    scf.yield %s#0, %s#1, %next : tensor<8xf64>, tensor<8xf64>, index
  }
  return %r#0, %r#1 : tensor<8xf64>, tensor<8xf64>
}

// A loop in the loop, which changes places too.
func.func @while_for(%a: tensor<8xf64>, %b: tensor<8xf64>, %n: index) -> (tensor<8xf64>, tensor<8xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r:3 = scf.while (%x = %a, %y = %b, %i = %c0) : (tensor<8xf64>, tensor<8xf64>, index) -> (tensor<8xf64>, tensor<8xf64>, index) {
    %c = arith.cmpi slt, %i, %n : index
    scf.condition(%c) %x, %y, %i : tensor<8xf64>, tensor<8xf64>, index
  } do {
  ^bb0(%x: tensor<8xf64>, %y: tensor<8xf64>, %i: index):
    %next = arith.addi %i, %c1 : index
    %s:2 = scf.for %j = %c0 to %next step %c1 iter_args(%p = %y, %q = %x) -> (tensor<8xf64>, tensor<8xf64>) {
      %z = arith.addf %p, %q : tensor<8xf64>
      scf.yield %q, %z : tensor<8xf64>, tensor<8xf64>
    }
    scf.yield %s#0, %s#1, %next : tensor<8xf64>, tensor<8xf64>, index
  }
  return %r#0, %r#1 : tensor<8xf64>, tensor<8xf64>
}

// The same in a loop of known trips.
func.func @for_branch(%a: tensor<8xf64>, %b: tensor<8xf64>, %n: index) -> (tensor<8xf64>, tensor<8xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%x = %a, %y = %b) -> (tensor<8xf64>, tensor<8xf64>) {
    %p = arith.andi %i, %c1 : index
    %odd = arith.cmpi eq, %p, %c1 : index
    %s:2 = scf.if %odd -> (tensor<8xf64>, tensor<8xf64>) {
      scf.yield %y, %x : tensor<8xf64>, tensor<8xf64>
    } else {
      %z = arith.addf %x, %y : tensor<8xf64>
      scf.yield %z, %y : tensor<8xf64>, tensor<8xf64>
    }
    scf.yield %s#0, %s#1 : tensor<8xf64>, tensor<8xf64>
  }
  return %r#0, %r#1 : tensor<8xf64>, tensor<8xf64>
}

// Branches of a switch yield what is from outside, and one tensor twice.
func.func @for_switch(%a: tensor<8xf64>, %b: tensor<8xf64>, %n: index) -> (tensor<8xf64>, tensor<8xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%x = %a, %y = %b) -> (tensor<8xf64>, tensor<8xf64>) {
    %s:2 = scf.index_switch %i -> tensor<8xf64>, tensor<8xf64>
    case 0 {
      scf.yield %y, %x : tensor<8xf64>, tensor<8xf64>
    }
    case 1 {
      %z = arith.addf %x, %y : tensor<8xf64>
      scf.yield %z, %a : tensor<8xf64>, tensor<8xf64>
    }
    default {
      scf.yield %y, %y : tensor<8xf64>, tensor<8xf64>
    }
    scf.yield %s#0, %s#1 : tensor<8xf64>, tensor<8xf64>
  }
  return %r#0, %r#1 : tensor<8xf64>, tensor<8xf64>
}

// A loop of unknown trips in one of known.
func.func @for_while(%a: tensor<8xf64>, %b: tensor<8xf64>, %n: index) -> (tensor<8xf64>, tensor<8xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%x = %a, %y = %b) -> (tensor<8xf64>, tensor<8xf64>) {
    %s:3 = scf.while (%p = %x, %q = %y, %j = %c0) : (tensor<8xf64>, tensor<8xf64>, index) -> (tensor<8xf64>, tensor<8xf64>, index) {
      %c = arith.cmpi slt, %j, %i : index
      scf.condition(%c) %q, %p, %j : tensor<8xf64>, tensor<8xf64>, index
    } do {
    ^bb0(%p: tensor<8xf64>, %q: tensor<8xf64>, %j: index):
      %next = arith.addi %j, %c1 : index
      %z = arith.addf %p, %q : tensor<8xf64>
      scf.yield %q, %z, %next : tensor<8xf64>, tensor<8xf64>, index
    }
    scf.yield %s#1, %s#0 : tensor<8xf64>, tensor<8xf64>
  }
  return %r#0, %r#1 : tensor<8xf64>, tensor<8xf64>
}

// Numbers and tensors of other types between the tensors; the condition passes a
// slice on, and the end of the loop a reshape.
func.func @while_types(%a: tensor<8xf64>, %b: tensor<8xf64>, %n: index) -> (tensor<4xf64>, tensor<8xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r:3 = scf.while (%i = %c0, %x = %a, %y = %b) : (index, tensor<8xf64>, tensor<8xf64>) -> (tensor<4xf64>, index, tensor<8xf64>) {
    %c = arith.cmpi slt, %i, %n : index
    %h = tensor.extract_slice %x[2] [4] [1] : tensor<8xf64> to tensor<4xf64>
    scf.condition(%c) %h, %i, %y : tensor<4xf64>, index, tensor<8xf64>
  } do {
  ^bb0(%h: tensor<4xf64>, %i: index, %s: tensor<8xf64>):
    %next = arith.addi %i, %c1 : index
    %g = tensor.insert_slice %h into %a[%i] [4] [1] : tensor<4xf64> into tensor<8xf64>
    %v = tensor.expand_shape %s [[0, 1]] output_shape [2, 4] : tensor<8xf64> into tensor<2x4xf64>
    %e = tensor.empty() : tensor<4x2xf64>
    %t = linalg.transpose ins(%v : tensor<2x4xf64>) outs(%e : tensor<4x2xf64>) permutation = [1, 0]
    %u = tensor.collapse_shape %t [[0, 1]] : tensor<4x2xf64> into tensor<8xf64>
    scf.yield %next, %u, %g : index, tensor<8xf64>, tensor<8xf64>
  }
  return %r#0, %r#2 : tensor<4xf64>, tensor<8xf64>
}

// Reshapes of what changes places.
func.func @while_reshapes(%a: tensor<8xf64>, %b: tensor<8xf64>, %n: index) -> (tensor<8xf64>, tensor<2x4xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b2 = tensor.expand_shape %b [[0, 1]] output_shape [2, 4] : tensor<8xf64> into tensor<2x4xf64>
  %r:3 = scf.while (%x = %a, %y = %b2, %i = %c0) : (tensor<8xf64>, tensor<2x4xf64>, index) -> (tensor<8xf64>, tensor<2x4xf64>, index) {
    %c = arith.cmpi slt, %i, %n : index
    %v = tensor.expand_shape %x [[0, 1]] output_shape [2, 4] : tensor<8xf64> into tensor<2x4xf64>
    %u = tensor.collapse_shape %y [[0, 1]] : tensor<2x4xf64> into tensor<8xf64>
    scf.condition(%c) %u, %v, %i : tensor<8xf64>, tensor<2x4xf64>, index
  } do {
  ^bb0(%x: tensor<8xf64>, %y: tensor<2x4xf64>, %i: index):
    %next = arith.addi %i, %c1 : index
    %v = tensor.expand_shape %x [[0, 1]] output_shape [2, 4] : tensor<8xf64> into tensor<2x4xf64>
    %u = tensor.collapse_shape %y [[0, 1]] : tensor<2x4xf64> into tensor<8xf64>
    %z = arith.addf %u, %x : tensor<8xf64>
    scf.yield %z, %v, %next : tensor<8xf64>, tensor<2x4xf64>, index
  }
  return %r#0, %r#1 : tensor<8xf64>, tensor<2x4xf64>
}

// A tensor is overwritten where a branch may have yielded it.
func.func @for_branch_read(%a: tensor<8xf64>, %b: tensor<8xf64>, %n: index) -> (tensor<8xf64>, tensor<8xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%x = %a, %y = %b) -> (tensor<8xf64>, tensor<8xf64>) {
    %p = arith.andi %i, %c1 : index
    %odd = arith.cmpi eq, %p, %c1 : index
    %s = scf.if %odd -> (tensor<8xf64>) {
      %t = arith.mulf %y, %y : tensor<8xf64>
      scf.yield %t : tensor<8xf64>
    } else {
      scf.yield %x : tensor<8xf64>
    }
    %z = arith.addf %x, %s : tensor<8xf64>
    scf.yield %z, %y : tensor<8xf64>, tensor<8xf64>
  }
  return %r#0, %r#1 : tensor<8xf64>, tensor<8xf64>
}

// The same before that is read.
func.func @for_branch_later(%a: tensor<8xf64>, %b: tensor<8xf64>, %n: index) -> (tensor<8xf64>, tensor<8xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%x = %a, %y = %b) -> (tensor<8xf64>, tensor<8xf64>) {
    %p = arith.andi %i, %c1 : index
    %odd = arith.cmpi eq, %p, %c1 : index
    %s = scf.if %odd -> (tensor<8xf64>) {
      %t = arith.mulf %y, %y : tensor<8xf64>
      scf.yield %t : tensor<8xf64>
    } else {
      scf.yield %x : tensor<8xf64>
    }
    %z = linalg.negf ins(%x : tensor<8xf64>) outs(%x : tensor<8xf64>) -> tensor<8xf64>
    %w = arith.addf %z, %s : tensor<8xf64>
    scf.yield %z, %w : tensor<8xf64>, tensor<8xf64>
  }
  return %r#0, %r#1 : tensor<8xf64>, tensor<8xf64>
}

// Each element takes the first one, or its opposite, away.
func.func @for_others(%a: tensor<8xf64>, %b: tensor<8xf64>, %n: index) -> (tensor<8xf64>, tensor<8xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%x = %a, %y = %b) -> (tensor<8xf64>, tensor<8xf64>) {
    %h = tensor.extract_slice %x[0] [1] [1] : tensor<8xf64> to tensor<f64>
    %z = linalg.generic {indexing_maps = [affine_map<(i) -> ()>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%h : tensor<f64>) outs(%x : tensor<8xf64>) {
    ^bb0(%u: f64, %o: f64):
      %0 = arith.subf %o, %u : f64
      linalg.yield %0 : f64
    } -> tensor<8xf64>
    %w = linalg.generic {indexing_maps = [affine_map<(i) -> (7 - i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%y : tensor<8xf64>) outs(%y : tensor<8xf64>) {
    ^bb0(%u: f64, %o: f64):
      %0 = arith.subf %o, %u : f64
      linalg.yield %0 : f64
    } -> tensor<8xf64>
    scf.yield %z, %w : tensor<8xf64>, tensor<8xf64>
  }
  return %r#0, %r#1 : tensor<8xf64>, tensor<8xf64>
}

// A branch gives what the loop carries or what a kernel computes.
func.func @for_branch_kernel(%a: tensor<8xf64>, %b: tensor<8xf64>, %n: index) -> (tensor<8xf64>, tensor<8xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%x = %a, %y = %b) -> (tensor<8xf64>, tensor<8xf64>) {
    %c = arith.cmpi ugt, %i, %c1 : index
    %e = tensor.empty() : tensor<8xf64>
    %z = scf.if %c -> tensor<8xf64> {
      scf.yield %x : tensor<8xf64>
    } else {
      %s = linalg.add ins(%b, %b : tensor<8xf64>, tensor<8xf64>) outs(%e : tensor<8xf64>) -> tensor<8xf64>
      scf.yield %s : tensor<8xf64>
    }
    %w = linalg.add ins(%z, %y : tensor<8xf64>, tensor<8xf64>) outs(%e : tensor<8xf64>) -> tensor<8xf64>
    scf.yield %w, %y : tensor<8xf64>, tensor<8xf64>
  }
  return %r#0, %r#1 : tensor<8xf64>, tensor<8xf64>
}
