#!/usr/bin/env python3
# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Trains a reversible language model on the source code of Python's standard library.

The model is one of Gal et al. (arXiv 2512.02056): its layers integrate a differential
equation, x[j+1] = x[j-1] + 2 h f(x[j]) or a relative of it, and the backward pass runs
the recurrence backwards instead of storing the layers' activations. It reads and
writes bytes. The loss falls, and a table shows that the memory of a step does not
depend on the number of layers.
"""

import argparse
import math
import pathlib
import sysconfig
import time

import numpy as np

import memrev
import memrev.numpy as mnp
from memrev import models, nn, optim, tree

VOCABULARY = 256


def load():
    """Training and validation text, arrays of bytes: every tenth module is kept back."""
    folder = pathlib.Path(sysconfig.get_paths()["stdlib"])
    sources = [path.read_bytes() for path in sorted(folder.glob("*.py"))]
    parts = [[s for i, s in enumerate(sources) if (i % 10 == 9) == kept] for kept in (False, True)]
    return [np.frombuffer(b"".join(part), np.uint8) for part in parts]


def draw(text, generator, batch, context):
    """Windows of context + 1 bytes, int32 [batch, context + 1]."""
    starts = generator.integers(0, len(text) - context, batch)
    return np.stack([text[start:start + context + 1] for start in starts]).astype(np.int32)


def loss_of(model, params, tokens, train):
    """The mean cross-entropy of each next byte."""
    logits, _ = model.apply(params, {}, tokens[:, :-1], train=train)
    return nn.cross_entropy(logits, tokens[:, 1:]).mean()


def make_step(model, optimizer, policy="invert"):
    """A step of training as one program, which writes over its first two arguments."""

    @memrev.jit(donate=(0, 1))
    def step(params, opt_state, tokens, rate):
        loss, grads = memrev.value_and_grad(
            lambda params: loss_of(model, params, tokens, True), policy=policy)(params)
        grads, norm = optim.clip_by_global_norm(grads, 1.0)
        params, opt_state = optimizer.update(grads, opt_state, params, rate=rate)
        return params, opt_state, loss, norm

    return step


def sample(model, params, context, prompt, count, seed, temperature=0.7):
    """Continues the bytes `prompt` by `count`, drawn one after the other."""
    @memrev.jit
    def next_logits(params, tokens, last):
        return model.apply(params, {}, tokens)[0][0, last]

    generator = np.random.default_rng(seed)
    text = list(prompt)
    for _ in range(count):
        window = text[-context:]
        tokens = np.zeros((1, context), np.int32)
        tokens[0, :len(window)] = window
        logits = next_logits(params, tokens, len(window) - 1) / temperature
        # The maximum of Gumbel noise and logits is a draw from their softmax.
        text.append(int(np.argmax(logits + generator.gumbel(size=VOCABULARY))))
    return bytes(text).decode(errors="replace")


def memory(make_model, depths, batch, context, optimizer):
    """Prints the bytes that a step takes beside parameters, their gradients and the
    optimizer's state, as the compiler plans them."""
    print("\nmemory of a step, beside parameters and gradients:")
    for policy in ("invert", "store"):
        for depth in depths:
            params = tree.map(lambda leaf: memrev.ShapeDtype(leaf.shape, leaf.dtype),
                              make_model(depth).init(0)["params"])
            report = make_step(make_model(depth), optimizer, policy).memory_report(
                params, optimizer.init(params), memrev.ShapeDtype((batch, context + 1), np.int32),
                memrev.ShapeDtype(()))
            gradients = sum(4 * math.prod(leaf.shape) for leaf in tree.leaves(params))
            mebibytes = (report["workspace_bytes"] - gradients) / 2**20
            print(f"  {policy:6} {depth:4} layers {mebibytes:8.1f} MiB")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--form", default="midpoint",
                        choices=("midpoint", "leapfrog", "hamiltonian"))
    parser.add_argument("--depth", type=int, default=8, help="layers")
    parser.add_argument("--features", type=int, default=96)
    parser.add_argument("--heads", type=int, default=6)
    parser.add_argument("--context", type=int, default=96, help="bytes")
    parser.add_argument("--step-size", type=float, default=0.25, help="h of the equation")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sample", type=int, default=200, help="bytes to write at the end")
    parser.add_argument("--depths", type=int, nargs="*", default=[4, 16, 64],
                        help="numbers of layers to compare the memory of")
    parser.add_argument("--save", help="file for the parameters")
    args = parser.parse_args()

    def make_model(depth):
        return models.DynamicsLM(VOCABULARY, args.context, args.features, depth, args.heads,
                                 args.form, args.step_size)

    model = make_model(args.depth)
    optimizer = optim.AdamW(args.rate, betas=(0.9, 0.98), weight_decay=0.1,
                            mask=optim.weights_only)
    schedule = optim.cosine(args.rate, args.steps, warmup=args.steps // 20)
    text, held_out = load()
    print(f"{args.form}, {args.depth} layers, {model.num_parameters} parameters, "
          f"{len(text)} bytes of text", flush=True)

    step = make_step(model, optimizer)
    evaluate = memrev.jit(lambda params, tokens: loss_of(model, params, tokens, False))
    generator = np.random.default_rng(args.seed)
    checks = [draw(held_out, generator, args.batch, args.context) for _ in range(8)]

    def validate():
        return float(np.mean([evaluate(params, tokens) for tokens in checks]))

    params = model.init(args.seed)["params"]
    opt_state = optimizer.init(params)
    # The untrained model: as good as guessing one of 256 bytes, log(256) = 5.55.
    print(f"step 0: held-out loss {validate():.3f}", flush=True)
    start, recent = time.perf_counter(), []
    for i in range(1, args.steps + 1):
        tokens = draw(text, generator, args.batch, args.context)
        params, opt_state, loss, _ = step(params, opt_state, tokens, np.float32(schedule(i - 1)))
        recent.append(float(loss))
        if i % max(args.steps // 10, 1) == 0:
            seconds = (time.perf_counter() - start) / i
            print(f"step {i}: loss {np.mean(recent):.3f}, held-out loss {validate():.3f}, "
                  f"{seconds:.3f} s a step", flush=True)
            recent = []

    if args.save:
        memrev.io.save(args.save, params)
    if args.sample:
        print("\n" + sample(model, params, args.context, b"def ", args.sample, args.seed))
    if args.depths:
        memory(make_model, args.depths, args.batch, args.context, optimizer)


if __name__ == "__main__":
    main()
