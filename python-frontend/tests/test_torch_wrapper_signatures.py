# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Wrapped modules with several inputs and outputs, other arguments, and results of
all kinds."""

import pytest
import torch
from torch import nn

import memrev.torch as memcnn
from torch_cases import (
    Scale,
    assert_like_disabled,
    branch,
    chain,
    coupling,
    images,
)

pytestmark = pytest.mark.usefixtures("in_pytorch")


class Split(nn.Module):
    def forward(self, x):
        return x.chunk(2, 1)

    def inverse(self, y1, y2):
        return torch.cat([y1, y2], 1)


class Concatenate(nn.Module):
    def forward(self, x1, x2):
        return torch.cat([x1, x2], 1)

    def inverse(self, y):
        return y.chunk(2, 1)


class Two(nn.Module):
    """(x1, x2) to (x2, x1 + F(x2))."""

    def __init__(self):
        super().__init__()
        self.f = branch(2)

    def forward(self, x1, x2):
        return x2, x1 + self.f(x2)

    def inverse(self, y1, y2):
        return y2 - self.f(y1), y1


@pytest.mark.parametrize("keep", [False, True])
def test_several_inputs_and_outputs(keep):
    net = chain(Split(), Two(), Two(), Concatenate(), keep_input=keep).double()
    split, first, second, concatenate = net

    def function(x):
        return concatenate(*second(*first(*split(x))))

    assert_like_disabled(net, function, images().requires_grad_())
    # One output is not used; the gradient by it is zero.
    assert_like_disabled(net, lambda x: first(*split(x))[1], images().requires_grad_())
    assert_like_disabled(net, lambda x: first(*split(x))[0], images().requires_grad_())


class Conditional(nn.Module):
    """y = x e^(c) + bias[index], with c and what index is from outside."""

    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.arange(3.0))

    def forward(self, x, index, sign=1, *, condition, extra=None):
        return x * torch.exp(sign * condition) + self.bias[index]

    def inverse(self, y, index, sign=1, *, condition, extra=None):
        return (y - self.bias[index]) * torch.exp(-sign * condition)


@pytest.mark.parametrize("keep", [False, True])
def test_other_arguments(keep):
    """Integers, values that are no tensors, and named tensors, which get a gradient."""
    net = chain(Conditional(), Conditional(), keep_input=keep).double()
    index = torch.tensor([0, 2, 1]).reshape(3, 1, 1, 1)

    def function(x, condition):
        x = net[0](x, index, condition=condition)
        return net[1](x, index, -1, condition=condition * x, extra="nothing")

    condition = images(seed=1).requires_grad_()
    assert_like_disabled(net, function, images().requires_grad_(), condition)
    assert_like_disabled(net, function, images(), condition.detach())


class WithIndex(nn.Module):
    """Sorts along the last axis, and says how."""

    def forward(self, x):
        return torch.sort(x, -1)

    def inverse(self, y, index):
        return torch.zeros_like(y).scatter(-1, index, y)


def test_outputs_of_integers():
    net = chain(WithIndex(), WithIndex()).double()

    def function(x):
        values, index = net[0](x)
        assert index.dtype == torch.int64 and not index.requires_grad
        return net[1](values.flip(-1) * 2).values

    assert_like_disabled(net, function, images().requires_grad_())


class AsList(nn.Module):
    def forward(self, x):
        return [x, 2 * x]

    def inverse(self, y1, y2):
        return [y1]


def test_kinds_of_results():
    wrapper, = chain(AsList())
    assert isinstance(wrapper(images().requires_grad_()), list)
    # A tuple of one is unpacked.
    assert isinstance(wrapper.inverse(*wrapper(images().requires_grad_())), list)
    single = memcnn.InvertibleModuleWrapper(Single())
    for disable in (False, True):
        single.disable = disable
        assert isinstance(single(images().requires_grad_()), torch.Tensor)
        assert isinstance(single(images()), torch.Tensor)


class Single(Scale):
    def forward(self, x):
        return (super().forward(x),)

    def inverse(self, y):
        return (super().inverse(y),)


class Identity(nn.Module):
    def forward(self, x):
        return x

    inverse = forward


def test_identity():
    net = chain(Identity(), coupling(), Identity()).double()
    x = images().requires_grad_()
    assert_like_disabled(net, net, x)
    y = net[0](x * 1)
    assert y.untyped_storage().nbytes() == x.untyped_storage().nbytes()
