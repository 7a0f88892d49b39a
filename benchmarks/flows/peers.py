# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The Glow of networks.py of FrEIA's modules, with the same parameters."""

import math

import FrEIA.framework as Ff
import FrEIA.modules as Fm
import numpy as np
import torch
from torch import nn

from memrev import tree


def subnet(hidden):
    def make(inputs, outputs):
        return nn.Sequential(nn.Conv2d(inputs, hidden, 3, padding=1), nn.ReLU(),
                             nn.Conv2d(hidden, hidden, 1), nn.ReLU(),
                             nn.Conv2d(hidden, outputs, 3, padding=1))

    return make


def glow(levels, count, size, params, state, channels=3, hidden=64):
    """A GraphINN that computes what memrev's `glow` of FixedOrthogonal does.

    params, state: those of memrev. FrEIA's squeeze has the channels in another order: the
    first step of each level undoes that.
    """
    last = Ff.InputNode(channels, size, size)
    nodes = [last]
    for level in range(levels):
        last = Ff.Node(last, Fm.IRevNetDownsampling, {})
        nodes.append(last)
        # Channel c of the part p of space is number 4 c + p here, p * channels + c there.
        order = np.arange(4 * channels).reshape(4, channels).T.ravel()
        channels *= 4
        step, fixed = params["layers"][1]["block"], state["layers"][1]["block"]
        for i in range(count):
            nodes += _step(last, _entry(step, i), _entry(fixed, i), hidden,
                           order if i == 0 else slice(None))
            last = nodes[-1]
        if level + 1 < levels:
            half = channels // 2
            split = Ff.Node(last, Fm.Split,
                            {"section_sizes": [half, channels - half], "dim": 0})
            nodes += [split, Ff.OutputNode(split.out0)]
            last, channels = split.out1, channels - half
            params, state = (t["layers"][3]["layers"][1] for t in (params, state))
    nodes.append(Ff.OutputNode(last))
    model = Ff.GraphINN(nodes, verbose=False)
    with torch.no_grad():
        for node in nodes:
            if hasattr(node, "fill"):
                node.fill(node.module)
    return model


def _step(last, params, state, hidden, order):
    """The three nodes of a step behind the node `last`; `fill` puts the parameters there."""
    norm, coupling = params["layers"][0], params["layers"][2]
    matrix = torch.from_numpy(np.ascontiguousarray(state["layers"][1]["matrix"][order]))
    nodes = [Ff.Node(last, Fm.ActNorm, {})]
    nodes.append(Ff.Node(nodes[-1], Fm.Fixed1x1Conv, {"M": matrix}))
    nodes.append(Ff.Node(nodes[-1], Fm.GLOWCouplingBlock,
                         {"subnet_constructor": subnet(hidden), "clamp": 2.0}))

    def fill_norm(module):
        module.init_on_next_batch = False
        module.scale.view(-1).copy_(torch.from_numpy(norm["scale"][order]))
        module.bias.view(-1).copy_(torch.from_numpy(norm["offset"][order]))

    def fill_coupling(module):
        # The network of the first half's parameters is FrEIA's second.
        for net, arrays in zip((module.subnet2, module.subnet1), coupling["nets"].values()):
            for layer, values in zip(net[::2], arrays["layers"].values()):
                layer.weight.copy_(torch.from_numpy(values["weight"]).permute(3, 2, 0, 1))
                layer.bias.copy_(torch.from_numpy(values["bias"]))

    nodes[0].fill, nodes[2].fill = fill_norm, fill_coupling
    return nodes


def _entry(stacked, i):
    return tree.map(lambda a: a[i], stacked)


def negative_log_likelihood(model, x):
    """What networks.negative_log_likelihood is, of x [batch, channels, height, width]."""
    z, log_det = model(x)
    z = z if isinstance(z, tuple) else (z,)
    squares = sum((part * part).sum() for part in z)
    return ((0.5 * squares - log_det.sum()) / x.shape[0]
            + 0.5 * x[0].numel() * math.log(2 * math.pi))
