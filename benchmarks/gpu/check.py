#!/usr/bin/env python3
# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks memrev's programs on a GPU, from a pack that pack.py made: compares the results of
each program with those of the same program on the processor, in f32, and the device memory that
it takes with what was planned; runs compute-sanitizer; and measures beside PyTorch. What is not
there is "not run". Needs Python and NumPy. `check.sh run` calls this.

The exit status is 0, 1 if a result is wrong, 2 if nothing could be checked.
"""

import argparse
import fnmatch
import json
import pathlib
import platform
import shlex
import shutil
import statistics
import subprocess
import sys
import time
import zlib

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import aot  # noqa: E402
from contestants import gpu, machine  # noqa: E402
from device import Device, DeviceCall, DeviceError, call_on_host, dtype_of  # noqa: E402

#: Families that compute-sanitizer runs, and its tools. It slows programs down a hundred times.
SANITIZED, TOOLS = "tails_*", ("memcheck", "racecheck")


def draw(name, parameter, description):
    """The numbers of an argument, the same ones on each machine."""
    shape, dtype = tuple(parameter["shape"]), dtype_of(parameter)
    generator = np.random.default_rng(zlib.crc32(f"{name}/{parameter['name']}".encode()))
    if description["kind"] == "integers":
        return generator.integers(0, description["below"], shape).astype(dtype)
    if description["kind"] == "constant":
        numbers = np.full(shape, description["value"], np.float32)
    else:
        numbers = description["mean"] + description["std"] * generator.standard_normal(
            shape, np.float32)
    return from_float(numbers, parameter, dtype)


def from_float(numbers, parameter, dtype):
    if parameter["dtype"] != "bfloat16":
        return np.asarray(numbers, dtype)
    bits = np.asarray(numbers, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)  # To nearest, even.


def to_float(array, parameter):
    if parameter["dtype"] == "bfloat16":
        array = (array.astype(np.uint32) << 16).view(np.float32)
    return array.astype(np.float64)


def run_oracle(function, parameters, arrays):
    """The results of a program on the processor, which may have f32 where that on the device,
    with these parameters, has 16 bits."""
    return call_on_host(function, [
        array if wanted["dtype"] == given["dtype"]
        else to_float(array, given).astype(wanted["dtype"])
        for wanted, given, array in zip(function.arguments, parameters, arrays)])


def errors_of(function, oracle, found, expected, is_model):
    """{result: its error}; of a model the results are those of the Python function, each of
    which is a tree of arrays. An error is infinite where a number is not finite."""
    groups = {}
    for parameter, wanted, mine, other in zip(function.results, oracle.results, found, expected):
        pair = to_float(mine, parameter).ravel(), to_float(other, wanted).ravel()
        # "result.2.momentum.weight" is a part of the result number 2.
        parts = parameter["name"].split(".")
        group = ".".join(parts[:2]) if is_model else parameter["name"]
        groups.setdefault(group, []).append(pair)
    errors = {}
    for group, pairs in groups.items():
        a, b = (np.concatenate(side) for side in zip(*pairs))
        if not (np.isfinite(a).all() and np.isfinite(b).all()):
            errors[group] = float("inf")
        elif is_model:
            errors[group] = float(np.linalg.norm(a - b) / max(np.linalg.norm(b), 1e-30))
        else:
            errors[group] = float(np.abs(a - b).max(initial=0) / max(np.abs(b).max(initial=0),
                                                                    1e-30))
    return errors


class Checker:
    """Runs the families of a pack on a device."""

    def __init__(self, options, manifest, device, chip):
        self.options, self.manifest, self.device, self.chip = options, manifest, device, chip

    def families(self):
        for name, family in self.manifest["families"].items():
            if any(fnmatch.fnmatchcase(name, pattern) for pattern in self.options.only):
                yield name, family

    def run(self):
        """A record for each program."""
        records = []
        for name, family in self.families():
            libraries = family["libraries"]
            host = aot.Library(HERE / libraries["cpu"])
            there = aot.Library(HERE / libraries[self.chip])
            for program, description in family["programs"].items():
                record = self._run_program(f"{name}/{program}", family, description,
                                           host[program], there, there[program])
                records.append({"family": name, "program": program, **record})
                print(line_of(records[-1]), flush=True)
        return records

    def _run_program(self, name, family, description, host, library, function):
        arrays = [draw(name, p, d) for p, d in zip(function.arguments, description["arguments"])]
        record = {"tolerance": family["tolerance"], "precision": family["precision"]}
        call = None
        try:
            call = DeviceCall(self.device, library, function, arrays)
            call.submit()
            record["errors"] = errors_of(
                function, host, call.results(), run_oracle(host, function.arguments, arrays),
                family["is_model"])
            planned, measured = call.nbytes()
            record.update(planned_bytes=planned, measured_bytes=measured)
            worst = max(record["errors"].values())
            record["is_right"] = worst <= family["tolerance"] and planned == measured
            if family["is_timed"] and self.options.time:
                record["seconds"] = self._time(call)
        except (DeviceError, RuntimeError) as error:
            # Only programs that are compiled to call a library need it.
            is_missing = str(error).startswith("expects cuBLASLt")
            record.update({"is_right": None, "missing": str(error)} if is_missing
                          else {"is_right": False, "failure": str(error)})
        finally:
            if call is not None:
                call.close()
        if "seconds" in record and self.options.peers:
            import pytorch
            record["peers"] = pytorch.measure(
                description["peer"], function.arguments, arrays, family["precision"],
                self.options.rounds)
        return record

    def _time(self, call):
        """The median over rounds of the seconds of a call."""
        with call.on_stream():
            for _ in range(3):  # The second one is recorded, later ones launch a graph.
                call.submit()
            once = max(self.device.time(call.submit, 1), 1e-6)
            count = max(1, int(self.options.seconds / once))
            return statistics.median(
                self.device.time(call.submit, count) for _ in range(self.options.rounds))


def sanitize(options):
    """What compute-sanitizer finds in small programs, by its tools."""
    program = shutil.which("compute-sanitizer") or shutil.which(
        "compute-sanitizer", path="/usr/local/cuda/bin")
    if not program:
        return dict.fromkeys(TOOLS, "not run: compute-sanitizer was not found")
    found = {}
    for tool in TOOLS:
        result = subprocess.run(
            [program, "--tool", tool, "--error-exitcode", "9", sys.executable, __file__,
             "--only", SANITIZED, "--no-time", "--no-sanitizer", "--chip", options.chip,
             "--output", str(options.output / tool)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        (options.output / f"{tool}.log").write_text(result.stdout)
        found[tool] = "no errors" if result.returncode == 0 else (
            f"exit status {result.returncode}, see {tool}.log")
    return found


def milliseconds(seconds):
    return f"{1e3 * seconds:.3f} ms" if isinstance(seconds, float) else seconds


def line_of(record):
    """A line for people."""
    name = f"{record['family']}/{record['program']}"
    if "missing" in record:
        return f"not run {name}: {record['missing']}"
    if "failure" in record:
        return f"FAIL {name}: {record['failure']}"
    worst = max(record["errors"], key=record["errors"].get)
    text = (f"{'ok  ' if record['is_right'] else 'FAIL'} {name}: error "
            f"{record['errors'][worst]:.1e} of '{worst}', at most {record['tolerance']:g}")
    if record["planned_bytes"] != record["measured_bytes"]:
        text += (f"; {record['planned_bytes']} bytes planned, but {record['measured_bytes']} "
                 "measured")
    return text + (f"; {milliseconds(record['seconds'])}" if "seconds" in record else "")


def table(result):
    """The results in Markdown."""
    lines = ["# Checks on a GPU", "", f"    {result['command']}", "",
             f"{result['date']}, memrev {result['commit']}, {result['chip']}: "
             + ", ".join(f"{k} {v}" for k, v in (result["gpu"] or {}).items())
             + f"; {result['machine']['cpu']}; "
             + ", ".join(f"{k} {v}" for k, v in result["versions"].items() if v) + ".", "",
             *(f"compute-sanitizer {tool}: {found}." for tool, found in
               result["sanitizer"].items()), "",
             "| program | error | at most | memory | time | TFLOP/s or GB/s | " + " | ".join(
                 result["peers"]) + " |",
             "|---|---:|---:|---:|---:|---:|" + "---:|" * len(result["peers"])]
    for record in result["programs"]:
        cells = [f"{record['family']}/{record['program']}"]
        if "missing" in record:
            cells += ["not run", f"{record['tolerance']:g}", "–"]
        elif "failure" in record:
            cells += [f"FAILED: {record['failure']}", f"{record['tolerance']:g}", "–"]
        else:
            worst = max(record["errors"].values())
            cells += [f"{worst:.1e}" + ("" if record["is_right"] else " FAILED"),
                      f"{record['tolerance']:g}", f"{record['measured_bytes'] / 2**20:.1f} MiB"]
        seconds = record.get("seconds")
        cells.append("not run" if seconds is None else milliseconds(seconds))
        cells.append(rate_of(record, seconds))
        peers = record.get("peers", {})
        for peer in result["peers"]:
            other = peers.get(peer, "not run")
            cells.append(f"{milliseconds(other)} ({other / seconds:.2f})"
                         if isinstance(other, float) and seconds else other)
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", "A number behind a time of another one is by how much memrev is faster.", ""]
    return "\n".join(lines)


def rate_of(record, seconds):
    if not seconds:
        return "–"
    if record.get("flops"):
        return f"{record['flops'] / seconds / 1e12:.1f} TFLOP/s"
    return f"{record['bytes'] / seconds / 1e9:.0f} GB/s" if record.get("bytes") else "–"


def versions(has_peers):
    found = {"python": platform.python_version(), "numpy": np.__version__}
    if has_peers:
        import torch
        found.update(torch=torch.__version__, cuda=torch.version.cuda,
                     cudnn=torch.backends.cudnn.version())
    return found


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("."),
                        metavar="DIR", help="where results.json and results.md are written")
    parser.add_argument("--only", nargs="+", metavar="PATTERN", default=["*"],
                        help="families, such as 'gemm_*'")
    parser.add_argument("--chip", help="whose libraries to run (the fastest for the device)")
    parser.add_argument("--rounds", type=int, default=20, help="of which a time is the median")
    parser.add_argument("--seconds", type=float, default=0.02, help="of a round")
    parser.add_argument("--no-time", dest="time", action="store_false")
    parser.add_argument("--no-sanitizer", dest="sanitizer", action="store_false")
    options = parser.parse_args()
    manifest = json.loads((HERE / "manifest.json").read_text())
    try:
        device = Device()
        packed = {chip for family in manifest["families"].values()
                  for chip in family["libraries"]} - {"cpu"}
        usable = [chip for chip in device.chips() if chip in packed]
        if options.chip is None:
            if not usable:
                raise DeviceError(
                    f"expects a device for {', '.join(sorted(packed))}, but got one of compute "
                    "capability {}.{}".format(*device.capability))
            options.chip = usable[0]
        elif options.chip not in packed:
            parser.error(f"--chip expects one of {', '.join(sorted(packed))}")
    except DeviceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    options.output.mkdir(parents=True, exist_ok=True)
    names = []
    if options.time:
        import pytorch
        names = pytorch.available()
    options.peers = bool(names)
    checker = Checker(options, manifest, device, options.chip)
    records = checker.run()
    if not records:
        print("error: expects a family that is in the pack", file=sys.stderr)
        return 2
    for record in records:
        program = manifest["families"][record["family"]]["programs"][record["program"]]
        record.update(flops=program["flops"], bytes=program["bytes"])
    result = {
        "command": shlex.join(["check.py", *sys.argv[1:]]),
        "date": time.strftime("%Y-%m-%d"), "commit": manifest["commit"], "chip": options.chip,
        "gpu": gpu(), "machine": machine(), "versions": versions(options.peers),
        "sanitizer": (sanitize(options) if options.sanitizer
                      else dict.fromkeys(TOOLS, "not run")),
        "peers": names or ["PyTorch"], "programs": records,
    }
    (options.output / "results.json").write_text(json.dumps(result, indent=1) + "\n")
    (options.output / "results.md").write_text(table(result))
    missing = [r for r in records if r["is_right"] is None]
    wrong = [r for r in records if r["is_right"] is False]
    reported = [tool for tool, found in result["sanitizer"].items()
                if found != "no errors" and not found.startswith("not run")]
    ran = len(records) - len(missing)
    print(f"{ran - len(wrong)} of {ran} programs are right"
          + (f"; {len(missing)} were not run: {missing[0]['missing']}" if missing else "")
          + "".join(f"; {tool}: {result['sanitizer'][tool]}" for tool in reported))
    return 1 if wrong or reported else 0


if __name__ == "__main__":
    sys.exit(main())
