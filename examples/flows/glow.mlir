// Two levels of four steps, of images of 8 x 8.
// The loss, the mean of -log p, and its gradients by all parameters. Written by
// examples/flows/export.py.

func.func private @_reflection_inverse_1(
    %output: tensor<4x2x2x24xf32>,
    %others1: tensor<24xf32>) -> tensor<4x2x2x24xf32> {
  %0 = tensor.empty() : tensor<4x2x2x24xf32>
  %1 = linalg.broadcast ins(%others1 : tensor<24xf32>) outs(%0 : tensor<4x2x2x24xf32>) dimensions = [0, 1, 2]
  %2 = arith.mulf %output, %1 : tensor<4x2x2x24xf32>
  %3 = arith.constant 0.0 : f32
  %4 = tensor.empty() : tensor<4x2x2xf32>
  %5 = linalg.fill ins(%3 : f32) outs(%4 : tensor<4x2x2xf32>) -> tensor<4x2x2xf32>
  %6 = linalg.reduce { arith.addf } ins(%2 : tensor<4x2x2x24xf32>) outs(%5 : tensor<4x2x2xf32>) dimensions = [3]
  %7 = tensor.expand_shape %6 [[0], [1], [2, 3]] output_shape [4, 2, 2, 1] : tensor<4x2x2xf32> into tensor<4x2x2x1xf32>
  %8 = arith.mulf %others1, %others1 : tensor<24xf32>
  %9 = tensor.empty() : tensor<f32>
  %10 = linalg.fill ins(%3 : f32) outs(%9 : tensor<f32>) -> tensor<f32>
  %11 = linalg.reduce { arith.addf } ins(%8 : tensor<24xf32>) outs(%10 : tensor<f32>) dimensions = [0]
  %12 = arith.constant dense<0.0> : tensor<f32>
  %13 = arith.cmpf ogt, %11, %12 : tensor<f32>
  %14 = arith.constant dense<0.0> : tensor<f32>
  %15 = arith.cmpf ogt, %11, %14 : tensor<f32>
  %16 = arith.constant dense<1.0> : tensor<f32>
  %17 = arith.select %15, %11, %16 : tensor<i1>, tensor<f32>
  %18 = arith.constant dense<2.0> : tensor<f32>
  %19 = arith.divf %18, %17 : tensor<f32>
  %20 = arith.constant dense<0.0> : tensor<f32>
  %21 = arith.select %13, %19, %20 : tensor<i1>, tensor<f32>
  %22 = tensor.empty() : tensor<4x2x2x1xf32>
  %23 = linalg.broadcast ins(%21 : tensor<f32>) outs(%22 : tensor<4x2x2x1xf32>) dimensions = [0, 1, 2, 3]
  %24 = arith.mulf %7, %23 : tensor<4x2x2x1xf32>
  %25 = tensor.collapse_shape %24 [[0], [1], [2, 3]] : tensor<4x2x2x1xf32> into tensor<4x2x2xf32>
  %26 = tensor.empty() : tensor<4x2x2x24xf32>
  %27 = linalg.broadcast ins(%25 : tensor<4x2x2xf32>) outs(%26 : tensor<4x2x2x24xf32>) dimensions = [3]
  %28 = tensor.empty() : tensor<4x2x2x24xf32>
  %29 = linalg.broadcast ins(%others1 : tensor<24xf32>) outs(%28 : tensor<4x2x2x24xf32>) dimensions = [0, 1, 2]
  %30 = arith.mulf %27, %29 : tensor<4x2x2x24xf32>
  %31 = arith.subf %output, %30 : tensor<4x2x2x24xf32>
  return %31 : tensor<4x2x2x24xf32>
}

func.func private @_reflection_1(%x: tensor<4x2x2x24xf32>, %v: tensor<24xf32>) -> tensor<4x2x2x24xf32> attributes {rev.inverse = @_reflection_inverse_1, rev.gain = 1.0 : f64} {
  %0 = tensor.empty() : tensor<4x2x2x24xf32>
  %1 = linalg.broadcast ins(%v : tensor<24xf32>) outs(%0 : tensor<4x2x2x24xf32>) dimensions = [0, 1, 2]
  %2 = arith.mulf %x, %1 : tensor<4x2x2x24xf32>
  %3 = arith.constant 0.0 : f32
  %4 = tensor.empty() : tensor<4x2x2xf32>
  %5 = linalg.fill ins(%3 : f32) outs(%4 : tensor<4x2x2xf32>) -> tensor<4x2x2xf32>
  %6 = linalg.reduce { arith.addf } ins(%2 : tensor<4x2x2x24xf32>) outs(%5 : tensor<4x2x2xf32>) dimensions = [3]
  %7 = tensor.expand_shape %6 [[0], [1], [2, 3]] output_shape [4, 2, 2, 1] : tensor<4x2x2xf32> into tensor<4x2x2x1xf32>
  %8 = arith.mulf %v, %v : tensor<24xf32>
  %9 = tensor.empty() : tensor<f32>
  %10 = linalg.fill ins(%3 : f32) outs(%9 : tensor<f32>) -> tensor<f32>
  %11 = linalg.reduce { arith.addf } ins(%8 : tensor<24xf32>) outs(%10 : tensor<f32>) dimensions = [0]
  %12 = arith.constant dense<0.0> : tensor<f32>
  %13 = arith.cmpf ogt, %11, %12 : tensor<f32>
  %14 = arith.constant dense<0.0> : tensor<f32>
  %15 = arith.cmpf ogt, %11, %14 : tensor<f32>
  %16 = arith.constant dense<1.0> : tensor<f32>
  %17 = arith.select %15, %11, %16 : tensor<i1>, tensor<f32>
  %18 = arith.constant dense<2.0> : tensor<f32>
  %19 = arith.divf %18, %17 : tensor<f32>
  %20 = arith.constant dense<0.0> : tensor<f32>
  %21 = arith.select %13, %19, %20 : tensor<i1>, tensor<f32>
  %22 = tensor.empty() : tensor<4x2x2x1xf32>
  %23 = linalg.broadcast ins(%21 : tensor<f32>) outs(%22 : tensor<4x2x2x1xf32>) dimensions = [0, 1, 2, 3]
  %24 = arith.mulf %7, %23 : tensor<4x2x2x1xf32>
  %25 = tensor.collapse_shape %24 [[0], [1], [2, 3]] : tensor<4x2x2x1xf32> into tensor<4x2x2xf32>
  %26 = tensor.empty() : tensor<4x2x2x24xf32>
  %27 = linalg.broadcast ins(%25 : tensor<4x2x2xf32>) outs(%26 : tensor<4x2x2x24xf32>) dimensions = [3]
  %28 = tensor.empty() : tensor<4x2x2x24xf32>
  %29 = linalg.broadcast ins(%v : tensor<24xf32>) outs(%28 : tensor<4x2x2x24xf32>) dimensions = [0, 1, 2]
  %30 = arith.mulf %27, %29 : tensor<4x2x2x24xf32>
  %31 = arith.subf %x, %30 : tensor<4x2x2x24xf32>
  return %31 : tensor<4x2x2x24xf32>
}

func.func private @f_inverse_1(
    %output: tensor<4x2x2x24xf32>,
    %others1: tensor<24xf32>,
    %others2: tensor<24xf32>) -> tensor<4x2x2x24xf32> {
  %0 = tensor.empty() : tensor<4x2x2x24xf32>
  %1 = linalg.broadcast ins(%others2 : tensor<24xf32>) outs(%0 : tensor<4x2x2x24xf32>) dimensions = [0, 1, 2]
  %2 = arith.subf %output, %1 : tensor<4x2x2x24xf32>
  %3 = tensor.empty() : tensor<4x2x2x24xf32>
  %4 = linalg.broadcast ins(%others1 : tensor<24xf32>) outs(%3 : tensor<4x2x2x24xf32>) dimensions = [0, 1, 2]
  %5 = arith.divf %2, %4 : tensor<4x2x2x24xf32>
  return %5 : tensor<4x2x2x24xf32>
}

func.func private @f_2(
    %x: tensor<4x2x2x24xf32>,
    %scale: tensor<24xf32>,
    %offset: tensor<24xf32>) -> tensor<4x2x2x24xf32> attributes {rev.inverse = @f_inverse_1} {
  %0 = tensor.empty() : tensor<4x2x2x24xf32>
  %1 = linalg.broadcast ins(%scale : tensor<24xf32>) outs(%0 : tensor<4x2x2x24xf32>) dimensions = [0, 1, 2]
  %2 = arith.mulf %x, %1 : tensor<4x2x2x24xf32>
  %3 = tensor.empty() : tensor<4x2x2x24xf32>
  %4 = linalg.broadcast ins(%offset : tensor<24xf32>) outs(%3 : tensor<4x2x2x24xf32>) dimensions = [0, 1, 2]
  %5 = arith.addf %2, %4 : tensor<4x2x2x24xf32>
  return %5 : tensor<4x2x2x24xf32>
}

func.func private @_reflection_inverse(
    %output: tensor<4x4x4x12xf32>,
    %others1: tensor<12xf32>) -> tensor<4x4x4x12xf32> {
  %0 = tensor.empty() : tensor<4x4x4x12xf32>
  %1 = linalg.broadcast ins(%others1 : tensor<12xf32>) outs(%0 : tensor<4x4x4x12xf32>) dimensions = [0, 1, 2]
  %2 = arith.mulf %output, %1 : tensor<4x4x4x12xf32>
  %3 = arith.constant 0.0 : f32
  %4 = tensor.empty() : tensor<4x4x4xf32>
  %5 = linalg.fill ins(%3 : f32) outs(%4 : tensor<4x4x4xf32>) -> tensor<4x4x4xf32>
  %6 = linalg.reduce { arith.addf } ins(%2 : tensor<4x4x4x12xf32>) outs(%5 : tensor<4x4x4xf32>) dimensions = [3]
  %7 = tensor.expand_shape %6 [[0], [1], [2, 3]] output_shape [4, 4, 4, 1] : tensor<4x4x4xf32> into tensor<4x4x4x1xf32>
  %8 = arith.mulf %others1, %others1 : tensor<12xf32>
  %9 = tensor.empty() : tensor<f32>
  %10 = linalg.fill ins(%3 : f32) outs(%9 : tensor<f32>) -> tensor<f32>
  %11 = linalg.reduce { arith.addf } ins(%8 : tensor<12xf32>) outs(%10 : tensor<f32>) dimensions = [0]
  %12 = arith.constant dense<0.0> : tensor<f32>
  %13 = arith.cmpf ogt, %11, %12 : tensor<f32>
  %14 = arith.constant dense<0.0> : tensor<f32>
  %15 = arith.cmpf ogt, %11, %14 : tensor<f32>
  %16 = arith.constant dense<1.0> : tensor<f32>
  %17 = arith.select %15, %11, %16 : tensor<i1>, tensor<f32>
  %18 = arith.constant dense<2.0> : tensor<f32>
  %19 = arith.divf %18, %17 : tensor<f32>
  %20 = arith.constant dense<0.0> : tensor<f32>
  %21 = arith.select %13, %19, %20 : tensor<i1>, tensor<f32>
  %22 = tensor.empty() : tensor<4x4x4x1xf32>
  %23 = linalg.broadcast ins(%21 : tensor<f32>) outs(%22 : tensor<4x4x4x1xf32>) dimensions = [0, 1, 2, 3]
  %24 = arith.mulf %7, %23 : tensor<4x4x4x1xf32>
  %25 = tensor.collapse_shape %24 [[0], [1], [2, 3]] : tensor<4x4x4x1xf32> into tensor<4x4x4xf32>
  %26 = tensor.empty() : tensor<4x4x4x12xf32>
  %27 = linalg.broadcast ins(%25 : tensor<4x4x4xf32>) outs(%26 : tensor<4x4x4x12xf32>) dimensions = [3]
  %28 = tensor.empty() : tensor<4x4x4x12xf32>
  %29 = linalg.broadcast ins(%others1 : tensor<12xf32>) outs(%28 : tensor<4x4x4x12xf32>) dimensions = [0, 1, 2]
  %30 = arith.mulf %27, %29 : tensor<4x4x4x12xf32>
  %31 = arith.subf %output, %30 : tensor<4x4x4x12xf32>
  return %31 : tensor<4x4x4x12xf32>
}

func.func private @_reflection(%x: tensor<4x4x4x12xf32>, %v: tensor<12xf32>) -> tensor<4x4x4x12xf32> attributes {rev.inverse = @_reflection_inverse, rev.gain = 1.0 : f64} {
  %0 = tensor.empty() : tensor<4x4x4x12xf32>
  %1 = linalg.broadcast ins(%v : tensor<12xf32>) outs(%0 : tensor<4x4x4x12xf32>) dimensions = [0, 1, 2]
  %2 = arith.mulf %x, %1 : tensor<4x4x4x12xf32>
  %3 = arith.constant 0.0 : f32
  %4 = tensor.empty() : tensor<4x4x4xf32>
  %5 = linalg.fill ins(%3 : f32) outs(%4 : tensor<4x4x4xf32>) -> tensor<4x4x4xf32>
  %6 = linalg.reduce { arith.addf } ins(%2 : tensor<4x4x4x12xf32>) outs(%5 : tensor<4x4x4xf32>) dimensions = [3]
  %7 = tensor.expand_shape %6 [[0], [1], [2, 3]] output_shape [4, 4, 4, 1] : tensor<4x4x4xf32> into tensor<4x4x4x1xf32>
  %8 = arith.mulf %v, %v : tensor<12xf32>
  %9 = tensor.empty() : tensor<f32>
  %10 = linalg.fill ins(%3 : f32) outs(%9 : tensor<f32>) -> tensor<f32>
  %11 = linalg.reduce { arith.addf } ins(%8 : tensor<12xf32>) outs(%10 : tensor<f32>) dimensions = [0]
  %12 = arith.constant dense<0.0> : tensor<f32>
  %13 = arith.cmpf ogt, %11, %12 : tensor<f32>
  %14 = arith.constant dense<0.0> : tensor<f32>
  %15 = arith.cmpf ogt, %11, %14 : tensor<f32>
  %16 = arith.constant dense<1.0> : tensor<f32>
  %17 = arith.select %15, %11, %16 : tensor<i1>, tensor<f32>
  %18 = arith.constant dense<2.0> : tensor<f32>
  %19 = arith.divf %18, %17 : tensor<f32>
  %20 = arith.constant dense<0.0> : tensor<f32>
  %21 = arith.select %13, %19, %20 : tensor<i1>, tensor<f32>
  %22 = tensor.empty() : tensor<4x4x4x1xf32>
  %23 = linalg.broadcast ins(%21 : tensor<f32>) outs(%22 : tensor<4x4x4x1xf32>) dimensions = [0, 1, 2, 3]
  %24 = arith.mulf %7, %23 : tensor<4x4x4x1xf32>
  %25 = tensor.collapse_shape %24 [[0], [1], [2, 3]] : tensor<4x4x4x1xf32> into tensor<4x4x4xf32>
  %26 = tensor.empty() : tensor<4x4x4x12xf32>
  %27 = linalg.broadcast ins(%25 : tensor<4x4x4xf32>) outs(%26 : tensor<4x4x4x12xf32>) dimensions = [3]
  %28 = tensor.empty() : tensor<4x4x4x12xf32>
  %29 = linalg.broadcast ins(%v : tensor<12xf32>) outs(%28 : tensor<4x4x4x12xf32>) dimensions = [0, 1, 2]
  %30 = arith.mulf %27, %29 : tensor<4x4x4x12xf32>
  %31 = arith.subf %x, %30 : tensor<4x4x4x12xf32>
  return %31 : tensor<4x4x4x12xf32>
}

func.func private @f_inverse(
    %output: tensor<4x4x4x12xf32>,
    %others1: tensor<12xf32>,
    %others2: tensor<12xf32>) -> tensor<4x4x4x12xf32> {
  %0 = tensor.empty() : tensor<4x4x4x12xf32>
  %1 = linalg.broadcast ins(%others2 : tensor<12xf32>) outs(%0 : tensor<4x4x4x12xf32>) dimensions = [0, 1, 2]
  %2 = arith.subf %output, %1 : tensor<4x4x4x12xf32>
  %3 = tensor.empty() : tensor<4x4x4x12xf32>
  %4 = linalg.broadcast ins(%others1 : tensor<12xf32>) outs(%3 : tensor<4x4x4x12xf32>) dimensions = [0, 1, 2]
  %5 = arith.divf %2, %4 : tensor<4x4x4x12xf32>
  return %5 : tensor<4x4x4x12xf32>
}

func.func private @f_1(
    %x: tensor<4x4x4x12xf32>,
    %scale: tensor<12xf32>,
    %offset: tensor<12xf32>) -> tensor<4x4x4x12xf32> attributes {rev.inverse = @f_inverse} {
  %0 = tensor.empty() : tensor<4x4x4x12xf32>
  %1 = linalg.broadcast ins(%scale : tensor<12xf32>) outs(%0 : tensor<4x4x4x12xf32>) dimensions = [0, 1, 2]
  %2 = arith.mulf %x, %1 : tensor<4x4x4x12xf32>
  %3 = tensor.empty() : tensor<4x4x4x12xf32>
  %4 = linalg.broadcast ins(%offset : tensor<12xf32>) outs(%3 : tensor<4x4x4x12xf32>) dimensions = [0, 1, 2]
  %5 = arith.addf %2, %4 : tensor<4x4x4x12xf32>
  return %5 : tensor<4x4x4x12xf32>
}

func.func private @f(
    %params_network_levels_0_block_layers_0_offset: tensor<4x12xf32>,
    %params_network_levels_0_block_layers_0_scale: tensor<4x12xf32>,
    %params_network_levels_0_block_layers_1_vectors: tensor<4x3x12xf32>,
    %params_network_levels_0_block_layers_2_nets_0_layers_0_bias: tensor<4x8xf32>,
    %params_network_levels_0_block_layers_2_nets_0_layers_0_weight: tensor<4x3x3x6x8xf32>,
    %params_network_levels_0_block_layers_2_nets_0_layers_1_bias: tensor<4x8xf32>,
    %params_network_levels_0_block_layers_2_nets_0_layers_1_weight: tensor<4x1x1x8x8xf32>,
    %params_network_levels_0_block_layers_2_nets_0_layers_2_bias: tensor<4x12xf32>,
    %params_network_levels_0_block_layers_2_nets_0_layers_2_weight: tensor<4x3x3x8x12xf32>,
    %params_network_levels_1_block_layers_0_offset: tensor<4x24xf32>,
    %params_network_levels_1_block_layers_0_scale: tensor<4x24xf32>,
    %params_network_levels_1_block_layers_1_vectors: tensor<4x3x24xf32>,
    %params_network_levels_1_block_layers_2_nets_0_layers_0_bias: tensor<4x8xf32>,
    %params_network_levels_1_block_layers_2_nets_0_layers_0_weight: tensor<4x3x3x12x8xf32>,
    %params_network_levels_1_block_layers_2_nets_0_layers_1_bias: tensor<4x8xf32>,
    %params_network_levels_1_block_layers_2_nets_0_layers_1_weight: tensor<4x1x1x8x8xf32>,
    %params_network_levels_1_block_layers_2_nets_0_layers_2_bias: tensor<4x24xf32>,
    %params_network_levels_1_block_layers_2_nets_0_layers_2_weight: tensor<4x3x3x8x24xf32>,
    %x: tensor<4x8x8x3xf32>) -> tensor<f32> {
  %0 = tensor.expand_shape %x [[0], [1, 2], [3, 4], [5]] output_shape [4, 4, 2, 4, 2, 3] : tensor<4x8x8x3xf32> into tensor<4x4x2x4x2x3xf32>
  %1 = tensor.empty() : tensor<4x4x4x2x2x3xf32>
  %2 = linalg.transpose ins(%0 : tensor<4x4x2x4x2x3xf32>) outs(%1 : tensor<4x4x4x2x2x3xf32>) permutation = [0, 1, 3, 2, 4, 5]
  %3 = tensor.collapse_shape %2 [[0], [1], [2], [3, 4], [5]] : tensor<4x4x4x2x2x3xf32> into tensor<4x4x4x4x3xf32>
  %4 = tensor.collapse_shape %3 [[0], [1], [2], [3, 4]] : tensor<4x4x4x4x3xf32> into tensor<4x4x4x12xf32>
  %5 = arith.constant dense<0.0> : tensor<4xf32>
  %6 = arith.constant 0 : index
  %7 = arith.constant 4 : index
  %8 = arith.constant 1 : index
  %11, %12 = scf.for %i = %6 to %7 step %8 iter_args(%9 = %4, %10 = %5) -> (tensor<4x4x4x12xf32>, tensor<4xf32>) {
    %layers_0_offset = tensor.extract_slice %params_network_levels_0_block_layers_0_offset[%i, 0] [1, 12] [1, 1] : tensor<4x12xf32> to tensor<12xf32>
    %layers_0_scale = tensor.extract_slice %params_network_levels_0_block_layers_0_scale[%i, 0] [1, 12] [1, 1] : tensor<4x12xf32> to tensor<12xf32>
    %layers_1_vectors = tensor.extract_slice %params_network_levels_0_block_layers_1_vectors[%i, 0, 0] [1, 3, 12] [1, 1, 1] : tensor<4x3x12xf32> to tensor<3x12xf32>
    %layers_2_nets_0_layers_0_bias = tensor.extract_slice %params_network_levels_0_block_layers_2_nets_0_layers_0_bias[%i, 0] [1, 8] [1, 1] : tensor<4x8xf32> to tensor<8xf32>
    %layers_2_nets_0_layers_0_weight = tensor.extract_slice %params_network_levels_0_block_layers_2_nets_0_layers_0_weight[%i, 0, 0, 0, 0] [1, 3, 3, 6, 8] [1, 1, 1, 1, 1] : tensor<4x3x3x6x8xf32> to tensor<3x3x6x8xf32>
    %layers_2_nets_0_layers_1_bias = tensor.extract_slice %params_network_levels_0_block_layers_2_nets_0_layers_1_bias[%i, 0] [1, 8] [1, 1] : tensor<4x8xf32> to tensor<8xf32>
    %layers_2_nets_0_layers_1_weight = tensor.extract_slice %params_network_levels_0_block_layers_2_nets_0_layers_1_weight[%i, 0, 0, 0, 0] [1, 1, 1, 8, 8] [1, 1, 1, 1, 1] : tensor<4x1x1x8x8xf32> to tensor<1x1x8x8xf32>
    %layers_2_nets_0_layers_2_bias = tensor.extract_slice %params_network_levels_0_block_layers_2_nets_0_layers_2_bias[%i, 0] [1, 12] [1, 1] : tensor<4x12xf32> to tensor<12xf32>
    %layers_2_nets_0_layers_2_weight = tensor.extract_slice %params_network_levels_0_block_layers_2_nets_0_layers_2_weight[%i, 0, 0, 0, 0] [1, 3, 3, 8, 12] [1, 1, 1, 1, 1] : tensor<4x3x3x8x12xf32> to tensor<3x3x8x12xf32>
    %13 = math.exp %layers_0_scale : tensor<12xf32>
    %14 = math.log %13 : tensor<12xf32>
    %15 = arith.constant 0.0 : f32
    %16 = tensor.empty() : tensor<f32>
    %17 = linalg.fill ins(%15 : f32) outs(%16 : tensor<f32>) -> tensor<f32>
    %18 = linalg.reduce { arith.addf } ins(%14 : tensor<12xf32>) outs(%17 : tensor<f32>) dimensions = [0]
    %19 = arith.constant dense<16.0> : tensor<f32>
    %20 = arith.mulf %19, %18 : tensor<f32>
    %21 = tensor.empty() : tensor<4xf32>
    %22 = linalg.broadcast ins(%20 : tensor<f32>) outs(%21 : tensor<4xf32>) dimensions = [0]
    %23 = func.call @f_1(%9, %13, %layers_0_offset) : (tensor<4x4x4x12xf32>, tensor<12xf32>, tensor<12xf32>) -> (tensor<4x4x4x12xf32>)
    %24 = arith.constant dense<0.0> : tensor<4xf32>
    %25 = arith.addf %24, %22 : tensor<4xf32>
    %26 = arith.constant 3 : index
    %28 = scf.for %i_1 = %6 to %26 step %8 iter_args(%27 = %23) -> (tensor<4x4x4x12xf32>) {
      %29 = tensor.extract_slice %layers_1_vectors[%i_1, 0] [1, 12] [1, 1] : tensor<3x12xf32> to tensor<12xf32>
      %30 = func.call @_reflection(%27, %29) : (tensor<4x4x4x12xf32>, tensor<12xf32>) -> (tensor<4x4x4x12xf32>)
      scf.yield %30 : tensor<4x4x4x12xf32>
    }
    %31 = arith.constant dense<0.0> : tensor<4xf32>
    %32 = arith.addf %25, %31 : tensor<4xf32>
    %33 = tensor.extract_slice %28[0, 0, 0, 0] [4, 4, 4, 6] [1, 1, 1, 1] : tensor<4x4x4x12xf32> to tensor<4x4x4x6xf32>
    %34 = tensor.extract_slice %28[0, 0, 0, 6] [4, 4, 4, 6] [1, 1, 1, 1] : tensor<4x4x4x12xf32> to tensor<4x4x4x6xf32>
    %36, %37 = rev.coupling affine<soft_tanh, alpha = 2.00000000000000000e+00 : f64> %34 given(%33) log_det {
    ^bb0(%35: tensor<4x4x4x6xf32>):
      %38 = tensor.pad %35 low[0, 1, 1, 0] high[0, 1, 1, 0] { ^bb0(%.p0: index, %.p1: index, %.p2: index, %.p3: index): tensor.yield %15 : f32 } : tensor<4x4x4x6xf32> to tensor<4x6x6x6xf32>
      %39 = tensor.empty() : tensor<4x4x4x8xf32>
      %40 = linalg.fill ins(%15 : f32) outs(%39 : tensor<4x4x4x8xf32>) -> tensor<4x4x4x8xf32>
      %41 = linalg.conv_2d_nhwc_hwcf {dilations = dense<[1, 1]> : tensor<2xi64>, strides = dense<[1, 1]> : tensor<2xi64>} ins(%38, %layers_2_nets_0_layers_0_weight : tensor<4x6x6x6xf32>, tensor<3x3x6x8xf32>) outs(%40 : tensor<4x4x4x8xf32>) -> tensor<4x4x4x8xf32>
      %42 = tensor.empty() : tensor<4x4x4x8xf32>
      %43 = linalg.broadcast ins(%layers_2_nets_0_layers_0_bias : tensor<8xf32>) outs(%42 : tensor<4x4x4x8xf32>) dimensions = [0, 1, 2]
      %44 = arith.addf %41, %43 : tensor<4x4x4x8xf32>
      %45 = arith.constant dense<0.0> : tensor<4x4x4x8xf32>
      %46 = arith.maximumf %44, %45 : tensor<4x4x4x8xf32>
      %47 = tensor.empty() : tensor<4x4x4x8xf32>
      %48 = linalg.fill ins(%15 : f32) outs(%47 : tensor<4x4x4x8xf32>) -> tensor<4x4x4x8xf32>
      %49 = linalg.conv_2d_nhwc_hwcf {dilations = dense<[1, 1]> : tensor<2xi64>, strides = dense<[1, 1]> : tensor<2xi64>} ins(%46, %layers_2_nets_0_layers_1_weight : tensor<4x4x4x8xf32>, tensor<1x1x8x8xf32>) outs(%48 : tensor<4x4x4x8xf32>) -> tensor<4x4x4x8xf32>
      %50 = tensor.empty() : tensor<4x4x4x8xf32>
      %51 = linalg.broadcast ins(%layers_2_nets_0_layers_1_bias : tensor<8xf32>) outs(%50 : tensor<4x4x4x8xf32>) dimensions = [0, 1, 2]
      %52 = arith.addf %49, %51 : tensor<4x4x4x8xf32>
      %53 = arith.constant dense<0.0> : tensor<4x4x4x8xf32>
      %54 = arith.maximumf %52, %53 : tensor<4x4x4x8xf32>
      %55 = tensor.pad %54 low[0, 1, 1, 0] high[0, 1, 1, 0] { ^bb0(%.p0: index, %.p1: index, %.p2: index, %.p3: index): tensor.yield %15 : f32 } : tensor<4x4x4x8xf32> to tensor<4x6x6x8xf32>
      %56 = tensor.empty() : tensor<4x4x4x12xf32>
      %57 = linalg.fill ins(%15 : f32) outs(%56 : tensor<4x4x4x12xf32>) -> tensor<4x4x4x12xf32>
      %58 = linalg.conv_2d_nhwc_hwcf {dilations = dense<[1, 1]> : tensor<2xi64>, strides = dense<[1, 1]> : tensor<2xi64>} ins(%55, %layers_2_nets_0_layers_2_weight : tensor<4x6x6x8xf32>, tensor<3x3x8x12xf32>) outs(%57 : tensor<4x4x4x12xf32>) -> tensor<4x4x4x12xf32>
      %59 = tensor.empty() : tensor<4x4x4x12xf32>
      %60 = linalg.broadcast ins(%layers_2_nets_0_layers_2_bias : tensor<12xf32>) outs(%59 : tensor<4x4x4x12xf32>) dimensions = [0, 1, 2]
      %61 = arith.addf %58, %60 : tensor<4x4x4x12xf32>
      %62 = tensor.extract_slice %61[0, 0, 0, 0] [4, 4, 4, 6] [1, 1, 1, 1] : tensor<4x4x4x12xf32> to tensor<4x4x4x6xf32>
      %63 = tensor.extract_slice %61[0, 0, 0, 6] [4, 4, 4, 6] [1, 1, 1, 1] : tensor<4x4x4x12xf32> to tensor<4x4x4x6xf32>
      rev.yield %62, %63 : tensor<4x4x4x6xf32>, tensor<4x4x4x6xf32>
    } : tensor<4x4x4x6xf32>, (tensor<4x4x4x6xf32>) -> (tensor<4xf32>)
    %64 = tensor.concat dim(3) %33, %36 : (tensor<4x4x4x6xf32>, tensor<4x4x4x6xf32>) -> tensor<4x4x4x12xf32>
    %65 = arith.constant dense<0.0> : tensor<4xf32>
    %66 = arith.addf %65, %37 : tensor<4xf32>
    %67 = arith.addf %32, %66 : tensor<4xf32>
    %68 = arith.addf %10, %67 : tensor<4xf32>
    scf.yield %64, %68 : tensor<4x4x4x12xf32>, tensor<4xf32>
  }
  %69 = arith.constant dense<0.0> : tensor<4xf32>
  %70 = arith.addf %69, %12 : tensor<4xf32>
  %71 = tensor.extract_slice %11[0, 0, 0, 0] [4, 4, 4, 6] [1, 1, 1, 1] : tensor<4x4x4x12xf32> to tensor<4x4x4x6xf32>
  %72 = tensor.extract_slice %11[0, 0, 0, 6] [4, 4, 4, 6] [1, 1, 1, 1] : tensor<4x4x4x12xf32> to tensor<4x4x4x6xf32>
  %73 = tensor.expand_shape %71 [[0], [1, 2], [3, 4], [5]] output_shape [4, 2, 2, 2, 2, 6] : tensor<4x4x4x6xf32> into tensor<4x2x2x2x2x6xf32>
  %74 = tensor.empty() : tensor<4x2x2x2x2x6xf32>
  %75 = linalg.transpose ins(%73 : tensor<4x2x2x2x2x6xf32>) outs(%74 : tensor<4x2x2x2x2x6xf32>) permutation = [0, 1, 3, 2, 4, 5]
  %76 = tensor.collapse_shape %75 [[0], [1], [2], [3, 4], [5]] : tensor<4x2x2x2x2x6xf32> into tensor<4x2x2x4x6xf32>
  %77 = tensor.collapse_shape %76 [[0], [1], [2], [3, 4]] : tensor<4x2x2x4x6xf32> into tensor<4x2x2x24xf32>
  %78 = arith.constant dense<0.0> : tensor<4xf32>
  %79 = arith.addf %70, %78 : tensor<4xf32>
  %80 = arith.constant dense<0.0> : tensor<4xf32>
  %83, %84 = scf.for %i_2 = %6 to %7 step %8 iter_args(%81 = %77, %82 = %80) -> (tensor<4x2x2x24xf32>, tensor<4xf32>) {
    %layers_0_offset_1 = tensor.extract_slice %params_network_levels_1_block_layers_0_offset[%i_2, 0] [1, 24] [1, 1] : tensor<4x24xf32> to tensor<24xf32>
    %layers_0_scale_1 = tensor.extract_slice %params_network_levels_1_block_layers_0_scale[%i_2, 0] [1, 24] [1, 1] : tensor<4x24xf32> to tensor<24xf32>
    %layers_1_vectors_1 = tensor.extract_slice %params_network_levels_1_block_layers_1_vectors[%i_2, 0, 0] [1, 3, 24] [1, 1, 1] : tensor<4x3x24xf32> to tensor<3x24xf32>
    %layers_2_nets_0_layers_0_bias_1 = tensor.extract_slice %params_network_levels_1_block_layers_2_nets_0_layers_0_bias[%i_2, 0] [1, 8] [1, 1] : tensor<4x8xf32> to tensor<8xf32>
    %layers_2_nets_0_layers_0_weight_1 = tensor.extract_slice %params_network_levels_1_block_layers_2_nets_0_layers_0_weight[%i_2, 0, 0, 0, 0] [1, 3, 3, 12, 8] [1, 1, 1, 1, 1] : tensor<4x3x3x12x8xf32> to tensor<3x3x12x8xf32>
    %layers_2_nets_0_layers_1_bias_1 = tensor.extract_slice %params_network_levels_1_block_layers_2_nets_0_layers_1_bias[%i_2, 0] [1, 8] [1, 1] : tensor<4x8xf32> to tensor<8xf32>
    %layers_2_nets_0_layers_1_weight_1 = tensor.extract_slice %params_network_levels_1_block_layers_2_nets_0_layers_1_weight[%i_2, 0, 0, 0, 0] [1, 1, 1, 8, 8] [1, 1, 1, 1, 1] : tensor<4x1x1x8x8xf32> to tensor<1x1x8x8xf32>
    %layers_2_nets_0_layers_2_bias_1 = tensor.extract_slice %params_network_levels_1_block_layers_2_nets_0_layers_2_bias[%i_2, 0] [1, 24] [1, 1] : tensor<4x24xf32> to tensor<24xf32>
    %layers_2_nets_0_layers_2_weight_1 = tensor.extract_slice %params_network_levels_1_block_layers_2_nets_0_layers_2_weight[%i_2, 0, 0, 0, 0] [1, 3, 3, 8, 24] [1, 1, 1, 1, 1] : tensor<4x3x3x8x24xf32> to tensor<3x3x8x24xf32>
    %85 = math.exp %layers_0_scale_1 : tensor<24xf32>
    %86 = math.log %85 : tensor<24xf32>
    %87 = arith.constant 0.0 : f32
    %88 = tensor.empty() : tensor<f32>
    %89 = linalg.fill ins(%87 : f32) outs(%88 : tensor<f32>) -> tensor<f32>
    %90 = linalg.reduce { arith.addf } ins(%86 : tensor<24xf32>) outs(%89 : tensor<f32>) dimensions = [0]
    %91 = arith.constant dense<4.0> : tensor<f32>
    %92 = arith.mulf %91, %90 : tensor<f32>
    %93 = tensor.empty() : tensor<4xf32>
    %94 = linalg.broadcast ins(%92 : tensor<f32>) outs(%93 : tensor<4xf32>) dimensions = [0]
    %95 = func.call @f_2(%81, %85, %layers_0_offset_1) : (tensor<4x2x2x24xf32>, tensor<24xf32>, tensor<24xf32>) -> (tensor<4x2x2x24xf32>)
    %96 = arith.constant dense<0.0> : tensor<4xf32>
    %97 = arith.addf %96, %94 : tensor<4xf32>
    %98 = arith.constant 3 : index
    %100 = scf.for %i_3 = %6 to %98 step %8 iter_args(%99 = %95) -> (tensor<4x2x2x24xf32>) {
      %101 = tensor.extract_slice %layers_1_vectors_1[%i_3, 0] [1, 24] [1, 1] : tensor<3x24xf32> to tensor<24xf32>
      %102 = func.call @_reflection_1(%99, %101) : (tensor<4x2x2x24xf32>, tensor<24xf32>) -> (tensor<4x2x2x24xf32>)
      scf.yield %102 : tensor<4x2x2x24xf32>
    }
    %103 = arith.constant dense<0.0> : tensor<4xf32>
    %104 = arith.addf %97, %103 : tensor<4xf32>
    %105 = tensor.extract_slice %100[0, 0, 0, 0] [4, 2, 2, 12] [1, 1, 1, 1] : tensor<4x2x2x24xf32> to tensor<4x2x2x12xf32>
    %106 = tensor.extract_slice %100[0, 0, 0, 12] [4, 2, 2, 12] [1, 1, 1, 1] : tensor<4x2x2x24xf32> to tensor<4x2x2x12xf32>
    %108, %109 = rev.coupling affine<soft_tanh, alpha = 2.00000000000000000e+00 : f64> %106 given(%105) log_det {
    ^bb0(%107: tensor<4x2x2x12xf32>):
      %110 = tensor.pad %107 low[0, 1, 1, 0] high[0, 1, 1, 0] { ^bb0(%.p0: index, %.p1: index, %.p2: index, %.p3: index): tensor.yield %87 : f32 } : tensor<4x2x2x12xf32> to tensor<4x4x4x12xf32>
      %111 = tensor.empty() : tensor<4x2x2x8xf32>
      %112 = linalg.fill ins(%87 : f32) outs(%111 : tensor<4x2x2x8xf32>) -> tensor<4x2x2x8xf32>
      %113 = linalg.conv_2d_nhwc_hwcf {dilations = dense<[1, 1]> : tensor<2xi64>, strides = dense<[1, 1]> : tensor<2xi64>} ins(%110, %layers_2_nets_0_layers_0_weight_1 : tensor<4x4x4x12xf32>, tensor<3x3x12x8xf32>) outs(%112 : tensor<4x2x2x8xf32>) -> tensor<4x2x2x8xf32>
      %114 = tensor.empty() : tensor<4x2x2x8xf32>
      %115 = linalg.broadcast ins(%layers_2_nets_0_layers_0_bias_1 : tensor<8xf32>) outs(%114 : tensor<4x2x2x8xf32>) dimensions = [0, 1, 2]
      %116 = arith.addf %113, %115 : tensor<4x2x2x8xf32>
      %117 = arith.constant dense<0.0> : tensor<4x2x2x8xf32>
      %118 = arith.maximumf %116, %117 : tensor<4x2x2x8xf32>
      %119 = tensor.empty() : tensor<4x2x2x8xf32>
      %120 = linalg.fill ins(%87 : f32) outs(%119 : tensor<4x2x2x8xf32>) -> tensor<4x2x2x8xf32>
      %121 = linalg.conv_2d_nhwc_hwcf {dilations = dense<[1, 1]> : tensor<2xi64>, strides = dense<[1, 1]> : tensor<2xi64>} ins(%118, %layers_2_nets_0_layers_1_weight_1 : tensor<4x2x2x8xf32>, tensor<1x1x8x8xf32>) outs(%120 : tensor<4x2x2x8xf32>) -> tensor<4x2x2x8xf32>
      %122 = tensor.empty() : tensor<4x2x2x8xf32>
      %123 = linalg.broadcast ins(%layers_2_nets_0_layers_1_bias_1 : tensor<8xf32>) outs(%122 : tensor<4x2x2x8xf32>) dimensions = [0, 1, 2]
      %124 = arith.addf %121, %123 : tensor<4x2x2x8xf32>
      %125 = arith.constant dense<0.0> : tensor<4x2x2x8xf32>
      %126 = arith.maximumf %124, %125 : tensor<4x2x2x8xf32>
      %127 = tensor.pad %126 low[0, 1, 1, 0] high[0, 1, 1, 0] { ^bb0(%.p0: index, %.p1: index, %.p2: index, %.p3: index): tensor.yield %87 : f32 } : tensor<4x2x2x8xf32> to tensor<4x4x4x8xf32>
      %128 = tensor.empty() : tensor<4x2x2x24xf32>
      %129 = linalg.fill ins(%87 : f32) outs(%128 : tensor<4x2x2x24xf32>) -> tensor<4x2x2x24xf32>
      %130 = linalg.conv_2d_nhwc_hwcf {dilations = dense<[1, 1]> : tensor<2xi64>, strides = dense<[1, 1]> : tensor<2xi64>} ins(%127, %layers_2_nets_0_layers_2_weight_1 : tensor<4x4x4x8xf32>, tensor<3x3x8x24xf32>) outs(%129 : tensor<4x2x2x24xf32>) -> tensor<4x2x2x24xf32>
      %131 = tensor.empty() : tensor<4x2x2x24xf32>
      %132 = linalg.broadcast ins(%layers_2_nets_0_layers_2_bias_1 : tensor<24xf32>) outs(%131 : tensor<4x2x2x24xf32>) dimensions = [0, 1, 2]
      %133 = arith.addf %130, %132 : tensor<4x2x2x24xf32>
      %134 = tensor.extract_slice %133[0, 0, 0, 0] [4, 2, 2, 12] [1, 1, 1, 1] : tensor<4x2x2x24xf32> to tensor<4x2x2x12xf32>
      %135 = tensor.extract_slice %133[0, 0, 0, 12] [4, 2, 2, 12] [1, 1, 1, 1] : tensor<4x2x2x24xf32> to tensor<4x2x2x12xf32>
      rev.yield %134, %135 : tensor<4x2x2x12xf32>, tensor<4x2x2x12xf32>
    } : tensor<4x2x2x12xf32>, (tensor<4x2x2x12xf32>) -> (tensor<4xf32>)
    %136 = tensor.concat dim(3) %105, %108 : (tensor<4x2x2x12xf32>, tensor<4x2x2x12xf32>) -> tensor<4x2x2x24xf32>
    %137 = arith.constant dense<0.0> : tensor<4xf32>
    %138 = arith.addf %137, %109 : tensor<4xf32>
    %139 = arith.addf %104, %138 : tensor<4xf32>
    %140 = arith.addf %82, %139 : tensor<4xf32>
    scf.yield %136, %140 : tensor<4x2x2x24xf32>, tensor<4xf32>
  }
  %141 = arith.addf %79, %84 : tensor<4xf32>
  %142 = arith.mulf %72, %72 : tensor<4x4x4x6xf32>
  %143 = arith.constant 0.0 : f32
  %144 = tensor.empty() : tensor<4xf32>
  %145 = linalg.fill ins(%143 : f32) outs(%144 : tensor<4xf32>) -> tensor<4xf32>
  %146 = linalg.reduce { arith.addf } ins(%142 : tensor<4x4x4x6xf32>) outs(%145 : tensor<4xf32>) dimensions = [1, 2, 3]
  %147 = arith.constant dense<176.43619837529715> : tensor<4xf32>
  %148 = arith.addf %146, %147 : tensor<4xf32>
  %149 = arith.constant dense<0.5> : tensor<4xf32>
  %150 = arith.mulf %149, %148 : tensor<4xf32>
  %151 = arith.constant dense<0.0> : tensor<4xf32>
  %152 = arith.subf %151, %150 : tensor<4xf32>
  %153 = arith.mulf %83, %83 : tensor<4x2x2x24xf32>
  %154 = tensor.empty() : tensor<4xf32>
  %155 = linalg.fill ins(%143 : f32) outs(%154 : tensor<4xf32>) -> tensor<4xf32>
  %156 = linalg.reduce { arith.addf } ins(%153 : tensor<4x2x2x24xf32>) outs(%155 : tensor<4xf32>) dimensions = [1, 2, 3]
  %157 = arith.constant dense<176.43619837529715> : tensor<4xf32>
  %158 = arith.addf %156, %157 : tensor<4xf32>
  %159 = arith.constant dense<0.5> : tensor<4xf32>
  %160 = arith.mulf %159, %158 : tensor<4xf32>
  %161 = arith.subf %152, %160 : tensor<4xf32>
  %162 = arith.addf %161, %141 : tensor<4xf32>
  %163 = tensor.empty() : tensor<f32>
  %164 = linalg.fill ins(%143 : f32) outs(%163 : tensor<f32>) -> tensor<f32>
  %165 = linalg.reduce { arith.addf } ins(%162 : tensor<4xf32>) outs(%164 : tensor<f32>) dimensions = [0]
  %166 = arith.constant dense<0.25> : tensor<f32>
  %167 = arith.mulf %165, %166 : tensor<f32>
  %168 = arith.negf %167 : tensor<f32>
  return %168 : tensor<f32>
}

func.func @gradient(
    %params_network_levels_0_block_layers_0_offset: tensor<4x12xf32>,
    %params_network_levels_0_block_layers_0_scale: tensor<4x12xf32>,
    %params_network_levels_0_block_layers_1_vectors: tensor<4x3x12xf32>,
    %params_network_levels_0_block_layers_2_nets_0_layers_0_bias: tensor<4x8xf32>,
    %params_network_levels_0_block_layers_2_nets_0_layers_0_weight: tensor<4x3x3x6x8xf32>,
    %params_network_levels_0_block_layers_2_nets_0_layers_1_bias: tensor<4x8xf32>,
    %params_network_levels_0_block_layers_2_nets_0_layers_1_weight: tensor<4x1x1x8x8xf32>,
    %params_network_levels_0_block_layers_2_nets_0_layers_2_bias: tensor<4x12xf32>,
    %params_network_levels_0_block_layers_2_nets_0_layers_2_weight: tensor<4x3x3x8x12xf32>,
    %params_network_levels_1_block_layers_0_offset: tensor<4x24xf32>,
    %params_network_levels_1_block_layers_0_scale: tensor<4x24xf32>,
    %params_network_levels_1_block_layers_1_vectors: tensor<4x3x24xf32>,
    %params_network_levels_1_block_layers_2_nets_0_layers_0_bias: tensor<4x8xf32>,
    %params_network_levels_1_block_layers_2_nets_0_layers_0_weight: tensor<4x3x3x12x8xf32>,
    %params_network_levels_1_block_layers_2_nets_0_layers_1_bias: tensor<4x8xf32>,
    %params_network_levels_1_block_layers_2_nets_0_layers_1_weight: tensor<4x1x1x8x8xf32>,
    %params_network_levels_1_block_layers_2_nets_0_layers_2_bias: tensor<4x24xf32>,
    %params_network_levels_1_block_layers_2_nets_0_layers_2_weight: tensor<4x3x3x8x24xf32>,
    %x: tensor<4x8x8x3xf32>) -> (tensor<f32>, tensor<4x12xf32>, tensor<4x12xf32>, tensor<4x3x12xf32>, tensor<4x8xf32>, tensor<4x3x3x6x8xf32>, tensor<4x8xf32>, tensor<4x1x1x8x8xf32>, tensor<4x12xf32>, tensor<4x3x3x8x12xf32>, tensor<4x24xf32>, tensor<4x24xf32>, tensor<4x3x24xf32>, tensor<4x8xf32>, tensor<4x3x3x12x8xf32>, tensor<4x8xf32>, tensor<4x1x1x8x8xf32>, tensor<4x24xf32>, tensor<4x3x3x8x24xf32>) {
  %0:19 = rev.value_and_grad @f(%params_network_levels_0_block_layers_0_offset, %params_network_levels_0_block_layers_0_scale, %params_network_levels_0_block_layers_1_vectors, %params_network_levels_0_block_layers_2_nets_0_layers_0_bias, %params_network_levels_0_block_layers_2_nets_0_layers_0_weight, %params_network_levels_0_block_layers_2_nets_0_layers_1_bias, %params_network_levels_0_block_layers_2_nets_0_layers_1_weight, %params_network_levels_0_block_layers_2_nets_0_layers_2_bias, %params_network_levels_0_block_layers_2_nets_0_layers_2_weight, %params_network_levels_1_block_layers_0_offset, %params_network_levels_1_block_layers_0_scale, %params_network_levels_1_block_layers_1_vectors, %params_network_levels_1_block_layers_2_nets_0_layers_0_bias, %params_network_levels_1_block_layers_2_nets_0_layers_0_weight, %params_network_levels_1_block_layers_2_nets_0_layers_1_bias, %params_network_levels_1_block_layers_2_nets_0_layers_1_weight, %params_network_levels_1_block_layers_2_nets_0_layers_2_bias, %params_network_levels_1_block_layers_2_nets_0_layers_2_weight, %x) wrt [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17] policy(invert) : (tensor<4x12xf32>, tensor<4x12xf32>, tensor<4x3x12xf32>, tensor<4x8xf32>, tensor<4x3x3x6x8xf32>, tensor<4x8xf32>, tensor<4x1x1x8x8xf32>, tensor<4x12xf32>, tensor<4x3x3x8x12xf32>, tensor<4x24xf32>, tensor<4x24xf32>, tensor<4x3x24xf32>, tensor<4x8xf32>, tensor<4x3x3x12x8xf32>, tensor<4x8xf32>, tensor<4x1x1x8x8xf32>, tensor<4x24xf32>, tensor<4x3x3x8x24xf32>, tensor<4x8x8x3xf32>) -> (tensor<f32>, tensor<4x12xf32>, tensor<4x12xf32>, tensor<4x3x12xf32>, tensor<4x8xf32>, tensor<4x3x3x6x8xf32>, tensor<4x8xf32>, tensor<4x1x1x8x8xf32>, tensor<4x12xf32>, tensor<4x3x3x8x12xf32>, tensor<4x24xf32>, tensor<4x24xf32>, tensor<4x3x24xf32>, tensor<4x8xf32>, tensor<4x3x3x12x8xf32>, tensor<4x8xf32>, tensor<4x1x1x8x8xf32>, tensor<4x24xf32>, tensor<4x3x3x8x24xf32>)
  return %0#0, %0#1, %0#2, %0#3, %0#4, %0#5, %0#6, %0#7, %0#8, %0#9, %0#10, %0#11, %0#12, %0#13, %0#14, %0#15, %0#16, %0#17, %0#18 : tensor<f32>, tensor<4x12xf32>, tensor<4x12xf32>, tensor<4x3x12xf32>, tensor<4x8xf32>, tensor<4x3x3x6x8xf32>, tensor<4x8xf32>, tensor<4x1x1x8x8xf32>, tensor<4x12xf32>, tensor<4x3x3x8x12xf32>, tensor<4x24xf32>, tensor<4x24xf32>, tensor<4x3x24xf32>, tensor<4x8xf32>, tensor<4x3x3x12x8xf32>, tensor<4x8xf32>, tensor<4x1x1x8x8xf32>, tensor<4x24xf32>, tensor<4x3x3x8x24xf32>
}
