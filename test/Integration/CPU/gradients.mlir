// Gradients of structured operations through the whole compiler, compared with NumPy.
// Those of square matrices say if a transposition got lost on the way.

// REQUIRES: numpy
// RUN: python3 %S/Inputs/check_gradients.py %memrev_tools_dir/memrev-compile %s

func.func private @product(%a: tensor<8x8xf64>, %b: tensor<8x8xf64>) -> tensor<8x8xf64> {
  %z = arith.constant dense<0.0> : tensor<8x8xf64>
  %y = linalg.matmul ins(%a, %b : tensor<8x8xf64>, tensor<8x8xf64>) outs(%z : tensor<8x8xf64>) -> tensor<8x8xf64>
  return %y : tensor<8x8xf64>
}

func.func private @product_transposed(%a: tensor<8x8xf64>, %b: tensor<8x8xf64>) -> tensor<8x8xf64> {
  %z = arith.constant dense<0.0> : tensor<8x8xf64>
  %y = linalg.matmul indexing_maps = [
      affine_map<(m, n, k) -> (k, m)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%a, %b : tensor<8x8xf64>, tensor<8x8xf64>) outs(%z : tensor<8x8xf64>) -> tensor<8x8xf64>
  return %y : tensor<8x8xf64>
}

func.func private @product_generic(%a: tensor<8x8xf64>, %b: tensor<8x8xf64>) -> tensor<8x8xf64> {
  %z = arith.constant dense<0.0> : tensor<8x8xf64>
  %y = linalg.generic {indexing_maps = [
      affine_map<(m, n, k) -> (k, m)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<8x8xf64>, tensor<8x8xf64>) outs(%z : tensor<8x8xf64>) {
  ^bb0(%x: f64, %y: f64, %s: f64):
    %p = arith.mulf %x, %y : f64
    %t = arith.addf %s, %p : f64
    linalg.yield %t : f64
  } -> tensor<8x8xf64>
  return %y : tensor<8x8xf64>
}

func.func private @softmax(%a: tensor<8x8xf64>, %b: tensor<8x8xf64>) -> tensor<8x8xf64> {
  %e = tensor.empty() : tensor<8x8xf64>
  %s = linalg.softmax dimension(1) ins(%a : tensor<8x8xf64>) outs(%e : tensor<8x8xf64>) -> tensor<8x8xf64>
  %y = arith.mulf %s, %b : tensor<8x8xf64>
  return %y : tensor<8x8xf64>
}

// The largest of each row plus the product of each column.
func.func private @folded(%a: tensor<8x8xf64>, %b: tensor<8x8xf64>) -> tensor<8x8xf64> {
  %low = arith.constant dense<-1.0e300> : tensor<8xf64>
  %one = arith.constant dense<1.0> : tensor<8xf64>
  %m = linalg.reduce {arith.maximumf} ins(%a : tensor<8x8xf64>) outs(%low : tensor<8xf64>) dimensions = [1]
  %p = linalg.reduce {arith.mulf} ins(%b : tensor<8x8xf64>) outs(%one : tensor<8xf64>) dimensions = [0]
  %e = tensor.empty() : tensor<8x8xf64>
  %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]} ins(%m, %p : tensor<8xf64>, tensor<8xf64>) outs(%e : tensor<8x8xf64>) {
  ^bb0(%u: f64, %v: f64, %out: f64):
    %s = arith.addf %u, %v : f64
    linalg.yield %s : f64
  } -> tensor<8x8xf64>
  return %y : tensor<8x8xf64>
}

// y[i, j] = a[i, i] b[7 - i, j] + a[0, (i + j) / 2]
func.func private @looked_up(%a: tensor<8x8xf64>, %b: tensor<8x8xf64>) -> tensor<8x8xf64> {
  %e = tensor.empty() : tensor<8x8xf64>
  %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, i)>, affine_map<(i, j) -> (7 - i, j)>,
      affine_map<(i, j) -> (0, (i + j) floordiv 2)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%a, %b, %a : tensor<8x8xf64>, tensor<8x8xf64>, tensor<8x8xf64>) outs(%e : tensor<8x8xf64>) {
  ^bb0(%u: f64, %v: f64, %w: f64, %out: f64):
    %p = arith.mulf %u, %v : f64
    %s = arith.addf %p, %w : f64
    linalg.yield %s : f64
  } -> tensor<8x8xf64>
  return %y : tensor<8x8xf64>
}

// Tiles of 4 x 2 and back, with the rows of the tiles reversed between the two.
func.func private @packed(%a: tensor<8x8xf64>, %b: tensor<8x8xf64>) -> tensor<8x8xf64> {
  %t = tensor.empty() : tensor<2x4x4x2xf64>
  %e = tensor.empty() : tensor<8x8xf64>
  %q = arith.mulf %a, %b : tensor<8x8xf64>
  %p = linalg.pack %q inner_dims_pos = [0, 1] inner_tiles = [4, 2] into %t : tensor<8x8xf64> -> tensor<2x4x4x2xf64>
  %r = linalg.generic {indexing_maps = [affine_map<(i, j, k, l) -> (i, j, 3 - k, l)>, affine_map<(i, j, k, l) -> (i, j, k, l)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%p : tensor<2x4x4x2xf64>) outs(%t : tensor<2x4x4x2xf64>) {
  ^bb0(%u: f64, %out: f64):
    linalg.yield %u : f64
  } -> tensor<2x4x4x2xf64>
  %y = linalg.unpack %r inner_dims_pos = [0, 1] inner_tiles = [4, 2] into %e : tensor<2x4x4x2xf64> -> tensor<8x8xf64>
  return %y : tensor<8x8xf64>
}

// A column of one matrix in another one. Upstream takes it for a row.
func.func private @column(%a: tensor<8x8xf64>, %b: tensor<8x8xf64>) -> tensor<8x8xf64> {
  %c0 = arith.constant 0 : index
  %x = tensor.expand_shape %a [[0, 1], [2]] output_shape [1, 8, 8] : tensor<8x8xf64> into tensor<1x8x8xf64>
  %z = tensor.expand_shape %b [[0, 1], [2]] output_shape [1, 8, 8] : tensor<8x8xf64> into tensor<1x8x8xf64>
  %s = tensor.extract_slice %x[0, %c0, 3] [1, 8, 1] [1, 1, 1] : tensor<1x8x8xf64> to tensor<1x8xf64>
  %t = tensor.insert_slice %s into %z[0, %c0, 5] [1, 8, 1] [1, 1, 1] : tensor<1x8xf64> into tensor<1x8x8xf64>
  %u = tensor.collapse_shape %t [[0, 1], [2]] : tensor<1x8x8xf64> into tensor<8x8xf64>
  %y = arith.mulf %u, %a : tensor<8x8xf64>
  return %y : tensor<8x8xf64>
}

// The same with sizes that are constants only once the types are known.
func.func private @column_open(%a: tensor<8x8xf64>, %b: tensor<8x8xf64>) -> tensor<8x8xf64> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %x = tensor.expand_shape %a [[0, 1], [2, 3]] output_shape [1, 8, 1, 8] : tensor<8x8xf64> into tensor<1x8x1x8xf64>
  %z = tensor.expand_shape %b [[0, 1], [2, 3]] output_shape [1, 8, 1, 8] : tensor<8x8xf64> into tensor<1x8x1x8xf64>
  %p = tensor.cast %x : tensor<1x8x1x8xf64> to tensor<?x?x1x8xf64>
  %n = tensor.dim %p, %c0 : tensor<?x?x1x8xf64>
  %m = tensor.dim %p, %c1 : tensor<?x?x1x8xf64>
  %s = tensor.extract_slice %p[0, 0, 0, 3] [%n, %m, 1, 1] [1, 1, 1, 1] : tensor<?x?x1x8xf64> to tensor<?x?xf64>
  %t = tensor.insert_slice %s into %z[0, 0, 0, 5] [%n, %m, 1, 1] [1, 1, 1, 1] : tensor<?x?xf64> into tensor<1x8x1x8xf64>
  %u = tensor.collapse_shape %t [[0, 1], [2, 3]] : tensor<1x8x1x8xf64> into tensor<8x8xf64>
  %y = arith.mulf %u, %a : tensor<8x8xf64>
  return %y : tensor<8x8xf64>
}
