# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One contestant of run.py, in a process of its own: builds its training step, then
answers each line of its input, a command in JSON, with a line of JSON.

usage: contestant.py NAME NETWORK BATCH THREADS WEIGHTS [DEVICE PRECISION]

    {"do": "steps", "count": n}   the seconds of each step, and the losses; on a GPU, where
                                  steps overlap, the mean of these n
    {"do": "memory"}              with malloc_counter preloaded: bytes that are live after
                                  the forward pass and at the peak of a step, besides
                                  parameters, momenta and running statistics; on a GPU the
                                  bytes of the device
    {"do": "gradients", "to": f}  writes the gradients of the first step to the file f

WEIGHTS is a file with the parameters by name. DEVICE is "cpu" or "cuda", PRECISION that of
products of f32 on a GPU: "ieee" or "tf32".
"""

import functools
import json
import pathlib
import sys
import time
import warnings

warnings.filterwarnings("ignore")

import numpy as np  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "common"))

from contestants import Counter, answers  # noqa: E402

RATE = 0.01
CLASSES = 10


class MemRevStep:
    """With `budget` a step takes at most so many MiB besides parameters, momenta and running
    statistics."""

    def __init__(self, network, policy, arrays, threads, device="cpu", precision="ieee",
                 budget=None):
        import memrev
        from memrev import models, optim, tree
        from memrev.train.programs import CompiledPrograms
        self.memrev, self.tree, self.policy, self.device = memrev, tree, policy, device
        self.model = getattr(models, network)(CLASSES)

        def make(memory_budget=None):
            return CompiledPrograms(
                self.model, optim.SGD(RATE, momentum=0.9, weight_decay=2e-4), policy=policy,
                threads=threads, device=device, fp32_precision=precision,
                memory_budget=memory_budget)

        self.make, self.budget, self.programs = make, budget, make()
        self.variables = self.programs.variables(0)
        self.variables.params = tree.map_with_path(
            lambda path, p: arrays["/".join(map(str, path))].copy(), self.variables.params)

    def prepare(self, images, labels):
        self.images, self.labels = self.memrev.device_put((images, labels), self.device)
        self.batch_bytes = images.nbytes + labels.nbytes
        if self.budget is not None:
            # What is not counted is an argument.
            held = self.variables.params, self.variables.state, self.variables.opt_state
            self.programs = self.make(
                self.budget * 2**20 + sum(leaf.nbytes for leaf in self.tree.leaves(held)))
        jitted = self.programs.jitted["step"]
        arguments = self.programs.arguments("step", self.variables, images, labels)
        start = time.perf_counter()
        jitted.compile(*arguments)
        self.compile_seconds = time.perf_counter() - start
        self.report = jitted.memory_report(*arguments)

    def __call__(self):
        at = self.variables
        at.params, at.state, at.opt_state, loss, _ = self.programs.jitted["step"](
            at.params, at.state, at.opt_state, self.images, self.labels, np.float32(RATE),
            np.int32(0))
        return loss

    def synchronize(self):
        self.memrev.cuda.synchronize()

    def facts(self):
        return {"compile_seconds": self.compile_seconds,
                "workspace_bytes": self.report["workspace_bytes"],
                "planned_bytes": (self.report["workspace_bytes"] + self.report["result_bytes"]
                                  + self.batch_bytes)}

    def device_memory(self):
        cuda = self.memrev.cuda
        self()  # Now all variables are there.
        cuda.free_idle()
        before = cuda.allocated_bytes() - self.batch_bytes
        cuda.reset_peak_bytes()
        self()
        return {"peak_bytes": cuda.peak_bytes() - before}

    def live_bytes(self, counter):
        """The bytes that a forward pass of its own leaves for the backward pass: a step is
        one program, with no place between the two."""
        import memrev
        from memrev import nn

        def loss(params, state, images, labels):
            logits, _ = self.model.apply(params, state, images, train=True)
            return nn.cross_entropy(logits, labels).mean()

        arguments = (self.variables.params, self.variables.state, self.images, self.labels)
        for array in self.tree.leaves(arguments):
            array.flags.writeable = False  # Nothing has to be copied.
        forward = functools.partial(memrev.vjp, loss, *arguments, policy=self.policy)
        forward()  # Compiles, and makes the workspace.
        before = counter.live() - self.batch_bytes
        kept = forward()
        live = counter.live() - before
        del kept
        return live

    def gradients(self):
        at = self.variables
        found, *_ = self.programs.gradients(at.params, at.state, self.images, self.labels, 0)
        found = self.memrev.device_get(found)
        leaves, structure = self.tree.flatten(found)
        return {"/".join(map(str, path)): np.asarray(leaf, np.float64)
                for path, leaf in zip(structure.paths(), leaves)}


def build(name, network, arrays, threads, device, precision):
    if name.startswith("memrev-"):
        policy, _, budget = name.removeprefix("memrev-").partition("-")
        return MemRevStep(network, policy, arrays, threads, device, precision,
                          int(budget.removesuffix("MiB")) if budget else None)
    import torch
    import peers
    torch.set_num_threads(threads)
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.benchmark = True  # Each convolution by the fastest algorithm.
    if name == "reference":
        return peers.Step(network, "torch", arrays, RATE, torch.float64, device)
    return peers.Step(network, name, arrays, RATE, torch.float32, device)


def data(batch):
    generator = np.random.default_rng(0)
    images = generator.standard_normal((batch, 32, 32, 3)).astype(np.float32)
    return images, generator.integers(0, CLASSES, batch).astype(np.int32)


def run_steps(step, count):
    seconds, losses = [], []
    if step.device != "cpu":
        step.synchronize()
        start = time.perf_counter()
        losses = [step() for _ in range(count)]
        step.synchronize()
        return {"seconds": [(time.perf_counter() - start) / count],
                "losses": [float(loss) for loss in losses]}
    for _ in range(count):
        start = time.perf_counter()
        losses.append(float(step()))
        seconds.append(time.perf_counter() - start)
    return {"seconds": seconds, "losses": losses}


def measure_memory(step, counter):
    if step.device != "cpu":
        return step.device_memory()
    if isinstance(step, MemRevStep):
        # The arena is kept from the first step on.
        before = counter.live() - step.batch_bytes
        step()
        counter.start()
        step()
        return {"peak_bytes": counter.peak() - before, "live_bytes": step.live_bytes(counter)}
    # The momenta exist from the first step on, and what libraries keep for themselves.
    for _ in range(2):
        step()
    step.forget_gradients()
    before = counter.live() - step.batch_bytes
    live = []
    counter.start()
    step(after_forward=lambda: live.append(counter.live() - before))
    return {"peak_bytes": counter.peak() - before, "live_bytes": live[0]}


def main(answer, name, network, batch, threads, weights, device="cpu", precision="ieee"):
    counter = Counter()
    with np.load(weights) as arrays:
        step = build(name, network, dict(arrays), threads, device, precision)
    step.prepare(*data(batch))
    facts = step.facts() if isinstance(step, MemRevStep) else {}
    answer({"name": name, **facts})
    for line in sys.stdin:
        command = json.loads(line)
        if command["do"] == "steps":
            answer(run_steps(step, command["count"]))
        elif command["do"] == "memory":
            answer(measure_memory(step, counter))
        else:
            np.savez(command["to"], **step.gradients())
            answer({})


if __name__ == "__main__":
    with answers() as answer:
        main(answer, sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), *sys.argv[5:])
