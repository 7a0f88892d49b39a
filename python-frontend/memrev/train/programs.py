# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The compiled programs of a training run."""

from typing import Tuple

import numpy as np

from .. import ShapeDtype, device_get, jit, nn, optim, tree, value_and_grad
from .settings import Settings
from .trainer import Variables


def make_optimizer(settings: Settings) -> optim.SGD:
    """SGD with momentum; the rate is an argument of the programs."""
    mask = optim.weights_only if settings.decay == "weights" else None
    return optim.SGD(settings.lr, momentum=settings.momentum,
                     weight_decay=settings.weight_decay, mask=mask)


class CompiledPrograms:
    """What a `Trainer` calls, for a `memrev.nn` model of images: each program is compiled
    when it is called first, and again for another size of the batch.

    A step is one program: forward pass, gradient by inversion and update, in the memory of
    the parameters and states that it gets. The loss is the mean cross-entropy.

    `memory_budget` is the most bytes that a step or a gradient takes, as for `memrev.jit`.

    On a CUDA device parameters, states and gradients are arrays in its memory, losses and
    logits are NumPy's as on the processor.
    """

    def __init__(self, model: nn.Module, optimizer, seed: int = 0, policy: str = "invert",
                 threads: int = 0, device: str = "cpu", fp32_precision: str = "ieee",
                 contractions: str = "generated", memory_budget=None):
        self.model, self.optimizer = model, optimizer

        def gradient_parts(params, state, images, labels, draw):
            def loss(params):
                logits, after = model.apply(params, state, images, train=True,
                                            rng=(seed, draw))
                return nn.cross_entropy(logits, labels).mean(), (after, logits)

            (value, (after, logits)), grads = value_and_grad(
                loss, has_aux=True, policy=policy)(params)
            return grads, after, value, logits

        def training_step(params, state, opt_state, images, labels, rate, draw):
            grads, state, loss, logits = gradient_parts(params, state, images, labels, draw)
            params, opt_state = optimizer.update(grads, opt_state, params, rate=rate)
            return params, state, opt_state, loss, logits

        def update(params, opt_state, grads, rate):
            return optimizer.update(grads, opt_state, params, rate=rate)

        def predict(params, state, images):
            return model.apply(params, state, images)[0]

        def evaluate(params, state, images, labels):
            logits = predict(params, state, images)
            return nn.cross_entropy(logits, labels).sum(), logits

        #: The jitted functions, by the name of the method that calls them.
        options = {"threads": threads, "device": device, "fp32_precision": fp32_precision,
                   "contractions": contractions}
        self.jitted = {
            "step": jit(training_step, donate=(0, 1, 2), memory_budget=memory_budget, **options),
            "gradients": jit(gradient_parts, memory_budget=memory_budget, **options),
            "update": jit(update, donate=(0, 1), **options),
            "evaluate": jit(evaluate, **options),
            "predict": jit(predict, **options),
        }

    def variables(self, seed: int, dtype=np.float32) -> Variables:
        """Parameters and states before the first step."""
        made = self.model.init(seed, dtype)
        return Variables(made["params"], made["state"], self.optimizer.init(made["params"]))

    @staticmethod
    def _rate(rate, params):
        """The rate in the type of the parameters, so that it is not rounded more."""
        return np.asarray(rate, next(iter(tree.leaves(params))).dtype)

    # What these return is described at `Programs`.

    def step(self, params, state, opt_state, images, labels, rate, draw) -> Tuple:
        """A step of the optimizer."""
        *variables, loss, logits = self.jitted["step"](
            params, state, opt_state, images, labels, self._rate(rate, params), np.int32(draw))
        return (*variables, *device_get((loss, logits)))

    def gradients(self, params, state, images, labels, draw) -> Tuple:
        """The gradient of the loss."""
        grads, state, *numbers = self.jitted["gradients"](
            params, state, images, labels, np.int32(draw))
        return (grads, state, *device_get(tuple(numbers)))

    def update(self, params, opt_state, grads, rate) -> Tuple:
        """The update by a gradient."""
        return self.jitted["update"](params, opt_state, grads, self._rate(rate, params))

    def evaluate(self, params, state, images, labels) -> Tuple:
        """The losses by the running statistics."""
        return device_get(self.jitted["evaluate"](params, state, images, labels))

    def arguments(self, name: str, variables: Variables, images, labels) -> Tuple:
        """What a call of that program is given; arrays may be of shape and type only."""
        at, draw = variables, ShapeDtype((), np.int32)
        rate = self._rate(0, at.params)
        return {
            "step": (at.params, at.state, at.opt_state, images, labels, rate, draw),
            "gradients": (at.params, at.state, images, labels, draw),
            "update": (at.params, at.opt_state, at.params, rate),
            "evaluate": (at.params, at.state, images, labels),
            "predict": (at.params, at.state, images),
        }[name]

    def added_bytes(self, name: str, variables: Variables, batch) -> int:
        """The bytes that a call of the program for such a batch (images, labels) takes
        beside its arguments, as planned."""
        report = self.jitted[name].memory_report(*self.arguments(name, variables, *batch))
        return report["workspace_bytes"] + report["result_bytes"]
