"""One contestant of run.py, in a process of its own: builds its training step,
then runs as many steps as each line of its input says.

usage: contestant.py NAME NETWORK BATCH THREADS

Answers each line, a number of steps, with a line of JSON: the seconds of each
step, the losses, and with malloc_counter preloaded the peak of memory.
"""

import ctypes
import json
import os
import sys
import time
import warnings

warnings.filterwarnings("ignore")

import numpy as np  # noqa: E402

import networks  # noqa: E402
import model  # noqa: E402

RATE = 0.01


class MemRevStep:
    def __init__(self, arch, arrays, policy, batch, threads):
        import memrev
        module = model.Module(arch, batch, policy=policy)
        start = time.perf_counter()
        self.program = memrev.compile(module.text("step"), threads=threads)
        self.compile_seconds = time.perf_counter() - start
        self.step = self.program["step"]
        # The step overwrites its parameters and momenta.
        self.state = [arrays[p.name].copy() for p in module.parameters]
        self.state += [np.zeros_like(a) for a in self.state]
        self.threads = threads

    def prepare(self, images, labels):
        self.images, self.labels = images, labels

    def __call__(self):
        loss, _, *self.state = self.step(self.images, self.labels, RATE,
                                         *self.state, threads=self.threads)
        return float(loss)

    def report(self):
        return next(entry for entry in self.program.memory_report()
                    if entry["function"] == "step")


def build(name, arch, arrays, batch, threads):
    if name.startswith("memrev-"):
        return MemRevStep(arch, arrays, name.removeprefix("memrev-"), batch, threads)
    import torch
    import peers
    torch.set_num_threads(threads)
    schemes = {"torch": peers.stored, "torch-channels-last": peers.stored,
               "memcnn": peers.memcnn, "revtorch": peers.revtorch}
    return peers.Step(arch, arrays, schemes[name], model.Optimizer(), RATE,
                      channels_last=name.endswith("channels-last"))


def data(arch, batch):
    generator = np.random.default_rng(0)
    shape = (batch, arch.height, arch.width, arch.colors)
    images = generator.standard_normal(shape).astype(np.float32)
    return images, generator.integers(0, arch.classes, batch).astype(np.int32)


class Counter:
    """The calls of malloc_counter, if it is preloaded."""

    def __init__(self):
        library = ctypes.CDLL(None)
        self.present = hasattr(library, "malloc_counter_peak")
        if self.present:
            for name in ("live", "peak"):
                function = getattr(library, f"malloc_counter_{name}")
                function.restype = ctypes.c_long
                setattr(self, name, function)
            self.start = library.malloc_counter_start


def main(name, network, batch, threads):
    arch = networks.NETWORKS[network]
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # What libraries print is no answer.
    # What the libraries themselves take is not the network's.
    if not name.startswith("memrev-"):
        import peers  # noqa: F401
    counter = Counter()
    before = counter.live() if counter.present else 0
    step = build(name, arch, model.initialize(arch, 0), batch, threads)
    step.prepare(*data(arch, batch))
    first = {"name": name}
    if name.startswith("memrev-"):
        report = step.report()
        first["planned_bytes"] = report["peak_bytes"]
        first["workspace_bytes"] = report["workspace_bytes"]
        first["compile_seconds"] = step.compile_seconds
        # The compiler's own memory is not the step's.
        state = sum(a.nbytes for a in (*step.state, step.images, step.labels))
        before = counter.live() - state if counter.present else 0
    print(json.dumps(first), file=answer, flush=True)
    for line in sys.stdin:
        if counter.present:
            counter.start()
        seconds, losses = [], []
        for _ in range(int(line)):
            start = time.perf_counter()
            losses.append(step())
            seconds.append(time.perf_counter() - start)
        reply = {"seconds": seconds, "losses": losses}
        if counter.present:
            reply["peak_bytes"] = counter.peak() - before
        print(json.dumps(reply), file=answer, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
