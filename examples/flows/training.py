# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the examples of flows share: a step of training, and its loop."""

import time

import numpy as np

import memrev
from memrev import optim


def make_step(loss_of, optimizer):
    """A step of training as one program, which writes over its first two arguments:
    (params, optimizer state, *batch) to (params, optimizer state, loss).

    loss_of: a function (params, *batch) to a number.
    """
    @memrev.jit(donate=(0, 1))
    def step(params, opt_state, *batch):
        loss, grads = memrev.value_and_grad(loss_of)(params, *batch)
        grads, _ = optim.clip_by_global_norm(grads, 1.0)
        params, opt_state = optimizer.update(grads, opt_state, params)
        return params, opt_state, loss

    return step


def train(loss_of, params, draw, steps, rate, every=0):
    """Parameters after `steps` of Adam.

    draw: a function that returns a batch, a tuple of arrays. every: how often the
    mean loss since the last time is printed; 0: never.
    """
    optimizer = optim.Adam(rate)
    step, opt_state = make_step(loss_of, optimizer), optimizer.init(params)
    start, losses = time.perf_counter(), []
    for number in range(steps):
        params, opt_state, loss = step(params, opt_state, *draw())
        losses.append(float(loss))
        if every and (number + 1) % every == 0:
            print(f"step {number + 1}: loss {np.mean(losses):.3f}, "
                  f"{time.perf_counter() - start:.0f} s", flush=True)
            losses = []
    return params
