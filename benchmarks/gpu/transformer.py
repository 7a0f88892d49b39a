# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The training step of examples/language in PyTorch, which stores everything. Parameters come
by the names that they have in memrev; those of layers are stacked."""

import torch
from torch.nn import functional


class Step:
    """A step of AdamW with a clipped gradient.

    weights: arrays by name. tokens: int32 [batch, context + 1]. step: that of the
        differential equation, whose form is "midpoint".
    """

    def __init__(self, weights, tokens, rate, heads, step, device, compile=False):
        self._heads, self._step = heads, step
        self._params = {name: torch.tensor(array, device=device).requires_grad_()
                        for name, array in weights.items()}
        self._tokens = torch.tensor(tokens, device=device).long()
        groups = [{"params": [p for name, p in self._params.items()
                              if name.endswith("weight") == decays],
                   "weight_decay": 0.1 * decays} for decays in (True, False)]
        self._optimizer = torch.optim.AdamW(groups, lr=float(rate), betas=(0.9, 0.98),
                                            fused=device != "cpu")
        self._forward = torch.compile(self._loss) if compile else self._loss

    def _linear(self, x, path, i):
        weight, bias = self._params[f"{path}.weight"], self._params[f"{path}.bias"]
        return x @ (weight if i is None else weight[i]) + (bias if i is None else bias[i])

    def _norm(self, x, path, i=None):
        scale, offset = self._params[f"{path}.scale"], self._params[f"{path}.offset"]
        return functional.layer_norm(x, x.shape[-1:], scale if i is None else scale[i],
                                     offset if i is None else offset[i])

    def _attention(self, x, path, i):
        x = self._norm(x, f"{path}.norm", i)
        query, key, value = (
            self._linear(x, f"{path}.attention.{name}", i).unflatten(
                -1, (self._heads, -1)).transpose(1, 2) for name in ("query", "key", "value"))
        y = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self._linear(y.transpose(1, 2).flatten(2), f"{path}.attention.output", i)

    def _layer(self, x, path, i=None):
        change = self._attention(x, f"{path}.attention", i)
        y = self._norm(x + change, f"{path}.mlp.norm", i)
        return change + self._linear(
            functional.gelu(self._linear(y, f"{path}.mlp.up", i)), f"{path}.mlp.down", i)

    def _loss(self, tokens):
        table, path = self._params["embed.weight"], "steps.block.layer"
        before = table[tokens[:, :-1]] + self._params["position"][:tokens.shape[1] - 1]
        now = before + self._step * self._layer(before, "first")
        for i in range(len(self._params[f"{path}.mlp.up.bias"])):
            before, now = now, before + 2 * self._step * self._layer(now, path, i)
        logits = self._norm(now, "norm") @ table.T
        return functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())

    def __call__(self):
        """Trains; returns the loss and the norm of the gradient."""
        self._optimizer.zero_grad(set_to_none=True)
        loss = self._forward(self._tokens)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self._params.values(), 1.0)
        self._optimizer.step()
        return loss.detach(), norm
