# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Networks of memrev.flows compiled for GPUs, in both directions, with gradients."""

import shutil

import numpy as np
import pytest
import slow
from emulator import off_emulator, on_emulator, runs_on_emulator
from test_flows_networks import NETWORKS

import memrev
from memrev import numpy as mnp
from memrev import tree

test_on_emulator = runs_on_emulator(__file__, slow=True)
test_slow_ones_on_emulator = runs_on_emulator(__file__, ("--slow", "-m", "slow"), slow=True)

every_network = pytest.mark.parametrize(
    "name", slow.but(("HyperbolicNetwork",), NETWORKS))


def program(name, dtype):
    """A function that goes through a network and back, with gradients by parameters, and its
    arguments."""
    generator = np.random.default_rng(0)
    model, x, *cond = tree.map(lambda a: a if callable(a) else a[:3].astype(dtype),
                               NETWORKS[name](1))
    variables = model.init(0, dtype)
    params = tree.map(lambda a: (a + 0.2 * generator.standard_normal(a.shape)).astype(a.dtype),
                      variables["params"])

    def there_and_back(params, x, cond):
        y, log_det = model.apply(params, variables["state"], x, *cond)[0]
        total = log_det.sum() + sum(mnp.sin(part).sum() for part in tree.leaves(y))
        y = tree.map(lambda part: 0.9 * part, y)
        back, log_det = model.apply(params, variables["state"], y, *cond, method="inverse")[0]
        total = total + 2 * log_det.sum()
        return total + sum((part * part).sum() for part in tree.leaves(back))

    return memrev.value_and_grad(there_and_back), (params, x, tuple(cond))


@on_emulator
@every_network
def test_network_equals_that_of_the_processor(name):
    """In f64, where the order of sums is below 1e-10 of the largest number."""
    run, arguments = program(name, np.float64)
    expected = memrev.jit(run)(*arguments)
    found = memrev.jit(run, device="cuda")(*arguments)
    for a, b in zip(tree.leaves(found), tree.leaves(expected)):
        assert np.isfinite(b).all()
        np.testing.assert_allclose(np.asarray(a.numpy()), b, rtol=0,
                                   atol=1e-10 * max(1, np.abs(b).max()))


@off_emulator
@every_network
def test_network_compiles(name):
    """In f32 and as machine code where ptxas is there."""
    run, arguments = program(name, np.float32)
    has_assembler = shutil.which("ptxas") is not None
    module = memrev.compile(memrev.jit(run).mlir(*arguments), "cuda", chip="sm_90",
                            kernel_format="cubin" if has_assembler else "ptx")
    assert module.chip == "sm_90"
