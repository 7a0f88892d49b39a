# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Invertible layers and networks with log-determinants: normalising flows.

A layer is a module `layer(x, cond) -> (y, log_det)` with `layer.inverse(y, cond) -> (x,
log_det)`: see `Bijection`. The batch is first, channels are last.
"""

from .bijection import Bijection, Inverse, Parallel, Repeat, Sequential
from .couplings import (
    AdditiveCoupling, AffineCoupling, AllInOne, ConditionalAffine, Coupling, GINCoupling,
    GlowCoupling, NICECoupling, RNVPCoupling)
from .densities import Flow, bits_per_dimension, dequantize, latents_like
from .distributions import DiagonalNormal, Distribution, GaussianMixture, StandardNormal
from .dynamics import Hyperbolic, IRIMCoupling, Leapfrog, Momentum
from .elementwise import (
    ActNorm, Affine, ExpClamp, LeakyReLU, LearnedLeakyReLU, Logit, Sigmoid, Tanh)
from .linear import (
    ConditionalHouseholder, FixedLinear, FixedOrthogonal, Householder, InvertibleLinear, LULinear,
    Orthogonal, Permute, Reverse)
from .networks import (
    NICE, ConditionalGlow, ConditionalHINTNetwork, ConditionNode, FeedForwardNode, Glow, Graph,
    HINTNetwork, HyperbolicNetwork, InputNode, IUNet, LoopUnrolled, Multiscale,
    MultiscaleConditionalHINT, MultiscaleHINT, NeuralSplineFlow, Node, RealNVP, Summarized,
    least_squares)
from .recursive import HINT, ConditionalHINT
from .resampling import Downsample, Haar, Upsample, Wavelet
from .reshaping import Cat, Flatten, Reshape, Split, Squeeze, Unsqueeze
from .residual import IResNet, LipschitzNet
from .splines import (
    LinearSpline, LinearSplineCoupling, RationalQuadraticSpline, RationalQuadraticSplineCoupling,
    linear_spline, rational_quadratic_spline)
from .subnets import ConvNet, DenseNet, ResidualBlock, convolutional, dense, residual

__all__ = sorted(name for name in globals() if not name.startswith("_"))
