// Steps at two resolutions, of images of 8 x 8.
// The loss, the mean of -log p, and its gradients by all parameters. Written by
// examples/flows/export.py.

func.func private @f_3(%y: tensor<4x8x8x4xf32>, %net_weight: tensor<3x3x4x4xf32>) -> tensor<4x8x8x4xf32> {
  %0 = arith.constant 0.0 : f32
  %1 = tensor.pad %y low[0, 1, 1, 0] high[0, 1, 1, 0] { ^bb0(%.p0: index, %.p1: index, %.p2: index, %.p3: index): tensor.yield %0 : f32 } : tensor<4x8x8x4xf32> to tensor<4x10x10x4xf32>
  %2 = tensor.empty() : tensor<4x8x8x4xf32>
  %3 = linalg.fill ins(%0 : f32) outs(%2 : tensor<4x8x8x4xf32>) -> tensor<4x8x8x4xf32>
  %4 = linalg.conv_2d_nhwc_hwcf {dilations = dense<[1, 1]> : tensor<2xi64>, strides = dense<[1, 1]> : tensor<2xi64>} ins(%1, %net_weight : tensor<4x10x10x4xf32>, tensor<3x3x4x4xf32>) outs(%3 : tensor<4x8x8x4xf32>) -> tensor<4x8x8x4xf32>
  return %4 : tensor<4x8x8x4xf32>
}

func.func private @back_inverse(%output: tensor<4x8x8x4xf32>) -> tensor<4x4x4x16xf32> {
  %0 = tensor.expand_shape %output [[0], [1, 2], [3], [4]] output_shape [4, 4, 2, 8, 4] : tensor<4x8x8x4xf32> into tensor<4x4x2x8x4xf32>
  %1 = tensor.extract_slice %0[0, 0, 0, 0, 0] [4, 4, 1, 8, 4] [1, 1, 1, 1, 1] : tensor<4x4x2x8x4xf32> to tensor<4x4x1x8x4xf32>
  %2 = tensor.extract_slice %0[0, 0, 1, 0, 0] [4, 4, 1, 8, 4] [1, 1, 1, 1, 1] : tensor<4x4x2x8x4xf32> to tensor<4x4x1x8x4xf32>
  %3 = tensor.collapse_shape %1 [[0], [1], [2, 3], [4]] : tensor<4x4x1x8x4xf32> into tensor<4x4x8x4xf32>
  %4 = tensor.collapse_shape %2 [[0], [1], [2, 3], [4]] : tensor<4x4x1x8x4xf32> into tensor<4x4x8x4xf32>
  %5 = arith.constant dense<0.7071067811865475> : tensor<4x4x8x4xf32>
  %6 = arith.mulf %5, %3 : tensor<4x4x8x4xf32>
  %7 = arith.constant dense<0.0> : tensor<4x4x8x4xf32>
  %8 = arith.addf %7, %6 : tensor<4x4x8x4xf32>
  %9 = arith.constant dense<0.7071067811865475> : tensor<4x4x8x4xf32>
  %10 = arith.mulf %9, %3 : tensor<4x4x8x4xf32>
  %11 = arith.constant dense<0.0> : tensor<4x4x8x4xf32>
  %12 = arith.addf %11, %10 : tensor<4x4x8x4xf32>
  %13 = arith.constant dense<0.7071067811865475> : tensor<4x4x8x4xf32>
  %14 = arith.mulf %13, %4 : tensor<4x4x8x4xf32>
  %15 = arith.addf %8, %14 : tensor<4x4x8x4xf32>
  %16 = arith.constant dense<-0.7071067811865475> : tensor<4x4x8x4xf32>
  %17 = arith.mulf %16, %4 : tensor<4x4x8x4xf32>
  %18 = arith.addf %12, %17 : tensor<4x4x8x4xf32>
  %19 = tensor.concat dim(3) %15, %18 : (tensor<4x4x8x4xf32>, tensor<4x4x8x4xf32>) -> tensor<4x4x8x8xf32>
  %20 = tensor.expand_shape %19 [[0], [1], [2, 3], [4]] output_shape [4, 4, 4, 2, 8] : tensor<4x4x8x8xf32> into tensor<4x4x4x2x8xf32>
  %21 = tensor.extract_slice %20[0, 0, 0, 0, 0] [4, 4, 4, 1, 8] [1, 1, 1, 1, 1] : tensor<4x4x4x2x8xf32> to tensor<4x4x4x1x8xf32>
  %22 = tensor.extract_slice %20[0, 0, 0, 1, 0] [4, 4, 4, 1, 8] [1, 1, 1, 1, 1] : tensor<4x4x4x2x8xf32> to tensor<4x4x4x1x8xf32>
  %23 = tensor.collapse_shape %21 [[0], [1], [2], [3, 4]] : tensor<4x4x4x1x8xf32> into tensor<4x4x4x8xf32>
  %24 = tensor.collapse_shape %22 [[0], [1], [2], [3, 4]] : tensor<4x4x4x1x8xf32> into tensor<4x4x4x8xf32>
  %25 = arith.constant dense<0.7071067811865475> : tensor<4x4x4x8xf32>
  %26 = arith.mulf %25, %23 : tensor<4x4x4x8xf32>
  %27 = arith.constant dense<0.0> : tensor<4x4x4x8xf32>
  %28 = arith.addf %27, %26 : tensor<4x4x4x8xf32>
  %29 = arith.constant dense<0.7071067811865475> : tensor<4x4x4x8xf32>
  %30 = arith.mulf %29, %23 : tensor<4x4x4x8xf32>
  %31 = arith.constant dense<0.0> : tensor<4x4x4x8xf32>
  %32 = arith.addf %31, %30 : tensor<4x4x4x8xf32>
  %33 = arith.constant dense<0.7071067811865475> : tensor<4x4x4x8xf32>
  %34 = arith.mulf %33, %24 : tensor<4x4x4x8xf32>
  %35 = arith.addf %28, %34 : tensor<4x4x4x8xf32>
  %36 = arith.constant dense<-0.7071067811865475> : tensor<4x4x4x8xf32>
  %37 = arith.mulf %36, %24 : tensor<4x4x4x8xf32>
  %38 = arith.addf %32, %37 : tensor<4x4x4x8xf32>
  %39 = tensor.concat dim(3) %35, %38 : (tensor<4x4x4x8xf32>, tensor<4x4x4x8xf32>) -> tensor<4x4x4x16xf32>
  return %39 : tensor<4x4x4x16xf32>
}

func.func private @back(%y: tensor<4x4x4x16xf32>) -> tensor<4x8x8x4xf32> attributes {rev.inverse = @back_inverse} {
  %0 = tensor.extract_slice %y[0, 0, 0, 0] [4, 4, 4, 8] [1, 1, 1, 1] : tensor<4x4x4x16xf32> to tensor<4x4x4x8xf32>
  %1 = tensor.extract_slice %y[0, 0, 0, 8] [4, 4, 4, 8] [1, 1, 1, 1] : tensor<4x4x4x16xf32> to tensor<4x4x4x8xf32>
  %2 = arith.constant dense<0.7071067811865475> : tensor<4x4x4x8xf32>
  %3 = arith.mulf %2, %0 : tensor<4x4x4x8xf32>
  %4 = arith.constant dense<0.7071067811865475> : tensor<4x4x4x8xf32>
  %5 = arith.mulf %4, %1 : tensor<4x4x4x8xf32>
  %6 = arith.addf %3, %5 : tensor<4x4x4x8xf32>
  %7 = arith.constant dense<0.0> : tensor<4x4x4x8xf32>
  %8 = arith.addf %7, %6 : tensor<4x4x4x8xf32>
  %9 = arith.constant dense<0.7071067811865475> : tensor<4x4x4x8xf32>
  %10 = arith.mulf %9, %0 : tensor<4x4x4x8xf32>
  %11 = arith.constant dense<-0.7071067811865475> : tensor<4x4x4x8xf32>
  %12 = arith.mulf %11, %1 : tensor<4x4x4x8xf32>
  %13 = arith.addf %10, %12 : tensor<4x4x4x8xf32>
  %14 = arith.constant dense<0.0> : tensor<4x4x4x8xf32>
  %15 = arith.addf %14, %13 : tensor<4x4x4x8xf32>
  %16 = tensor.expand_shape %8 [[0], [1], [2], [3, 4]] output_shape [4, 4, 4, 1, 8] : tensor<4x4x4x8xf32> into tensor<4x4x4x1x8xf32>
  %17 = tensor.expand_shape %15 [[0], [1], [2], [3, 4]] output_shape [4, 4, 4, 1, 8] : tensor<4x4x4x8xf32> into tensor<4x4x4x1x8xf32>
  %18 = tensor.concat dim(3) %16, %17 : (tensor<4x4x4x1x8xf32>, tensor<4x4x4x1x8xf32>) -> tensor<4x4x4x2x8xf32>
  %19 = tensor.collapse_shape %18 [[0], [1], [2, 3], [4]] : tensor<4x4x4x2x8xf32> into tensor<4x4x8x8xf32>
  %20 = tensor.extract_slice %19[0, 0, 0, 0] [4, 4, 8, 4] [1, 1, 1, 1] : tensor<4x4x8x8xf32> to tensor<4x4x8x4xf32>
  %21 = tensor.extract_slice %19[0, 0, 0, 4] [4, 4, 8, 4] [1, 1, 1, 1] : tensor<4x4x8x8xf32> to tensor<4x4x8x4xf32>
  %22 = arith.constant dense<0.7071067811865475> : tensor<4x4x8x4xf32>
  %23 = arith.mulf %22, %20 : tensor<4x4x8x4xf32>
  %24 = arith.constant dense<0.7071067811865475> : tensor<4x4x8x4xf32>
  %25 = arith.mulf %24, %21 : tensor<4x4x8x4xf32>
  %26 = arith.addf %23, %25 : tensor<4x4x8x4xf32>
  %27 = arith.constant dense<0.0> : tensor<4x4x8x4xf32>
  %28 = arith.addf %27, %26 : tensor<4x4x8x4xf32>
  %29 = arith.constant dense<0.7071067811865475> : tensor<4x4x8x4xf32>
  %30 = arith.mulf %29, %20 : tensor<4x4x8x4xf32>
  %31 = arith.constant dense<-0.7071067811865475> : tensor<4x4x8x4xf32>
  %32 = arith.mulf %31, %21 : tensor<4x4x8x4xf32>
  %33 = arith.addf %30, %32 : tensor<4x4x8x4xf32>
  %34 = arith.constant dense<0.0> : tensor<4x4x8x4xf32>
  %35 = arith.addf %34, %33 : tensor<4x4x8x4xf32>
  %36 = tensor.expand_shape %28 [[0], [1], [2, 3], [4]] output_shape [4, 4, 1, 8, 4] : tensor<4x4x8x4xf32> into tensor<4x4x1x8x4xf32>
  %37 = tensor.expand_shape %35 [[0], [1], [2, 3], [4]] output_shape [4, 4, 1, 8, 4] : tensor<4x4x8x4xf32> into tensor<4x4x1x8x4xf32>
  %38 = tensor.concat dim(2) %36, %37 : (tensor<4x4x1x8x4xf32>, tensor<4x4x1x8x4xf32>) -> tensor<4x4x2x8x4xf32>
  %39 = tensor.collapse_shape %38 [[0], [1, 2], [3], [4]] : tensor<4x4x2x8x4xf32> into tensor<4x8x8x4xf32>
  return %39 : tensor<4x8x8x4xf32>
}

func.func private @f_2(%y: tensor<4x4x4x16xf32>, %net_weight: tensor<3x3x16x16xf32>) -> tensor<4x4x4x16xf32> {
  %0 = arith.constant 0.0 : f32
  %1 = tensor.pad %y low[0, 1, 1, 0] high[0, 1, 1, 0] { ^bb0(%.p0: index, %.p1: index, %.p2: index, %.p3: index): tensor.yield %0 : f32 } : tensor<4x4x4x16xf32> to tensor<4x6x6x16xf32>
  %2 = tensor.empty() : tensor<4x4x4x16xf32>
  %3 = linalg.fill ins(%0 : f32) outs(%2 : tensor<4x4x4x16xf32>) -> tensor<4x4x4x16xf32>
  %4 = linalg.conv_2d_nhwc_hwcf {dilations = dense<[1, 1]> : tensor<2xi64>, strides = dense<[1, 1]> : tensor<2xi64>} ins(%1, %net_weight : tensor<4x6x6x16xf32>, tensor<3x3x16x16xf32>) outs(%3 : tensor<4x4x4x16xf32>) -> tensor<4x4x4x16xf32>
  return %4 : tensor<4x4x4x16xf32>
}

func.func private @transform_inverse(%output: tensor<4x4x4x16xf32>) -> tensor<4x8x8x4xf32> {
  %0 = tensor.extract_slice %output[0, 0, 0, 0] [4, 4, 4, 8] [1, 1, 1, 1] : tensor<4x4x4x16xf32> to tensor<4x4x4x8xf32>
  %1 = tensor.extract_slice %output[0, 0, 0, 8] [4, 4, 4, 8] [1, 1, 1, 1] : tensor<4x4x4x16xf32> to tensor<4x4x4x8xf32>
  %2 = arith.constant dense<0.7071067811865475> : tensor<4x4x4x8xf32>
  %3 = arith.mulf %2, %0 : tensor<4x4x4x8xf32>
  %4 = arith.constant dense<0.7071067811865475> : tensor<4x4x4x8xf32>
  %5 = arith.mulf %4, %1 : tensor<4x4x4x8xf32>
  %6 = arith.addf %3, %5 : tensor<4x4x4x8xf32>
  %7 = arith.constant dense<0.0> : tensor<4x4x4x8xf32>
  %8 = arith.addf %7, %6 : tensor<4x4x4x8xf32>
  %9 = arith.constant dense<0.7071067811865475> : tensor<4x4x4x8xf32>
  %10 = arith.mulf %9, %0 : tensor<4x4x4x8xf32>
  %11 = arith.constant dense<-0.7071067811865475> : tensor<4x4x4x8xf32>
  %12 = arith.mulf %11, %1 : tensor<4x4x4x8xf32>
  %13 = arith.addf %10, %12 : tensor<4x4x4x8xf32>
  %14 = arith.constant dense<0.0> : tensor<4x4x4x8xf32>
  %15 = arith.addf %14, %13 : tensor<4x4x4x8xf32>
  %16 = tensor.expand_shape %8 [[0], [1], [2], [3, 4]] output_shape [4, 4, 4, 1, 8] : tensor<4x4x4x8xf32> into tensor<4x4x4x1x8xf32>
  %17 = tensor.expand_shape %15 [[0], [1], [2], [3, 4]] output_shape [4, 4, 4, 1, 8] : tensor<4x4x4x8xf32> into tensor<4x4x4x1x8xf32>
  %18 = tensor.concat dim(3) %16, %17 : (tensor<4x4x4x1x8xf32>, tensor<4x4x4x1x8xf32>) -> tensor<4x4x4x2x8xf32>
  %19 = tensor.collapse_shape %18 [[0], [1], [2, 3], [4]] : tensor<4x4x4x2x8xf32> into tensor<4x4x8x8xf32>
  %20 = tensor.extract_slice %19[0, 0, 0, 0] [4, 4, 8, 4] [1, 1, 1, 1] : tensor<4x4x8x8xf32> to tensor<4x4x8x4xf32>
  %21 = tensor.extract_slice %19[0, 0, 0, 4] [4, 4, 8, 4] [1, 1, 1, 1] : tensor<4x4x8x8xf32> to tensor<4x4x8x4xf32>
  %22 = arith.constant dense<0.7071067811865475> : tensor<4x4x8x4xf32>
  %23 = arith.mulf %22, %20 : tensor<4x4x8x4xf32>
  %24 = arith.constant dense<0.7071067811865475> : tensor<4x4x8x4xf32>
  %25 = arith.mulf %24, %21 : tensor<4x4x8x4xf32>
  %26 = arith.addf %23, %25 : tensor<4x4x8x4xf32>
  %27 = arith.constant dense<0.0> : tensor<4x4x8x4xf32>
  %28 = arith.addf %27, %26 : tensor<4x4x8x4xf32>
  %29 = arith.constant dense<0.7071067811865475> : tensor<4x4x8x4xf32>
  %30 = arith.mulf %29, %20 : tensor<4x4x8x4xf32>
  %31 = arith.constant dense<-0.7071067811865475> : tensor<4x4x8x4xf32>
  %32 = arith.mulf %31, %21 : tensor<4x4x8x4xf32>
  %33 = arith.addf %30, %32 : tensor<4x4x8x4xf32>
  %34 = arith.constant dense<0.0> : tensor<4x4x8x4xf32>
  %35 = arith.addf %34, %33 : tensor<4x4x8x4xf32>
  %36 = tensor.expand_shape %28 [[0], [1], [2, 3], [4]] output_shape [4, 4, 1, 8, 4] : tensor<4x4x8x4xf32> into tensor<4x4x1x8x4xf32>
  %37 = tensor.expand_shape %35 [[0], [1], [2, 3], [4]] output_shape [4, 4, 1, 8, 4] : tensor<4x4x8x4xf32> into tensor<4x4x1x8x4xf32>
  %38 = tensor.concat dim(2) %36, %37 : (tensor<4x4x1x8x4xf32>, tensor<4x4x1x8x4xf32>) -> tensor<4x4x2x8x4xf32>
  %39 = tensor.collapse_shape %38 [[0], [1, 2], [3], [4]] : tensor<4x4x2x8x4xf32> into tensor<4x8x8x4xf32>
  return %39 : tensor<4x8x8x4xf32>
}

func.func private @transform(%x: tensor<4x8x8x4xf32>) -> tensor<4x4x4x16xf32> attributes {rev.inverse = @transform_inverse} {
  %0 = tensor.expand_shape %x [[0], [1, 2], [3], [4]] output_shape [4, 4, 2, 8, 4] : tensor<4x8x8x4xf32> into tensor<4x4x2x8x4xf32>
  %1 = tensor.extract_slice %0[0, 0, 0, 0, 0] [4, 4, 1, 8, 4] [1, 1, 1, 1, 1] : tensor<4x4x2x8x4xf32> to tensor<4x4x1x8x4xf32>
  %2 = tensor.extract_slice %0[0, 0, 1, 0, 0] [4, 4, 1, 8, 4] [1, 1, 1, 1, 1] : tensor<4x4x2x8x4xf32> to tensor<4x4x1x8x4xf32>
  %3 = tensor.collapse_shape %1 [[0], [1], [2, 3], [4]] : tensor<4x4x1x8x4xf32> into tensor<4x4x8x4xf32>
  %4 = tensor.collapse_shape %2 [[0], [1], [2, 3], [4]] : tensor<4x4x1x8x4xf32> into tensor<4x4x8x4xf32>
  %5 = arith.constant dense<0.7071067811865475> : tensor<4x4x8x4xf32>
  %6 = arith.mulf %5, %3 : tensor<4x4x8x4xf32>
  %7 = arith.constant dense<0.0> : tensor<4x4x8x4xf32>
  %8 = arith.addf %7, %6 : tensor<4x4x8x4xf32>
  %9 = arith.constant dense<0.7071067811865475> : tensor<4x4x8x4xf32>
  %10 = arith.mulf %9, %3 : tensor<4x4x8x4xf32>
  %11 = arith.constant dense<0.0> : tensor<4x4x8x4xf32>
  %12 = arith.addf %11, %10 : tensor<4x4x8x4xf32>
  %13 = arith.constant dense<0.7071067811865475> : tensor<4x4x8x4xf32>
  %14 = arith.mulf %13, %4 : tensor<4x4x8x4xf32>
  %15 = arith.addf %8, %14 : tensor<4x4x8x4xf32>
  %16 = arith.constant dense<-0.7071067811865475> : tensor<4x4x8x4xf32>
  %17 = arith.mulf %16, %4 : tensor<4x4x8x4xf32>
  %18 = arith.addf %12, %17 : tensor<4x4x8x4xf32>
  %19 = tensor.concat dim(3) %15, %18 : (tensor<4x4x8x4xf32>, tensor<4x4x8x4xf32>) -> tensor<4x4x8x8xf32>
  %20 = tensor.expand_shape %19 [[0], [1], [2, 3], [4]] output_shape [4, 4, 4, 2, 8] : tensor<4x4x8x8xf32> into tensor<4x4x4x2x8xf32>
  %21 = tensor.extract_slice %20[0, 0, 0, 0, 0] [4, 4, 4, 1, 8] [1, 1, 1, 1, 1] : tensor<4x4x4x2x8xf32> to tensor<4x4x4x1x8xf32>
  %22 = tensor.extract_slice %20[0, 0, 0, 1, 0] [4, 4, 4, 1, 8] [1, 1, 1, 1, 1] : tensor<4x4x4x2x8xf32> to tensor<4x4x4x1x8xf32>
  %23 = tensor.collapse_shape %21 [[0], [1], [2], [3, 4]] : tensor<4x4x4x1x8xf32> into tensor<4x4x4x8xf32>
  %24 = tensor.collapse_shape %22 [[0], [1], [2], [3, 4]] : tensor<4x4x4x1x8xf32> into tensor<4x4x4x8xf32>
  %25 = arith.constant dense<0.7071067811865475> : tensor<4x4x4x8xf32>
  %26 = arith.mulf %25, %23 : tensor<4x4x4x8xf32>
  %27 = arith.constant dense<0.0> : tensor<4x4x4x8xf32>
  %28 = arith.addf %27, %26 : tensor<4x4x4x8xf32>
  %29 = arith.constant dense<0.7071067811865475> : tensor<4x4x4x8xf32>
  %30 = arith.mulf %29, %23 : tensor<4x4x4x8xf32>
  %31 = arith.constant dense<0.0> : tensor<4x4x4x8xf32>
  %32 = arith.addf %31, %30 : tensor<4x4x4x8xf32>
  %33 = arith.constant dense<0.7071067811865475> : tensor<4x4x4x8xf32>
  %34 = arith.mulf %33, %24 : tensor<4x4x4x8xf32>
  %35 = arith.addf %28, %34 : tensor<4x4x4x8xf32>
  %36 = arith.constant dense<-0.7071067811865475> : tensor<4x4x4x8xf32>
  %37 = arith.mulf %36, %24 : tensor<4x4x4x8xf32>
  %38 = arith.addf %32, %37 : tensor<4x4x4x8xf32>
  %39 = tensor.concat dim(3) %35, %38 : (tensor<4x4x4x8xf32>, tensor<4x4x4x8xf32>) -> tensor<4x4x4x16xf32>
  return %39 : tensor<4x4x4x16xf32>
}

func.func private @f_1(%y: tensor<4x8x8x4xf32>, %net_weight: tensor<3x3x4x4xf32>) -> tensor<4x8x8x4xf32> {
  %0 = arith.constant 0.0 : f32
  %1 = tensor.pad %y low[0, 1, 1, 0] high[0, 1, 1, 0] { ^bb0(%.p0: index, %.p1: index, %.p2: index, %.p3: index): tensor.yield %0 : f32 } : tensor<4x8x8x4xf32> to tensor<4x10x10x4xf32>
  %2 = tensor.empty() : tensor<4x8x8x4xf32>
  %3 = linalg.fill ins(%0 : f32) outs(%2 : tensor<4x8x8x4xf32>) -> tensor<4x8x8x4xf32>
  %4 = linalg.conv_2d_nhwc_hwcf {dilations = dense<[1, 1]> : tensor<2xi64>, strides = dense<[1, 1]> : tensor<2xi64>} ins(%1, %net_weight : tensor<4x10x10x4xf32>, tensor<3x3x4x4xf32>) outs(%3 : tensor<4x8x8x4xf32>) -> tensor<4x8x8x4xf32>
  return %4 : tensor<4x8x8x4xf32>
}

func.func private @f(
    %params_network_layers_0_block_net_bias: tensor<4x4xf32>,
    %params_network_layers_0_block_net_weight: tensor<4x3x3x4x4xf32>,
    %params_network_layers_2_block_net_bias: tensor<4x16xf32>,
    %params_network_layers_2_block_net_weight: tensor<4x3x3x16x16xf32>,
    %params_network_layers_4_block_net_bias: tensor<4x4xf32>,
    %params_network_layers_4_block_net_weight: tensor<4x3x3x4x4xf32>,
    %x_0: tensor<4x8x8x4xf32>,
    %x_1: tensor<4x8x8x4xf32>) -> tensor<f32> {
  %0 = arith.constant dense<0.0> : tensor<4xf32>
  %1 = arith.constant 0 : index
  %2 = arith.constant 4 : index
  %3 = arith.constant 1 : index
  %7, %8, %9 = scf.for %i = %1 to %2 step %3 iter_args(%4 = %x_0, %5 = %x_1, %6 = %0) -> (tensor<4x8x8x4xf32>, tensor<4x8x8x4xf32>, tensor<4xf32>) {
    %net_bias = tensor.extract_slice %params_network_layers_0_block_net_bias[%i, 0] [1, 4] [1, 1] : tensor<4x4xf32> to tensor<4xf32>
    %net_weight = tensor.extract_slice %params_network_layers_0_block_net_weight[%i, 0, 0, 0, 0] [1, 3, 3, 4, 4] [1, 1, 1, 1, 1] : tensor<4x3x3x4x4xf32> to tensor<3x3x4x4xf32>
    %10 = arith.negf %4 : tensor<4x8x8x4xf32>
    %12 = rev.coupling additive %10 given(%5) {
    ^bb0(%11: tensor<4x8x8x4xf32>):
      %13 = arith.constant dense<2.0> : tensor<4x8x8x4xf32>
      %14 = arith.mulf %13, %11 : tensor<4x8x8x4xf32>
      %15 = arith.constant 0.0 : f32
      %16 = tensor.pad %11 low[0, 1, 1, 0] high[0, 1, 1, 0] { ^bb0(%.p0: index, %.p1: index, %.p2: index, %.p3: index): tensor.yield %15 : f32 } : tensor<4x8x8x4xf32> to tensor<4x10x10x4xf32>
      %17 = tensor.empty() : tensor<4x8x8x4xf32>
      %18 = linalg.fill ins(%15 : f32) outs(%17 : tensor<4x8x8x4xf32>) -> tensor<4x8x8x4xf32>
      %19 = linalg.conv_2d_nhwc_hwcf {dilations = dense<[1, 1]> : tensor<2xi64>, strides = dense<[1, 1]> : tensor<2xi64>} ins(%16, %net_weight : tensor<4x10x10x4xf32>, tensor<3x3x4x4xf32>) outs(%18 : tensor<4x8x8x4xf32>) -> tensor<4x8x8x4xf32>
      %20 = tensor.empty() : tensor<4x8x8x4xf32>
      %21 = linalg.broadcast ins(%net_bias : tensor<4xf32>) outs(%20 : tensor<4x8x8x4xf32>) dimensions = [0, 1, 2]
      %22 = arith.addf %19, %21 : tensor<4x8x8x4xf32>
      %23 = arith.constant dense<0.0> : tensor<4x8x8x4xf32>
      %24 = arith.maximumf %22, %23 : tensor<4x8x8x4xf32>
      %25 = tensor.empty() : tensor<4x8x8x4xf32>
      %26 = linalg.fill ins(%15 : f32) outs(%25 : tensor<4x8x8x4xf32>) -> tensor<4x8x8x4xf32>
      %27 = func.call @f_1(%26, %net_weight) : (tensor<4x8x8x4xf32>, tensor<3x3x4x4xf32>) -> (tensor<4x8x8x4xf32>)
      %28 = rev.vjp @f_1(%26, %net_weight) cotangents(%24) wrt [0] of [0] policy(invert) : (tensor<4x8x8x4xf32>, tensor<3x3x4x4xf32>, tensor<4x8x8x4xf32>) -> (tensor<4x8x8x4xf32>)
      %29 = arith.negf %28 : tensor<4x8x8x4xf32>
      %30 = arith.constant dense<0.09> : tensor<4x8x8x4xf32>
      %31 = arith.mulf %30, %29 : tensor<4x8x8x4xf32>
      %32 = arith.addf %14, %31 : tensor<4x8x8x4xf32>
      rev.yield %32 : tensor<4x8x8x4xf32>
    } : tensor<4x8x8x4xf32>, (tensor<4x8x8x4xf32>)
    %33 = arith.constant dense<0.0> : tensor<4xf32>
    %34 = arith.addf %6, %33 : tensor<4xf32>
    scf.yield %5, %12, %34 : tensor<4x8x8x4xf32>, tensor<4x8x8x4xf32>, tensor<4xf32>
  }
  %35 = arith.constant dense<0.0> : tensor<4xf32>
  %36 = arith.addf %35, %9 : tensor<4xf32>
  %37 = func.call @transform(%7) : (tensor<4x8x8x4xf32>) -> (tensor<4x4x4x16xf32>)
  %38 = func.call @transform(%8) : (tensor<4x8x8x4xf32>) -> (tensor<4x4x4x16xf32>)
  %39 = arith.constant dense<0.0> : tensor<4xf32>
  %40 = arith.addf %36, %39 : tensor<4xf32>
  %41 = arith.constant dense<0.0> : tensor<4xf32>
  %45, %46, %47 = scf.for %i_1 = %1 to %2 step %3 iter_args(%42 = %37, %43 = %38, %44 = %41) -> (tensor<4x4x4x16xf32>, tensor<4x4x4x16xf32>, tensor<4xf32>) {
    %net_bias_1 = tensor.extract_slice %params_network_layers_2_block_net_bias[%i_1, 0] [1, 16] [1, 1] : tensor<4x16xf32> to tensor<16xf32>
    %net_weight_1 = tensor.extract_slice %params_network_layers_2_block_net_weight[%i_1, 0, 0, 0, 0] [1, 3, 3, 16, 16] [1, 1, 1, 1, 1] : tensor<4x3x3x16x16xf32> to tensor<3x3x16x16xf32>
    %48 = arith.negf %42 : tensor<4x4x4x16xf32>
    %50 = rev.coupling additive %48 given(%43) {
    ^bb0(%49: tensor<4x4x4x16xf32>):
      %51 = arith.constant dense<2.0> : tensor<4x4x4x16xf32>
      %52 = arith.mulf %51, %49 : tensor<4x4x4x16xf32>
      %53 = arith.constant 0.0 : f32
      %54 = tensor.pad %49 low[0, 1, 1, 0] high[0, 1, 1, 0] { ^bb0(%.p0: index, %.p1: index, %.p2: index, %.p3: index): tensor.yield %53 : f32 } : tensor<4x4x4x16xf32> to tensor<4x6x6x16xf32>
      %55 = tensor.empty() : tensor<4x4x4x16xf32>
      %56 = linalg.fill ins(%53 : f32) outs(%55 : tensor<4x4x4x16xf32>) -> tensor<4x4x4x16xf32>
      %57 = linalg.conv_2d_nhwc_hwcf {dilations = dense<[1, 1]> : tensor<2xi64>, strides = dense<[1, 1]> : tensor<2xi64>} ins(%54, %net_weight_1 : tensor<4x6x6x16xf32>, tensor<3x3x16x16xf32>) outs(%56 : tensor<4x4x4x16xf32>) -> tensor<4x4x4x16xf32>
      %58 = tensor.empty() : tensor<4x4x4x16xf32>
      %59 = linalg.broadcast ins(%net_bias_1 : tensor<16xf32>) outs(%58 : tensor<4x4x4x16xf32>) dimensions = [0, 1, 2]
      %60 = arith.addf %57, %59 : tensor<4x4x4x16xf32>
      %61 = arith.constant dense<0.0> : tensor<4x4x4x16xf32>
      %62 = arith.maximumf %60, %61 : tensor<4x4x4x16xf32>
      %63 = tensor.empty() : tensor<4x4x4x16xf32>
      %64 = linalg.fill ins(%53 : f32) outs(%63 : tensor<4x4x4x16xf32>) -> tensor<4x4x4x16xf32>
      %65 = func.call @f_2(%64, %net_weight_1) : (tensor<4x4x4x16xf32>, tensor<3x3x16x16xf32>) -> (tensor<4x4x4x16xf32>)
      %66 = rev.vjp @f_2(%64, %net_weight_1) cotangents(%62) wrt [0] of [0] policy(invert) : (tensor<4x4x4x16xf32>, tensor<3x3x16x16xf32>, tensor<4x4x4x16xf32>) -> (tensor<4x4x4x16xf32>)
      %67 = arith.negf %66 : tensor<4x4x4x16xf32>
      %68 = arith.constant dense<0.09> : tensor<4x4x4x16xf32>
      %69 = arith.mulf %68, %67 : tensor<4x4x4x16xf32>
      %70 = arith.addf %52, %69 : tensor<4x4x4x16xf32>
      rev.yield %70 : tensor<4x4x4x16xf32>
    } : tensor<4x4x4x16xf32>, (tensor<4x4x4x16xf32>)
    %71 = arith.constant dense<0.0> : tensor<4xf32>
    %72 = arith.addf %44, %71 : tensor<4xf32>
    scf.yield %43, %50, %72 : tensor<4x4x4x16xf32>, tensor<4x4x4x16xf32>, tensor<4xf32>
  }
  %73 = arith.addf %40, %47 : tensor<4xf32>
  %74 = func.call @back(%45) : (tensor<4x4x4x16xf32>) -> (tensor<4x8x8x4xf32>)
  %75 = func.call @back(%46) : (tensor<4x4x4x16xf32>) -> (tensor<4x8x8x4xf32>)
  %76 = arith.constant dense<0.0> : tensor<4xf32>
  %77 = arith.addf %73, %76 : tensor<4xf32>
  %78 = arith.constant dense<0.0> : tensor<4xf32>
  %82, %83, %84 = scf.for %i_2 = %1 to %2 step %3 iter_args(%79 = %74, %80 = %75, %81 = %78) -> (tensor<4x8x8x4xf32>, tensor<4x8x8x4xf32>, tensor<4xf32>) {
    %net_bias_2 = tensor.extract_slice %params_network_layers_4_block_net_bias[%i_2, 0] [1, 4] [1, 1] : tensor<4x4xf32> to tensor<4xf32>
    %net_weight_2 = tensor.extract_slice %params_network_layers_4_block_net_weight[%i_2, 0, 0, 0, 0] [1, 3, 3, 4, 4] [1, 1, 1, 1, 1] : tensor<4x3x3x4x4xf32> to tensor<3x3x4x4xf32>
    %85 = arith.negf %79 : tensor<4x8x8x4xf32>
    %87 = rev.coupling additive %85 given(%80) {
    ^bb0(%86: tensor<4x8x8x4xf32>):
      %88 = arith.constant dense<2.0> : tensor<4x8x8x4xf32>
      %89 = arith.mulf %88, %86 : tensor<4x8x8x4xf32>
      %90 = arith.constant 0.0 : f32
      %91 = tensor.pad %86 low[0, 1, 1, 0] high[0, 1, 1, 0] { ^bb0(%.p0: index, %.p1: index, %.p2: index, %.p3: index): tensor.yield %90 : f32 } : tensor<4x8x8x4xf32> to tensor<4x10x10x4xf32>
      %92 = tensor.empty() : tensor<4x8x8x4xf32>
      %93 = linalg.fill ins(%90 : f32) outs(%92 : tensor<4x8x8x4xf32>) -> tensor<4x8x8x4xf32>
      %94 = linalg.conv_2d_nhwc_hwcf {dilations = dense<[1, 1]> : tensor<2xi64>, strides = dense<[1, 1]> : tensor<2xi64>} ins(%91, %net_weight_2 : tensor<4x10x10x4xf32>, tensor<3x3x4x4xf32>) outs(%93 : tensor<4x8x8x4xf32>) -> tensor<4x8x8x4xf32>
      %95 = tensor.empty() : tensor<4x8x8x4xf32>
      %96 = linalg.broadcast ins(%net_bias_2 : tensor<4xf32>) outs(%95 : tensor<4x8x8x4xf32>) dimensions = [0, 1, 2]
      %97 = arith.addf %94, %96 : tensor<4x8x8x4xf32>
      %98 = arith.constant dense<0.0> : tensor<4x8x8x4xf32>
      %99 = arith.maximumf %97, %98 : tensor<4x8x8x4xf32>
      %100 = tensor.empty() : tensor<4x8x8x4xf32>
      %101 = linalg.fill ins(%90 : f32) outs(%100 : tensor<4x8x8x4xf32>) -> tensor<4x8x8x4xf32>
      %102 = func.call @f_3(%101, %net_weight_2) : (tensor<4x8x8x4xf32>, tensor<3x3x4x4xf32>) -> (tensor<4x8x8x4xf32>)
      %103 = rev.vjp @f_3(%101, %net_weight_2) cotangents(%99) wrt [0] of [0] policy(invert) : (tensor<4x8x8x4xf32>, tensor<3x3x4x4xf32>, tensor<4x8x8x4xf32>) -> (tensor<4x8x8x4xf32>)
      %104 = arith.negf %103 : tensor<4x8x8x4xf32>
      %105 = arith.constant dense<0.09> : tensor<4x8x8x4xf32>
      %106 = arith.mulf %105, %104 : tensor<4x8x8x4xf32>
      %107 = arith.addf %89, %106 : tensor<4x8x8x4xf32>
      rev.yield %107 : tensor<4x8x8x4xf32>
    } : tensor<4x8x8x4xf32>, (tensor<4x8x8x4xf32>)
    %108 = arith.constant dense<0.0> : tensor<4xf32>
    %109 = arith.addf %81, %108 : tensor<4xf32>
    scf.yield %80, %87, %109 : tensor<4x8x8x4xf32>, tensor<4x8x8x4xf32>, tensor<4xf32>
  }
  %110 = arith.addf %77, %84 : tensor<4xf32>
  %111 = arith.mulf %82, %82 : tensor<4x8x8x4xf32>
  %112 = arith.constant 0.0 : f32
  %113 = tensor.empty() : tensor<4xf32>
  %114 = linalg.fill ins(%112 : f32) outs(%113 : tensor<4xf32>) -> tensor<4xf32>
  %115 = linalg.reduce { arith.addf } ins(%111 : tensor<4x8x8x4xf32>) outs(%114 : tensor<4xf32>) dimensions = [1, 2, 3]
  %116 = arith.constant dense<470.4965290007924> : tensor<4xf32>
  %117 = arith.addf %115, %116 : tensor<4xf32>
  %118 = arith.constant dense<0.5> : tensor<4xf32>
  %119 = arith.mulf %118, %117 : tensor<4xf32>
  %120 = arith.constant dense<0.0> : tensor<4xf32>
  %121 = arith.subf %120, %119 : tensor<4xf32>
  %122 = arith.mulf %83, %83 : tensor<4x8x8x4xf32>
  %123 = tensor.empty() : tensor<4xf32>
  %124 = linalg.fill ins(%112 : f32) outs(%123 : tensor<4xf32>) -> tensor<4xf32>
  %125 = linalg.reduce { arith.addf } ins(%122 : tensor<4x8x8x4xf32>) outs(%124 : tensor<4xf32>) dimensions = [1, 2, 3]
  %126 = arith.constant dense<470.4965290007924> : tensor<4xf32>
  %127 = arith.addf %125, %126 : tensor<4xf32>
  %128 = arith.constant dense<0.5> : tensor<4xf32>
  %129 = arith.mulf %128, %127 : tensor<4xf32>
  %130 = arith.subf %121, %129 : tensor<4xf32>
  %131 = arith.addf %130, %110 : tensor<4xf32>
  %132 = tensor.empty() : tensor<f32>
  %133 = linalg.fill ins(%112 : f32) outs(%132 : tensor<f32>) -> tensor<f32>
  %134 = linalg.reduce { arith.addf } ins(%131 : tensor<4xf32>) outs(%133 : tensor<f32>) dimensions = [0]
  %135 = arith.constant dense<0.25> : tensor<f32>
  %136 = arith.mulf %134, %135 : tensor<f32>
  %137 = arith.negf %136 : tensor<f32>
  return %137 : tensor<f32>
}

func.func @gradient(
    %params_network_layers_0_block_net_bias: tensor<4x4xf32>,
    %params_network_layers_0_block_net_weight: tensor<4x3x3x4x4xf32>,
    %params_network_layers_2_block_net_bias: tensor<4x16xf32>,
    %params_network_layers_2_block_net_weight: tensor<4x3x3x16x16xf32>,
    %params_network_layers_4_block_net_bias: tensor<4x4xf32>,
    %params_network_layers_4_block_net_weight: tensor<4x3x3x4x4xf32>,
    %x_0: tensor<4x8x8x4xf32>,
    %x_1: tensor<4x8x8x4xf32>) -> (tensor<f32>, tensor<4x4xf32>, tensor<4x3x3x4x4xf32>, tensor<4x16xf32>, tensor<4x3x3x16x16xf32>, tensor<4x4xf32>, tensor<4x3x3x4x4xf32>) {
  %0:7 = rev.value_and_grad @f(%params_network_layers_0_block_net_bias, %params_network_layers_0_block_net_weight, %params_network_layers_2_block_net_bias, %params_network_layers_2_block_net_weight, %params_network_layers_4_block_net_bias, %params_network_layers_4_block_net_weight, %x_0, %x_1) wrt [0, 1, 2, 3, 4, 5] policy(invert) : (tensor<4x4xf32>, tensor<4x3x3x4x4xf32>, tensor<4x16xf32>, tensor<4x3x3x16x16xf32>, tensor<4x4xf32>, tensor<4x3x3x4x4xf32>, tensor<4x8x8x4xf32>, tensor<4x8x8x4xf32>) -> (tensor<f32>, tensor<4x4xf32>, tensor<4x3x3x4x4xf32>, tensor<4x16xf32>, tensor<4x3x3x16x16xf32>, tensor<4x4xf32>, tensor<4x3x3x4x4xf32>)
  return %0#0, %0#1, %0#2, %0#3, %0#4, %0#5, %0#6 : tensor<f32>, tensor<4x4xf32>, tensor<4x3x3x4x4xf32>, tensor<4x16xf32>, tensor<4x3x3x16x16xf32>, tensor<4x4xf32>, tensor<4x3x3x4x4xf32>
}
