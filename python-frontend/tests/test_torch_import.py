# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Each family of PyTorch's operations as a part of a compiled program, in double
precision: values, and gradients, where there are corners at the corners too."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from torch_import import Case, check

RNG = torch.Generator().manual_seed(3)


def normal(*shape, dtype=torch.float64, grad=True):
    return torch.randn(shape, generator=RNG, dtype=dtype).requires_grad_(grad)


def positive(*shape):
    return torch.empty(*shape, dtype=torch.float64).uniform_(
        0.2, 2.0, generator=RNG).requires_grad_()


def inside(*shape):
    """Numbers in (-1, 1)."""
    return torch.empty(*shape, dtype=torch.float64).uniform_(
        -0.9, 0.9, generator=RNG).requires_grad_()


def points(*values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def integers(low, high, *shape, dtype=torch.int64):
    return torch.randint(low, high, shape, generator=RNG, dtype=dtype)


CORNERS = (-6.0, -3.0, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 3.0, 6.0, 30.0)


def test_functions_of_numbers():
    smooth = ["exp", "exp2", "expm1", "sin", "cos", "atan", "sinh", "cosh", "tanh", "asinh",
              "erf", "erfc", "sigmoid", "neg", "square", "floor", "ceil", "trunc", "round", "frac"]
    check(*(Case(name, getattr(torch, name), normal(2, 3)) for name in smooth),
          *(Case(name, getattr(torch, name), positive(2, 3)) for name in (
              "log", "log2", "log10", "log1p", "sqrt", "rsqrt", "reciprocal")),
          *(Case(name, getattr(torch, name), inside(2, 3)) for name in (
              "asin", "acos", "atanh", "tan")),
          Case("acosh", torch.acosh, (positive(2, 3) + 1).detach().requires_grad_()),
          Case("logit", lambda x: torch.logit(x, 0.3), torch.rand(
              3, 4, generator=RNG, dtype=torch.float64).requires_grad_()),
          Case("round.decimals", lambda x: torch.round(x, decimals=2), normal(4)),
          *(Case(name, getattr(torch, name), points(-2.0, -0.0, 0.0, 3.0)) for name in (
              "abs", "sign", "sgn")))


@pytest.mark.parametrize("names", [
    ["relu", "relu6", "elu", "celu", "selu", "leaky_relu", "hardtanh", "hardsigmoid",
     "hardswish", "hardshrink", "softshrink", "tanhshrink", "softsign"],
    ["gelu", "silu", "mish", "softplus", "logsigmoid"]])
def test_activations(names):
    # PyTorch's derivative of hardsigmoid has a sixth in single precision.
    cases = [Case(name, getattr(F, name), points(*CORNERS),
                  rtol=1e-7 if name == "hardsigmoid" else 1e-11) for name in names]
    if "gelu" in names:
        cases += [Case("gelu tanh", lambda x: F.gelu(x, approximate="tanh"), normal(3, 4)),
                  Case("softplus beta", lambda x: F.softplus(x, 2.0, 5.0), normal(3, 4)),
                  Case("steep softplus", F.softplus, points(-1000.0, 1000.0, 20.0)),
                  Case("steep sigmoid", torch.sigmoid, points(-1000.0, 1000.0)),
                  Case("glu", lambda x: F.glu(x, 1), normal(2, 4, 3))]
    else:
        cases += [Case("threshold", lambda x: F.threshold(x, 0.5, 2.0), points(*CORNERS)),
                  Case("elu alpha", lambda x: F.elu(x, 0.5), points(*CORNERS)),
                  Case("hardtanh bounds", lambda x: F.hardtanh(x, -0.5, 3.0), points(*CORNERS)),
                  Case("prelu", F.prelu, normal(2, 3, 4), positive(3)),
                  Case("prelu of one", F.prelu, normal(2, 3), positive(1))]
    check(*cases)


def test_arithmetic():
    x, y = (lambda: normal(2, 3)), (lambda: normal(3))
    check(Case("add", lambda a, b: torch.add(a, b, alpha=2), x(), y()),
          Case("sub", lambda a, b: torch.sub(a, b, alpha=3), x(), y()),
          Case("rsub", lambda a: 2 - a, x()),
          Case("mul", torch.mul, x(), normal(2, 1)),
          Case("div", torch.div, x(), positive(2, 3)),
          Case("numbers", lambda a: (a + 1.5) * 2 / 3 - 1, x()),
          Case("pow 3", lambda a: a**3, x()), Case("pow -2", lambda a: a**-2, positive(3)),
          Case("pow 2.5", lambda a: a**2.5, positive(3)),
          Case("pow of arrays", torch.pow, positive(2, 3), y()),
          Case("pow at 0", torch.pow, points(0.0, 0.0, 2.0), points(0.0, 2.0, 0.0)),
          Case("pow 0", lambda a: a**0, points(0.0, 1.0)),
          Case("base", lambda a: 2.0**a, x()),
          Case("maximum", torch.maximum, points(1.0, 2.0, 3.0), points(2.0, 2.0, 2.0)),
          Case("minimum", torch.minimum, points(1.0, 2.0, 3.0), points(2.0, 2.0, 2.0)),
          Case("fmax", torch.fmax, points(1.0, 2.0, 3.0, math.nan), points(2.0, 2.0, math.nan, 1.0)),
          Case("fmin", torch.fmin, points(1.0, 2.0, 3.0, math.nan), points(2.0, 2.0, math.nan, 1.0)),
          Case("atan2", torch.atan2, x(), y()), Case("hypot", torch.hypot, x(), y()),
          Case("logaddexp", torch.logaddexp, points(1.0, 2.0, -900.0), points(2.0, 2.0, 900.0)),
          Case("logaddexp2", torch.logaddexp2, x(), y()),
          Case("fmod", torch.fmod, points(5.5, -5.5, 3.0), points(2.0, 2.0, -2.0)),
          Case("remainder", torch.remainder, points(5.5, -5.5, 3.0), points(2.0, 2.0, -2.0)),
          Case("floor", lambda a, b: torch.div(a, b, rounding_mode="floor"),
               points(5.5, -5.5, 3.0, 6.0, 1.0), points(2.0, 2.0, -2.0, 2.0, 0.0)),
          Case("trunc", lambda a, b: torch.div(a, b, rounding_mode="trunc"),
               points(5.5, -5.5, 3.0), points(2.0, 2.0, -2.0)),
          Case("floor_divide", lambda a: a // 2, points(5.5, -5.5).detach()),
          Case("copysign", torch.copysign, x(), y()),
          Case("addcmul", lambda a, b, c: torch.addcmul(a, b, c, value=2), x(), y(), x()),
          Case("addcdiv", lambda a, b, c: torch.addcdiv(a, b, c, value=2), x(), y(), positive(3)),
          Case("lerp", lambda a, b: torch.lerp(a, b, 0.3), x(), x()),
          Case("lerp of arrays", torch.lerp, x(), x(), y()),
          Case("xlogy", torch.xlogy, points(0.0, 0.0, 1.0, 2.0), points(0.5, 2.0, 1.0, 3.0)),
          Case("xlogy at 0", lambda a: torch.xlogy(a, 0.0), points(0.0)),
          Case("clamp", lambda a: torch.clamp(a, -1, 3), points(*CORNERS)),
          Case("clamp low", lambda a: torch.clamp(a, min=-1), points(*CORNERS)),
          Case("clamp high", lambda a: torch.clamp_max(a, 3), points(*CORNERS)),
          Case("crossed clamp", lambda a: torch.clamp(a, 1.0, -1.0), points(*CORNERS)),
          Case("clamp of arrays", torch.clamp, normal(4), normal(4), normal(4)))


def test_integers_and_types():
    i, j = integers(-9, 9, 2, 3), integers(1, 5, 3)
    check(Case("add", torch.add, i, j), Case("mul", torch.mul, i, j),
          Case("div", torch.div, i.float(), j.float(), rtol=1e-6),
          Case("true div", torch.div, i, j, rtol=1e-6),
          Case("floor", torch.floor_divide, i, j),
          Case("trunc", lambda a, b: torch.div(a, b, rounding_mode="trunc"), i, j),
          Case("remainder", torch.remainder, i, j), Case("fmod", torch.fmod, i, j),
          Case("and", torch.bitwise_and, i, j), Case("or", torch.bitwise_or, i, j),
          Case("xor", torch.bitwise_xor, i, j), Case("not", torch.bitwise_not, i),
          Case("pow", lambda a: a**2, i), Case("abs", torch.abs, i), Case("sign", torch.sign, i),
          Case("sum", torch.sum, i), Case("prod", lambda a: torch.prod(a, 0), i),
          Case("max", lambda a: torch.max(a, 1), i), Case("clamp", lambda a: a.clamp(-2, 3), i),
          Case("mean", lambda a: a.float().mean(), i, rtol=1e-6),
          Case("exp", torch.exp, j, rtol=1e-6),
          Case("mixed", lambda a, b: a * b + 0.5, i, normal(2, 3)),
          Case("float number", lambda a: a + 0.5, i),
          Case("casts", lambda a: (a.double(), a.to(torch.int32), a.bool(), a.half()),
               i),
          Case("to integers", lambda a: a.to(torch.int64), normal(5)),
          Case("of booleans", lambda a: (a.sum(), a.float(), ~a, a & a, a.any(), a.all(1)), i > 0),
          Case("compare", lambda a, b: (a < b, a <= b, a == b, a != b, a > 2.5, a >= 1), i, j),
          Case("number in a tensor", lambda a, b: a > b, i, torch.tensor(0.5)))


def test_choices():
    x = points(1.0, math.nan, math.inf, -math.inf, 0.0)
    check(Case("where", torch.where, normal(2, 3) > 0, normal(2, 3), normal(3)),
          Case("where number", lambda c, a: torch.where(c, a, 0.0), normal(2, 3) > 0, normal(2, 3)),
          Case("masked_fill", lambda a, m: a.masked_fill(m, -1.0), normal(2, 3), normal(3) > 0),
          Case("masked_fill of a tensor", lambda a, m, v: a.masked_fill(m, v), normal(2, 3),
               normal(3) > 0, normal()),
          Case("is", lambda a: (a.isnan(), a.isinf(), a.isfinite()), x),
          Case("nan_to_num", torch.nan_to_num, x),
          Case("nan_to_num to numbers", lambda a: torch.nan_to_num(a, 1.0, 2.0, 3.0), x),
          Case("logical", lambda a, b: (torch.logical_and(a, b), torch.logical_or(a, b),
                                        torch.logical_xor(a, b), torch.logical_not(a)),
               points(0.0, 1.0, 2.0), points(0.0, 0.0, 1.0)),
          Case("detach", lambda a: a.detach() * a, normal(3)),
          Case("clone", lambda a: a.clone() * 2, normal(3)),
          Case("fill", lambda a: a * torch.full_like(a, 3), normal(3)),
          Case("mask assignment", lambda a: _with_masked(a), normal(2, 3)))


def _with_masked(x):
    x = x * 1
    x[x > 0] = 5.0
    return x


def test_reductions():
    x = lambda: normal(2, 3, 4)
    ties = points(1.0, 3.0, 3.0, 2.0, 3.0)
    check(Case("sum", torch.sum, x()), Case("sum of dims", lambda a: a.sum((0, 2)), x()),
          Case("keepdim", lambda a: a.sum(1, keepdim=True), x()),
          Case("mean", torch.mean, x()), Case("mean of dims", lambda a: a.mean((1, -1)), x()),
          Case("prod", torch.prod, points(2.0, 0.0, 3.0)), Case("prod 1", lambda a: a.prod(1), x()),
          Case("amax", lambda a: a.amax(0), ties), Case("amin", lambda a: (-a).amin(), ties),
          Case("amax of dims", lambda a: a.amax((0, 2), keepdim=True), x()),
          Case("amax of infinities", lambda a: a.amax(1).detach(),
               points([1.0, math.inf], [-math.inf, -math.inf], [1.0, math.nan])),
          Case("max", torch.max, ties), Case("min", torch.min, x()),
          Case("max of dim", lambda a: torch.max(a, 1), x()),
          Case("first maximum", lambda a: torch.max(a, 0), ties),
          Case("min of dim", lambda a: torch.min(a, -1, keepdim=True), x()),
          Case("argmax", lambda a: (a.argmax(), a.argmin(1), a.argmax(0, keepdim=True)), x()),
          Case("var", torch.var, x()), Case("var of dim", lambda a: a.var(1, correction=0), x()),
          Case("std", lambda a: a.std((0, 2), keepdim=True), x()),
          Case("std of equals", torch.std, points(2.0, 2.0, 2.0)),
          Case("var_mean", lambda a: torch.var_mean(a, 2), x()),
          Case("std_mean", torch.std_mean, x()),
          Case("norm", torch.norm, x()), Case("norm of zeros", torch.norm, points(0.0, 0.0)),
          *(Case(f"norm {p}", lambda a, p=p: torch.linalg.vector_norm(a, p, 1), x())
            for p in (1, 2, 3, 0.5, math.inf, -math.inf)),
          Case("norm 0", lambda a: torch.linalg.vector_norm(a, 0, 1), x().detach()),
          Case("norm 3 at 0", lambda a: torch.linalg.vector_norm(a, 3), points(0.0, 1.0)),
          Case("normalize", lambda a: F.normalize(a, dim=1), x()),
          Case("all", lambda a: ((a > 0).all(1), (a > 0).any((0, 1))), x()),
          Case("nansum", torch.nansum, points(1.0, math.nan)),
          Case("nanmean", lambda a: a.nanmean(0), points(1.0, math.nan)),
          Case("count_nonzero", lambda a: a.count_nonzero(), points(1.0, 0.0)),
          Case("aminmax", lambda a: tuple(torch.aminmax(a, dim=1)), x()),
          Case("cumsum", lambda a: (a.cumsum(0), a.cumsum(-1)), x()),
          Case("long cumsum", lambda a: a.cumsum(0), normal(1100, 2), rtol=1e-10, atol=1e-10),
          Case("cumsum of integers", lambda a: a.cumsum(0), integers(-9, 9, 40)),
          Case("scalar", lambda a: (a.sum(), a.mean(0), a.amax(), a.var(correction=0)), normal()))


def test_softmax():
    x = lambda: normal(2, 3, 4)
    big = points(1000.0, -1000.0, 999.0)
    check(*(Case(f"{f.__name__} {d}", lambda a, f=f, d=d: f(a, d), x())
            for f in (torch.softmax, torch.log_softmax, torch.logsumexp) for d in (0, 1, -1)),
          *(Case(f"large {f.__name__}", lambda a, f=f: f(a, 0), big.detach().requires_grad_())
            for f in (torch.softmax, torch.log_softmax, torch.logsumexp)),
          Case("softmin", lambda a: F.softmin(a, 1), x()),
          Case("in float32", lambda a: torch.softmax(a, 1, dtype=torch.float64), x()),
          Case("logsumexp of dims", lambda a: torch.logsumexp(a, (0, 2), keepdim=True), x()),
          Case("log_softmax without dimensions", lambda a: torch.log_softmax(a, 0), normal()))


def test_views():
    x = lambda *shape: normal(*(shape or (2, 3, 4)))
    check(Case("view", lambda a: a.view(6, 4), x()), Case("flatten", lambda a: a.flatten(1), x()),
          Case("reshape", lambda a: a.permute(2, 0, 1).reshape(8, 3), x()),
          Case("transpose", lambda a: a.transpose(0, 2) * 2, x()), Case("t", lambda a: a.t() * 2, x(2, 3)),
          Case("squeeze", lambda a: a.squeeze() * a.squeeze(1), x(1, 1, 3)),
          Case("unsqueeze", lambda a: a[None, :, None] * 2, x(3, 2)),
          Case("expand", lambda a: a.expand(2, 3, 4) * 2, x(3, 1)),
          Case("repeat", lambda a: a.repeat(2, 1, 3), x(2, 3)),
          Case("tile", lambda a: a.tile((2, 2)), x(2, 3)),
          Case("repeat_interleave", lambda a: a.repeat_interleave(2, 1), x(2, 3)),
          Case("slice", lambda a: a[:, 1:3, ::2] * 2, x()),
          Case("select", lambda a: a[:, -1] + a.select(1, 0), x()),
          Case("negative slice", lambda a: a[-2:, :-1] * 1, x(3, 4)),
          Case("split", lambda a: [2 * p for p in a.split(2, 2)], x(2, 3, 5)),
          Case("split_with_sizes", lambda a: [2 * p for p in a.split([1, 3], 2)], x()),
          Case("chunk", lambda a: a.chunk(2, 1)[1] * 2, x(2, 4)),
          Case("unbind", lambda a: a.unbind(1)[2] * 2, x()),
          Case("unfold", lambda a: a.unfold(1, 3, 2) * 2, x(2, 7)),
          Case("diagonal", lambda a: a.diagonal(1, 0, 2) * 2, x()),
          Case("cat", lambda a, b: torch.cat([a, b, a], 1), x(2, 3), x(2, 1)),
          Case("cat types", lambda a, b: torch.cat([a, b]), x(2), integers(0, 5, 3)),
          Case("stack", lambda a, b: torch.stack([a, b], -1), x(2, 3), x(2, 3)),
          Case("flip", lambda a: a.flip(0, 2), x()), Case("roll", lambda a: a.roll(1, 2), x()),
          Case("roll all", lambda a: a.roll(-3), x()),
          Case("roll two", lambda a: a.roll((1, -1), (0, 1)), x()),
          Case("tril", lambda a: a.tril(-1) + a.triu(1), x(3, 3)),
          Case("movedim", lambda a: a.movedim(0, -1) * 2, x()),
          Case("pixel_shuffle", lambda a: F.pixel_shuffle(a, 2), x(1, 8, 2, 3)),
          Case("pixel_unshuffle", lambda a: F.pixel_unshuffle(a, 2), x(1, 2, 4, 6)),
          Case("channel_shuffle", lambda a: F.channel_shuffle(a, 2), x(1, 4, 2, 2)),
          Case("numbers", lambda a: a + torch.arange(4) + torch.ones(4) + torch.eye(3, 4)
               + torch.full((4,), 2.0) + a.new_zeros(4) + torch.linspace(0, 1, 4), x(3, 4)),
          Case("diag_embed", lambda a: torch.diag_embed(a, 1) + torch.diag_embed(a, -1), x(2, 3)),
          Case("diag_embed dims", lambda a: torch.diag_embed(a, 0, 0, 2), x(2, 3)),
          Case("trace", torch.trace, x(3, 4)),
          *(Case(f"rot90 {k}", lambda a, k=k: torch.rot90(a, k, (0, 2)), x()) for k in range(-1, 3)),
          Case("empty", lambda a: torch.cat([a[:0], a]) * 2, x(2, 3)))


def test_parts_are_assigned():
    def assign(a, b):
        a = a * 1
        a[:, 1:] = b
        a[0] += 3
        a[:, 0].mul_(2)
        a.view(-1)[2] = 7
        return a

    def fill(a):
        b = torch.zeros_like(a)
        b.copy_(a)
        b[..., 0].fill_(2)
        b.add_(1).relu_()
        return b

    check(Case("assign", assign, normal(2, 3), normal(2)), Case("fill", fill, normal(2, 3)))


def test_pads():
    x = lambda: normal(1, 2, 4, 5)
    check(Case("constant", lambda a: F.pad(a, (1, 2, 0, 1), value=3.0), x()),
          Case("negative", lambda a: F.pad(a, (-1, 2, 1, -2)), x()),
          *(Case(mode, lambda a, m=mode: F.pad(a, (2, 1, 1, 3), mode=m), x())
            for mode in ("reflect", "replicate", "circular")),
          Case("reflect 1", lambda a: F.pad(a, (3, 2), mode="reflect"), normal(2, 4)),
          Case("channels", lambda a: F.pad(a, (0, 0, 0, 0, 1, 2)), x()))


CONVOLUTIONS = [
    ("plain", F.conv2d, (2, 3, 6, 5), (4, 3, 3, 2), dict(padding=1)),
    ("strides", F.conv2d, (2, 3, 7, 6), (4, 3, 3, 3), dict(stride=(2, 3), padding=(1, 0))),
    ("dilation", F.conv2d, (1, 2, 7, 7), (3, 2, 3, 3), dict(dilation=2, padding="same")),
    ("groups", F.conv2d, (2, 4, 5, 5), (6, 2, 3, 3), dict(groups=2, padding=1)),
    ("depthwise", F.conv2d, (2, 3, 5, 5), (6, 1, 3, 3), dict(groups=3)),
    ("line", F.conv1d, (2, 3, 8), (4, 3, 3), dict(stride=2, padding=1)),
    ("no batch", F.conv1d, (3, 8), (4, 3, 3), dict()),
    ("volume", F.conv3d, (1, 2, 4, 5, 4), (3, 2, 2, 3, 2), dict(padding=1)),
    ("transposed", F.conv_transpose2d, (2, 3, 4, 3), (3, 4, 3, 3),
     dict(stride=2, padding=1, output_padding=1)),
    ("transposed groups", F.conv_transpose2d, (1, 4, 3, 3), (4, 2, 2, 3),
     dict(stride=(1, 3), groups=2)),
    ("transposed dilation", F.conv_transpose1d, (1, 2, 5), (2, 3, 3),
     dict(dilation=2, padding=3)),
]


@pytest.mark.parametrize("part", [slice(0, 5), slice(5, 8), slice(8, None)])
def test_convolutions(part):
    def case(name, function, image, filters, options):
        count = filters[0]
        if name.startswith("transposed"):
            count = filters[1] * options.get("groups", 1)
        return Case(name, lambda x, w, b: function(x, w, b, **options), normal(*image),
                    normal(*filters), normal(count))

    check(*(case(*arguments) for arguments in CONVOLUTIONS[part]))


def test_pooling():
    x = lambda *shape: normal(*(shape or (2, 3, 7, 6)))
    ties = torch.zeros(1, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    check(Case("max", lambda a: F.max_pool2d(a, 2), x()),
          Case("max overlap", lambda a: F.max_pool2d(a, 3, 2, 1), x()),
          Case("max dilation", lambda a: F.max_pool2d(a, 2, 1, 1, dilation=2), x()),
          Case("max ceil", lambda a: F.max_pool2d(a, 3, 2, ceil_mode=True), x()),
          Case("max ties", lambda a: F.max_pool2d(a, 2), ties),
          Case("max 1", lambda a: F.max_pool1d(a, 3, 2, 1), x(2, 3, 8)),
          Case("max 3", lambda a: F.max_pool3d(a, 2), x(1, 2, 4, 4, 5)),
          Case("avg", lambda a: F.avg_pool2d(a, 3, 2, 1), x()),
          Case("avg excluded", lambda a: F.avg_pool2d(a, 3, 2, 1, count_include_pad=False), x()),
          Case("avg ceil", lambda a: F.avg_pool2d(a, 3, 2, 1, ceil_mode=True), x()),
          Case("avg ceil excluded", lambda a: F.avg_pool2d(
              a, 3, 2, 1, ceil_mode=True, count_include_pad=False), x()),
          Case("avg divisor", lambda a: F.avg_pool2d(a, 2, divisor_override=3), x()),
          Case("avg 1", lambda a: F.avg_pool1d(a, 3, 2, 1), x(2, 3, 8)),
          Case("avg 3", lambda a: F.avg_pool3d(a, 2, 1), x(1, 2, 4, 4, 3)),
          Case("adaptive", lambda a: F.adaptive_avg_pool2d(a, 1), x()),
          Case("adaptive parts", lambda a: F.adaptive_avg_pool2d(a, (3, 4)), x()),
          Case("adaptive even", lambda a: F.adaptive_avg_pool2d(a, (7, 3)), x()),
          Case("adaptive max", lambda a: F.adaptive_max_pool2d(a, (7, 3)), x()),
          Case("unfold", lambda a: F.unfold(a, (3, 2), (1, 2), 1, (2, 1)), x()),
          Case("fold", lambda a: F.fold(a, (5, 4), (3, 2), 1, 1, (2, 1)), x(2, 12, 15)),
          Case("adaptive 1", lambda a: F.adaptive_avg_pool1d(a, 3), x(2, 3, 8)))


def test_resampling():
    x = lambda *shape: normal(*(shape or (2, 2, 4, 3)))
    check(Case("nearest", lambda a: F.interpolate(a, scale_factor=2), x()),
          Case("nearest size", lambda a: F.interpolate(a, (7, 2)), x()),
          Case("nearest 1", lambda a: F.interpolate(a, 5), x(1, 2, 4)),
          Case("nearest 3", lambda a: F.interpolate(a, scale_factor=2), x(1, 1, 2, 2, 3)),
          Case("exact", lambda a: F.interpolate(a, (7, 2), mode="nearest-exact"), x()),
          Case("bilinear", lambda a: F.interpolate(a, (7, 2), mode="bilinear"), x()),
          Case("corners", lambda a: F.interpolate(
              a, scale_factor=2, mode="bilinear", align_corners=True), x()),
          Case("linear", lambda a: F.interpolate(a, 7, mode="linear"), x(1, 2, 4)),
          Case("scale", lambda a: F.interpolate(a, scale_factor=1.7, mode="bilinear",
                                                recompute_scale_factor=False), x()),
          Case("bicubic", lambda a: F.interpolate(a, (7, 5), mode="bicubic"), x(), rtol=1e-10))


def test_normalization():
    x = lambda *shape: normal(*(shape or (4, 6, 3, 2)))
    c = lambda: (positive(6), normal(6))
    check(Case("batch", lambda a, w, b: F.batch_norm(a, None, None, w, b, True), x(), *c()),
          Case("batch without scale", lambda a: F.batch_norm(a, None, None, training=True), x()),
          Case("batch 2", lambda a, w, b: F.batch_norm(a, None, None, w, b, True), x(5, 6), *c()),
          Case("batch inference", lambda a, m, v, w, b: F.batch_norm(a, m, v, w, b),
               x(), normal(6).detach(), positive(6).detach(), *c()),
          Case("instance", F.instance_norm, x(), rtol=1e-10),
          Case("layer", lambda a, w, b: F.layer_norm(a, (3, 2), w, b), x(), positive(3, 2), x(3, 2)),
          Case("layer without scale", lambda a: F.layer_norm(a, (2,)), x()),
          Case("group", lambda a, w, b: F.group_norm(a, 3, w, b), x(), *c(), rtol=1e-10),
          Case("group 2", lambda a: F.group_norm(a, 2), x(4, 6, 5), rtol=1e-10),
          Case("weight norm", lambda v, g: torch._weight_norm(v, g, 0), x(), positive(4, 1, 1, 1)),
          Case("rms", lambda a, w: F.rms_norm(a, (2,), w), x(), positive(2)),
          Case("local", lambda a: F.local_response_norm(a, 3), x()))


def test_products():
    x = lambda *shape: normal(*shape)
    check(Case("mm", torch.mm, x(2, 3), x(3, 4)), Case("mv", torch.mv, x(2, 3), x(3)),
          Case("dot", torch.dot, x(3), x(3)), Case("bmm", torch.bmm, x(2, 3, 4), x(2, 4, 5)),
          Case("matmul", torch.matmul, x(2, 1, 3, 4), x(5, 4, 2)),
          Case("matmul of a row", torch.matmul, x(4), x(2, 4, 3)),
          Case("matmul of a column", torch.matmul, x(2, 3, 4), x(4)),
          Case("matmul of many", torch.matmul, x(2, 3, 4), x(4, 5)),
          Case("matmul by many", torch.matmul, x(3, 4), x(2, 4, 5)),
          Case("transposed", lambda a, b: a.t() @ b.t(), x(3, 2), x(4, 3)),
          Case("addmm", lambda a, b, c: torch.addmm(a, b, c, beta=2, alpha=3), x(4), x(2, 3), x(3, 4)),
          Case("baddbmm", torch.baddbmm, x(2, 3, 5), x(2, 3, 4), x(2, 4, 5)),
          Case("addbmm", torch.addbmm, x(3, 5), x(2, 3, 4), x(2, 4, 5)),
          Case("addmv", torch.addmv, x(2), x(2, 3), x(3)), Case("outer", torch.outer, x(2), x(3)),
          Case("addr", torch.addr, x(2, 3), x(2), x(3)),
          Case("linear", F.linear, x(2, 3, 4), x(5, 4), x(5)),
          Case("linear of a vector", F.linear, x(4), x(5, 4)),
          Case("bilinear", F.bilinear, x(2, 3), x(2, 4), x(5, 3, 4), x(5)),
          Case("einsum", lambda a, b: torch.einsum("bij,bkj->bik", a, b), x(2, 3, 4), x(2, 5, 4)),
          Case("einsum of three", lambda a, b, c: torch.einsum("ij,jk,k->i", a, b, c),
               x(2, 3), x(3, 4), x(4)),
          Case("einsum dots", lambda a, b: torch.einsum("...ij,jk->...ik", a, b), x(2, 5, 3), x(3, 4)),
          Case("einsum diagonal", lambda a: torch.einsum("ii->i", a), x(3, 3)),
          Case("einsum ones", lambda a, b: torch.einsum("ij,jk", a, b), x(2, 1), x(3, 4)),
          Case("tensordot", lambda a, b: torch.tensordot(a, b, 2), x(2, 3, 4), x(3, 4, 2)),
          Case("cross", torch.cross, x(2, 3), x(2, 3)), Case("vdot", torch.vdot, x(3), x(3)),
          Case("cosine", lambda a, b: F.cosine_similarity(a, b), x(2, 3), x(2, 3)),
          Case("cdist", lambda a, b: (a[:, None] - b).square().sum(-1).sqrt(), x(2, 3), x(4, 3)))


def test_attention():
    x = lambda *shape: normal(*(shape or (2, 3, 5, 4)))
    attend = F.scaled_dot_product_attention
    empty_row = torch.ones(5, 5, dtype=torch.bool)
    empty_row[2] = False
    check(Case("plain", attend, x(), x(), x()),
          Case("causal", lambda q, k, v: attend(q, k, v, is_causal=True), x(), x(), x()),
          Case("scaled", lambda q, k, v: attend(q, k, v, scale=0.3), x(), x(2, 3, 6, 4), x(2, 3, 6, 2)),
          Case("mask", attend, x(), x(), x(), empty_row),
          Case("bias", attend, x(), x(), x(), x(1, 1, 5, 5)),
          Case("heads", lambda q, k, v: attend(q, k, v, enable_gqa=True), x(2, 6, 5, 4), x(), x()),
          Case("three dimensions", attend, x(3, 5, 4), x(3, 5, 4), x(3, 5, 4)))


def test_indices():
    i = integers(0, 4, 2, 3)
    check(Case("embedding", lambda w, i: F.embedding(i, w), normal(4, 3), i),
          Case("padding", lambda w, i: F.embedding(i, w, padding_idx=1), normal(4, 3), i),
          Case("index_select", lambda a, i: a.index_select(1, i), normal(2, 4, 3), i[0]),
          Case("gather", lambda a, i: a.gather(1, i), normal(2, 4), i),
          Case("take_along_dim", lambda a, i: a.take_along_dim(i, 0), normal(4, 3), i),
          Case("index", lambda a, i: a[i], normal(4, 3), i),
          Case("second index", lambda a, i: a[:, i], normal(2, 4, 3), i),
          Case("two indices", lambda a, i: a[i, -i], normal(4, 5), i),
          Case("apart", lambda a, i: a[i, :, i], normal(4, 2, 4), i),
          Case("middle", lambda a, i: a[:, i, i], normal(2, 4, 4, 3), i),
          Case("negative", lambda a, i: a[i - 4], normal(4), i),
          Case("take", torch.take, normal(2, 3), i),
          Case("scatter_add", lambda a, i, b: a.scatter_add(1, i, b), normal(2, 4), i, normal(2, 3)),
          Case("index_add", lambda a, i, b: a.index_add(0, i, b, alpha=2), normal(4, 2), i[0],
               normal(3, 2)),
          Case("index_put", lambda a, i, b: a.index_put((i, i), b, accumulate=True), normal(4, 4, 2),
               i, normal(3, 1)),
          Case("one_hot", lambda i: F.one_hot(i, 5), i))


def test_losses():
    x, classes = (lambda: normal(4, 5)), integers(0, 5, 4)
    ignored = classes.clone()
    ignored[1] = -100
    probability = lambda: torch.sigmoid(normal(4, 5)).detach().requires_grad_()
    cross = F.cross_entropy
    check(*(Case(f"nll {r}", lambda a, t, r=r: F.nll_loss(a, t, reduction=r), x(), ignored)
            for r in ("none", "mean", "sum")),
          Case("cross_entropy", cross, x(), classes), Case("ignored", cross, x(), ignored),
          Case("weights", lambda a, t, w: cross(a, t, w.detach()), x(), ignored, positive(5)),
          Case("smoothing", lambda a, t: cross(a, t, label_smoothing=0.1), x(), classes),
          Case("distributions", cross, x(), torch.softmax(x().detach(), 1)),
          Case("images", cross, normal(2, 5, 3, 2), integers(0, 5, 2, 3, 2)),
          Case("one sample", cross, normal(5), classes[0]),
          *(Case(f"{f.__name__} {r}", lambda a, b, f=f, r=r: f(a, b, reduction=r), x(), x())
            for f in (F.mse_loss, F.l1_loss, F.smooth_l1_loss, F.huber_loss)
            for r in ("none", "mean", "sum")),
          Case("at a corner", lambda a, b: (F.smooth_l1_loss(a, b), F.huber_loss(a, b)),
               points(0.0, 1.0, 2.0), points(0.0, 0.0, 0.0)),
          Case("bce", F.binary_cross_entropy, probability(), probability()),
          Case("bce weights", lambda a, b, w: F.binary_cross_entropy(a, b, w.detach()),
               probability(), probability().detach(), positive(4, 5)),
          Case("bce at 0", F.binary_cross_entropy, points(0.0, 1.0).detach(), points(0.5, 0.5).detach()),
          Case("bce logits", lambda a, b, p: F.binary_cross_entropy_with_logits(
              a, b, pos_weight=p.detach()), x(), probability().detach(), positive(5)),
          Case("kl", lambda a, b: F.kl_div(a, b, reduction="batchmean"), x(), probability()),
          Case("soft margin", F.soft_margin_loss, x(), torch.sign(normal(4, 5)).detach()),
          Case("hinge", F.hinge_embedding_loss, x(), torch.sign(normal(4, 5)).detach()),
          Case("triplet", F.triplet_margin_loss, x(), x(), x()))
