# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The networks of networks.py of FrEIA's modules, with the same parameters. FrEIA 0.2 has no
splines: those are nflows's, by the authors of neural spline flows."""

import math

import FrEIA.framework as Ff
import FrEIA.modules as Fm
import numpy as np
import torch
from FrEIA.modules.coupling_layers import _BaseCouplingBlock
from torch import nn

from memrev import tree


def build(network, number, options, params, state):
    """The network of `networks.build` with its variables."""
    if network == "splines":
        return splines(number, options["flow_steps"], params, state, options["hidden"])
    return glow(options["levels"], number, options["size"], params, state,
                hidden=options["hidden"])


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
            here = order if i == 0 else slice(None)
            matrix = np.ascontiguousarray(_entry(fixed, i)["layers"][1]["matrix"][here])
            nodes += _step(last, _entry(step, i),
                           (Fm.Fixed1x1Conv, {"M": torch.from_numpy(matrix)}),
                           (Fm.GLOWCouplingBlock,
                            {"subnet_constructor": subnet(hidden), "clamp": 2.0}), here)
            last = nodes[-1]
        if level + 1 < levels:
            half = channels // 2
            split = Ff.Node(last, Fm.Split,
                            {"section_sizes": [half, channels - half], "dim": 0})
            nodes += [split, Ff.OutputNode(split.out0)]
            last, channels = split.out1, channels - half
            params, state = (t["layers"][3]["layers"][1] for t in (params, state))
    return _model([*nodes, Ff.OutputNode(last)])


def splines(channels, steps, params, state, hidden):
    """A GraphINN that computes what memrev's `splines` does."""
    nodes = [Ff.InputNode(channels)]
    for i in range(steps):
        arrays, fixed = _entry(params["block"], i), _entry(state["block"], i)
        matrix = torch.from_numpy(fixed["layers"][1]["matrix"].T)
        nodes += _step(nodes[-1], arrays, (Fm.FixedLinearTransform, {"M": matrix}),
                       (SplineCoupling, {"hidden": hidden}), slice(None))
    return _model([*nodes, Ff.OutputNode(nodes[-1])])


class SplineCoupling(_BaseCouplingBlock):
    """A coupling of both halves by rational-quadratic splines of 10 bins in [-3, 3]."""

    def __init__(self, dims_in, dims_c=[], hidden=64):
        super().__init__(dims_in, dims_c, split_len=dims_in[0][0] // 2)
        from nflows.transforms.splines import unconstrained_rational_quadratic_spline
        self.spline = unconstrained_rational_quadratic_spline
        first, second = self.split_len1, self.split_len2
        self.subnet1, self.subnet2 = (
            nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden),
                          nn.ReLU(), nn.Linear(hidden, 29 * outputs))
            for inputs, outputs in ((first, second), (second, first)))

    def _coupling1(self, x1, u2, rev=False):
        return self._spline(x1, self.subnet2(u2), rev)

    def _coupling2(self, x2, u1, rev=False):
        return self._spline(x2, self.subnet1(u1), rev)

    def _spline(self, x, parameters, rev):
        widths, heights, slopes = parameters.view(*x.shape, 29).split([10, 10, 9], dim=-1)
        # memrev's slopes are 1 for a parameter of zero.
        y, slope = self.spline(x, widths, heights, slopes + math.log(math.expm1(1 - 1e-3)),
                               inverse=rev, tail_bound=3.0)
        return y, slope.sum(dim=1)


def _model(nodes):
    """The GraphINN of nodes, with the parameters that their `fill` puts there."""
    model = Ff.GraphINN(nodes, verbose=False)
    with torch.no_grad():
        for node in nodes:
            if hasattr(node, "fill"):
                node.fill(node.module)
    return model


def _step(last, params, mixing, coupling_block, order):
    """The three nodes of a step behind the node `last`; `fill` puts the parameters there.
    mixing, coupling_block: a module and its arguments. order: of the channels before."""
    norm, coupling = params["layers"][0], params["layers"][2]
    nodes = [Ff.Node(last, Fm.ActNorm, {})]
    nodes.append(Ff.Node(nodes[-1], *mixing))
    nodes.append(Ff.Node(nodes[-1], *coupling_block))

    def fill_norm(module):
        module.init_on_next_batch = False
        module.scale.view(-1).copy_(torch.from_numpy(norm["scale"][order]))
        module.bias.view(-1).copy_(torch.from_numpy(norm["offset"][order]))

    def fill_coupling(module):
        # The network of the first half's parameters is FrEIA's second.
        for net, arrays in zip((module.subnet2, module.subnet1), coupling["nets"].values()):
            for layer, values in zip(net[::2], arrays["layers"].values()):
                weight = np.moveaxis(values["weight"], (-1, -2), (0, 1))
                layer.weight.copy_(torch.from_numpy(np.ascontiguousarray(weight)))
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
