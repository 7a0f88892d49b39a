# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every layer of memrev.flows compiled for GPUs, in both directions, with gradients."""

import inspect
import shutil

import numpy as np
import pytest
import slow
from emulator import off_emulator, on_emulator, runs_on_emulator

import memrev
from memrev import flows, nn, tree
from memrev import numpy as mnp

test_on_emulator = runs_on_emulator(__file__)
test_slow_ones_on_emulator = runs_on_emulator(__file__, ("--slow", "-m", "slow"), slow=True)

DENSE = flows.dense(4, activation=np.tanh)
CONV = flows.convolutional(3, windows=(3, 1), rank=1, activation=np.tanh)
PAIR = ((2, 4), (2, 4))

#: name: (layer, shape of x or a tuple of them, channels of the condition). The layers of a
#: group are one program.
GROUPS = {
    "couplings": {
        "AdditiveCoupling": (flows.AdditiveCoupling(3, DENSE), (2, 3)),
        "AffineCoupling": (flows.AffineCoupling(3, DENSE, two_sided=True, condition=2), (2, 3), 2),
        "GlowCoupling": (flows.GlowCoupling(2, CONV), (2, 4, 2)),
        "GINCoupling": (flows.GINCoupling(4, DENSE, two_sided=False), (2, 4)),
        "NICECoupling": (flows.NICECoupling(4, DENSE), (2, 4)),
        "RNVPCoupling": (flows.RNVPCoupling(4, DENSE, two_sided=False), (2, 4)),
        "AllInOne": (flows.AllInOne(4, DENSE), (2, 4)),
        "ConditionalAffine": (flows.ConditionalAffine(3, DENSE, condition=2), (2, 3), 2),
    },
    "recursive": {
        "HINT": (flows.HINT(5, DENSE, leaf=2), (2, 5)),
        "ConditionalHINT": (flows.ConditionalHINT(3, 2, DENSE, leaf=2), ((2, 3), (2, 2))),
        "IRIMCoupling": (flows.IRIMCoupling(4, DENSE), (2, 4)),
    },
    "dynamics": {
        "Leapfrog": (flows.Leapfrog(flows.DenseNet(4, 4, (3,), np.tanh), 0.5), PAIR),
        "Momentum": (flows.Momentum(flows.DenseNet(4, 4, (3,), np.tanh), 0.8), PAIR),
        "Hyperbolic": (flows.Hyperbolic(3, 2, rank=1, step=0.7, activation=np.tanh),
                       ((2, 4, 3), (2, 4, 3))),
    },
    "elements": {
        "ActNorm": (flows.ActNorm(3), (2, 5, 3)),
        "Affine": (flows.Affine(5, 3), (2, 5, 3)),
        "ExpClamp": (flows.ExpClamp(), (2, 3)),
        "LeakyReLU": (flows.LeakyReLU(), (2, 3)),
        "LearnedLeakyReLU": (flows.LearnedLeakyReLU(3), (2, 3)),
        "Sigmoid": (flows.Sigmoid(), (2, 3)),
        "Logit": (flows.Sequential(flows.Sigmoid(-1, 2), flows.Logit(-1, 3)), (2, 3)),
        "Tanh": (flows.Tanh(), (2, 3)),
        "Inverse": (flows.Inverse(flows.ActNorm(3)), (2, 3)),
        "Repeat": (flows.Repeat(flows.Sequential(flows.ActNorm(3), flows.LeakyReLU()), 3), (2, 3)),
    },
    "matrices": {
        "Householder": (flows.Householder(4, 2), (2, 3, 4)),
        "ConditionalHouseholder": (flows.ConditionalHouseholder(4, flows.dense(
            4, activation=np.tanh, zero_init=False), 2, 2), (2, 3, 4), 2),
        "FixedLinear": (flows.FixedLinear([[1, 2], [0, 3]]), (2, 3, 2)),
        "FixedOrthogonal": (flows.FixedOrthogonal(4), (2, 3, 4)),
        "Orthogonal, householder": (flows.Orthogonal(4, "householder"), (2, 3, 4)),
        "Permute": (flows.Permute(4), (2, 3, 4)),
        "Reverse": (flows.Reverse(), (2, 3, 4)),
        "LULinear": (flows.LULinear(4), (2, 3, 4)),
        "InvertibleLinear": (flows.InvertibleLinear(4), (2, 3, 4)),
    },
    "orthogonal": {
        "Orthogonal": (flows.Orthogonal(4), (2, 3, 4)),
        "Orthogonal, exp": (flows.Orthogonal(4, "exp"), (2, 3, 4)),
    },
    "places": {
        "Squeeze": (flows.Squeeze(), (2, 4, 4, 3)),
        "Unsqueeze": (flows.Unsqueeze("patch"), (2, 2, 2, 4)),
        "Split": (flows.Split(2, 3), (2, 5)),
        "Cat": (flows.Cat(2, 3), ((2, 2), (2, 3))),
        "Parallel": (flows.Parallel(flows.ActNorm(2), None), ((2, 2), (2, 3))),
        "Flatten": (flows.Flatten(4, 3), (2, 4, 3)),
        "Reshape": (flows.Reshape((4, 3), (2, 6)), (2, 4, 3)),
        "Haar": (flows.Haar(), (2, 4, 4, 2)),
        "Wavelet": (flows.Wavelet(2), (2, 8, 2)),
        "Downsample": (flows.Downsample(2, 1), (2, 4, 2)),
        "Upsample": (flows.Upsample(2, 1), (2, 4, 4)),
    },
    "splines": {
        "RationalQuadraticSplineCoupling": (
            flows.RationalQuadraticSplineCoupling(3, DENSE, bins=3), (2, 3)),
        "LinearSplineCoupling": (flows.LinearSplineCoupling(3, DENSE, bins=3), (2, 3)),
        "RationalQuadraticSpline": (flows.RationalQuadraticSpline(3, bins=3), (2, 3)),
        "LinearSpline": (flows.LinearSpline(3, bins=3), (2, 3)),
        "LinearSpline, learned box": (flows.LinearSpline(3, bins=3, learn_box=True), (2, 3)),
    },
    "residual": {
        "IResNet": (flows.IResNet(flows.LipschitzNet(3, (4,), activation=np.tanh), terms=3),
                    (2, 3)),
    },
    "residual, dense": {
        "IResNet": (flows.IResNet(flows.LipschitzNet(3, (4,), activation=np.tanh), "dense"),
                    (2, 3)),
    },
}

#: Groups in which a number on the device decides how often a loop of the host runs: the squarings
#: of an exponential, the steps of a fixed point. What that costs the compiler says.
DECIDES = ("orthogonal", "residual", "residual, dense")
READS_BACK = "remark: the host reads this back and waits for it"


every_group = pytest.mark.parametrize("group", slow.but(("elements",), GROUPS))


def test_all_layers_are_here():
    def inside(module):
        yield type(module).__name__
        for part in vars(module).values():
            for part in part if isinstance(part, (list, tuple)) else [part]:
                if isinstance(part, nn.Module):
                    yield from inside(part)

    found = {name for group in GROUPS.values() for layer, *_ in group.values()
             for name in inside(layer)}
    bijections = {name for name in flows.__all__ if inspect.isclass(getattr(flows, name))
                  and issubclass(getattr(flows, name), flows.Bijection)}
    # Networks have tests of their own.
    bijections = {name for name in bijections
                  if not getattr(flows, name).__module__.startswith("memrev.flows.networks")}
    assert bijections - found == {"Bijection", "Coupling"}  # Which have no computation.


def program(group, dtype):
    """A function of all layers of a group, each applied in both directions, with gradients by
    parameters, x and the condition; and its arguments."""
    generator, arguments = np.random.default_rng(0), {}

    def normal(shape):
        return generator.standard_normal(shape).astype(dtype)

    for name, (layer, shape, *condition) in GROUPS[group].items():
        variables = layer.init(0, dtype)
        params = tree.map(lambda a: (a + 0.2 * generator.standard_normal(a.shape)).astype(a.dtype),
                          variables["params"])
        x = tuple(map(normal, shape)) if isinstance(shape[0], tuple) else normal(shape)
        cond = normal((2, *condition)) if condition else None
        arguments[name] = params, x, cond, variables["state"]

    def there_and_back(layer, params, x, cond, state):
        y, log_det = layer.apply(params, state, x, cond, rng=(0, 0))[0]
        total = log_det.sum() + sum(mnp.sin(part).sum() for part in tree.leaves(y))
        y = tree.map(lambda part: 0.9 * part, y)
        back, log_det = layer.apply(params, state, y, cond, rng=(0, 1), method="inverse")[0]
        total = total + 2 * log_det.sum()
        return total + sum((part * part).sum() for part in tree.leaves(back)), (y, back)

    def run(arguments):
        return {name: memrev.value_and_grad(
            lambda params, x, cond: there_and_back(
                GROUPS[group][name][0], params, x, cond, state),
            (0, 1) if cond is None else (0, 1, 2), has_aux=True)(params, x, cond)
            for name, (params, x, cond, state) in arguments.items()}

    return run, arguments


@on_emulator
@every_group
def test_layers_equal_those_of_the_processor(group):
    """In f64, where the order of sums is below 1e-10 of the largest number."""
    run, arguments = program(group, np.float64)
    expected = memrev.jit(run)(arguments)
    found = memrev.jit(run, device="cuda")(arguments)
    for name, wanted in expected.items():
        for a, b in zip(tree.leaves(found[name]), tree.leaves(wanted)):
            a = np.asarray(a.numpy())
            assert np.isfinite(b).all()
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-10 * max(1, np.abs(b).max()),
                                       err_msg=name)


@off_emulator
@every_group
def test_layers_compile(group):
    """In f32 and as machine code where ptxas is there."""
    run, arguments = program(group, np.float32)
    text = memrev.jit(run).mlir(arguments)
    has_assembler = shutil.which("ptxas") is not None
    module = memrev.compile(text, "cuda", chip="sm_90",
                            kernel_format="cubin" if has_assembler else "ptx")
    remarks = [str(d) for d in module.diagnostics]
    assert all(READS_BACK in remark for remark in remarks)
    assert bool(remarks) == (group in DECIDES), remarks
