# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the report plans is what a call takes, in bytes, for a step of each model, the
examples and the kernels of the benchmarks: on the processor, in a process whose allocations
are counted, and on the SIMT emulator, whose memory is."""

import ctypes
import dataclasses
import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest

import conftest
import emulator
import memrev
from memrev import models, optim
from memrev.models.resnet import Basic, Bottleneck
from test_models_cuda import image_arguments, language_arguments

COUNTED = "MEMREV_TEST_COUNTS_ALLOCATIONS"


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def traced(arguments):
    """The text of a step and its only function's name."""
    step, arguments = arguments
    return memrev.jit(step).mlir(*arguments)


def images(model):
    return traced(image_arguments(model, 2, 8, np.float32))


def digits():
    path = conftest.ROOT / "examples" / "digits"
    sys.path.insert(0, str(path))
    try:
        import model
        arch = dataclasses.replace(model.DIGITS, blocks=(2, 2))
        return model.Module(arch, 2).text("step")
    finally:
        sys.path.remove(str(path))


def language():
    """The step of the example, small."""
    example = load(conftest.ROOT / "examples" / "language" / "train.py")
    model = models.DynamicsLM(example.VOCABULARY, 4, 12, 2, 3, "midpoint")
    optimizer = optim.AdamW(1e-3)
    params = model.init(0)["params"]
    tokens = np.zeros((1, 5), np.int32)
    return example.make_step(model, optimizer).mlir(
        params, optimizer.init(params), tokens, np.float32(0.1))


def kernels():
    return load(conftest.ROOT / "benchmarks" / "kernels" / "programs.py")


PROGRAMS = {
    "resnet": lambda: images(models.ResNet(Bottleneck, (2, 2), (4, 6), 5)),
    "revnet": lambda: images(models.RevNet(Basic, (2, 2), (8, 16), 5)),
    "gomez": lambda: images(models.GomezRevNet(True, (2, 2), (8, 8, 16), 5)),
    "irevnet": lambda: images(models.IRevNet((2, 2), (1, 2), (4, 16), 5)),
    "rev_vit": lambda: images(models.RevViT(8, 4, 12, 2, 3, 5)),
    "reformer": lambda: traced(language_arguments(
        models.Reformer(11, 5, 12, 2, 3), 2, 4, np.float32)),
    "language": language,
    "digits": digits,
    "c-gpu": lambda: (conftest.ROOT / "examples" / "c-gpu" / "step.mlir").read_text(),
    "matmul": lambda: kernels().matmul(48, 40, 33),
    "convolution": lambda: kernels().Conv(2, 8, 4, 6, 3, 1).forward(),
}


def arguments_of(function):
    """Numbers that every program can work with."""
    generator = np.random.default_rng(0)

    def draw(parameter):
        if parameter.dtype.kind == "f":
            values = generator.uniform(0.1, 1, parameter.shape)
        else:
            values = generator.integers(0, 2, parameter.shape)
        return np.asarray(values).astype(parameter.dtype)

    return [draw(parameter) for parameter in function.arguments]


def planned(module):
    return {entry["function"]: entry for entry in module.memory_report()}


if emulator.INSIDE:

    @pytest.mark.parametrize("name", PROGRAMS)
    def test_on_device(name):
        module = memrev.compile(PROGRAMS[name](), "cuda", chip="native")
        for function in map(module.__getitem__, module):
            arguments = arguments_of(function)
            memrev.cuda.free_idle()
            before = memrev.cuda.allocated_bytes()
            memrev.cuda.reset_peak_bytes()
            function(*arguments)
            scalars = sum(a.nbytes for a, p in zip(arguments, function.arguments)
                          if p.is_scalar)
            measured = memrev.cuda.peak_bytes() - before
            assert measured == planned(module)[function.name]["peak_bytes"] - scalars

elif COUNTED in os.environ:

    counter = ctypes.CDLL(None)
    for entry in ("live", "peak"):
        getattr(counter, f"malloc_counter_{entry}").restype = ctypes.c_long

    def objects(pointers):
        """The bytes of Python's objects for a call, at the most."""
        return 4096 + 64 * len(pointers)

    def touched(memory, before):
        """The end of what is not as before."""
        changed = np.flatnonzero(memory != before)
        return int(changed[-1]) + 1 if changed.size else 0

    @pytest.mark.parametrize("name", PROGRAMS)
    def test_on_processor(name):
        """A call writes its results, and its workspace up to the last byte and no further,
        and allocates nothing."""
        module = memrev.compile(PROGRAMS[name](), threads=1)
        for function in map(module.__getitem__, module):
            report = planned(module)[function.name]
            arguments = arguments_of(function)
            results = [np.zeros(p.shape, p.dtype) for p in function.results]
            own = [p.place >= len(arguments) for p in function.results]
            assert sum(a.nbytes for a in arguments) == report["argument_bytes"]
            assert sum(r.nbytes for r, is_own in zip(results, own)
                       if is_own) == report["result_bytes"]
            pointers = [array.ctypes.data for array in arguments]
            pointers += [0] * sum(own)
            for parameter, array in zip(function.results, results):
                if parameter.place >= len(arguments):
                    pointers[parameter.place] = array.ctypes.data

            size, end = report["workspace_bytes"], 0
            space = np.empty(size + 64 + 4096, np.uint8)
            space = space[-space.ctypes.data % 64:]
            # A byte that keeps one number may have been given that number; not two.
            for pattern in (0x5a, 0xa7):
                space[:] = pattern
                function.call_pointers(pointers, 1, space.ctypes.data, size)
                end = max(end, touched(space, pattern))
            assert end <= size
            # Buffers are rounded up to where the next one may begin.
            assert size - end < 64, f"{function.name} writes {end} of {size} bytes"

            before = counter.malloc_counter_live()
            counter.malloc_counter_start()
            function.call_pointers(pointers, 1, space.ctypes.data, size)
            assert counter.malloc_counter_peak() - before < objects(pointers)

else:

    test_on_emulator = emulator.runs_on_emulator(__file__, slow=True)

    @pytest.mark.slow
    def test_with_counter(tmp_path):
        library = tmp_path / "malloc_counter.so"
        subprocess.run(["clang-22", "-O1", "-shared", "-fPIC",
                        conftest.ROOT / "utils" / "malloc_counter.c", "-o", library], check=True)
        result = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider",
             __file__], env={**os.environ, COUNTED: "1", "LD_PRELOAD": str(library)},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert result.returncode == 0, result.stdout
        assert f"{len(PROGRAMS)} passed" in result.stdout
