// Loops over streams that are written without couplings: inverted they give the
// gradients that they give stored, in a workspace that does not grow with the
// iterations.

// Python cannot load a library that is built with sanitizers.
// REQUIRES: numpy
// UNSUPPORTED: sanitize
// RUN: python3 %S/Inputs/check_plain_streams.py %s

#id = affine_map<(i, j) -> (i, j)>
#flip = affine_map<(i, j) -> (i, 7 - j)>
#transposed = affine_map<(i, j) -> (j, i)>
#row = affine_map<(i, j) -> (j)>

// Named operations, a product that is added to the stream, and columns in reverse
// order.
func.func @named(%x: tensor<8x8xf64>, %y: tensor<8x8xf64>, %w: tensor<8x8xf64>) -> (tensor<8x8xf64>, tensor<8x8xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = arith.constant NUMBER : index
  %z = arith.constant 0.0 : f64
  %e = tensor.empty() : tensor<8x8xf64>
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x, %b = %y) -> (tensor<8x8xf64>, tensor<8x8xf64>) {
    %0 = linalg.fill ins(%z : f64) outs(%e : tensor<8x8xf64>) -> tensor<8x8xf64>
    %1 = linalg.matmul ins(%b, %w : tensor<8x8xf64>, tensor<8x8xf64>) outs(%0 : tensor<8x8xf64>) -> tensor<8x8xf64>
    %2 = linalg.tanh ins(%1 : tensor<8x8xf64>) outs(%e : tensor<8x8xf64>) -> tensor<8x8xf64>
    %3 = linalg.add ins(%a, %2 : tensor<8x8xf64>, tensor<8x8xf64>) outs(%e : tensor<8x8xf64>) -> tensor<8x8xf64>
    %4 = linalg.tanh ins(%3 : tensor<8x8xf64>) outs(%e : tensor<8x8xf64>) -> tensor<8x8xf64>
    %5 = linalg.matmul ins(%4, %w : tensor<8x8xf64>, tensor<8x8xf64>) outs(%b : tensor<8x8xf64>) -> tensor<8x8xf64>
    %6 = linalg.generic {indexing_maps = [#flip, #id], iterator_types = ["parallel", "parallel"]}
        ins(%5 : tensor<8x8xf64>) outs(%e : tensor<8x8xf64>) {
    ^bb0(%u: f64, %o: f64):
      linalg.yield %u : f64
    } -> tensor<8x8xf64>
    scf.yield %3, %6 : tensor<8x8xf64>, tensor<8x8xf64>
  }
  return %r#0, %r#1 : tensor<8x8xf64>, tensor<8x8xf64>
}

// A body of several operations, transposed, that reads a vector and where it is.
func.func @generic(%x: tensor<8x8xf64>, %y: tensor<8x8xf64>, %w: tensor<8x8xf64>) -> (tensor<8x8xf64>, tensor<8x8xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = arith.constant NUMBER : index
  %e = tensor.empty() : tensor<8x8xf64>
  %s = arith.constant 0.01 : f64
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x, %b = %y) -> (tensor<8x8xf64>, tensor<8x8xf64>) {
    %k = arith.remui %i, %n : index
    %v = tensor.extract_slice %w[0, 0] [1, 8] [1, 1] : tensor<8x8xf64> to tensor<8xf64>
    %0 = linalg.generic {indexing_maps = [#flip, #id, #row, #transposed], iterator_types = ["parallel", "parallel"]}
        ins(%a, %b, %v : tensor<8x8xf64>, tensor<8x8xf64>, tensor<8xf64>) outs(%e : tensor<8x8xf64>) {
    ^bb0(%u: f64, %g: f64, %h: f64, %o: f64):
      %l = linalg.index 0 : index
      %m = arith.index_cast %l : index to i64
      %f = arith.sitofp %m : i64 to f64
      %q = arith.mulf %f, %s : f64
      %t = math.sin %g : f64
      %p = arith.mulf %t, %h : f64
      %d = arith.addf %p, %q : f64
      %c = arith.subf %d, %u : f64
      linalg.yield %c : f64
    } -> tensor<8x8xf64>
    scf.yield %b, %0 : tensor<8x8xf64>, tensor<8x8xf64>
  }
  return %r#0, %r#1 : tensor<8x8xf64>, tensor<8x8xf64>
}

// Even and odd columns of one state, and an update of one row of the other.
func.func @slices(%x: tensor<8x8xf64>, %y: tensor<8x8xf64>, %w: tensor<8x8xf64>) -> (tensor<8x8xf64>, tensor<8x8xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %n = arith.constant NUMBER : index
  %e = tensor.empty() : tensor<8x8xf64>
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x, %b = %y) -> (tensor<8x8xf64>, tensor<8x8xf64>) {
    %even = tensor.extract_slice %a[0, 0] [8, 4] [1, 2] : tensor<8x8xf64> to tensor<8x4xf64>
    %odd = tensor.extract_slice %a[0, 1] [8, 4] [1, 2] : tensor<8x8xf64> to tensor<8x4xf64>
    %0 = math.sin %even : tensor<8x4xf64>
    %1 = arith.addf %odd, %0 : tensor<8x4xf64>
    %2 = math.cos %1 : tensor<8x4xf64>
    %3 = arith.subf %even, %2 : tensor<8x4xf64>
    %4 = tensor.insert_slice %1 into %e[0, 0] [8, 4] [1, 2] : tensor<8x4xf64> into tensor<8x8xf64>
    %5 = tensor.insert_slice %3 into %4[0, 1] [8, 4] [1, 2] : tensor<8x4xf64> into tensor<8x8xf64>
    %k = arith.remui %i, %c8 : index
    %row = tensor.extract_slice %b[%k, 0] [1, 8] [1, 1] : tensor<8x8xf64> to tensor<8xf64>
    %add = tensor.extract_slice %5[%k, 0] [1, 8] [1, 1] : tensor<8x8xf64> to tensor<8xf64>
    %6 = math.sin %add : tensor<8xf64>
    %7 = arith.addf %row, %6 : tensor<8xf64>
    %8 = tensor.insert_slice %7 into %b[%k, 0] [1, 8] [1, 1] : tensor<8xf64> into tensor<8x8xf64>
    scf.yield %5, %8 : tensor<8x8xf64>, tensor<8x8xf64>
  }
  %y2 = arith.mulf %r#1, %w : tensor<8x8xf64>
  return %r#0, %y2 : tensor<8x8xf64>, tensor<8x8xf64>
}

// Rows in another order: with the dimension that is gathered, and without it.
func.func @permuted(%x: tensor<8x8xf64>, %y: tensor<8x8xf64>, %w: tensor<8x8xf64>) -> (tensor<8x8xf64>, tensor<8x8xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = arith.constant NUMBER : index
  %p = arith.constant dense<[[2], [0], [7], [1], [4], [6], [5], [3]]> : tensor<8x1xindex>
  %q = arith.constant dense<[3, 1, 0, 2, 6, 4, 7, 5]> : tensor<8xi32>
  %qi = tensor.expand_shape %q [[0, 1]] output_shape [8, 1] : tensor<8xi32> into tensor<8x1xi32>
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x, %b = %y) -> (tensor<8x8xf64>, tensor<8x8xf64>) {
    %0 = arith.mulf %b, %w : tensor<8x8xf64>
    %1 = math.sin %0 : tensor<8x8xf64>
    %2 = arith.addf %a, %1 : tensor<8x8xf64>
    %3 = tensor.gather %2[%p] gather_dims([0]) : (tensor<8x8xf64>, tensor<8x1xindex>) -> tensor<8x8xf64>
    %4 = tensor.gather %b[%qi] gather_dims([0]) : (tensor<8x8xf64>, tensor<8x1xi32>) -> tensor<8x1x8xf64>
    %5 = tensor.collapse_shape %4 [[0], [1, 2]] : tensor<8x1x8xf64> into tensor<8x8xf64>
    scf.yield %5, %3 : tensor<8x8xf64>, tensor<8x8xf64>
  }
  return %r#0, %r#1 : tensor<8x8xf64>, tensor<8x8xf64>
}
