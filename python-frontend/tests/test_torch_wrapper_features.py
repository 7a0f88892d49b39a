# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Wrapped modules under what PyTorch offers beside modules: autocast, hooks,
checkpoints, transforms of functions, tracing."""

import statistics
import warnings

import pytest
import torch
from torch import nn

import memrev.torch as memcnn
from torch_cases import (
    Scale,
    assert_close,
    assert_like_disabled,
    blocks,
    branch,
    chain,
    check_batches_of_gradients,
    check_parameters_for_one_call,
    coupling,
    gradients,
    images,
    set_disabled,
    weighted_sum,
)

pytestmark = pytest.mark.usefixtures("in_pytorch")


def test_autocast():
    net = chain(coupling(norm=False), coupling("sigmoid", norm=False))
    seen = []
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda m, i, o: seen.append(o.dtype))
    x = images().float().requires_grad_()
    results = []
    for disable in (False, True):
        set_disabled(net, disable)
        with torch.autocast("cpu", torch.bfloat16):
            y = net(x)
        results.append((y, torch.autograd.grad(weighted_sum(y), [x, *net.parameters()])))
    assert set(seen) == {torch.bfloat16} and len(seen) == 8 * 3
    assert results[0][0].dtype == torch.float32
    assert torch.equal(results[0][0], results[1][0])
    # The inverse rounds to f32, which may move a value of bf16 by one place.
    assert_close(results[0][1], results[1][1], 0.02)
    # A cast without a gradient must not be kept for others.
    set_disabled(net, False)
    with torch.autocast("cpu", torch.bfloat16):
        net(x)
        conv = net[0]._fn.Fm[0]
        gradient, = torch.autograd.grad(conv(x[:, :2]).float().sum(), conv.weight)
        assert gradient.abs().sum() > 0
        # The backward pass inside of the region.
        torch.autograd.grad(weighted_sum(net(x)), list(net.parameters()))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", ["additive", "sigmoid"])
def test_accuracy_under_autocast(dtype, kind):
    """The network's first convolution gives the chain 16 bits. Against the gradient in f64,
    restoring adds little to what the casts to 16 bits make PyTorch's differ by.

    A restored value differs in the last of 24 bits. Of the casts to p bits behind it, one of
    2^(24 - p) then gives a neighbour, which is as far away as casts round at most: the square
    root of a few 2^-13 of their error for float16."""
    casts, restoring = [], []
    for seed in range(10):
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1),
                            chain(*(coupling(kind, width=8) for _ in range(4))))
        x, found = torch.randn(4, 3, 8, 8), {}
        for name in ("restored", "stored", "exact"):
            set_disabled(net, name != "restored")
            if name == "exact":
                net, x = net.double(), x.double()
            with torch.autocast("cpu", dtype, enabled=name != "exact"):
                y = net(x)
            parts = torch.autograd.grad(weighted_sum(y), list(net.parameters()))
            found[name] = torch.cat([part.double().flatten() for part in parts])
        casts.append((found["stored"] - found["exact"]).norm() / found["exact"].norm())
        restoring.append((found["restored"] - found["stored"]).norm() / found["exact"].norm())
    assert statistics.median(restoring) <= 0.1 * statistics.median(casts)


def test_types_under_autocast():
    """What is restored is float32; what is kept, and what modules of 16 bits get, stays as
    it is."""
    x = images().bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        for keep in (False, True):
            for keep_inverse in (False, True):
                net, = chain(coupling(), keep_input=keep, keep_input_inverse=keep_inverse)
                for net.disable in (False, True):
                    assert net(x).dtype == (torch.bfloat16 if keep else torch.float32)
                    assert net.inverse(x).dtype == (
                        torch.bfloat16 if keep_inverse else torch.float32)
                    assert net(x.float()).dtype == torch.float32
        net, = chain(coupling().to(torch.bfloat16))
        assert net(x).dtype == net.inverse(x).dtype == torch.bfloat16


def test_half_precision():
    net = chain(coupling(norm=False), coupling(norm=False)).to(torch.bfloat16)
    x = images().bfloat16().requires_grad_()
    y = net(x)
    assert y.dtype == torch.bfloat16
    gradient, = torch.autograd.grad(y.float().sum(), x)
    assert gradient.dtype == torch.bfloat16


def test_hooks():
    """Hooks of all modules run in each evaluation of them, and gradients can be
    hooked."""
    net = blocks(1)
    module, fm = net[0]._fn, net[0]._fn.Fm
    counts = {"coupling": 0, "fm": 0}

    def count(name):
        def hook(*_):
            counts[name] += 1
        return hook

    handle = fm.register_forward_hook(count("fm"))
    net(images()).sum().backward()
    assert counts == {"coupling": 0, "fm": 2}
    module.register_forward_hook(count("coupling"))
    net(images()).sum().backward()
    assert counts["coupling"] == 2
    handle.remove()
    fm.register_forward_hook(lambda m, i, o: o * 3)
    fm.register_full_backward_hook(lambda m, gi, go: tuple(g if g is None else 2 * g for g in gi))
    assert_like_disabled(net, net, images().requires_grad_())
    seen = []
    net[0]._fn.Gm[1].weight.register_hook(lambda g: seen.append(g.shape) or 3 * g)
    assert_like_disabled(net, net, images().requires_grad_())
    assert len(seen) == 2
    y = net(images())
    y.register_hook(lambda g: 0 * g)
    net.zero_grad()
    y.sum().backward()
    assert all(not p.grad.any() for p in net.parameters())


class Energy(nn.Module):
    """A branch that is itself a gradient."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.Tanh())

    def forward(self, x):
        with torch.enable_grad():
            if not x.requires_grad:
                x = x.detach().requires_grad_()
            return torch.autograd.grad(self.net(x).sum(), x, create_graph=True)[0]


def test_gradients_inside():
    net = chain(memcnn.AdditiveCoupling(Energy(), Energy())).double()
    assert_like_disabled(net, net, images().requires_grad_())


class Checkpoint(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return torch.utils.checkpoint.checkpoint(self.module, x, use_reentrant=False)


def test_checkpoints():
    inside = chain(memcnn.AdditiveCoupling(Checkpoint(branch(2, dropout=0.5, norm=False)),
                                           Checkpoint(branch(2, norm=False)))).double()
    assert_like_disabled(inside, inside, images().requires_grad_())
    around = nn.Sequential(Checkpoint(blocks(2)), Checkpoint(blocks(2)))
    for module in around.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.track_running_stats = False  # A checkpoint updates them twice.
    assert_like_disabled(around, around, images().requires_grad_())


def test_nested_wrappers():
    inner = memcnn.AdditiveCoupling(chain(coupling(width=1)), chain(coupling(width=1)))
    net = chain(inner, memcnn.InvertibleModuleWrapper(coupling())).double()
    assert_like_disabled(net, net, images().requires_grad_())


def test_transforms_of_functions():
    net = chain(coupling(norm=False), Scale()).double()
    x = images()
    function = lambda x: weighted_sum(net(x))  # noqa: E731
    _, (expected, *_) = gradients(net, net, x.clone().requires_grad_(), disable=True)
    assert_close([torch.func.grad(function)(x)], [expected])
    tangent = images(seed=4)
    _, slope = torch.func.jvp(function, (x,), (tangent,))
    assert slope.item() == pytest.approx((expected * tangent).sum().item(), rel=1e-10)
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(x, tangent)
        assert_close([torch.autograd.forward_ad.unpack_dual(function(dual)).tangent], [slope])
    batched = torch.func.vmap(net)(torch.stack([x, 2 * x]))
    assert_close([batched[1]], [net(2 * x)])


def test_batches_of_gradients():
    check_batches_of_gradients()


def test_parameters_for_one_call():
    check_parameters_for_one_call(blocks(2))


def test_parameters_and_buffers_replaced_in_between():
    """The backward pass is that of the tensors of the forward pass."""
    net, x = blocks(2).eval(), images().requires_grad_()
    _, expected = gradients(net, net, x, disable=True)
    parameters = list(net.parameters())
    y = net(x)
    conv, norm = net[0]._fn.Fm[1], net[1]._fn.Gm[0]
    conv.weight = nn.Parameter(torch.zeros_like(conv.weight))
    mean = norm.running_mean = norm.running_mean + 1
    found = torch.autograd.grad(weighted_sum(y), [x, *parameters])
    assert_close(found, expected)
    assert not conv.weight.any() and norm.running_mean is mean


def test_tracing():
    """torch.jit.trace and torch.export see what the module computes."""
    net, x = blocks(2).eval(), images()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        traced = torch.jit.trace(net, x)
    assert_close([traced(x), torch.export.export(net, (x,)).module()(x)], [net(x)] * 2)


def test_scripted_branches():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        f, g = (torch.jit.script(branch(2)) for _ in range(2))
    net = chain(memcnn.AdditiveCoupling(f, g)).double()
    for train in (True, False):
        assert_like_disabled(net.train(train), net, images().requires_grad_())


def test_tensors_without_numbers():
    net = blocks(2).to("meta")
    y = net(torch.empty(3, 4, 5, 5, dtype=torch.double, device="meta", requires_grad=True))
    y.sum().backward()
    assert y.shape == (3, 4, 5, 5)
    assert all(p.grad.shape == p.shape for p in net.parameters())


def test_lazy_parameters():
    net = chain(memcnn.AdditiveCoupling(nn.LazyConv2d(2, 1), nn.LazyConv2d(2, 1)))
    net(images().float()).sum().backward()
    assert_like_disabled(net, net, images().float().requires_grad_(), tolerance=1e-5)


def chain_plain(net, x):
    for block in net:
        x = block._fn(x)
    return x


def test_inference_mode():
    net = blocks(2)
    with torch.inference_mode():
        assert torch.equal(net(images()), chain_plain(net, images()))
