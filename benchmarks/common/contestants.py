# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Contestants of a benchmark, each in a process of its own: two pools of threads in one
process would disturb each other; and the records of what was measured.

A contestant says in a line of JSON what it is, when it is ready, and then answers each line
of its input, which is JSON, with a line of JSON. `Contestant` is the side that asks,
`answers` the one that answers.
"""

import contextlib
import ctypes
import datetime
import json
import os
import pathlib
import platform
import shlex
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
#: Seconds between two turns: idle threads of a pool spin for a while, and the next
#: contestant waits for that.
PAUSE = 0.3


class Contestant:
    """The process of `script`, a program in Python, with `arguments`. `facts` is what it is.

    Raises RuntimeError if it ends before it has answered.
    """

    def __init__(self, script, arguments, threads, preload=None):
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads))
        paths = [str(ROOT / "python-frontend"), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        if preload:
            environment["LD_PRELOAD"] = str(preload)
        self._name = arguments[0]
        self._process = subprocess.Popen(
            [sys.executable, str(script), *map(str, arguments)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self.facts = self._read()

    def _read(self):
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._name} exited with {self._process.wait()}")
        return json.loads(line)

    def ask(self, request):
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return self._read()

    def close(self):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@contextlib.contextmanager
def answers():
    """In a contestant: a function that answers with a line. What libraries print in between
    is no answer, and goes where errors go."""
    with os.fdopen(os.dup(1), "w") as file:
        os.dup2(2, 1)
        yield lambda reply: print(json.dumps(reply), file=file, flush=True)


def build_counter(folder):
    """The library in `folder` that counts what a process takes from malloc, if preloaded."""
    path = pathlib.Path(folder) / "malloc_counter.so"
    subprocess.run(["clang-22", "-O1", "-shared", "-fPIC",
                    ROOT / "utils" / "malloc_counter.c", "-o", path], check=True)
    return path


class Counter:
    """In a contestant: the functions of malloc_counter, if it is preloaded. `live` and `peak`
    are in bytes; `start` makes the peak what is live."""

    def __init__(self):
        library = ctypes.CDLL(None)
        self.is_there = hasattr(library, "malloc_counter_peak")
        if self.is_there:
            for name in ("live", "peak"):
                function = getattr(library, f"malloc_counter_{name}")
                function.restype = ctypes.c_long
                setattr(self, name, function)
            self.start = library.malloc_counter_start

    def measure(self, step, forget, kept_bytes, count):
        """Runs `step()`, which returns a loss, `count` times: a dict of the `seconds` of each
        and its `losses`, and if the library is there, `peak_bytes`, the most that lived in a
        step beyond what did before it.

        forget: called before each step, with which the results of the one before go.
        kept_bytes: called for what a step works in and the process keeps for the next one.
        """
        seconds, losses, peaks = [], [], []
        for _ in range(count):
            forget()
            if self.is_there:
                before = self.live() - kept_bytes()
                self.start()
            start = time.perf_counter()
            losses.append(step())
            seconds.append(time.perf_counter() - start)
            if self.is_there:
                peaks.append(self.peak() - before)
        return {"seconds": seconds, "losses": losses, "peak_bytes": peaks}


def machine():
    """What the results depend on, with the load of the last minute."""
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


def gpu():
    """What nvidia-smi says of the first GPU: its name, the driver, memory, clocks in MHz."""
    fields = ("name", "driver_version", "memory.total", "power.limit", "clocks.sm",
              "clocks.mem", "clocks.max.sm", "clocks.max.mem", "temperature.gpu")
    try:
        found = subprocess.run(
            ["nvidia-smi", "-i", "0", f"--query-gpu={','.join(fields)}",
             "--format=csv,noheader,nounits"], stdout=subprocess.PIPE, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return dict(zip(fields, (value.strip() for value in found.stdout.split(","))))


def versions():
    from importlib import metadata
    result = {"python": platform.python_version()}
    for package in ("numpy", "torch", "memcnn", "revtorch", "FrEIA", "nflows"):
        try:
            result[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            result[package] = None
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"],
                            stdout=subprocess.PIPE, text=True)
    result["memrev"] = commit.stdout.strip()
    return result


def circumstances(command, before):
    """What a record says of how it came to be: `command` the program, `before` what `machine`
    said at the start."""
    return {"date": datetime.date.today().isoformat(), "machine": before, "versions": versions(),
            "command": shlex.join([command, *sys.argv[1:]])}


def footer(record):
    """The lines of Markdown that say what `circumstances` did."""
    used = ", ".join(f"{name} {version}" for name, version in record["versions"].items()
                     if version)
    measured_on = record["machine"]
    return [
        f"{record['date']}, {measured_on['cpu']}, {measured_on['cores']} cores, "
        f"{measured_on['vectors']}, load {measured_on['load']} at the start; {used}.", "",
        f"    {record['command']}", ""]


def write(folder, name, record, text):
    """Writes a record as JSON, and `text` about it as Markdown, which it prints, too."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")
    (folder / f"{name}.md").write_text(text)
    print(text)
