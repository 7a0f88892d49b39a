# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Gradients of networks of memrev.flows, on the SIMT emulator as on the processor."""

import numpy as np
import pytest
from emulator import on_emulator, runs_on_emulator

import memrev
from memrev import flows, tree

test_on_emulator = runs_on_emulator(__file__)

NET = flows.dense(4, activation=np.tanh)

#: name: (network, shapes of x).
NETWORKS = {
    "Glow": (flows.Glow(1, 2, 2, flows.convolutional(3, windows=(3, 1), activation=np.tanh)),
             [(2, 4, 4, 1)]),
    "ConditionalHINTNetwork": (flows.ConditionalHINTNetwork(3, 2, 2, NET), [(2, 3), (2, 2)]),
    "HyperbolicNetwork": (flows.HyperbolicNetwork(1, ((0, 2), (1, 2)), rank=1), [(2, 4, 1)] * 2),
    "IUNet": (flows.IUNet(2, (2, 2), net=NET, rank=1), [(2, 4, 2)]),
}


@on_emulator
@pytest.mark.parametrize("name", NETWORKS)
def test_network(name):
    network, shapes = NETWORKS[name]
    generator = np.random.default_rng(0)
    flow = flows.Flow(network)
    variables = flow.init(0, np.float64)
    params = tree.map(lambda a: a + 0.2 * generator.standard_normal(a.shape),
                      variables["params"])
    x = tuple(generator.standard_normal(shape) for shape in shapes)
    x = x if len(x) > 1 else x[0]

    def gradient(params, x):
        return memrev.value_and_grad(lambda params: flow.apply(
            params, variables["state"], x, method="negative_log_likelihood")[0])(params)

    expected = memrev.jit(gradient)(params, x)
    found = memrev.jit(gradient, device="cuda")(params, x)
    for a, b in zip(tree.leaves(found), tree.leaves(expected)):
        assert np.isfinite(b).all()
        np.testing.assert_allclose(np.asarray(a.numpy()), b, rtol=0,
                                   atol=1e-11 * max(1, np.abs(b).max()))
