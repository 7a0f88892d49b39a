# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One contestant of run.py, in a process of its own: builds its network, then runs as many
steps as each line of its input says.

usage: contestant.py NAME NETWORK NUMBER OPTIONS

NUMBER is what networks.build takes, OPTIONS an object of JSON.

Says when it is ready, then answers each line with a line of JSON: the seconds of each step, the
losses, and with malloc_counter preloaded the peak of memory in a step. A step is the negative
log-likelihood of a batch and its gradients by all parameters, without an optimizer; the batch
is made in it, and the gradients are left. The line "gradients" asks for the norms of the
gradients of each kind of parameter instead.
"""

import json
import pathlib
import sys
import time
import warnings

warnings.filterwarnings("ignore")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "common"))

import numpy as np  # noqa: E402

import networks  # noqa: E402
from contestants import Counter, answers  # noqa: E402


class MemRevStep:
    """memrev's, by inversion or with everything stored; with `-householder` behind the name
    with three trained reflections in place of the fixed matrix."""

    def __init__(self, name, network, number, options):
        import memrev
        from memrev import flows, tree
        _, policy, *mix = name.split("-")
        model, self.batch, spread = networks.build(
            network, number, options, **({"mix": flows.Householder} if mix else {}))
        self.params, self.state = networks.variables(model, self.batch, spread)
        self.tree, self.memrev = tree, memrev

        def step(params, state, x):
            return memrev.value_and_grad(
                lambda params: networks.negative_log_likelihood(model, params, state, x),
                policy=policy)(params)

        self.jitted = memrev.jit(step, threads=options["threads"])
        start = time.perf_counter()
        self.jitted.compile(self.params, self.state, self.batch)
        report = self.jitted.memory_report(self.params, self.state, self.batch)
        self.facts = {"compile_seconds": time.perf_counter() - start,
                      "workspace_bytes": report["workspace_bytes"]}

    def __call__(self):
        loss, self.gradients = self.jitted(self.params, self.state, self.batch.copy())
        return float(loss)

    def kept_bytes(self):
        """The workspace, which the process keeps for the next step."""
        return self.memrev.workspace_bytes()

    def forget(self):
        self.gradients = None

    def sizes(self):
        return [leaf.size for leaf in self.tree.leaves(self.params)]

    def norms(self):
        found = {"weight": [], "bias": [], "scale": [], "offset": []}
        leaves, structure = self.tree.flatten(self.gradients)
        for path, leaf in zip(structure.paths(), leaves):
            found.setdefault(path[-1], []).append(np.float64(leaf).ravel())
        return {name: float(np.linalg.norm(np.concatenate(parts)))
                for name, parts in found.items() if parts}


class FrEIAStep:
    """FrEIA's modules on PyTorch."""

    facts = {}

    def __init__(self, name, network, number, options):
        import torch

        import peers
        self.torch, self.peers = torch, peers
        torch.set_num_threads(options["threads"])
        model, batch, spread = networks.build(network, number, options)
        params, state = networks.variables(model, batch, spread)
        self.model = peers.build(network, number, options, params, state)
        self.layout = (torch.channels_last if name.endswith("channels-last")
                       else torch.contiguous_format)
        self.model.to(memory_format=self.layout)
        # Channels come first.
        self.batch = torch.from_numpy(np.moveaxis(batch, -1, 1)).contiguous(
            memory_format=self.layout)

    def __call__(self):
        batch = self.batch.clone(memory_format=self.layout)
        loss = self.peers.negative_log_likelihood(self.model, batch)
        loss.backward()
        return loss.item()

    def kept_bytes(self):
        return 0

    def forget(self):
        self.model.zero_grad(set_to_none=True)

    def _trained(self):
        return [(name, p) for name, p in self.model.named_parameters() if p.requires_grad]

    def sizes(self):
        return [p.numel() for _, p in self._trained()]

    def norms(self):
        found = {"weight": [], "bias": [], "scale": [], "offset": []}
        for name, p in self._trained():
            kind = name.rpartition(".")[2]
            if "subnet" not in name:
                kind = {"bias": "offset"}.get(kind, kind)
            found[kind].append(p.grad.double().ravel())
        return {name: float(self.torch.linalg.vector_norm(self.torch.cat(parts)))
                for name, parts in found.items()}


def main(answer, name, network, number, options):
    counter = Counter()
    step = (MemRevStep if name.startswith("memrev-") else FrEIAStep)(
        name, network, int(number), json.loads(options))
    answer({"name": name, "parameters": sum(step.sizes()), **step.facts})
    for line in sys.stdin:
        request = json.loads(line)
        if request == "gradients":
            answer(step.norms())
            continue
        answer(counter.measure(step, step.forget, step.kept_bytes, request))


if __name__ == "__main__":
    with answers() as answer:
        main(answer, *sys.argv[1:])
