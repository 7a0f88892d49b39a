// Four steps of recursive couplings, of vectors.
// The loss, the mean of -log p, and its gradients by all parameters. Written by
// examples/flows/export.py.

func.func private @_reflection_inverse(%output: tensor<16x8xf32>, %others1: tensor<8xf32>) -> tensor<16x8xf32> {
  %0 = tensor.empty() : tensor<16x8xf32>
  %1 = linalg.broadcast ins(%others1 : tensor<8xf32>) outs(%0 : tensor<16x8xf32>) dimensions = [0]
  %2 = arith.mulf %output, %1 : tensor<16x8xf32>
  %3 = arith.constant 0.0 : f32
  %4 = tensor.empty() : tensor<16xf32>
  %5 = linalg.fill ins(%3 : f32) outs(%4 : tensor<16xf32>) -> tensor<16xf32>
  %6 = linalg.reduce { arith.addf } ins(%2 : tensor<16x8xf32>) outs(%5 : tensor<16xf32>) dimensions = [1]
  %7 = tensor.expand_shape %6 [[0, 1]] output_shape [16, 1] : tensor<16xf32> into tensor<16x1xf32>
  %8 = arith.mulf %others1, %others1 : tensor<8xf32>
  %9 = tensor.empty() : tensor<f32>
  %10 = linalg.fill ins(%3 : f32) outs(%9 : tensor<f32>) -> tensor<f32>
  %11 = linalg.reduce { arith.addf } ins(%8 : tensor<8xf32>) outs(%10 : tensor<f32>) dimensions = [0]
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
  %22 = tensor.empty() : tensor<16x1xf32>
  %23 = linalg.broadcast ins(%21 : tensor<f32>) outs(%22 : tensor<16x1xf32>) dimensions = [0, 1]
  %24 = arith.mulf %7, %23 : tensor<16x1xf32>
  %25 = tensor.collapse_shape %24 [[0, 1]] : tensor<16x1xf32> into tensor<16xf32>
  %26 = tensor.empty() : tensor<16x8xf32>
  %27 = linalg.broadcast ins(%25 : tensor<16xf32>) outs(%26 : tensor<16x8xf32>) dimensions = [1]
  %28 = tensor.empty() : tensor<16x8xf32>
  %29 = linalg.broadcast ins(%others1 : tensor<8xf32>) outs(%28 : tensor<16x8xf32>) dimensions = [0]
  %30 = arith.mulf %27, %29 : tensor<16x8xf32>
  %31 = arith.subf %output, %30 : tensor<16x8xf32>
  return %31 : tensor<16x8xf32>
}

func.func private @_reflection(%x: tensor<16x8xf32>, %v: tensor<8xf32>) -> tensor<16x8xf32> attributes {rev.inverse = @_reflection_inverse, rev.gain = 1.0 : f64} {
  %0 = tensor.empty() : tensor<16x8xf32>
  %1 = linalg.broadcast ins(%v : tensor<8xf32>) outs(%0 : tensor<16x8xf32>) dimensions = [0]
  %2 = arith.mulf %x, %1 : tensor<16x8xf32>
  %3 = arith.constant 0.0 : f32
  %4 = tensor.empty() : tensor<16xf32>
  %5 = linalg.fill ins(%3 : f32) outs(%4 : tensor<16xf32>) -> tensor<16xf32>
  %6 = linalg.reduce { arith.addf } ins(%2 : tensor<16x8xf32>) outs(%5 : tensor<16xf32>) dimensions = [1]
  %7 = tensor.expand_shape %6 [[0, 1]] output_shape [16, 1] : tensor<16xf32> into tensor<16x1xf32>
  %8 = arith.mulf %v, %v : tensor<8xf32>
  %9 = tensor.empty() : tensor<f32>
  %10 = linalg.fill ins(%3 : f32) outs(%9 : tensor<f32>) -> tensor<f32>
  %11 = linalg.reduce { arith.addf } ins(%8 : tensor<8xf32>) outs(%10 : tensor<f32>) dimensions = [0]
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
  %22 = tensor.empty() : tensor<16x1xf32>
  %23 = linalg.broadcast ins(%21 : tensor<f32>) outs(%22 : tensor<16x1xf32>) dimensions = [0, 1]
  %24 = arith.mulf %7, %23 : tensor<16x1xf32>
  %25 = tensor.collapse_shape %24 [[0, 1]] : tensor<16x1xf32> into tensor<16xf32>
  %26 = tensor.empty() : tensor<16x8xf32>
  %27 = linalg.broadcast ins(%25 : tensor<16xf32>) outs(%26 : tensor<16x8xf32>) dimensions = [1]
  %28 = tensor.empty() : tensor<16x8xf32>
  %29 = linalg.broadcast ins(%v : tensor<8xf32>) outs(%28 : tensor<16x8xf32>) dimensions = [0]
  %30 = arith.mulf %27, %29 : tensor<16x8xf32>
  %31 = arith.subf %x, %30 : tensor<16x8xf32>
  return %31 : tensor<16x8xf32>
}

func.func private @f_inverse(
    %output: tensor<16x8xf32>,
    %others1: tensor<8xf32>,
    %others2: tensor<8xf32>) -> tensor<16x8xf32> {
  %0 = tensor.empty() : tensor<16x8xf32>
  %1 = linalg.broadcast ins(%others2 : tensor<8xf32>) outs(%0 : tensor<16x8xf32>) dimensions = [0]
  %2 = arith.subf %output, %1 : tensor<16x8xf32>
  %3 = tensor.empty() : tensor<16x8xf32>
  %4 = linalg.broadcast ins(%others1 : tensor<8xf32>) outs(%3 : tensor<16x8xf32>) dimensions = [0]
  %5 = arith.divf %2, %4 : tensor<16x8xf32>
  return %5 : tensor<16x8xf32>
}

func.func private @f_1(%x: tensor<16x8xf32>, %scale: tensor<8xf32>, %offset: tensor<8xf32>) -> tensor<16x8xf32> attributes {rev.inverse = @f_inverse} {
  %0 = tensor.empty() : tensor<16x8xf32>
  %1 = linalg.broadcast ins(%scale : tensor<8xf32>) outs(%0 : tensor<16x8xf32>) dimensions = [0]
  %2 = arith.mulf %x, %1 : tensor<16x8xf32>
  %3 = tensor.empty() : tensor<16x8xf32>
  %4 = linalg.broadcast ins(%offset : tensor<8xf32>) outs(%3 : tensor<16x8xf32>) dimensions = [0]
  %5 = arith.addf %2, %4 : tensor<16x8xf32>
  return %5 : tensor<16x8xf32>
}

func.func private @f(
    %params_network_block_layers_0_offset: tensor<4x8xf32>,
    %params_network_block_layers_0_scale: tensor<4x8xf32>,
    %params_network_block_layers_1_nets_0_layers_0_bias: tensor<4x16xf32>,
    %params_network_block_layers_1_nets_0_layers_0_weight: tensor<4x4x16xf32>,
    %params_network_block_layers_1_nets_0_layers_1_bias: tensor<4x8xf32>,
    %params_network_block_layers_1_nets_0_layers_1_weight: tensor<4x16x8xf32>,
    %params_network_block_layers_1_nets_1_layers_0_bias: tensor<4x16xf32>,
    %params_network_block_layers_1_nets_1_layers_0_weight: tensor<4x2x16xf32>,
    %params_network_block_layers_1_nets_1_layers_1_bias: tensor<4x4xf32>,
    %params_network_block_layers_1_nets_1_layers_1_weight: tensor<4x16x4xf32>,
    %params_network_block_layers_1_permutation_vectors: tensor<4x3x8xf32>,
    %x: tensor<16x8xf32>) -> tensor<f32> {
  %0 = arith.constant dense<0.0> : tensor<16xf32>
  %1 = arith.constant 0 : index
  %2 = arith.constant 4 : index
  %3 = arith.constant 1 : index
  %6, %7 = scf.for %i = %1 to %2 step %3 iter_args(%4 = %x, %5 = %0) -> (tensor<16x8xf32>, tensor<16xf32>) {
    %layers_0_offset = tensor.extract_slice %params_network_block_layers_0_offset[%i, 0] [1, 8] [1, 1] : tensor<4x8xf32> to tensor<8xf32>
    %layers_0_scale = tensor.extract_slice %params_network_block_layers_0_scale[%i, 0] [1, 8] [1, 1] : tensor<4x8xf32> to tensor<8xf32>
    %layers_1_nets_0_layers_0_bias = tensor.extract_slice %params_network_block_layers_1_nets_0_layers_0_bias[%i, 0] [1, 16] [1, 1] : tensor<4x16xf32> to tensor<16xf32>
    %layers_1_nets_0_layers_0_weight = tensor.extract_slice %params_network_block_layers_1_nets_0_layers_0_weight[%i, 0, 0] [1, 4, 16] [1, 1, 1] : tensor<4x4x16xf32> to tensor<4x16xf32>
    %layers_1_nets_0_layers_1_bias = tensor.extract_slice %params_network_block_layers_1_nets_0_layers_1_bias[%i, 0] [1, 8] [1, 1] : tensor<4x8xf32> to tensor<8xf32>
    %layers_1_nets_0_layers_1_weight = tensor.extract_slice %params_network_block_layers_1_nets_0_layers_1_weight[%i, 0, 0] [1, 16, 8] [1, 1, 1] : tensor<4x16x8xf32> to tensor<16x8xf32>
    %layers_1_nets_1_layers_0_bias = tensor.extract_slice %params_network_block_layers_1_nets_1_layers_0_bias[%i, 0] [1, 16] [1, 1] : tensor<4x16xf32> to tensor<16xf32>
    %layers_1_nets_1_layers_0_weight = tensor.extract_slice %params_network_block_layers_1_nets_1_layers_0_weight[%i, 0, 0] [1, 2, 16] [1, 1, 1] : tensor<4x2x16xf32> to tensor<2x16xf32>
    %layers_1_nets_1_layers_1_bias = tensor.extract_slice %params_network_block_layers_1_nets_1_layers_1_bias[%i, 0] [1, 4] [1, 1] : tensor<4x4xf32> to tensor<4xf32>
    %layers_1_nets_1_layers_1_weight = tensor.extract_slice %params_network_block_layers_1_nets_1_layers_1_weight[%i, 0, 0] [1, 16, 4] [1, 1, 1] : tensor<4x16x4xf32> to tensor<16x4xf32>
    %layers_1_permutation_vectors = tensor.extract_slice %params_network_block_layers_1_permutation_vectors[%i, 0, 0] [1, 3, 8] [1, 1, 1] : tensor<4x3x8xf32> to tensor<3x8xf32>
    %8 = math.exp %layers_0_scale : tensor<8xf32>
    %9 = math.log %8 : tensor<8xf32>
    %10 = arith.constant 0.0 : f32
    %11 = tensor.empty() : tensor<f32>
    %12 = linalg.fill ins(%10 : f32) outs(%11 : tensor<f32>) -> tensor<f32>
    %13 = linalg.reduce { arith.addf } ins(%9 : tensor<8xf32>) outs(%12 : tensor<f32>) dimensions = [0]
    %14 = arith.constant dense<1.0> : tensor<f32>
    %15 = arith.mulf %14, %13 : tensor<f32>
    %16 = tensor.empty() : tensor<16xf32>
    %17 = linalg.broadcast ins(%15 : tensor<f32>) outs(%16 : tensor<16xf32>) dimensions = [0]
    %18 = func.call @f_1(%4, %8, %layers_0_offset) : (tensor<16x8xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<16x8xf32>)
    %19 = arith.constant dense<0.0> : tensor<16xf32>
    %20 = arith.addf %19, %17 : tensor<16xf32>
    %21 = arith.constant 3 : index
    %23 = scf.for %i_1 = %1 to %21 step %3 iter_args(%22 = %18) -> (tensor<16x8xf32>) {
      %24 = tensor.extract_slice %layers_1_permutation_vectors[%i_1, 0] [1, 8] [1, 1] : tensor<3x8xf32> to tensor<8xf32>
      %25 = func.call @_reflection(%22, %24) : (tensor<16x8xf32>, tensor<8xf32>) -> (tensor<16x8xf32>)
      scf.yield %25 : tensor<16x8xf32>
    }
    %26 = tensor.extract_slice %23[0, 0] [16, 4] [1, 1] : tensor<16x8xf32> to tensor<16x4xf32>
    %27 = tensor.extract_slice %23[0, 4] [16, 4] [1, 1] : tensor<16x8xf32> to tensor<16x4xf32>
    %28 = tensor.extract_slice %27[0, 0] [16, 2] [1, 1] : tensor<16x4xf32> to tensor<16x2xf32>
    %29 = tensor.extract_slice %27[0, 2] [16, 2] [1, 1] : tensor<16x4xf32> to tensor<16x2xf32>
    %31, %32 = rev.coupling affine<soft_tanh, alpha = 2.00000000000000000e+00 : f64> %29 given(%28) log_det {
    ^bb0(%30: tensor<16x2xf32>):
      %33 = tensor.empty() : tensor<16x16xf32>
      %34 = linalg.fill ins(%10 : f32) outs(%33 : tensor<16x16xf32>) -> tensor<16x16xf32>
      %35 = linalg.matmul ins(%30, %layers_1_nets_1_layers_0_weight : tensor<16x2xf32>, tensor<2x16xf32>) outs(%34 : tensor<16x16xf32>) -> tensor<16x16xf32>
      %36 = tensor.empty() : tensor<16x16xf32>
      %37 = linalg.broadcast ins(%layers_1_nets_1_layers_0_bias : tensor<16xf32>) outs(%36 : tensor<16x16xf32>) dimensions = [0]
      %38 = arith.addf %35, %37 : tensor<16x16xf32>
      %39 = arith.constant dense<0.0> : tensor<16x16xf32>
      %40 = arith.maximumf %38, %39 : tensor<16x16xf32>
      %41 = tensor.empty() : tensor<16x4xf32>
      %42 = linalg.fill ins(%10 : f32) outs(%41 : tensor<16x4xf32>) -> tensor<16x4xf32>
      %43 = linalg.matmul ins(%40, %layers_1_nets_1_layers_1_weight : tensor<16x16xf32>, tensor<16x4xf32>) outs(%42 : tensor<16x4xf32>) -> tensor<16x4xf32>
      %44 = tensor.empty() : tensor<16x4xf32>
      %45 = linalg.broadcast ins(%layers_1_nets_1_layers_1_bias : tensor<4xf32>) outs(%44 : tensor<16x4xf32>) dimensions = [0]
      %46 = arith.addf %43, %45 : tensor<16x4xf32>
      %47 = tensor.extract_slice %46[0, 0] [16, 2] [1, 1] : tensor<16x4xf32> to tensor<16x2xf32>
      %48 = tensor.extract_slice %46[0, 2] [16, 2] [1, 1] : tensor<16x4xf32> to tensor<16x2xf32>
      rev.yield %47, %48 : tensor<16x2xf32>, tensor<16x2xf32>
    } : tensor<16x2xf32>, (tensor<16x2xf32>) -> (tensor<16xf32>)
    %49 = tensor.concat dim(1) %28, %31 : (tensor<16x2xf32>, tensor<16x2xf32>) -> tensor<16x4xf32>
    %51, %52 = rev.coupling affine<soft_tanh, alpha = 2.00000000000000000e+00 : f64> %49 given(%26) log_det {
    ^bb0(%50: tensor<16x4xf32>):
      %53 = tensor.empty() : tensor<16x16xf32>
      %54 = linalg.fill ins(%10 : f32) outs(%53 : tensor<16x16xf32>) -> tensor<16x16xf32>
      %55 = linalg.matmul ins(%50, %layers_1_nets_0_layers_0_weight : tensor<16x4xf32>, tensor<4x16xf32>) outs(%54 : tensor<16x16xf32>) -> tensor<16x16xf32>
      %56 = tensor.empty() : tensor<16x16xf32>
      %57 = linalg.broadcast ins(%layers_1_nets_0_layers_0_bias : tensor<16xf32>) outs(%56 : tensor<16x16xf32>) dimensions = [0]
      %58 = arith.addf %55, %57 : tensor<16x16xf32>
      %59 = arith.constant dense<0.0> : tensor<16x16xf32>
      %60 = arith.maximumf %58, %59 : tensor<16x16xf32>
      %61 = tensor.empty() : tensor<16x8xf32>
      %62 = linalg.fill ins(%10 : f32) outs(%61 : tensor<16x8xf32>) -> tensor<16x8xf32>
      %63 = linalg.matmul ins(%60, %layers_1_nets_0_layers_1_weight : tensor<16x16xf32>, tensor<16x8xf32>) outs(%62 : tensor<16x8xf32>) -> tensor<16x8xf32>
      %64 = tensor.empty() : tensor<16x8xf32>
      %65 = linalg.broadcast ins(%layers_1_nets_0_layers_1_bias : tensor<8xf32>) outs(%64 : tensor<16x8xf32>) dimensions = [0]
      %66 = arith.addf %63, %65 : tensor<16x8xf32>
      %67 = tensor.extract_slice %66[0, 0] [16, 4] [1, 1] : tensor<16x8xf32> to tensor<16x4xf32>
      %68 = tensor.extract_slice %66[0, 4] [16, 4] [1, 1] : tensor<16x8xf32> to tensor<16x4xf32>
      rev.yield %67, %68 : tensor<16x4xf32>, tensor<16x4xf32>
    } : tensor<16x4xf32>, (tensor<16x4xf32>) -> (tensor<16xf32>)
    %69 = arith.addf %32, %52 : tensor<16xf32>
    %70 = tensor.extract_slice %26[0, 0] [16, 2] [1, 1] : tensor<16x4xf32> to tensor<16x2xf32>
    %71 = tensor.extract_slice %26[0, 2] [16, 2] [1, 1] : tensor<16x4xf32> to tensor<16x2xf32>
    %73, %74 = rev.coupling affine<soft_tanh, alpha = 2.00000000000000000e+00 : f64> %71 given(%70) log_det {
    ^bb0(%72: tensor<16x2xf32>):
      %75 = tensor.empty() : tensor<16x16xf32>
      %76 = linalg.fill ins(%10 : f32) outs(%75 : tensor<16x16xf32>) -> tensor<16x16xf32>
      %77 = linalg.matmul ins(%72, %layers_1_nets_1_layers_0_weight : tensor<16x2xf32>, tensor<2x16xf32>) outs(%76 : tensor<16x16xf32>) -> tensor<16x16xf32>
      %78 = tensor.empty() : tensor<16x16xf32>
      %79 = linalg.broadcast ins(%layers_1_nets_1_layers_0_bias : tensor<16xf32>) outs(%78 : tensor<16x16xf32>) dimensions = [0]
      %80 = arith.addf %77, %79 : tensor<16x16xf32>
      %81 = arith.constant dense<0.0> : tensor<16x16xf32>
      %82 = arith.maximumf %80, %81 : tensor<16x16xf32>
      %83 = tensor.empty() : tensor<16x4xf32>
      %84 = linalg.fill ins(%10 : f32) outs(%83 : tensor<16x4xf32>) -> tensor<16x4xf32>
      %85 = linalg.matmul ins(%82, %layers_1_nets_1_layers_1_weight : tensor<16x16xf32>, tensor<16x4xf32>) outs(%84 : tensor<16x4xf32>) -> tensor<16x4xf32>
      %86 = tensor.empty() : tensor<16x4xf32>
      %87 = linalg.broadcast ins(%layers_1_nets_1_layers_1_bias : tensor<4xf32>) outs(%86 : tensor<16x4xf32>) dimensions = [0]
      %88 = arith.addf %85, %87 : tensor<16x4xf32>
      %89 = tensor.extract_slice %88[0, 0] [16, 2] [1, 1] : tensor<16x4xf32> to tensor<16x2xf32>
      %90 = tensor.extract_slice %88[0, 2] [16, 2] [1, 1] : tensor<16x4xf32> to tensor<16x2xf32>
      rev.yield %89, %90 : tensor<16x2xf32>, tensor<16x2xf32>
    } : tensor<16x2xf32>, (tensor<16x2xf32>) -> (tensor<16xf32>)
    %91 = tensor.concat dim(1) %70, %73 : (tensor<16x2xf32>, tensor<16x2xf32>) -> tensor<16x4xf32>
    %92 = tensor.concat dim(1) %91, %51 : (tensor<16x4xf32>, tensor<16x4xf32>) -> tensor<16x8xf32>
    %93 = arith.addf %69, %74 : tensor<16xf32>
    %94 = arith.addf %20, %93 : tensor<16xf32>
    %95 = arith.addf %5, %94 : tensor<16xf32>
    scf.yield %92, %95 : tensor<16x8xf32>, tensor<16xf32>
  }
  %96 = arith.mulf %6, %6 : tensor<16x8xf32>
  %97 = arith.constant 0.0 : f32
  %98 = tensor.empty() : tensor<16xf32>
  %99 = linalg.fill ins(%97 : f32) outs(%98 : tensor<16xf32>) -> tensor<16xf32>
  %100 = linalg.reduce { arith.addf } ins(%96 : tensor<16x8xf32>) outs(%99 : tensor<16xf32>) dimensions = [1]
  %101 = arith.constant dense<14.703016531274763> : tensor<16xf32>
  %102 = arith.addf %100, %101 : tensor<16xf32>
  %103 = arith.constant dense<0.5> : tensor<16xf32>
  %104 = arith.mulf %103, %102 : tensor<16xf32>
  %105 = arith.constant dense<0.0> : tensor<16xf32>
  %106 = arith.subf %105, %104 : tensor<16xf32>
  %107 = arith.addf %106, %7 : tensor<16xf32>
  %108 = tensor.empty() : tensor<f32>
  %109 = linalg.fill ins(%97 : f32) outs(%108 : tensor<f32>) -> tensor<f32>
  %110 = linalg.reduce { arith.addf } ins(%107 : tensor<16xf32>) outs(%109 : tensor<f32>) dimensions = [0]
  %111 = arith.constant dense<0.0625> : tensor<f32>
  %112 = arith.mulf %110, %111 : tensor<f32>
  %113 = arith.negf %112 : tensor<f32>
  return %113 : tensor<f32>
}

func.func @gradient(
    %params_network_block_layers_0_offset: tensor<4x8xf32>,
    %params_network_block_layers_0_scale: tensor<4x8xf32>,
    %params_network_block_layers_1_nets_0_layers_0_bias: tensor<4x16xf32>,
    %params_network_block_layers_1_nets_0_layers_0_weight: tensor<4x4x16xf32>,
    %params_network_block_layers_1_nets_0_layers_1_bias: tensor<4x8xf32>,
    %params_network_block_layers_1_nets_0_layers_1_weight: tensor<4x16x8xf32>,
    %params_network_block_layers_1_nets_1_layers_0_bias: tensor<4x16xf32>,
    %params_network_block_layers_1_nets_1_layers_0_weight: tensor<4x2x16xf32>,
    %params_network_block_layers_1_nets_1_layers_1_bias: tensor<4x4xf32>,
    %params_network_block_layers_1_nets_1_layers_1_weight: tensor<4x16x4xf32>,
    %params_network_block_layers_1_permutation_vectors: tensor<4x3x8xf32>,
    %x: tensor<16x8xf32>) -> (tensor<f32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x16xf32>, tensor<4x4x16xf32>, tensor<4x8xf32>, tensor<4x16x8xf32>, tensor<4x16xf32>, tensor<4x2x16xf32>, tensor<4x4xf32>, tensor<4x16x4xf32>, tensor<4x3x8xf32>) {
  %0:12 = rev.value_and_grad @f(%params_network_block_layers_0_offset, %params_network_block_layers_0_scale, %params_network_block_layers_1_nets_0_layers_0_bias, %params_network_block_layers_1_nets_0_layers_0_weight, %params_network_block_layers_1_nets_0_layers_1_bias, %params_network_block_layers_1_nets_0_layers_1_weight, %params_network_block_layers_1_nets_1_layers_0_bias, %params_network_block_layers_1_nets_1_layers_0_weight, %params_network_block_layers_1_nets_1_layers_1_bias, %params_network_block_layers_1_nets_1_layers_1_weight, %params_network_block_layers_1_permutation_vectors, %x) wrt [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10] policy(invert) : (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x16xf32>, tensor<4x4x16xf32>, tensor<4x8xf32>, tensor<4x16x8xf32>, tensor<4x16xf32>, tensor<4x2x16xf32>, tensor<4x4xf32>, tensor<4x16x4xf32>, tensor<4x3x8xf32>, tensor<16x8xf32>) -> (tensor<f32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x16xf32>, tensor<4x4x16xf32>, tensor<4x8xf32>, tensor<4x16x8xf32>, tensor<4x16xf32>, tensor<4x2x16xf32>, tensor<4x4xf32>, tensor<4x16x4xf32>, tensor<4x3x8xf32>)
  return %0#0, %0#1, %0#2, %0#3, %0#4, %0#5, %0#6, %0#7, %0#8, %0#9, %0#10, %0#11 : tensor<f32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x16xf32>, tensor<4x4x16xf32>, tensor<4x8xf32>, tensor<4x16x8xf32>, tensor<4x16xf32>, tensor<4x2x16xf32>, tensor<4x4xf32>, tensor<4x16x4xf32>, tensor<4x3x8xf32>
}
