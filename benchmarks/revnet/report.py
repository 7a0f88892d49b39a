# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The tables and the plot of run.py, from its JSON."""

import json

TITLES = {
    "memrev-invert": "memrev, policy(invert)", "memrev-store": "memrev, policy(store)",
    "torch": "PyTorch, stores everything",
    "torch-channels-last": "PyTorch, the same in channels_last",
    "torch-compile": "torch.compile, stores everything",
    "memcnn": "MemCNN", "revtorch": "RevTorch",
}


def prefix_of(device):
    """What the names of results for a device begin with."""
    return "revnet" if device == "cpu" else f"revnet-{device}"


def mebibytes(result, name):
    """A number of bytes of a contestant, or that it is not known."""
    return f"{result[name] / 2**20:.1f} MiB" if name in result else "–"


def error(result, name):
    return f"{result[name]:.1e}" if name in result else "–"


def table(record):
    """A network's contestants side by side."""
    results = record["results"]
    whose, baseline = next((whose, results[name]) for whose, name in (
        ("MemCNN's", "memcnn"), ("PyTorch's", "torch"),
        ("the first one's", next(iter(results)))) if name in results)
    digits = ".0" if record.get("device", "cpu") == "cpu" else ".2"
    lines = [
        f"## {record['network']}", "",
        f"| | median step | of {whose} | fastest | live after forward | peak of the step "
        f"| of {whose} | error of the gradient | of the stem's |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, r in results.items():
        lines.append(
            f"| {TITLES[name]} | {1e3 * r['median_seconds']:{digits}f} ms "
            f"| {r['median_seconds'] / baseline['median_seconds']:.2f} "
            f"| {1e3 * r['minimum_seconds']:{digits}f} ms "
            f"| {mebibytes(r, 'live_bytes')} | {mebibytes(r, 'peak_bytes')} "
            f"| {r['peak_bytes'] / baseline['peak_bytes']:.2f} "
            f"| {error(r, 'gradient_error')} | {error(r, 'stem_gradient_error')} |")
    for name, reason in record.get("not_run", {}).items():
        lines.append(f"| {TITLES[name]} | not run: {reason} |" + " – |" * 7)
    lines.append("")
    compiled = [f"{TITLES[name]} in {r['compile_seconds']:.0f} s"
                for name, r in results.items() if "compile_seconds" in r]
    used = ", ".join(f"{name} {version}"
                     for name, version in record["versions"].items() if version)
    machine = record["machine"]
    if record.get("device", "cpu") == "cpu":
        where = f"f32, {record['threads']} threads"
    else:
        gpu = machine["gpu"] or {"name": "a GPU that nvidia-smi does not tell of"}
        where = f"f32 ({record['precision']} products), " + ", ".join(
            value if key == "name" else f"{key} {value}" for key, value in gpu.items())
        lines += ["Planned peaks: " + ", ".join(
            f"{TITLES[name]} {mebibytes(r, 'planned_bytes')}"
            for name, r in results.items() if "planned_bytes" in r) + ".", ""]
    lines += [
        f"{record['parameters']} parameters, batch {record['batch']}, {where}. Compiled: "
        f"{', '.join(compiled)}. {record['date']}, {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['vectors']}, load {machine['load']} at the start; {used}.", "",
        f"    {record['command']}", ""]
    return "\n".join(lines)


def plot(records, path):
    """The peak and the time of a step, a group of bars for each network."""
    import matplotlib
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "memrev"
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(1, 2, figsize=(12, 4))
    names = [name for name in TITLES
             if any(name in record["results"] for record in records)]
    width = 0.8 / len(names)
    for axis, key, factor, label in ((axes[0], "peak_bytes", 2**-20, "peak of a step, MiB"),
                                     (axes[1], "median_seconds", 1, "time of a step, s")):
        for i, name in enumerate(names):
            shown = [(x, record["results"][name][key] * factor)
                     for x, record in enumerate(records) if name in record["results"]]
            axis.bar([x + (i - (len(names) - 1) / 2) * width for x, _ in shown],
                     [y for _, y in shown], width, label=TITLES[name])
        axis.set_xticks(range(len(records)), [record["network"] for record in records])
        axis.set_yscale("log")
        axis.set_ylabel(label)
    axes[0].legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def write(folder, networks, device="cpu"):
    """revnet.md and revnet.svg, or revnet-cuda.md and .svg, from the records in `folder`."""
    prefix = prefix_of(device)
    records = [json.loads(path.read_text()) for network in networks
               if (path := folder / f"{prefix}-{network}.json").exists()]
    source = "malloc has" if device == "cpu" else "PyTorch's allocator and memrev's runtime have"
    text = [
        "# One training step of MemCNN's networks" + (
            "" if device == "cpu" else " on a GPU"), "",
        "Written by `benchmarks/revnet/run.py`, which says how it measures. Memory is what "
        f"{source} given out besides parameters, momenta and running statistics: the batch, "
        "activations, gradients, scratch. memrev's step is one program: what is live after "
        "the forward pass is measured with one of its own, which may keep more. The error of a "
        "gradient is the norm of its difference to PyTorch's in f64, by the norm of that. "
        "MemCNN's restore of inputs is mended, for it raises on this PyTorch. Its gradient of "
        "the stem is wrong in revnet38 and revnet110, where inversion makes small positive "
        "numbers of the zeros of a ReLU.", "",
        f"![Peak and time of a step]({prefix}.svg)", "", *map(table, records)]
    (folder / f"{prefix}.md").write_text("\n".join(text))
    plot(records, folder / f"{prefix}.svg")
