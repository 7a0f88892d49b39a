# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reversible language models that integrate a differential equation: Gal, Eliasof, Turek,
Ascher, Treister, Haber: Reversing large language models for efficient training and
fine-tuning (arXiv 2512.02056).
"""

from .. import nn
from .. import numpy as mnp
from .transformer import AttentionBranch, MLPBranch

__all__ = ["DynamicsLM"]


class _Layer(nn.Module):
    """f(x) of the equation x' = f(x): what a transformer's layer adds to its argument,
    attention(x) + MLP(x + attention(x))."""

    def __init__(self, features, heads, expansion):
        self.attention = AttentionBranch(features, heads, causal=True)
        self.mlp = MLPBranch(features, expansion)

    def __call__(self, x):
        change = self.attention(x)
        return change + self.mlp(x + change)


class _Midpoint(nn.Module):
    """(x[j-1], x[j]) to (x[j], x[j-1] + 2 h f(x[j]))."""

    def __init__(self, layer, step):
        self.layer, self.step = layer, step

    def start(self, layer, x):
        """A step of Euler: x[1] = x[0] + h f(x[0])."""
        return x + self.step * layer(x)

    def __call__(self, x):
        before, now = x
        return now, nn.couple(lambda x: 2 * self.step * self.layer(x), before, now)


class _Leapfrog(nn.Module):
    """(x[j-1], x[j]) to (x[j], 2 x[j] - x[j-1] + h^2 f(x[j])), for x'' = f(x)."""

    def __init__(self, layer, step):
        self.layer, self.step = layer, step

    def start(self, layer, x):
        """From rest: x[1] = x[0] + h^2 / 2 f(x[0])."""
        return x + self.step**2 / 2 * layer(x)

    def __call__(self, x):
        before, now = x
        return now, nn.couple(lambda x: 2 * x + self.step**2 * self.layer(x), -before, now)


class _Scaled(nn.Module):
    """h function(x)."""

    def __init__(self, function, step):
        self.function, self.step = function, step

    def __call__(self, x):
        return self.step * self.function(x)


class DynamicsLM(nn.Module):
    """A language model: integers [batch, tokens] in [0, vocabulary) to logits
    [batch, tokens, vocabulary] of the next token.

    The embedding and a learned position are the state x[0] of a differential equation.
    `depth` layers with causal attention integrate it with steps h = `step`:

    form "midpoint":    x[j+1] = x[j-1] + 2 h f(x[j]),           x[1] = x[0] + h f(x[0])
    form "leapfrog":    x[j+1] = 2 x[j] - x[j-1] + h^2 f(x[j]),  x[1] = x[0] + h^2/2 f(x[0])
    form "hamiltonian": p[j+1] = p[j] + h attention(q[j]),       p[0] = 0
                        q[j+1] = q[j] + h MLP(p[j+1]),           q[0] = x[0]

    with f(x) = attention(x) + MLP(x + attention(x)). The last x, or q, is normalised and
    compared with the embedding. The layers are one loop, undone in the backward pass from
    its last two states: memory does not depend on `depth`. Raises ValueError for another
    form, or for less than two layers.
    """

    def __init__(self, vocabulary: int, context: int, features: int, depth: int, heads: int,
                 form: str = "midpoint", step: float = 1.0, expansion: int = 4):
        if depth < 2:
            raise ValueError(f"DynamicsLM expects at least two layers, but got {depth}")
        self.embed = nn.Embedding(vocabulary, features, nn.init.normal(0.02))
        self.position = nn.Parameter((context, features), nn.init.normal(0.02))
        self.first = None
        if form == "hamiltonian":
            self.steps = nn.Repeat(
                nn.Coupling(_Scaled(AttentionBranch(features, heads, causal=True), step),
                            _Scaled(MLPBranch(features, expansion), step)), depth)
        elif form in ("midpoint", "leapfrog"):
            rule = {"midpoint": _Midpoint, "leapfrog": _Leapfrog}[form]
            self.first = _Layer(features, heads, expansion)
            self.steps = nn.Repeat(rule(_Layer(features, heads, expansion), step), depth - 1)
        else:
            raise ValueError("DynamicsLM expects the form 'midpoint', 'leapfrog' or "
                             f"'hamiltonian', but got '{form}'")
        self.norm = nn.LayerNorm(features)

    def __call__(self, tokens):
        x = self.embed(tokens) + self.position[:tokens.shape[-1]]
        if self.first is None:
            state = mnp.zeros_like(x), x
        else:
            state = x, self.steps.block.start(self.first, x)
        return self.embed.attend(self.norm(self.steps(state)[1]))
