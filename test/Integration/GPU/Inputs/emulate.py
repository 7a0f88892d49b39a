# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs a program compiled for a GPU on the host and compares it with loops.

Takes a module of functions on buffers, the input of the binary stage. Host code
and kernels come out of memrev-gpu-binary as for a GPU, with the kernels as the
LLVM IR that the NVPTX backend would get. The host code runs on the real
runtime, which loads the SIMT emulator as its driver: that runs the kernels
under random schedules and reports what is wrong with them. Each public function
is called with random buffers, and so is what mlir-opt's plain loops make of it.

With --reference FILE the loops come from that module, whose functions must
have the same parameters except for the size of the arena: the same program
without the GPU's schedule, for example.

Prints one line for each function with its largest error, relative to the
largest element of the buffer.
"""

import argparse
import array
import ctypes
import math
import os
import random
import re
import struct
import subprocess
import sys

TYPES = {
    "f32": ("f", ctypes.c_float),
    "f64": ("d", ctypes.c_double),
    "i1": ("b", ctypes.c_bool),
    "i8": ("b", ctypes.c_int8),
    "arena": ("b", ctypes.c_int8),
    "i16": ("h", ctypes.c_int16),
    "i32": ("i", ctypes.c_int32),
    # As 16 bits each.
    "f16": ("H", ctypes.c_uint16),
    "bf16": ("H", ctypes.c_uint16),
    "i64": ("q", ctypes.c_int64),
    "index": ("q", ctypes.c_int64),
}
# The largest errors, relative to the largest element of a buffer: some sums of
# ten thousand elements are in another order.
TOLERANCES = {"f32": 2e-6, "f64": 1e-14}
CPU_PASSES = [
    "--convert-linalg-to-loops",
    "--expand-strided-metadata",
    "--lower-affine",
    "--convert-scf-to-cf",
    "--convert-math-to-llvm",
    "--convert-math-to-libm",
    "--convert-arith-to-llvm",
    "--finalize-memref-to-llvm",
    "--convert-func-to-llvm=use-bare-ptr-memref-call-conv",
    "--convert-cf-to-llvm",
    "--reconcile-unrealized-casts",
]


def run(command, **kwargs):
    result = subprocess.run(command, stdout=subprocess.PIPE, **kwargs)
    if result.returncode != 0:
        sys.exit(f"failed: {' '.join(command)}")
    return result.stdout


# ===----------------------------------------------------------------------=== #
# Compiling
# ===----------------------------------------------------------------------=== #


def link(ir, name, cxx, extra=()):
    """Compiles LLVM IR, a bytes object, to a shared library."""
    run(["llc", "-O2", "-filetype=obj", "-relocation-model=pic", "-o", name + ".o"],
        input=ir)
    run([cxx, "-shared", name + ".o", *extra, "-o", name + ".so"])


def compile_program(options):
    work = options.work_dir
    os.makedirs(work, exist_ok=True)
    binary = f"--memrev-gpu-binary=chip={options.chip} format=llvm"
    program = run(["memrev-opt", options.program, binary])
    host = run(["mlir-translate", "--mlir-to-llvmir"], input=program)
    link(host, f"{work}/gpu", options.cxx,
         ["-Wl,--whole-archive", f"{options.lib_dir}/libMemRevCUDARuntime.a",
          "-Wl,--no-whole-archive", "-ldl"])
    reference = options.reference or options.program
    cpu = run(["mlir-opt", reference, *CPU_PASSES, "--allow-unregistered-dialect"])
    cpu = run(["mlir-translate", "--mlir-to-llvmir"], input=cpu)
    link(cpu, f"{work}/cpu", options.cxx,
         [f"-L{options.mlir_lib_dir}", "-lmlir_c_runner_utils", "-lm",
          f"-Wl,-rpath,{options.mlir_lib_dir}"])


# ===----------------------------------------------------------------------=== #
# Running
# ===----------------------------------------------------------------------=== #


def read_signatures(path):
    """Yields the name and the parameters of each public function, a parameter
    as (elements or None, type), where the type of the arena is "arena"."""
    with open(path) as file:
        text = file.read()
    for name, parameters in re.findall(
        r"func\.func (?!private)(?:public )?@([\w.]+)\((.*?)\)(?: attributes.*)? \{\n", text
    ):
        parsed = []
        for type_, attributes in re.findall(
            r"%\w+: ([^,{]*(?:<[^>]*>)?)(\{[^}]*\})?", parameters
        ):
            type_ = type_.strip().rstrip(")")
            if not type_.startswith("memref<"):
                parsed.append((None, type_))
                continue
            shape, element = re.match(r"memref<((?:\d+x)*)(\w+)", type_).groups()
            elements = 1
            for size in shape.split("x")[:-1]:
                elements *= int(size)
            is_arena = 'memrev.role = "arena"' in attributes
            parsed.append((elements, "arena" if is_arena else element))
        yield name, parsed


def encode(number, type_):
    """The bits of a number that has no more digits than its type."""
    if type_ == "f16":
        return struct.unpack("H", struct.pack("e", number))[0]
    return struct.unpack("I", struct.pack("f", number))[0] >> 16


def decode(bits, type_):
    if type_ == "f16":
        return struct.unpack("e", struct.pack("H", bits))[0]
    return struct.unpack("f", struct.pack("I", bits << 16))[0]


def numbers(values, type_):
    if type_ in ("f16", "bf16"):
        return [decode(v, type_) for v in values]
    return values


def make_random(rng, elements, type_, limits=(-1, 1), unit=None):
    code = TYPES[type_][0]
    count = 1 if elements is None else elements
    if type_ in ("f16", "bf16", "f32", "f64"):
        # Eighths are exact in 16 bits.
        if unit is None and type_ in ("f16", "bf16"):
            unit = 0.125
        if unit is None:
            return array.array(code, (rng.uniform(*limits) for _ in range(count)))
        low, high = (round(limit / unit) for limit in limits)
        values = (rng.randint(low, high) * unit for _ in range(count))
        if code == "H":
            values = (encode(v, type_) for v in values)
        return array.array(code, values)
    if type_ == "i1":
        return array.array(code, (rng.randrange(2) for _ in range(count)))
    return array.array(code, (rng.randrange(0, 5) for _ in range(count)))


def address(buffer):
    return ctypes.c_void_p(buffer.buffer_info()[0])


def call_on_gpu(library, name, parameters, values):
    """Calls the function with copies of `values` in device memory and returns
    what is there afterwards. Calls it three times, which must not differ: the
    runtime runs it, records it as a graph, and launches that."""
    def check(failed):
        if failed:
            library.memrevCudaLastError.restype = ctypes.c_char_p
            sys.exit(f"@{name}: {library.memrevCudaLastError().decode()}")

    arguments, device = [], []
    for (elements, type_), value in zip(parameters, values):
        if elements is None:
            arguments.append(TYPES[type_][1](value[0]))
            continue
        pointer = ctypes.c_void_p()
        size = ctypes.c_size_t(len(value) * value.itemsize)
        check(library.memrevCudaAllocate(ctypes.byref(pointer), size))
        arguments.append(pointer)
        device.append((pointer, size, value, value[:]))
    library.memrevCudaLastError.restype = ctypes.c_void_p
    first = None
    for _ in range(3):
        for pointer, size, _, before in device:
            check(library.memrevCudaCopyToDevice(pointer, address(before), size))
        getattr(library, name)(*arguments)
        check(library.memrevCudaLastError() is not None)
        for pointer, size, value, _ in device:
            check(library.memrevCudaCopyToHost(address(value), pointer, size))
        after = [value.tobytes() for _, _, value, _ in device]
        if after != (first or after):
            sys.exit(f"@{name}: a later call differs from the first one")
        first = after
    for pointer, _, _, _ in device:
        check(library.memrevCudaFree(pointer))


def call_on_cpu(library, name, parameters, values):
    arguments = [
        TYPES[type_][1](value[0]) if elements is None else address(value)
        for (elements, type_), value in zip(parameters, values)
    ]
    getattr(library, name)(*arguments)


def get_error(actual, expected):
    """Returns the distance of two numbers; 0 for what is no number in both."""
    if math.isfinite(expected):
        return abs(actual - expected) if math.isfinite(actual) else math.inf
    same = actual == expected or (math.isnan(actual) and math.isnan(expected))
    return 0 if same else math.inf


def compare(options):
    gpu = ctypes.CDLL(f"{options.work_dir}/gpu.so")
    cpu = ctypes.CDLL(f"{options.work_dir}/cpu.so")
    wrong = False
    references = dict(read_signatures(options.reference or options.program))
    for name, parameters in read_signatures(options.program):
        rng = random.Random(name)
        values = [make_random(rng, *parameter, options.range, options.multiples_of)
                  for parameter in parameters]
        actual = [value[:] for value in values]
        expected = [
            # The arena may have another size, and is not read before written.
            make_random(rng, *parameter) if parameter[1] == "arena" else value[:]
            for parameter, value in zip(references[name], values)
        ]
        call_on_gpu(gpu, name, parameters, actual)
        call_on_cpu(cpu, name, references[name], expected)
        worst, changed = 0.0, 0
        for (elements, type_), before, a, e in zip(parameters, values, actual, expected):
            if elements is None or type_ == "arena":
                continue
            changed += before != e
            a, e = numbers(a, type_), numbers(e, type_)
            finite = [v for v in e if math.isfinite(v)]
            scale = max((abs(v) for v in finite), default=0) or 1
            error = max((get_error(x, y) for x, y in zip(a, e)), default=0) / scale
            exact = options.multiples_of is not None
            wrong |= error > (0 if exact else TOLERANCES.get(type_, 0))
            worst = max(worst, error)
        # A program that writes nothing would pass whatever it does.
        wrong |= changed == 0
        print(f"@{name}: {changed} buffers written, error {worst:.1e}")
    sys.exit("the GPU program is wrong" if wrong else 0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--reference")
    parser.add_argument("--work-dir", required=True)
    parser.add_argument("--lib-dir", required=True)
    parser.add_argument("--mlir-lib-dir", required=True)
    parser.add_argument("--cxx", required=True)
    parser.add_argument("--chip", default="sm_80")
    parser.add_argument("--emulator-dir", required=True,
                        help="of the driver, and with colons of other libraries")
    parser.add_argument("--schedules", type=int, default=2,
                        help="how often to run each launch, in different orders")
    parser.add_argument("--range", type=float, nargs=2, default=(-1, 1),
                        help="of the random numbers in buffers and arguments")
    parser.add_argument("--multiples-of", type=float, metavar="UNIT",
                        help="random numbers are multiples of this, so that sums of products are "
                        "exact, and results have to be equal")
    parser.add_argument("--compare", action="store_true")
    options = parser.parse_args()
    if options.compare:
        compare(options)
    compile_program(options)
    # The libraries' search path is read when a process starts.
    environment = dict(
        os.environ,
        LD_LIBRARY_PATH=options.emulator_dir,
        MEMREV_SIMT_CHIP=options.chip,
        MEMREV_SIMT_SCHEDULES=str(options.schedules),
    )
    sys.exit(subprocess.run([sys.executable, *sys.argv, "--compare"],
                            env=environment).returncode)


main()
