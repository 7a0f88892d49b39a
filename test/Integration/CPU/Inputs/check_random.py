# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares compiled random numbers with Philox in NumPy, and with what chance says.

usage: check_random.py MEMREV_COMPILE PROGRAM WORK_DIR
"""

import math
import pathlib
import re
import subprocess
import sys

import numpy

compiler, work = sys.argv[1], pathlib.Path(sys.argv[3])
work.mkdir(parents=True, exist_ok=True)
# By name, so that a call compiles what it calls.
functions = {re.match(r"\w+", text)[0]: "func.func @" + text
             for text in pathlib.Path(sys.argv[2]).read_text().split("func.func @")[1:]}
LOW = numpy.uint64(0xFFFFFFFF)


def call(entry, *args):
    files = []
    for i, arg in enumerate(args):
        files.append(str(work / f"{entry}{i}.npy"))
        numpy.save(files[-1], arg)
    program, results = work / f"{entry}.mlir", work / f"{entry}.npz"
    program.write_text(functions[entry])
    subprocess.run([compiler, str(program), "--run", f"--args={','.join(files)}",
                    f"--results={results}"], check=True, stdout=subprocess.DEVNULL)
    with numpy.load(results) as archive:
        return [archive[f"result{i}"] for i in range(len(archive.files))]


def philox(shape, seed, layer, step, offset=0):
    """The four words of each element."""
    number = numpy.arange(math.prod(shape), dtype=numpy.uint64) + numpy.uint64(offset)

    def words(value):
        value = value % 2 ** 64
        return value & 0xFFFFFFFF, value >> 32

    (k0, seed_high), (k1, _), (c2, step_high) = words(seed), words(layer), words(step)
    c = [number & LOW, number >> numpy.uint64(32),
         numpy.full_like(number, c2), numpy.full_like(number, step_high ^ seed_high)]
    for _ in range(10):
        first = numpy.uint64(0xD2511F53) * c[0]
        second = numpy.uint64(0xCD9E8D57) * c[2]
        c = [(second >> numpy.uint64(32)) ^ c[1] ^ numpy.uint64(k0), second & LOW,
             (first >> numpy.uint64(32)) ^ c[3] ^ numpy.uint64(k1), first & LOW]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return [word.reshape(shape) for word in c]


def high(word, bits):
    return word >> numpy.uint64(32 - bits)


def expect(condition, what):
    if not condition:
        sys.exit(f"expects {what}")
    print("ok", what)


def int64(value):
    return numpy.array(value % 2 ** 64, dtype=numpy.uint64).view(numpy.int64)


def int32(value):
    return numpy.array(value % 2 ** 32, dtype=numpy.uint32).view(numpy.int32)


# The generator, with numbers of more than 32 bits and negative ones.
for seed, layer, step in ((-5, -7, -9), (2 ** 40 + 3, 5, 2 ** 35 + 1)):
    narrow, wide = call("bits", int64(seed), int32(layer), int64(step))
    w = philox((3, 5, 7), seed, layer, step)
    expect((narrow.view(numpy.uint32) == w[0]).all()
           and (wide.view(numpy.uint64) == w[2] | w[3] << numpy.uint64(32)).all(),
           f"the bits of seed {seed}, layer {layer}, step {step}")
for offset in (2 ** 33, -3):
    bits, = call("part", int32(-1), int64(4), int32(-2), int64(offset))
    w = philox((2, 3), 2 ** 32 - 1, 4, 2 ** 32 - 2, offset % 2 ** 64)
    expect((bits.view(numpy.uint32) == w[0]).all(), f"the bits from {offset} on")

# Uniform numbers, exactly.
SHAPE = (200, 500)
N = math.prod(SHAPE)
seed, layer, step = 2026, 3, 11
w = philox(SHAPE, seed, layer, step)
f64, f32, f16, bf16 = call("uniform", int64(seed), int32(layer), int64(step))
double = (high(w[0], 27) * 2.0 ** 26 + high(w[1], 26)) / 2.0 ** 53
other = (high(w[2], 27) * 2.0 ** 26 + high(w[3], 26)) / 2.0 ** 53
single = high(w[0], 24) / 2.0 ** 24
expect((f64 == double).all(), "uniform numbers in f64")
expect((f32 == single).all(), "uniform numbers in f32")
expect((f16 == high(w[0], 11) / 2.0 ** 11).all(), "uniform numbers in f16")
expect((bf16 == high(w[0], 8) / 2.0 ** 8).all(), "uniform numbers in bf16")
for name, u, b in (("f64", f64, 53), ("f32", f32, 24), ("f16", f16, 11), ("bf16", bf16, 8)):
    expect(u.min() >= 0 and u.max() < 1, f"uniform numbers in [0, 1) in {name}")
    # Multiples of 2^-b have a mean of (1 - 2^-b) / 2. Four standard deviations.
    mean, deviation = (1 - 2.0 ** -b) / 2, math.sqrt(1 / 12)
    u = u.astype(numpy.float64)
    expect(abs(u.mean() - mean) < 4 * deviation / math.sqrt(N), f"their mean in {name}")
    expect(abs(u.var() - 1 / 12) < 4 * math.sqrt(1 / 180 / N) + 2.0 ** -2 * 4.0 ** -b,
           f"their variance in {name}")
    counts = numpy.histogram(u, bins=64, range=(0, 1))[0]
    chi = ((counts - N / 64) ** 2 / (N / 64)).sum()
    expect(abs(chi - 63) < 4 * math.sqrt(2 * 63), f"their chi-square in {name}")
# Neighbours, rows and streams are independent.
for what, a, b in (("neighbours", f64[:, :-1], f64[:, 1:]), ("rows", f64[:-1], f64[1:]),
                   ("layers", f64, call("stream", int64(seed), int32(layer + 1),
                                        int64(step))[0]),
                   ("steps", f64, call("stream", int64(seed), int32(layer),
                                       int64(step + 1))[0]),
                   ("seeds", f64, call("stream", int64(seed + 1), int32(layer),
                                       int64(step))[0])):
    r = numpy.corrcoef(a.ravel(), b.ravel())[0, 1]
    expect(abs(r) < 4 / math.sqrt(a.size), f"no correlation of {what}")

# Normal numbers.
f64, f32, bf16 = call("normal", int64(seed), int32(layer), int64(step))
expect(numpy.allclose(f64, numpy.sqrt(-2 * numpy.log(1 - double)) * numpy.cos(
    2 * math.pi * other), rtol=0, atol=1e-14), "normal numbers in f64")
near = numpy.sqrt(-2 * numpy.log(1 - single)) * numpy.cos(
    2 * math.pi * high(w[1], 24) / 2.0 ** 24)
expect(numpy.allclose(f32, near, rtol=0, atol=4e-6), "normal numbers in f32")
expect(numpy.allclose(bf16, near, rtol=2.0 ** -8, atol=4e-6), "normal numbers in bf16")
for name, z in (("f64", f64), ("f32", f32)):
    z = z.astype(numpy.float64)
    expect(abs(z.mean()) < 4 / math.sqrt(N), f"their mean in {name}")
    expect(abs(z.var() - 1) < 4 * math.sqrt(2 / N), f"their variance in {name}")
    expect(abs((z ** 4).mean() - 3) < 4 * math.sqrt(96 / N), f"their kurtosis in {name}")
    edges = numpy.array([-3, -2, -1, -0.5, 0, 0.5, 1, 2, 3])
    cdf = numpy.array([0] + [0.5 * (1 + math.erf(e / math.sqrt(2))) for e in edges] + [1])
    wanted = N * numpy.diff(cdf)
    counts = numpy.histogram(z, bins=numpy.concatenate([[-9], edges, [9]]))[0]
    chi = ((counts - wanted) ** 2 / wanted).sum()
    expect(abs(chi - 9) < 4 * math.sqrt(18), f"their chi-square in {name}")

# Dropout.
x = (single + 1).astype(numpy.float32)
generator = int64(seed), int32(layer), int64(step)
for rate in (0.0, 0.1, 1.0, -0.5, 1.5):
    clamped = min(max(rate, 0.0), 1.0)
    drops = single < clamped
    with numpy.errstate(divide="ignore", invalid="ignore"):
        scale = numpy.float32(numpy.float64(1) / (1 - clamped))
        wanted = numpy.where(drops, 0, x * scale)
    y, = call("rate", x, numpy.array(rate), *generator)
    expect((y == wanted).all(), f"dropout at rate {rate}")
    expect(abs(drops.mean() - clamped) <= 4 * math.sqrt(clamped * (1 - clamped) / N),
           f"the share of zeros at rate {rate}")
y, = call("rate", x, numpy.array(numpy.nan), *generator)
expect(numpy.isnan(y).all(), "that a rate that is not a number shows")

rate = numpy.float32(0.3)
drops, scale = single < rate, 1 / (1 - numpy.float64(rate))
y32, y64, y16 = call("dropout", x, rate, *generator)
expect((y32 == numpy.where(drops, 0, x * numpy.float32(scale))).all(), "dropout in f32")
expect((y64 == numpy.where(drops, 0, x.astype(numpy.float64) * scale)).all(),
       "dropout in f64")
expect(((y16 == 0) == drops).all(), "the same mask in bf16")
# Rounded to bf16 once before and once after.
expect(numpy.allclose(y16, y32, rtol=1.01 * 2.0 ** -7, atol=0), "dropout in bf16")
