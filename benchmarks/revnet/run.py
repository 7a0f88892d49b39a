#!/usr/bin/env python3
"""Measures one training step of the same RevNet, batch and threads: memrev with
policy(invert) and policy(store), PyTorch storing everything, MemCNN and RevTorch.

Each contestant is a process of its own, for two pools of threads in one process
would disturb each other. They take turns, a few steps at a time, so that a change
of the machine's speed meets all of them. Memory is what malloc has given out at
the peak of a step (utils/malloc_counter.c), parameters, momenta and the batch
included, in a run of its own.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
import time

import networks

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
NAMES = ["memrev-invert", "memrev-store", "torch", "torch-channels-last", "memcnn",
         "revtorch"]
TITLES = {
    "memrev-invert": "memrev, policy(invert)", "memrev-store": "memrev, policy(store)",
    "torch": "PyTorch, stores everything",
    "torch-channels-last": "PyTorch, the same in channels_last",
    "memcnn": "MemCNN", "revtorch": "RevTorch",
}
# Idle threads of a pool spin for a while; the next contestant waits for that.
PAUSE = 0.3


class Contestant:
    def __init__(self, name, options, preload=None):
        environment = dict(os.environ, OMP_NUM_THREADS=str(options.threads))
        paths = [str(ROOT / "python-frontend"), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        if preload:
            environment["LD_PRELOAD"] = str(preload)
        self.process = subprocess.Popen(
            [sys.executable, HERE / "contestant.py", name, options.network,
             str(options.batch), str(options.threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=environment)
        self.facts = self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args[2]} exited with "
                               f"{self.process.wait()}")
        return json.loads(line)

    def run(self, steps):
        print(steps, file=self.process.stdin, flush=True)
        return self.read()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def check(losses):
    """All contestants have to compute the same thing."""
    reference = next(iter(losses.values()))
    for name, values in losses.items():
        for found, wanted in zip(values, reference):
            if abs(found - wanted) > 1e-3 * abs(wanted):
                raise RuntimeError(f"the first losses of {name} are {values}, "
                                   f"but others' are {reference}")


def measure_time(options):
    contestants = {name: Contestant(name, options) for name in options.contestants}
    losses = {name: c.run(options.warm_up)["losses"]
              for name, c in contestants.items()}
    check(losses)
    seconds = {name: [] for name in contestants}
    for _ in range(options.rounds):
        for name, contestant in contestants.items():
            time.sleep(PAUSE)
            # The first step of a turn meets cold caches and sleeping threads.
            seconds[name] += contestant.run(options.steps + 1)["seconds"][1:]
    for contestant in contestants.values():
        contestant.close()
    return {name: dict(contestants[name].facts, first_losses=losses[name],
                       median_seconds=statistics.median(values),
                       minimum_seconds=min(values), seconds=values)
            for name, values in seconds.items()}


def measure_memory(options, results):
    with tempfile.TemporaryDirectory() as folder:
        counter = pathlib.Path(folder) / "malloc_counter.so"
        subprocess.run(["clang-22", "-O1", "-shared", "-fPIC",
                        ROOT / "utils" / "malloc_counter.c", "-o", counter],
                       check=True)
        for name in options.contestants:
            contestant = Contestant(name, options, counter)
            # The momenta exist from the second step on.
            contestant.run(2)
            results[name]["peak_bytes"] = contestant.run(2)["peak_bytes"]
            contestant.close()


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo")
                  if line.startswith("model name")), platform.processor())
    flags = next((line for line in open("/proc/cpuinfo")
                  if line.startswith("flags")), "")
    widest = next((name for name in ("avx512f", "avx2", "avx")
                   if name in flags.split()), "none of them")
    # Others on the machine slow all contestants down, threads that wait for each
    # other most.
    return {"cpu": model, "cores": os.cpu_count(), "vectors": widest,
            "load": round(os.getloadavg()[0], 1)}


def versions():
    from importlib import metadata
    result = {"python": platform.python_version()}
    for package in ("numpy", "torch", "memcnn", "revtorch"):
        try:
            result[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            result[package] = None
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"],
                            stdout=subprocess.PIPE, text=True)
    result["memrev"] = commit.stdout.strip()
    return result


def table(record):
    results = record["results"]
    baseline = results.get("memcnn", next(iter(results.values())))
    arch = record["architecture"]
    machine = record["machine"]
    lines = [
        f"# One training step of `{record['network']}`", "",
        f"Images {arch['height']}x{arch['width']}x{arch['colors']}, channels "
        f"{arch['channels']}, reversible blocks {arch['blocks']}, batch "
        f"{record['batch']}, f32, {record['threads']} threads.", "",
        "| | median step | of MemCNN's | fastest | of MemCNN's | peak memory "
        "| of MemCNN's |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, r in results.items():
        lines.append(
            f"| {TITLES[name]} | {1e3 * r['median_seconds']:.1f} ms "
            f"| {r['median_seconds'] / baseline['median_seconds']:.2f} "
            f"| {1e3 * r['minimum_seconds']:.1f} ms "
            f"| {r['minimum_seconds'] / baseline['minimum_seconds']:.2f} "
            f"| {r['peak_bytes'] / 2**20:.2f} MiB "
            f"| {r['peak_bytes'] / baseline['peak_bytes']:.2f} |")
    lines += [""]
    for name, r in results.items():
        if "planned_bytes" in r:
            lines += [f"{TITLES[name]}: {r['planned_bytes'] / 2**20:.2f} MiB by the "
                      f"memory report, compiled in {r['compile_seconds']:.1f} s.", ""]
    used = ", ".join(f"{name} {version}"
                     for name, version in record["versions"].items() if version)
    lines += [
        "Memory is what malloc has given out at the peak of a step, parameters, "
        "momenta and the batch included, and what PyTorch's libraries keep for "
        "themselves.", "",
        f"{record['date']}, {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['vectors']}, load {machine['load']} at the start; {used}.", "",
        f"    {record['command']}", ""]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=networks.NETWORKS)
    parser.add_argument("--contestants", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=5, help="in each round")
    parser.add_argument("--warm-up", type=int, default=3)
    parser.add_argument("--output", type=pathlib.Path,
                        default=ROOT / "benchmarks" / "results")
    options = parser.parse_args()
    options.batch = options.batch or networks.BATCHES[options.network]

    before = machine()
    results = measure_time(options)
    measure_memory(options, results)
    arch = networks.NETWORKS[options.network]
    record = {
        "network": options.network, "architecture": vars(arch),
        "batch": options.batch, "threads": options.threads,
        "date": datetime.date.today().isoformat(), "machine": before,
        "versions": versions(),
        "command": shlex.join(["benchmarks/revnet/run.py", *sys.argv[1:]]),
        "results": results,
    }
    options.output.mkdir(parents=True, exist_ok=True)
    name = f"revnet-{options.network}"
    (options.output / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")
    (options.output / f"{name}.md").write_text(table(record))
    print(table(record))


if __name__ == "__main__":
    main()
