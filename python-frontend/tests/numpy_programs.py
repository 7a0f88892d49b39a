# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A network small enough to write its training by hand, for tests of the loop: softmax
regression on the mean color of centred images, by SGD with momentum."""

import numpy as np

from memrev.train.trainer import Variables

CLASSES = 10


class NumPyPrograms:
    """`calls` records (method, draw, rate) of all calls."""

    def __init__(self, momentum=0.9, weight_decay=2e-4):
        self.momentum, self.weight_decay = momentum, weight_decay
        self.calls = []

    @staticmethod
    def variables(seed=0):
        rng = np.random.default_rng(seed)
        params = {"weight": rng.standard_normal((3, CLASSES)).astype(np.float32) / 10,
                  "bias": np.zeros(CLASSES, np.float32)}
        return Variables(
            params=params,
            state={"mean": np.zeros(3, np.float32), "count": np.zeros((), np.int32)},
            opt_state={name: np.zeros_like(value) for name, value in params.items()})

    @staticmethod
    def _features(images, mean):
        return (images.mean((1, 2)) - mean) / np.float32(64)

    @staticmethod
    def _losses(features, params, labels):
        logits = features @ params["weight"] + params["bias"]
        shifted = logits - logits.max(1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
        return -log_p[np.arange(len(labels)), labels], logits, np.exp(log_p)

    def gradients(self, params, state, images, labels, draw):
        self.calls.append(("gradients", int(draw), None))
        mean = images.mean((0, 1, 2))
        features = self._features(images, mean)
        losses, logits, p = self._losses(features, params, labels)
        d = p
        d[np.arange(len(labels)), labels] -= 1
        d /= np.float32(len(labels))
        grads = {"weight": features.T @ d, "bias": d.sum(0)}
        state = {"mean": state["mean"] + np.float32(0.1) * (mean - state["mean"]),
                 "count": state["count"] + np.int32(1)}
        return grads, state, losses.mean(), logits

    def update(self, params, opt_state, grads, rate):
        self.calls.append(("update", None, rate))
        for name in params:
            decayed = grads[name] + np.float32(self.weight_decay) * params[name]
            opt_state[name] = np.float32(self.momentum) * opt_state[name] + decayed
            params[name] = params[name] - np.float32(rate) * opt_state[name]
        return params, opt_state

    def step(self, params, state, opt_state, images, labels, rate, draw):
        self.calls.append(("step", int(draw), rate))
        grads, state, loss, logits = self.gradients(params, state, images, labels, draw)
        params, opt_state = self.update(params, opt_state, grads, rate)
        return params, state, opt_state, loss, logits

    def evaluate(self, params, state, images, labels):
        self.calls.append(("evaluate", None, None))
        losses, logits, _ = self._losses(self._features(images, state["mean"]), params, labels)
        return losses.sum(), logits

    def added_bytes(self, name, variables, batch):
        return 1000
