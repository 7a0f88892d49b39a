# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Packs what a GPU machine without a compiler needs to check memrev's GPU programs: each family
of programs.py as a library for the processor, which says what is right, and one for each chip,
with what runs them. `check.sh pack` calls this.

The libraries for the processor run on any x86-64 processor with AVX2, on one thread, and need
no library beside libc's.
"""

import argparse
import fnmatch
import json
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "python-frontend")]

import memrev  # noqa: E402
import programs  # noqa: E402

#: What is copied into a pack, by where it is.
FILES = {
    **{name: HERE / name for name in ("check.sh", "check.py", "device.py", "pytorch.py",
                                     "transformer.py")},
    "aot.py": ROOT / "python-frontend" / "memrev" / "aot.py",
    "contestants.py": ROOT / "benchmarks" / "common" / "contestants.py",
    "networks.py": ROOT / "benchmarks" / "revnet" / "peers.py",
}
#: The largest pack, in bytes.
LIMIT = 50 * 10**6


def compile_family(name, family, folder, target, chip=None):
    """The path of the library of a family, relative to `folder`, and the seconds it took."""
    path = folder / f"{name}-{chip or target}.so"
    start = time.perf_counter()
    chosen = family.programs if target == "cuda" else family.oracles
    memrev.export(path, target=target, chip=chip, cpu="x86-64-v3", threads=1,
                  fp32_precision=family.precision if target == "cuda" else "ieee",
                  contractions=family.contractions if target == "cuda" else "generated",
                  **{n: (p.function, *p.arguments) for n, p in chosen.items()})
    path.with_suffix(".h").unlink()
    subprocess.run(["strip", "--strip-unneeded", path], check=True)
    return path.name, round(time.perf_counter() - start, 1)


def describe(family):
    return {
        "tolerance": family.tolerance, "precision": family.precision,
        "is_model": family.is_model, "is_timed": family.is_timed,
        "programs": {
            name: {"arguments": programs.descriptions(p), "flops": p.flops, "bytes": p.nbytes,
                   "peer": p.peer} for name, p in family.programs.items()},
    }


def commit():
    found = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"],
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return found.stdout.strip() or None


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=pathlib.Path, metavar="OUT.tar.xz")
    parser.add_argument("--only", nargs="+", metavar="PATTERN", default=["*"],
                        help="families, such as 'gemm_*'")
    parser.add_argument("--chips", nargs="+", default=["sm_80", "sm_90", "sm_90a"])
    options = parser.parse_args()
    chosen = {name: make for name, make in programs.families().items()
              if any(fnmatch.fnmatchcase(name, pattern) for pattern in options.only)}
    if not chosen:
        parser.error(f"--only expects one of {', '.join(programs.families())}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        manifest = {"commit": commit(), "families": {}}
        for name, make in chosen.items():
            family = make()
            libraries, seconds = {}, {}
            for target, chip in (("cpu", None), *(("cuda", chip) for chip in options.chips)):
                key = chip or target
                libraries[key], seconds[key] = compile_family(name, family, folder, target, chip)
            manifest["families"][name] = {
                **describe(family), "libraries": libraries, "compile_seconds": seconds}
            print(f"{name}: " + ", ".join(f"{key} {s} s" for key, s in seconds.items()),
                  flush=True)
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=1))
        for name, path in FILES.items():
            shutil.copy(path, folder / name)
        with tarfile.open(options.output, "w:xz") as archive:
            for path in sorted(folder.iterdir()):
                archive.add(path, f"memrev-gpu-check/{path.name}")
    size = options.output.stat().st_size
    print(f"wrote {options.output}: {size / 1e6:.1f} MB")
    if size > LIMIT:
        sys.exit(f"error: expects at most {LIMIT / 1e6:.0f} MB, but got {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
