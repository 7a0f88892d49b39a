# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""AdditiveCoupling and AffineCoupling compute the published formulas, and say what
they expect."""

import pytest
import torch
from torch import nn

import memrev.torch as memcnn
from memrev.torch.models.additive import AdditiveBlock
from memrev.torch.models.affine import AffineBlock
from torch_cases import Scale, assert_close, images, weighted_sum

IMPLEMENTATIONS = [-1, 0, 1]

pytestmark = pytest.mark.usefixtures("in_pytorch")


def conv(inputs=2, outputs=2):
    return nn.Conv2d(inputs, outputs, 3, padding=1).double()


def make(coupling, *args, **options):
    """The coupling, whose deprecated arguments warn."""
    if options.get("implementation_fwd", -1) == -1:
        return coupling(*args, **options)
    with pytest.warns(DeprecationWarning, match="implementation_fwd and implementation_bwd"):
        return coupling(*args, **options)


def additive(x, f, g):
    x1, x2 = x[:, :2], x[:, 2:]
    y1 = x1 + f(x2)
    return torch.cat([y1, x2 + g(y1)], 1)


def affine(x, f, g):
    x1, x2 = x[:, :2], x[:, 2:]
    t1 = f(x2)
    y1 = x1 * torch.exp(t1) + t1
    t2 = g(y1)
    return torch.cat([y1, x2 * torch.exp(t2) + t2], 1)


def additive_inverse(y, f, g):
    y1, y2 = y[:, :2], y[:, 2:]
    x2 = y2 - g(y1)
    return torch.cat([y1 - f(x2), x2], 1)


def affine_inverse(y, f, g):
    y1, y2 = y[:, :2], y[:, 2:]
    t2 = g(y1)
    x2 = (y2 - t2) / torch.exp(t2)
    t1 = f(x2)
    return torch.cat([(y1 - t1) / torch.exp(t1), x2], 1)


FORMULAS = {"additive": (additive, additive_inverse), "affine": (affine, affine_inverse)}


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("kind", FORMULAS)
def test_formulas(kind, inverse, implementation):
    f, g = conv(), conv()
    kwargs = dict(implementation_fwd=implementation, implementation_bwd=implementation)
    if kind == "additive":
        module = make(memcnn.AdditiveCoupling, f, g, **kwargs)
    else:
        module = make(memcnn.AffineCoupling, f, g, memcnn.AffineAdapterNaive, **kwargs)
    function = module.inverse if inverse else module
    x = images().requires_grad_()
    sources = [x, *f.parameters(), *g.parameters()]
    y, expected = function(x), FORMULAS[kind][inverse](x, f, g)
    assert torch.equal(y, expected)
    found = torch.autograd.grad(weighted_sum(y), sources)
    assert_close(found, torch.autograd.grad(weighted_sum(expected), sources), 1e-12)
    wrapped = memcnn.InvertibleModuleWrapper(module)
    y = (wrapped.inverse if inverse else wrapped)(x)
    assert torch.equal(y, expected)
    assert_close(torch.autograd.grad(weighted_sum(y), sources), found, 1e-12)


@pytest.mark.parametrize("implementation", [0, 1])
def test_legacy_implementations(implementation):
    """They keep the input and not what is inside; frozen parameters are fine."""
    module = make(memcnn.AdditiveCoupling, conv(), implementation_fwd=implementation)
    module.Fm.bias.requires_grad_(False)
    calls = []
    module.Fm.register_forward_hook(lambda *_: calls.append(1))
    y = module(images())
    assert len(calls) == 1
    y.sum().backward()
    assert len(calls) == 2 and module.Fm.bias.grad is None
    with torch.no_grad():
        assert torch.equal(module(images()), y)


@pytest.mark.parametrize("coupling", [memcnn.AdditiveCoupling, memcnn.AffineCoupling])
def test_unknown_implementation(coupling):
    options = dict(adapter=memcnn.AffineAdapterNaive) if "Affine" in coupling.__name__ else {}
    forward = make(coupling, conv(), implementation_fwd=-2, **options)
    message = f"{coupling.__name__} expects implementation -1, 0 or 1, but got -2"
    for module in (forward, memcnn.InvertibleModuleWrapper(forward)):
        with pytest.raises(NotImplementedError, match=message):
            module(images())
        module.inverse(images())


def test_second_branch_is_a_copy():
    for module in (memcnn.AdditiveCoupling(conv()),
                   memcnn.AffineCoupling(conv(), adapter=memcnn.AffineAdapterNaive)):
        parameters = list(module.parameters())
        assert len(parameters) == 4
        assert torch.equal(parameters[0], parameters[2])
        assert parameters[0] is not parameters[2]


@pytest.mark.parametrize("shape", [(2, 2, 2), (2, 4, 8, 12)])
@pytest.mark.parametrize("split_dim", [None, 0, 1, 2, -1])
@pytest.mark.parametrize("kind", ["additive", "affine"])
def test_split_dim(kind, split_dim, shape):
    half = list(shape)
    half[1 if split_dim is None else split_dim] //= 2
    seen = []

    class Branch(nn.Module):
        def forward(self, x):
            seen.append(list(x.shape))
            assert x.is_contiguous()
            return x.sin() if kind == "additive" else (x.sin() + 2, x.cos())

    options = {} if split_dim is None else {"split_dim": split_dim}
    coupling = memcnn.AdditiveCoupling if kind == "additive" else memcnn.AffineCoupling
    module = coupling(Branch(), Branch(), **options)
    x = torch.randn(shape, dtype=torch.double, requires_grad=True)
    wrapped = memcnn.InvertibleModuleWrapper(module)
    expected, = torch.autograd.grad(weighted_sum(module(x)), x)
    found, = torch.autograd.grad(weighted_sum(wrapped(x)), x)
    assert_close([found, module.inverse(module(x))], [expected, x], 1e-12)
    assert seen == [half] * len(seen)


def test_sigmoid_adapter():
    f = conv(2, 4)
    module = memcnn.AffineCoupling(f, conv(2, 4), adapter=memcnn.AffineAdapterSigmoid)
    x = images()
    h = f(x[:, 2:])
    y1 = x[:, :2] * torch.sigmoid(h[:, 1::2] + 2) + h[:, 0::2]
    assert torch.equal(module(x)[:, :2], y1)
    # Two dimensions, too.
    module = memcnn.AffineCoupling(nn.Linear(3, 6), adapter=memcnn.AffineAdapterSigmoid)
    assert module(torch.ones(2, 6)).shape == (2, 6)
    module = memcnn.AffineCoupling(nn.Linear(3, 3), adapter=memcnn.AffineAdapterSigmoid)
    with pytest.raises(ValueError, match="expects an even number of channels, but got 3"):
        module(torch.ones(2, 6))


def test_branches_that_broadcast():
    class Mean(nn.Module):
        def forward(self, x):
            return x.sin().mean((2, 3), keepdim=True)

    module = memcnn.AdditiveCoupling(Mean(), Mean())
    x = images().requires_grad_()
    expected, = torch.autograd.grad(weighted_sum(module(x)), x)
    found, = torch.autograd.grad(weighted_sum(memcnn.InvertibleModuleWrapper(module)(x)), x)
    assert_close([found], [expected], 1e-12)


def test_layout_is_kept():
    """In channels_last, branches get halves in channels_last."""
    formats = []

    class Branch(nn.Module):
        def forward(self, x):
            formats.append(x.is_contiguous(memory_format=torch.channels_last))
            return x.sin()

    wrapped = memcnn.InvertibleModuleWrapper(memcnn.AdditiveCoupling(Branch(), Branch()))
    x = images().contiguous(memory_format=torch.channels_last).requires_grad_()
    y = wrapped(x)
    y.backward(torch.ones_like(y))
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert formats == [True] * 4


def test_odd_size():
    for module in (memcnn.AdditiveCoupling(conv()), memcnn.AffineCoupling(conv())):
        name = type(module).__name__
        with pytest.raises(ValueError, match=rf"{name} expects an even size along dimension 1, "
                                             r"but got 5 in shape \[3, 5, 5, 5\]"):
            module(images(channels=5))


def test_wrong_shape():
    module = memcnn.AdditiveCoupling(conv(2, 3))
    with pytest.raises(RuntimeError):  # PyTorch's own message: it does not broadcast.
        module(images())
    module = memcnn.AdditiveCoupling(nn.Unflatten(0, (1, -1)))
    with pytest.raises(ValueError, match=r"expects Fm to return tensors of the shape \[3, 2, 5, 5\]"
                                         r" of a half, but got \[1, 3, 2, 5, 5\]"):
        module(images())


def test_wrong_result():
    """A tensor of batch size 2 is no pair."""
    for batch in (2, 3):
        with pytest.raises(TypeError, match=r"expects Fm to return a pair \(scale, shift\) of "
                                            r"tensors, but got a tensor of shape"):
            memcnn.AffineCoupling(conv())(images(batch=batch))
    with pytest.raises(TypeError, match="expects Fm to return a tensor, but got 2 values"):
        memcnn.AdditiveCoupling(memcnn.AffineAdapterNaive(conv()))(images())


@pytest.mark.parametrize("wrapped", [False, True])
def test_branch_that_modifies_its_input(wrapped):
    module = memcnn.AdditiveCoupling(nn.Sequential(nn.ReLU(inplace=True), conv()))
    module = memcnn.InvertibleModuleWrapper(module) if wrapped else module
    with pytest.raises(RuntimeError, match="AdditiveCoupling expects Fm to leave its input as it"):
        module(images())


def test_names():
    assert isinstance(memcnn.create_coupling(conv()), memcnn.AdditiveCoupling)
    affine = memcnn.create_coupling(conv(), conv(), "affine", adapter=memcnn.AffineAdapterNaive)
    assert isinstance(affine, memcnn.AffineCoupling)
    assert isinstance(affine.Fm, memcnn.AffineAdapterNaive)
    with pytest.raises(NotImplementedError, match="'additive' or 'affine', but got 'unknown'"):
        memcnn.create_coupling(conv(), coupling="unknown")


def test_deprecated_names():
    for block, base in ((AdditiveBlock, memcnn.AdditiveCoupling),
                        (AffineBlock, memcnn.AffineCoupling)):
        with pytest.warns(DeprecationWarning, match=f"{block.__name__} is deprecated"):
            assert isinstance(block(conv()), base)
    with pytest.warns(DeprecationWarning, match="ReversibleBlock is deprecated"):
        block = memcnn.ReversibleBlock(conv(), coupling="affine", keep_input=True,
                                       adapter=memcnn.AffineAdapterNaive)
    assert isinstance(block, memcnn.InvertibleModuleWrapper) and block.keep_input
    block(images().requires_grad_()).sum().backward()


class Fake(nn.Module):
    """Its inverse is not one."""

    def __init__(self, wrong):
        super().__init__()
        self.wrong = wrong

    def forward(self, x):
        return 2 * x

    def inverse(self, y):
        return self.wrong(y)


@pytest.mark.parametrize("seed", [1, 42, 900000])
def test_is_invertible(seed):
    shape = (2, 4, 5, 5)
    module = memcnn.AdditiveCoupling(conv().float())
    for candidate in (module, memcnn.InvertibleModuleWrapper(module), Scale()):
        assert memcnn.is_invertible_module(candidate, shape, random_seed=seed)
    assert memcnn.is_invertible_module(memcnn.AdditiveCoupling(conv()), list(shape), torch.double)
    assert not memcnn.is_invertible_module(conv(), shape, torch.double)
    for wrong in (lambda y: y / 2.01, lambda y: y[:1] / 2, lambda y: (y / 2, y)):
        assert not memcnn.is_invertible_module(Fake(wrong), shape, random_seed=seed)
    assert memcnn.is_invertible_module(Fake(lambda y: y / 2.01), shape, atol=0.1)


def test_is_invertible_leaves_no_trace():
    branch = nn.Sequential(conv().float(), nn.BatchNorm2d(2))
    module = memcnn.AdditiveCoupling(branch)
    before, state = {k: v.clone() for k, v in module.state_dict().items()}, torch.get_rng_state()
    assert memcnn.is_invertible_module(module, (2, 4, 5, 5), atol=1e-5)
    assert torch.equal(state, torch.get_rng_state())
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name])


class Several(nn.Module):
    def __init__(self, forward, inverse):
        super().__init__()
        self.functions = forward, inverse

    def forward(self, *x):
        return self.functions[0](*x)

    def inverse(self, *y):
        return self.functions[1](*y)


def test_is_invertible_warns():
    def check(module, shape, message):
        with pytest.warns(UserWarning, match=message):
            return memcnn.is_invertible_module(module, shape)

    identity = Several(lambda x: x, lambda y: y)
    assert check(identity, (2, 2), "forward: inputs and outputs share memory")
    twice = Several(lambda x: (2 * x,) * 2, lambda y, _: y / 2)
    assert check(twice, (2, 2), "forward: some of the outputs share memory")
    zero = Several(lambda x: 0 * x, lambda y: y + 1)
    assert not check(zero, (2, 2), "forward: some of the outputs are zero everywhere")
    assert memcnn.is_invertible_module(
        Several(lambda a, b: (2 * a, 3 * b), lambda a, b: (a / 2, b / 3)), ((2, 2), [3, 4])
    )


@pytest.mark.parametrize(
    "shape", ["string", 1.5, (1.5, 2), None, True, (), ((1, 3), (12.4)), ((1, 3), False), (True,)]
)
def test_is_invertible_wrong_shapes(shape):
    with pytest.raises(ValueError, match="test_input_shape expects a tuple or list of ints"):
        memcnn.is_invertible_module(Scale(), shape)
