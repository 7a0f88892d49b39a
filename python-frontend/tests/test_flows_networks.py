# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Networks of memrev.flows in both directions: inverses, log-determinants, gradients, their
memory, initialisation by data."""

import numpy as np
import pytest

import memrev
import slow
from flows_check import check, difference, largest
from memrev import flows, tree

NET = flows.dense(5, activation=np.tanh)


def conv(rank=2):
    return flows.convolutional(3, windows=(3, 1), rank=rank, activation=np.tanh)


def random(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


def every_second(x):
    """A forward operator that sees every second row."""
    return x[:, ::2]


def masked(x, mask):
    """A forward operator with a parameter, whose adjoint it is, too."""
    return x * mask


class Summary(memrev.nn.Module):
    """Sequences of any length to vectors of two features."""

    def __init__(self):
        self.net = memrev.nn.Linear(3, 2)

    def __call__(self, y):
        return np.tanh(self.net(y)).mean(axis=1)


#: name: a function of the steps that makes a network, its input, its condition.
NETWORKS = {
    "Glow": lambda k: (flows.Glow(1, k, 2, NET), random(1, 16, 4, 4, 1)),
    "Glow 1-D, no split": lambda k: (
        flows.Glow(1, k, 2, conv(1), rank=1, mix=1, split=False), random(1, 4, 4, 1)),
    "Glow 3-D": lambda k: (
        flows.Glow(1, k, 1, conv(3), rank=3, mix="permute", coupling=flows.GlowCoupling),
        random(1, 8, 2, 2, 2, 1)),
    "Glow of vectors": lambda k: (flows.Glow(5, k, 2, NET, rank=0, mix="lu"), random(1, 5, 5)),
    "ConditionalGlow": lambda k: (
        flows.ConditionalGlow(1, 1, steps=k, levels=2, net=conv(1), rank=1),
        random(1, 4, 4, 1), random(2, 4, 4, 1)),
    "NICE": lambda k: (flows.NICE(5, k, NET, condition=1), random(1, 5, 5), random(2, 5, 1)),
    "RealNVP": lambda k: (flows.RealNVP(1, k, 2, conv(1), rank=1, condition=2),
                          random(1, 4, 4, 1), random(2, 4, 2)),
    "RealNVP, images as conditions": lambda k: (
        flows.RealNVP(1, k, 2, conv(1), rank=1, condition=(2, 1)), random(1, 4, 4, 1),
        (random(2, 4, 4, 2), random(3, 4, 2, 1))),
    "RealNVP 2-D": lambda k: (flows.RealNVP(1, k, 1, conv()), random(1, 8, 4, 2, 1)),
    "RealNVP of vectors": lambda k: (flows.RealNVP(3, k, 1, NET, rank=0), random(1, 3, 3)),
    "NeuralSplineFlow": lambda k: (flows.NeuralSplineFlow(4, k, NET, bins=2, mix="lu"),
                                   random(1, 4, 4)),
    "HINTNetwork": lambda k: (flows.HINTNetwork(5, k, NET, condition=2), random(1, 5, 5),
                              random(2, 5, 2)),
    "MultiscaleHINT": lambda k: (flows.MultiscaleHINT(2, k, 2, NET, rank=1),
                                 random(1, 8, 4, 2)),
    "ConditionalHINTNetwork": lambda k: (flows.ConditionalHINTNetwork(3, 2, k, NET),
                                         (random(1, 5, 3), random(2, 5, 2))),
    "MultiscaleConditionalHINT": lambda k: (
        flows.MultiscaleConditionalHINT(1, 1, k, 2, NET, rank=1),
        (random(1, 8, 4, 1), random(2, 8, 4, 1))),
    "HyperbolicNetwork": lambda k: (
        flows.HyperbolicNetwork(1, ((0, k), (1, k), (-1, k)), rank=1, step=0.5,
                                activation=np.tanh),
        (random(1, 8, 4, 1), random(2, 8, 4, 1))),
    "LoopUnrolled": lambda k: (
        flows.LoopUnrolled(1, 2, flows.least_squares(every_second), k, conv(1), rank=1),
        (random(1, 12, 4, 1), random(2, 12, 4, 2)), random(3, 12, 2, 1)),
    "IUNet": lambda k: (flows.IUNet(2, (k, k), net=NET, rank=1, condition=2),
                        random(1, 8, 4, 2), random(2, 8, 2)),
    "IUNet, an image as condition": lambda k: (
        flows.IUNet(2, (k, k), net=conv(2), rank=2, condition=1, factor=(2, 1), start="random"),
        random(1, 16, 4, 2, 2), random(2, 16, 4, 2, 1)),
    "Summarized": lambda k: (
        flows.Summarized(flows.Repeat(flows.AffineCoupling(4, NET, condition=2), k), Summary()),
        random(1, 4, 4), random(2, 4, 6, 3)),
}


#: The others take longer, or have a layer, a condition or dimensions of another one of these.
QUICK = ("Glow", "ConditionalGlow", "NICE", "RealNVP", "NeuralSplineFlow", "HINTNetwork",
         "ConditionalHINTNetwork", "HyperbolicNetwork", "LoopUnrolled", "Summarized")


@pytest.mark.parametrize("name", slow.but(QUICK, NETWORKS))
def test_network(name):
    check(*NETWORKS[name](2), spread=0.2)


# ------------------------------------------------------------------------------
# Memory
# ------------------------------------------------------------------------------


def workspace(name, count, method):
    """Bytes of the workspace of a gradient, which are known before there is machine code."""
    model, x, *cond = NETWORKS[name](count)
    variables = model.init(0)
    types = tree.map(lambda a: memrev.ShapeDtype(a.shape, np.float32), (x, *cond))
    if method == "inverse":
        types = flows.latents_like(model, *types), *types[1:]

    def loss(params, x, *cond):
        y, log_det = model.apply(params, variables["state"], x, *cond, method=method)[0]
        return sum((leaf * leaf).sum() for leaf in tree.leaves(y)) + log_det.sum()

    text = memrev.jit(memrev.grad(loss)).mlir(variables["params"], *types)
    report = memrev.compile(text, until="bufferize").memory_report()
    return next(f["workspace_bytes"] for f in report if f["function"] == "loss")


@pytest.mark.parametrize("name, method", [
    *((name, None) for name in NETWORKS if name not in ("Glow", "NICE")), ("Glow", "inverse"),
    ("NICE", "inverse")])
def test_memory_does_not_depend_on_the_steps(name, method):
    assert workspace(name, 16, method) <= workspace(name, 4, method)


# ------------------------------------------------------------------------------
# What networks are asked for besides
# ------------------------------------------------------------------------------


def run(model, variables, *args, method=None):
    return memrev.jit(lambda variables, args: model.apply(
        variables["params"], variables["state"], *args, method=method)[0])(variables, args)


def varied(model, seed=0, spread=0.2):
    variables = model.init(seed, np.float64)
    generator = np.random.default_rng(seed)
    return {"params": tree.map(lambda a: a + spread * generator.standard_normal(a.shape),
                               variables["params"]), "state": variables["state"]}


def test_latent_variables_keep_the_batch():
    model = flows.Glow(3, 1, 3, flows.convolutional(3, 3))
    x = memrev.ShapeDtype((5, 16, 8, 3))
    assert [leaf.shape for leaf in flows.latents_like(model, x)] == [
        (5, 8, 4, 6), (5, 4, 2, 12), (5, 2, 1, 48)]
    model = flows.MultiscaleConditionalHINT(1, 2, 1, 2, flows.convolutional(3, 3))
    found = flows.latents_like(model, (memrev.ShapeDtype((5, 8, 8, 1)),
                                       memrev.ShapeDtype((5, 8, 8, 2))))
    assert [[leaf.shape for leaf in part] for part in found] == [
        [(5, 4, 4, 2), (5, 2, 2, 8)], [(5, 4, 4, 4), (5, 2, 2, 16)]]


@pytest.mark.parametrize("name", ["ConditionalHINTNetwork", "MultiscaleConditionalHINT"])
def test_observations_have_latent_variables_of_their_own(name):
    """What samples of data that belong to observations need."""
    model, (x, y) = NETWORKS[name](2)
    variables = varied(model)
    (_, expected), _ = run(model, variables, (x, y))
    latent, log_det = run(model, variables, y, method="observations")
    assert difference(latent, expected) < 1e-13
    back, undone = run(model, variables, latent, method="inverse_observations")
    assert difference(back, y) < 1e-12 and difference(log_det, -undone) < 1e-12
    # Any latent variable of data gives some with these observations.
    noise = tree.map(lambda a: np.cos(a), run(model, variables, (x, y))[0][0])
    (other, same), _ = run(model, variables, (noise, latent), method="inverse")
    assert difference(same, y) < 1e-12 and difference(other, x) > 0.1


def test_unet_encodes_and_decodes():
    model, x, cond = NETWORKS["IUNet"](1)
    variables = varied(model)
    y, _ = run(model, variables, x, cond)
    latents, _ = run(model, variables, x, cond, method="encode")
    assert [leaf.shape for leaf in latents] == [(8, 4, 1), (8, 2, 2)]
    assert difference(run(model, variables, latents, cond, method="decode")[0], y) < 1e-13
    with pytest.raises(ValueError, match="IUNet expects a tuple of 2 arrays to decode"):
        run(model, variables, x, cond, method="decode")


@pytest.mark.parametrize("make", [
    lambda: flows.RealNVP(1, 2, 2, conv(1), rank=1, condition=2),
    lambda: flows.IUNet(2, (1, 1), net=conv(1), rank=1, condition=2)], ids=["RealNVP", "IUNet"])
def test_conditions_of_each_scale_are_those_of_an_image(make):
    model = make()
    variables = model.init(0, np.float64)
    variables["params"] = tree.map(lambda a: a + 0.1, variables["params"])
    channels = 1 if isinstance(model, flows.RealNVP) else 2
    x, image = random(1, 3, 4, channels), random(2, 3, 4, 2)
    one = run(model, variables, x, image)
    several = run(model, variables, x, (image, image[:, ::2]))
    assert difference(one, several) == 0
    other = image.copy()
    other[:, 1] += 1  # Only the first scale sees it.
    assert difference(run(model, variables, x, (other, image[:, ::2])), one) > 1e-3
    # A vector is an image that is everywhere the same.
    vector = image[:, 0]
    same = np.repeat(vector[:, None], 4, axis=1)
    assert difference(run(model, variables, x, vector), run(model, variables, x, same)) < 1e-12


#: Networks as they are by default, with the shape of a sample, or of each array, and that of a
#: condition.
BY_DEFAULT = {
    "Glow": (flows.Glow(3), (8, 8, 3)),
    "ConditionalGlow": (flows.ConditionalGlow(3, 2), (8, 8, 3), (8, 8, 2)),
    "ConditionalGlow, 3-D": (flows.ConditionalGlow(1, 1, rank=3, levels=1), (2, 2, 2, 1),
                             (2, 2, 2, 1)),
    "NICE": (flows.NICE(4), (4,)),
    "NeuralSplineFlow": (flows.NeuralSplineFlow(4), (4,)),
    "RealNVP": (flows.RealNVP(3), (4, 4, 3)),
    "HINTNetwork": (flows.HINTNetwork(6), (6,)),
    "MultiscaleHINT": (flows.MultiscaleHINT(3), (4, 4, 3)),
    "ConditionalHINTNetwork": (flows.ConditionalHINTNetwork(4, 3), ((4,), (3,))),
    "MultiscaleConditionalHINT": (flows.MultiscaleConditionalHINT(2, 1), ((4, 4, 2), (4, 4, 1))),
    "HyperbolicNetwork": (flows.HyperbolicNetwork(4), ((4, 4, 4), (4, 4, 4))),
    "HyperbolicNetwork, 3-D": (flows.HyperbolicNetwork(1, rank=3),
                               ((2, 2, 2, 1), (2, 2, 2, 1))),
    "LoopUnrolled": (flows.LoopUnrolled(1, 3, flows.least_squares(every_second)),
                     ((4, 4, 1), (4, 4, 3)), (2, 4, 1)),
    "IUNet": (flows.IUNet(8), (8, 8, 8)),
}


@pytest.mark.parametrize("name", BY_DEFAULT)
def test_defaults_fit_together(name):
    """InvertibleNetworks.jl has layers and networks whose defaults raise."""
    model, shape, *cond = BY_DEFAULT[name]

    def types(shape):
        return (memrev.ShapeDtype((2, *shape)) if not isinstance(shape[0], tuple)
                else tuple(map(types, shape)))

    x, given = types(shape), map(types, cond)
    variables = model.init(0)
    arguments = variables["params"], flows.latents_like(model, x, *given), *map(types, cond)

    def back(params, z, *cond):
        return model.apply(params, variables["state"], z, *cond, method="inverse")[0][0]

    text = memrev.jit(back).mlir(*arguments)
    results = text[text.index("func.func @back("):].split("->")[1].split("{")[0]
    for leaf in tree.leaves(x):
        assert "x".join(map(str, leaf.shape)) + "xf32" in results


def test_couplings_of_a_checkerboard():
    """Equation 9 of RealNVP: y = b x + (1 - b) (x exp(s(b x)) + t(b x)) for a mask b of the
    image, of the even and of the odd places in turn."""
    make = conv()
    model, x = flows.RealNVP(1, 1, 1, make), random(1, 3, 4, 6, 1)
    variables = varied(model)
    (found,), log_det = run(model, variables, x)
    block = tree.map(lambda a: a[0], variables["params"]["levels"][0]["layers"][0]["block"])
    norm, coupling = (block["layers"][i] for i in range(2))
    y = x * np.exp(norm["scale"]) + norm["offset"]
    total = 24 * norm["scale"].sum()
    even = (np.add.outer(np.arange(4), np.arange(6)) % 2 == 0)[..., None]
    # The odd places change the even ones first.
    for seen, params in zip((~even, even), coupling["layers"][2]["nets"].values()):
        a, t = np.split(run(make(1, 2), {"params": params["net"], "state": {}}, seen * y), 2, -1)
        log_scale = 2 * np.tanh(a / 2)
        y = seen * y + ~seen * (y * np.exp(log_scale) + t)
        total = total + (~seen * log_scale).sum(axis=(1, 2, 3))
    assert difference(found, y) < 1e-13 and difference(log_det, total) < 1e-13


def test_least_squares_with_an_adjoint_a_link_and_parameters():
    x, mask, data = random(0, 3, 4), random(1, 3, 4), random(2, 3, 4)
    slope = 1 - np.tanh(x) ** 2
    for link, image, by_link in ((None, x, 1), (np.tanh, np.tanh(x), slope)):
        for adjoint in (None, masked):
            gradient = flows.least_squares(masked, adjoint, link)
            found = memrev.jit(gradient)(x, (data, mask))
            assert difference(found, by_link * mask * (mask * image - data)) < 1e-14


def test_a_loop_learns_by_its_operator():
    """The gradient of the iteration goes through the operator, linked and with parameters."""
    gradient = flows.least_squares(masked, link=np.tanh)
    model = flows.LoopUnrolled(1, 1, gradient, 1, NET, layer=flows.Householder(2, 1))
    check(model, (random(1, 2, 1), random(2, 2, 1)), (random(3, 2, 1), random(4, 2, 1)),
          spread=0.2)


def test_networks_nest():
    """Backwards, in chains, and loops in loops."""
    inner = flows.Repeat(flows.NICE(3, 1, flows.dense(2, activation=np.tanh)), 2)
    check(flows.Sequential(flows.Inverse(inner), flows.Reverse(),
                           flows.Inverse(flows.Inverse(flows.ActNorm(3)))),
          random(1, 3, 3), spread=0.2)


def test_data_initialize_networks():
    """One call sets the ActNorms of all levels, of the condition too."""
    model = flows.ConditionalGlow(2, 1, steps=2, levels=2, rank=1, net=conv(1))
    variables = model.init(0, np.float64)
    x, cond = 3 + 2 * random(0, 50, 8, 2), 5 + random(1, 50, 8, 1)
    found = memrev.jit(lambda variables, x, cond: model.initialize(
        variables["params"], variables["state"], x, cond))(variables, x, cond)
    norm = found["params"]["norm_condition"]
    assert np.allclose(np.exp(norm["scale"]), 1 / cond.std()) and abs(norm["offset"]) > 1
    z, _ = run(model, found, x, cond)
    for leaf in z:
        # Couplings, identities at first, and reflections keep what ActNorms make.
        assert np.abs(leaf.mean(axis=(0, 1))).max() < 1e-10
        assert 0.5 < leaf.std() < 1.5
    assert largest(run(model, variables, x, cond)[0]) > 2 * largest(z)


# ------------------------------------------------------------------------------
# Errors
# ------------------------------------------------------------------------------


@pytest.mark.parametrize("message, make", [
    ("Glow expects at least 1 of steps and levels, but got 0 and 3", lambda: flows.Glow(2, 0)),
    ("expects at least 2 channels to split behind level 0, but got 1",
     lambda: flows.Glow(1, 1, 2, NET, rank=0)),
    ("expects 0, 1, 2 or 3 dimensions of space, but got 4", lambda: flows.Glow(2, rank=4)),
    ("expects as mix one of linear, lu, .*, but got 'qr'", lambda: flows.Glow(2, mix="qr")),
    ("ConditionalGlow expects a condition of at least 1 channel, but got 0",
     lambda: flows.ConditionalGlow(2, 0)),
    (r"RealNVP expects the channels of a condition for 2 scales, but got \[1\]",
     lambda: flows.RealNVP(2, condition=[1])),
    (r"IUNet expects the channels of a condition for 3 scales, but got \[1, 2\]",
     lambda: flows.IUNet(4, condition=(1, 2))),
    ("Multiscale expects at least 1 level", lambda: flows.Multiscale([])),
    ("HyperbolicNetwork expects a resampling out of -1, 0, 1 in each stage, but got 2 in stage 0",
     lambda: flows.HyperbolicNetwork(1, ((2, 1),))),
    ("HyperbolicNetwork expects channels that 4 divides before stage 1, but got 2",
     lambda: flows.HyperbolicNetwork(2, ((0, 1), (-1, 1)))),
    ("LoopUnrolled expects a memory of at least 2 channels", lambda: flows.LoopUnrolled(
        2, 1, every_second)),
    ("IUNet expects at least one level, and steps in each, but got depths",
     lambda: flows.IUNet(4, (1, 0))),
    ("IUNet expects channels to pass on for 1 levels, but got", lambda: flows.IUNet(
        4, (1, 1), down=(2, 2))),
    ("IUNet expects level 0 to pass on at least 1 of 4 channels and to keep one, but got 4",
     lambda: flows.IUNet(4, (1, 1), down=(4,))),
])
def test_errors_of_constructors(message, make):
    with pytest.raises(ValueError, match=message):
        make()


def test_errors():
    x = np.ones((4, 4, 2), np.float32)
    for message, model, args, method in (
            ("ConditionalGlow expects a condition, but got None",
             flows.ConditionalGlow(2, 1, rank=1), (x,), None),
            ("Summarized expects a condition, but got None",
             flows.Summarized(flows.Reverse(), Summary()), (x,), None),
            ("Glow expects a tuple of 2 latent variables, one for each level, but got one array",
             flows.Glow(2, 1, 2, rank=1), (x,), "inverse"),
            ("Multiscale expects at least 2 channels to split, but got shape",
             flows.Multiscale([flows.Reverse()] * 2, None), (x[..., :1],), None),
            ("expects a tuple of 2 conditions, one for each scale, but got 1",
             flows.RealNVP(2, 1, 2, rank=1, condition=1), (x, (x,)), None),
            ("expects a condition of shape .*, but got",
             flows.IUNet(2, (1, 1), rank=1, condition=2), (x, x[:, :2]), None),
            ("LoopUnrolled expects an estimate of 1 channels and a memory of 2, but got",
             flows.LoopUnrolled(1, 2, every_second, rank=1), (x,), None),
            (r"Squeeze expects an array .* with extents of space that 2 divides",
             flows.Glow(2, 1, 2, rank=1), (x[:, :2],), None)):
        with pytest.raises(ValueError, match=message):
            run(model, model.init(0), *args, method=method)
