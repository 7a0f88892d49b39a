#!/usr/bin/env python3
# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measures what rounding does to gradients that are had by inversion, in a network that is bad
for it: Glow as InvertibleNetworks.jl has it by default, where the scales of couplings, of 0.5 to
1, contract and norms expand again, so that each inverse enlarges errors.

One level of K steps (ActNorm initialised by data, three reflections, a coupling whose network
is a residual block), weights by Glorot and Bengio, f32. Errors are norms of differences to f64
with everything stored, by the norm of that: of the gradient by x, and of that by the first
filters of a block, the largest of all blocks. Gradients are had by inversion (plain), by
inversion with a drift tolerance of half of the digits of f32 (anchors), and with everything
stored. Exact mode, which needs sums, is of a network of additive couplings and permutations, and
is compared with its own gradients of stored values, bit for bit. Results go to
../results/flows-accuracy.{json,md}.

  accuracy.py [--counts 4 16 32 48 64 80] [--seeds 10]
"""

import argparse
import functools
import pathlib
import statistics
import sys

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "python-frontend"), str(HERE.parent / "common")]

import memrev  # noqa: E402
from contestants import circumstances, footer, machine, write  # noqa: E402
from memrev import flows, lax, nn, tree  # noqa: E402
from memrev import numpy as mnp  # noqa: E402
from memrev.nn.reversible import couple  # noqa: E402

CHANNELS, SIZE = 12, 16
#: Half of the digits of the streams' type.
TOLERANCE = float(np.sqrt(np.finfo(np.float32).eps))
#: Bits behind the point in exact mode, whose numbers are below 1024.
FRACTION = 14


class Contracting(flows.Coupling):
    """y2 = s x2 + t with s = (1 + sigmoid(a)) / 2: CouplingLayerGlow of InvertibleNetworks.jl."""

    parameters_per_channel = 2

    def _change(self, net, x, given, inverse):
        def parameters(*given):
            a, t = mnp.split(net(*given), 2, axis=-1)
            return 0.5 + 0.5 * lax.sigmoid(a), t

        return couple(parameters, x, given[0], "affine<identity>", True, inverse)


class Tenth(nn.Module):
    """A tenth of what a residual block returns: sums of it grow slowly."""

    def __init__(self, inputs, outputs, hidden):
        self.block = residual(hidden)(inputs, outputs)

    def __call__(self, x):
        return 0.1 * self.block(x)


def residual(hidden):
    return flows.residual(hidden, windows=(3, 1), zero_init=False)


def glow(count, hidden):
    return flows.Repeat(flows.Sequential(
        flows.ActNorm(CHANNELS), flows.Householder(CHANNELS),
        Contracting(CHANNELS, residual(hidden))), count)


class Additive(nn.Module):
    """Permutations and additive couplings, of x that is rounded to `fraction` bits."""

    def __init__(self, count, hidden, fraction):
        self.flow = flows.Repeat(flows.Sequential(
            flows.Permute(CHANNELS), flows.AdditiveCoupling(
                CHANNELS, functools.partial(Tenth, hidden=hidden), fraction=fraction)), count)

    def __call__(self, x):
        return self.flow(lax.fixed_point(x, FRACTION))


def variables(model, seed, batch):
    """(params, state, x) in f64, with the filters of Glorot and Bengio (AISTATS 2010)."""
    found, generator = model.init(seed, np.float64), np.random.default_rng(seed)

    def drawn(path, a):
        if path[-1] != "weight":
            return a
        *window, inputs, outputs = a.shape[1:]
        limit = np.sqrt(6 / (np.prod(window) * (inputs + outputs)))
        return generator.uniform(-limit, limit, a.shape)

    params, state = tree.map_with_path(drawn, found["params"]), found["state"]
    return params, state, generator.standard_normal((batch, SIZE, SIZE, CHANNELS))


def initialized(model, params, state, x):
    """The parameters with norms of the batch x."""
    return memrev.jit(lambda params, state, x: model.initialize(params, state, x)["params"])(
        params, state, x)


def gradients_of(model, policy="invert", **options):
    """A function (params, state, x) -> gradients of the negative log-likelihood by params
    and x."""
    def loss(params, state, x):
        (z, log_det), _ = model.apply(params, state, x)
        return (0.5 * (z * z).sum() - log_det.sum()) / x.shape[0]

    return memrev.jit(lambda params, state, x: memrev.grad(
        lambda params, x: loss(params, state, x), (0, 1), policy=policy)(params, x), **options)


def round_trip_of(model):
    """A function (params, state, x) -> x by the inverse of the forward pass."""
    def function(params, state, x):
        (z, _), _ = model.apply(params, state, x)
        return model.apply(params, state, z, method="inverse")[0][0]

    return memrev.jit(function)


def distance(found, expected):
    return float(np.linalg.norm(np.float64(found) - expected) / np.linalg.norm(expected))


def errors(found, expected):
    """The errors of gradients by x and by the first filters."""
    def filters(gradients):
        leaves, structure = tree.flatten(gradients[0])
        [stack] = [leaf for path, leaf in zip(structure.paths(), leaves)
                   if path[-2:] == ("conv1", "weight")]
        return stack

    return {"dx": distance(found[1], expected[1]),
            "dw": max(map(distance, filters(found), filters(expected)))}


def single(values):
    return tree.map(lambda a: a.astype(np.float32) if a.dtype == np.float64 else a, values)


def measure_glow(count, hidden, batch, seeds):
    """{way: {measure: a list of what it is for each seed}}."""
    model = glow(count, hidden)
    reference, back = gradients_of(model, "store"), round_trip_of(model)
    ways = {"plain": gradients_of(model),
            "anchors": gradients_of(model, drift_tolerance=TOLERANCE),
            "stored": gradients_of(model, "store")}
    results = {name: {"dx": [], "dw": []} for name in ways}
    results["plain"]["reconstruction"] = []
    for seed in range(seeds):
        params, state, x = variables(model, seed, batch)
        arguments = initialized(model, params, state, x), state, x
        expected = reference(*arguments)
        arguments = single(arguments)
        results["plain"]["reconstruction"].append(distance(back(*arguments), x))
        for name, gradients in ways.items():
            for measure, error in errors(gradients(*arguments), expected).items():
                results[name][measure].append(error)
    for name, gradients in ways.items():
        results[name]["workspace_bytes"] = gradients.memory_report(*arguments)["workspace_bytes"]
    return results


def measure_exact(count, hidden, batch, seeds):
    """For each seed how many elements of the gradients differ from those of stored values, and
    the largest drift; and the same without fixed point."""
    results = {}
    for name, fraction in (("exact", FRACTION), ("rounding", None)):
        model = Additive(count, hidden, fraction)
        inverted, stored = gradients_of(model), gradients_of(model, "store")
        found = results[name] = {"differing": [], "dw": []}
        for seed in range(seeds):
            arguments = single(variables(model, seed, batch))
            own, wanted = inverted(*arguments), stored(*arguments)
            if not all(np.isfinite(leaf).all() for leaf in tree.leaves(wanted)):
                raise RuntimeError("expects streams below 2^10, but got larger ones")
            found["differing"].append(sum(int((a != b).sum()) for a, b in zip(
                tree.leaves(own), tree.leaves(wanted))))
            found["dw"].append(errors(own, wanted)["dw"])
        found["workspace_bytes"] = inverted.memory_report(*arguments)["workspace_bytes"]
    return results


def table(record):
    def middle(values):
        return f"{statistics.median(values):.1e}"

    def mebibytes(result):
        return f"{result['workspace_bytes'] / 2**20:.2f}"

    lines = [
        "# How exact gradients by inversion are", "",
        "Written by `benchmarks/flows/accuracy.py`, which describes the network and the errors: "
        f"{CHANNELS} channels, {SIZE}x{SIZE}, batch {record['batch']}, {record['hidden']} hidden "
        f"channels, medians of {record['seeds']} seeds. Anchors are by drift_tolerance = "
        f"{TOLERANCE:.1e}, half of the digits of f32; workspaces in MiB.", "",
        "| K | reconstruction | ∂x plain | anchors | stored | ∂W1 plain | anchors | stored "
        "| workspace plain | anchors | stored |",
        "|---:|" + "---:|" * 10]
    for count, results in record["results"].items():
        ways = [results["glow"][name] for name in ("plain", "anchors", "stored")]
        lines.append("| " + " | ".join([
            count, middle(ways[0]["reconstruction"]),
            *(middle(way[measure]) for measure in ("dx", "dw") for way in ways),
            *map(mebibytes, ways)]) + " |")
    lines += [
        "", f"Additive couplings and permutations, in fixed point of {FRACTION} bits behind the "
        "point and without, beside their own gradients of stored values: how many elements differ "
        "in all seeds, and the error of ∂W1.", "",
        "| K | exact mode: differing | ∂W1 | without: differing | ∂W1 |",
        "|---:|---:|---:|---:|---:|"]
    for count, results in record["results"].items():
        exact, rounding = results["additive"]["exact"], results["additive"]["rounding"]
        lines.append(f"| {count} | {sum(exact['differing'])} | {max(exact['dw']):.0e} "
                     f"| {sum(rounding['differing'])} | {middle(rounding['dw'])} |")
    lines += ["", *footer(record)]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", nargs="+", type=int, default=[4, 16, 32, 48, 64, 80])
    parser.add_argument("--hidden", type=int, default=32)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--output", type=pathlib.Path, default=HERE.parent / "results")
    options = parser.parse_args()
    before, sizes = machine(), (options.hidden, options.batch, options.seeds)
    results = {str(count): {"glow": measure_glow(count, *sizes),
                            "additive": measure_exact(count, *sizes)}
               for count in options.counts}
    record = {"hidden": options.hidden, "batch": options.batch, "seeds": options.seeds,
              "tolerance": TOLERANCE, **circumstances("benchmarks/flows/accuracy.py", before),
              "results": results}
    write(options.output, "flows-accuracy", record, table(record))


if __name__ == "__main__":
    main()
