# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The tables and the plot of run.py, from its JSON."""

import json

TITLES = {
    "memrev-invert": "memrev, policy(invert)", "memrev-store": "memrev, policy(store)",
    "torch": "PyTorch, stores everything",
    "torch-channels-last": "PyTorch, the same in channels_last",
    "memcnn": "MemCNN", "revtorch": "RevTorch",
}


def table(record):
    """A network's contestants side by side."""
    results = record["results"]
    baseline = results.get("memcnn") or results.get("torch")
    whose = "MemCNN's" if "memcnn" in results else "PyTorch's"
    lines = [
        f"## {record['network']}", "",
        f"| | median step | of {whose} | fastest | live after forward | peak of the step "
        f"| of {whose} | error of the gradient | of the stem's |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, r in results.items():
        lines.append(
            f"| {TITLES[name]} | {1e3 * r['median_seconds']:.0f} ms "
            f"| {r['median_seconds'] / baseline['median_seconds']:.2f} "
            f"| {1e3 * r['minimum_seconds']:.0f} ms "
            f"| {r['live_bytes'] / 2**20:.1f} MiB | {r['peak_bytes'] / 2**20:.1f} MiB "
            f"| {r['peak_bytes'] / baseline['peak_bytes']:.2f} "
            f"| {r['gradient_error']:.1e} | {r['stem_gradient_error']:.1e} |")
    lines.append("")
    compiled = [f"{TITLES[name]} in {r['compile_seconds']:.0f} s"
                for name, r in results.items() if "compile_seconds" in r]
    used = ", ".join(f"{name} {version}"
                     for name, version in record["versions"].items() if version)
    machine = record["machine"]
    lines += [
        f"{record['parameters']} parameters, batch {record['batch']}, f32, "
        f"{record['threads']} threads. Compiled: {', '.join(compiled)}. {record['date']}, "
        f"{machine['cpu']}, {machine['cores']} cores, {machine['vectors']}, load "
        f"{machine['load']} at the start; {used}.", "",
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


def write(folder, networks):
    """revnet.md and revnet.svg, from the records in `folder`."""
    records = [json.loads(path.read_text()) for network in networks
               if (path := folder / f"revnet-{network}.json").exists()]
    text = [
        "# One training step of MemCNN's networks", "",
        "Written by `benchmarks/revnet/run.py`, which says how it measures. Memory is what "
        "malloc has given out besides parameters, momenta and running statistics: the batch, "
        "activations, gradients, scratch. memrev's step is one program: what is live after "
        "the forward pass is measured with one of its own, which may keep more. The error of a "
        "gradient is the norm of its difference to PyTorch's in f64, by the norm of that. "
        "MemCNN's restore of inputs is mended, for it raises on this PyTorch. Its gradient of "
        "the stem is wrong in revnet38 and revnet110, where inversion makes small positive "
        "numbers of the zeros of a ReLU.", "",
        "![Peak and time of a step](revnet.svg)", "", *map(table, records)]
    (folder / "revnet.md").write_text("\n".join(text))
    plot(records, folder / "revnet.svg")
