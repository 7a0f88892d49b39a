#!/usr/bin/env python3
# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Single kernels against oneDNN in PyTorch, Debian's oneDNN and OpenBLAS.

Ours and theirs alternate in one process, so that a noisy minute hits all; the
table shows medians in GFLOP/s and the ratio to the fastest peer. With one thread
the clock is that of the process, which stands still while others have the
processor; with more it is the wall's. Operations are nominal: zero padding counts
as if it were computed. oneDNN's blocked layout
leaves out every reorder; our packing of the filter is inside the measured time.
A peer that is not installed is left out and named.

  run.py --build=build [--threads=1] [--rounds=5] [--only=SUBSTRING]
         [--cases=all|networks|layers] [--dnnl=PREFIX] [--openblas=LIBRARY]
         [--json=FILE] [--table=FILE]
"""

import argparse
import ctypes
import json
import math
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

# (images, size, channels in, channels out, filter, stride): the stages of
# MemCNN's CIFAR RevNets, the ImageNet ones, and shapes that no tile fits.
CONVOLUTIONS = [
    (100, 32, 3, 32, 3, 1),
    (100, 32, 16, 16, 3, 1),
    (100, 32, 32, 32, 3, 1),
    (100, 16, 32, 32, 3, 1),
    (100, 16, 64, 64, 3, 1),
    (100, 8, 64, 64, 3, 1),
    (100, 8, 112, 112, 3, 1),
    (16, 56, 64, 64, 3, 1),
    (16, 28, 128, 128, 3, 1),
    (100, 32, 16, 32, 3, 2),
    (100, 16, 32, 64, 3, 2),
    (100, 16, 64, 112, 3, 2),
    (16, 56, 64, 128, 3, 2),
    (100, 32, 32, 32, 1, 1),
    (100, 16, 64, 64, 1, 1),
    (100, 8, 112, 112, 1, 1),
    (16, 28, 128, 128, 1, 1),
    (100, 32, 16, 32, 1, 2),
    (100, 16, 32, 64, 1, 2),
]
# (family, (images, *space), channels in, channels out, filter, stride, groups,
# transposed): what flows and other invertible networks have beside those.
LAYERS = [
    ("1-D", (8, 256), 32, 64, 3, 1),
    ("1-D", (16, 1024), 16, 16, 3, 1),
    ("3-D", (1, 16, 16, 16), 16, 32, 3, 1),
    ("3-D", (2, 24, 24, 24), 32, 32, 3, 1),
    ("transposed", (8, 256), 64, 32, 4, 2, 1, True),
    ("transposed", (4, 16, 16), 64, 32, 4, 2, 1, True),
    ("transposed", (8, 28, 28), 128, 64, 2, 2, 1, True),
    ("transposed", (1, 12, 12, 12), 32, 16, 2, 2, 1, True),
    ("grouped", (4, 32, 32), 32, 64, 3, 1, 4),
    ("grouped", (4, 28, 28), 128, 128, 3, 1, 32),
    ("grouped", (1, 16, 16, 16), 32, 32, 3, 1, 4),
    ("depthwise", (8, 256), 64, 64, 3, 1, 64),
    ("depthwise", (4, 32, 32), 64, 64, 3, 1, 64),
    ("depthwise", (8, 28, 28), 192, 192, 7, 1, 192),
    ("depthwise", (8, 56, 56), 96, 96, 3, 2, 96),
    ("depthwise", (4, 32, 32), 32, 64, 3, 1, 32),
    ("depthwise", (1, 16, 16, 16), 16, 16, 3, 1, 16),
    ("depthwise", (2, 24, 24, 24), 48, 48, 3, 1, 48),
]
# (rows, columns, terms, transpose a, transpose b): layers, their gradients, and
# squares.
PRODUCTS = [
    (128, 512, 512, False, False),
    (128, 512, 512, False, True),
    (512, 512, 128, True, False),
    (512, 512, 512, False, False),
    (1024, 1024, 1024, False, False),
    (1024, 1024, 1024, False, True),
    (64, 64, 25600, True, False),
]


def aligned(shape):
    import numpy

    size = math.prod(shape)
    raw = numpy.empty(size * 4 + 64, numpy.uint8)
    start = -raw.ctypes.data % 64
    array = raw[start : start + size * 4].view(numpy.float32).reshape(shape)
    array[...] = (numpy.arange(size) % 13 * 0.01).reshape(shape)
    return array


class Ours:
    """A compiled program, called through its plain C function."""

    def __init__(self, build, text, shapes, threads, folder, number):
        source = folder / f"kernel{number}.mlir"
        source.write_text(text)
        compiler = build / "bin" / "memrev-compile"
        obj, library = source.with_suffix(".o"), source.with_suffix(".so")
        start = time.perf_counter()
        subprocess.run(
            [compiler, source, "--emit=obj", f"--threads={threads}", "-o", obj], check=True
        )
        self.compile_seconds = time.perf_counter() - start
        report = subprocess.run(
            [compiler, source, "--report=memory", "--report-format=json"],
            check=True, capture_output=True, text=True,
        ).stdout
        arena = find_number(json.loads(report), "workspace")
        libraries = ["-lm", "-Wl,--as-needed"]
        runtime = find_openmp()
        subprocess.run(["cc", "-shared", obj, "-o", library, *libraries, *runtime], check=True)
        self.function = ctypes.CDLL(str(library)).k
        self.arrays = [aligned(shape) for shape in shapes] + [aligned((arena // 4 + 16,))]
        self.pointers = [ctypes.c_void_p(a.ctypes.data) for a in self.arrays]

    def __call__(self):
        self.function(*self.pointers)


def find_number(tree, key):
    """The first number whose key starts with `key`, anywhere in a JSON value."""
    if isinstance(tree, dict):
        for name, value in tree.items():
            if name.startswith(key) and isinstance(value, (int, float)):
                return int(value)
        tree = list(tree.values())
    if isinstance(tree, list):
        for value in tree:
            found = find_number(value, key)
            if found is not None:
                return found
    return None


def find_openmp():
    for name in ("libomp.so.5", "libomp.so"):
        for folder in ("/usr/lib/x86_64-linux-gnu", "/usr/lib/llvm-22/lib", "/usr/lib64"):
            if (pathlib.Path(folder) / name).exists():
                return [f"{folder}/{name}", f"-Wl,-rpath,{folder}"]
    return ["-lomp"]


def torch_peers(conv, kind):
    try:
        import torch
    except ImportError:
        return {}
    peers = {}
    layouts = [("torch nchw", torch.contiguous_format)]
    if conv.rank > 1:
        last = torch.channels_last if conv.rank == 2 else torch.channels_last_3d
        layouts.insert(0, ("torch nhwc", last))
    for name, layout in layouts:
        make = lambda *s: torch.full(s, 0.05).contiguous(memory_format=layout)
        channels_first = lambda shape: (shape[0], shape[-1], *shape[1:-1])
        x, y = make(*channels_first(conv.x)), make(*channels_first(conv.y))
        *window, inner, outer = conv.kernel
        w = make(outer, inner, *window)
        each = lambda value: [value] * conv.rank
        options = (each(conv.stride), each(conv.padding), each(1), conv.transposed, each(0),
                   conv.groups)
        if kind == "forward":
            peers[name] = lambda x=x, w=w: torch.convolution(x, w, None, *options)
        else:
            mask = [kind == "input_gradient", kind == "filter_gradient", False]
            peers[name] = lambda x=x, w=w, y=y: torch.ops.aten.convolution_backward(
                y, x, w, None, *options, mask
            )
    return peers


class OneDNN:
    def __init__(self, prefix, folder):
        library = folder / "onednn_peer.so"
        flags = []
        if prefix:
            root = pathlib.Path(prefix).resolve()
            where = next(root.glob("**/libdnnl.so")).parent
            # The header of the same name in oneapi/dnnl is not the one to include.
            header = min(root.glob("**/dnnl.hpp"), key=lambda path: len(path.parts))
            flags = [f"-I{header.parent}", f"-L{where}", f"-Wl,-rpath,{where}"]
        subprocess.run(
            ["c++", "-O2", "-std=c++17", "-shared", "-fPIC", HERE / "onednn_peer.cpp",
             "-o", library, *flags, "-ldnnl"],
            check=True,
        )
        self.library = ctypes.CDLL(str(library))
        self.library.peer_create.restype = ctypes.c_void_p
        self.library.peer_create.argtypes = [ctypes.c_int] * 2 + [ctypes.c_long] * 10
        self.library.peer_run.argtypes = [ctypes.c_void_p]

    def peers(self, conv, kind):
        number = ["forward", "input_gradient", "filter_gradient"].index(kind)
        peers = {}
        for name, blocked in (("dnnl nhwc", 0), ("dnnl blocked", 1)):
            handle = self.library.peer_create(
                number, blocked, conv.n, conv.h, conv.w, conv.c, conv.f, conv.k,
                conv.stride, conv.padding, conv.oh, conv.ow,
            )
            peers[name] = lambda handle=handle: self.library.peer_run(handle)
        return peers


def blas_peers(library, m, n, k, ta, tb):
    import numpy

    peers = {}
    if library:
        a, b, c = (aligned(s) for s in ((m, k), (k, n), (m, n)))
        gemm = library.cblas_sgemm
        point = lambda array: ctypes.c_void_p(array.ctypes.data)
        peers["openblas"] = lambda: gemm(
            101, 112 if ta else 111, 112 if tb else 111, m, n, k, ctypes.c_float(1.0),
            point(a), m if ta else k, point(b), k if tb else n, ctypes.c_float(0.0), point(c), n,
        )
    try:
        import torch

        x = torch.full((k, m) if ta else (m, k), 0.05)
        y = torch.full((n, k) if tb else (k, n), 0.05)
        x, y = (x.T if ta else x), (y.T if tb else y)
        peers["torch"] = lambda: torch.mm(x, y)
    except ImportError:
        pass
    return peers


def machine():
    """The name of the processor."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(": ")[1] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def measure(functions, rounds, clock):
    """Median seconds of each function; they take turns."""
    times = {name: [] for name in functions}
    for function in functions.values():
        function()
    calls = {}
    for name, function in functions.items():
        start = clock()
        function()
        calls[name] = max(1, min(50, int(0.02 / max(clock() - start, 1e-6))))
    for _ in range(rounds):
        for name, function in functions.items():
            function()
            for _ in range(calls[name]):
                start = clock()
                function()
                times[name].append(clock() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values)) if values else float("nan")


def table(result):
    """The result as a page of Markdown."""
    arguments = " ".join(a for a in sys.argv[1:] if not a.startswith(("--build", "--json")))
    lines = [
        "# Single kernels beside PyTorch", "",
        f"Rates in GFLOP/s, medians, {result['threads']} thread(s) of {result['machine']}; ours and "
        "theirs took turns in one process. The machine",
        f"was shared (load {os.getloadavg()[0]:.1f} at the end), so only ratios count. Written by "
        f"`benchmarks/kernels/run.py {arguments}`.", "",
        "| geometric mean of our rate over the fastest peer | |", "|---|---|",
        *(f"| {name} | {value:.2f} |" for name, value in result["summary"].items()), "",
        "| kernel | shape | memrev | peers | ratio |", "|---|---|---|---|---|",
    ]
    for row in result["rows"]:
        peers = ", ".join(f"{name} {rate:.0f}" for name, rate in row["gflops"].items()
                          if name != "memrev")
        lines.append(f"| {row['kind']} | {row['shape']} | {row['gflops']['memrev']:.0f} | {peers} "
                     f"| {row['ratio']:.2f} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parents[1] / "build")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="")
    parser.add_argument("--cases", choices=["all", "networks", "layers"], default="all")
    parser.add_argument("--dnnl")
    parser.add_argument("--openblas")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--table", type=pathlib.Path)
    options = parser.parse_args()
    # Before any library starts its threads.
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(options.threads)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

    import programs

    clock = time.process_time if options.threads == 1 else time.perf_counter
    missing = []
    try:
        import torch

        torch.set_num_threads(options.threads)
        torch.set_grad_enabled(False)
    except ImportError:
        missing.append("PyTorch")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="memrev-kernels-"))
    try:
        onednn = OneDNN(options.dnnl, folder)
    except (subprocess.CalledProcessError, OSError, StopIteration):
        onednn = None
        missing.append("oneDNN (libdnnl-dev)")
    try:
        blas = ctypes.CDLL(options.openblas or "libopenblas.so.0")
        blas.openblas_set_num_threads(options.threads)
    except OSError:
        blas = None
        missing.append("OpenBLAS")

    rows = []
    cases = []
    convolutions = []
    if options.cases != "layers":
        convolutions += [programs.Conv(*shape) for shape in CONVOLUTIONS]
    if options.cases != "networks":
        convolutions += [programs.Layer(*case) for case in LAYERS]
    for conv in convolutions:
        for kind, shapes in (
            ("forward", (conv.x, conv.kernel, conv.y)),
            ("input_gradient", (conv.y, conv.kernel, conv.x)),
            ("filter_gradient", (conv.x, conv.y, conv.kernel)),
        ):
            def peers(conv=conv, kind=kind):
                found = torch_peers(conv, kind)
                if onednn and not conv.family:
                    found.update(onednn.peers(conv, kind))
                return found

            text = lambda conv=conv, kind=kind: getattr(conv, kind)()
            name = f"{conv.family} {kind}".lstrip()
            cases.append((name, str(conv), conv.flops, text, shapes, peers))
    for m, n, k, ta, tb in PRODUCTS if options.cases != "layers" else []:
        kind = "product " + ("t" if ta else "n") + ("t" if tb else "n")
        shapes = ((k, m) if ta else (m, k), (n, k) if tb else (k, n), (m, n))
        peers = lambda m=m, n=n, k=k, ta=ta, tb=tb: blas_peers(blas, m, n, k, ta, tb)
        text = lambda m=m, n=n, k=k, ta=ta, tb=tb: programs.matmul(m, n, k, ta, tb)
        cases.append((kind, f"{m}x{n}x{k}", 2 * m * n * k, text, shapes, peers))

    for number, (kind, shape, flops, text, shapes, make_peers) in enumerate(cases):
        if options.only not in f"{kind} {shape}":
            continue
        ours = Ours(options.build, text(), shapes, options.threads, folder, number)
        seconds = measure({"memrev": ours, **make_peers()}, options.rounds, clock)
        rates = {name: flops / value / 1e9 for name, value in seconds.items()}
        best = max((n for n in rates if n != "memrev"), key=rates.get, default=None)
        ratio = rates["memrev"] / rates[best] if best else float("nan")
        rows.append(
            {"kind": kind, "shape": shape, "gflops": rates, "fastest_peer": best,
             "ratio": ratio, "compile_seconds": ours.compile_seconds}
        )
        columns = "  ".join(f"{name} {rate:.0f}" for name, rate in rates.items())
        print(f"{kind:26} {shape:32} {ratio:5.2f}  {columns}", flush=True)

    summary = {}
    for kind in dict.fromkeys(row["kind"] for row in rows):
        summary[kind] = geometric_mean([r["ratio"] for r in rows if r["kind"] == kind])
    summary["convolutions"] = geometric_mean(
        [r["ratio"] for r in rows if not r["kind"].startswith("product")]
    )
    summary["all"] = geometric_mean([r["ratio"] for r in rows])
    for name, value in summary.items():
        print(f"geometric mean of ratios, {name}: {value:.2f}")
    if missing:
        print("not installed, so not measured:", ", ".join(missing))
    result = {
        "machine": machine(), "threads": options.threads, "rounds": options.rounds,
        "missing": missing, "summary": summary, "rows": rows,
    }
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    if options.table:
        options.table.write_text(table(result))


if __name__ == "__main__":
    main()
