# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs groups of kernels through memrev-compile and compares them with NumPy.

usage: check_kernels.py <memrev-compile> <folder of programs.py> <group> [threads...]
                        [--cpu=NAME]

All kernels of a group are private functions of one program, so that a group
compiles once. Given several numbers of threads, results must be equal in every
bit between them.
"""

import math
import pathlib
import subprocess
import sys
import tempfile

import numpy as np


TYPES = {"f16": np.float16, "f32": np.float32, "f64": np.float64}


class Group:
    def __init__(self, programs, element):
        self.programs = programs
        self.element = element
        self.type = TYPES[element]
        self.random = np.random.default_rng(7)
        self.cases = []

    def array(self, *shape, low=None):
        values = self.random.standard_normal(shape) - 0.3
        if low is not None:
            values = np.abs(values) + low
        return values.astype(self.type)

    def add(self, name, text, inputs, results, tolerance=None):
        """`results` come from inputs of double precision."""
        if tolerance is None:
            tolerance = {"f16": 2e-2, "f32": 2e-5, "f64": 1e-13}[self.element]
        results = results if isinstance(results, tuple) else (results,)
        self.cases.append((f"{name} {self.element}", text, inputs, results, tolerance))

    def program(self):
        """One function that calls every kernel with its own arguments."""
        kernels, arguments, calls, results = [], [], [], []
        for number, (_, text, inputs, outputs, _) in enumerate(self.cases):
            kernels.append(text.replace("func.func @k(", f"func.func private @k{number}("))
            names = [f"%x{len(arguments) + n}" for n in range(len(inputs))]
            types = [self.programs.tensor(i.shape, self.element) for i in inputs]
            outs = [self.programs.tensor(np.shape(o), self.element) for o in outputs]
            arguments += [f"{n}: {t}" for n, t in zip(names, types)]
            calls.append(
                f"  %r{number}:{len(outs)} = call @k{number}({', '.join(names)}) : "
                f"({', '.join(types)}) -> ({', '.join(outs)})"
            )
            results += [(f"%r{number}#{n}", t) for n, t in enumerate(outs)]
        types = ", ".join(t for _, t in results)
        body = "\n".join(calls)
        return (
            "\n".join(kernels)
            + f"func.func @main({', '.join(arguments)}) -> ({types}) {{\n{body}\n"
            + f"  return {', '.join(n for n, _ in results)} : {types}\n}}\n"
        )

    def run(self, compiler, folder, threads, options):
        source = folder / "kernels.mlir"
        source.write_text(self.program())
        paths = []
        for _, _, inputs, _, _ in self.cases:
            for value in inputs:
                paths.append(str(folder / f"{len(paths)}.npy"))
                np.save(paths[-1], value)
        results = folder / f"results{threads}.npz"
        subprocess.run(
            [compiler, source, "--run", "--entry=main", f"--threads={threads}", *options,
             f"--args={','.join(paths)}", f"--results={results}"],
            check=True,
        )
        archive = np.load(results)
        return [archive[name] for name in archive.files]

    def check(self, values):
        bad = 0
        position = 0
        for name, _, _, expected, tolerance in self.cases:
            for reference in expected:
                value = values[position]
                position += 1
                scale = max(np.abs(reference).max(), 1e-30)
                error = np.abs(value - reference).max() / scale
                if not error <= tolerance:
                    print(f"{name}: relative error {error:.2e}, expected {tolerance:.0e}")
                    bad += 1
        return bad


def forward(x, w, stride, padding):
    p = padding
    x = np.pad(x, ((0, 0), (p, p), (p, p), (0, 0)))
    k, _, _, f = w.shape
    oh, ow = ((size - k) // stride + 1 for size in x.shape[1:3])
    y = np.zeros((x.shape[0], oh, ow, f))
    for a in range(k):
        for b in range(k):
            y += window(x, a, b, oh, ow, stride) @ w[a, b]
    return y


def window(x, a, b, oh, ow, stride):
    return x[:, a : a + stride * (oh - 1) + 1 : stride, b : b + stride * (ow - 1) + 1 : stride]


def filter_gradient(x, y, k, stride, padding):
    p = padding
    x = np.pad(x, ((0, 0), (p, p), (p, p), (0, 0)))
    w = np.zeros((k, k, x.shape[3], y.shape[3]))
    for a in range(k):
        for b in range(k):
            part = window(x, a, b, y.shape[1], y.shape[2], stride)
            w[a, b] = np.tensordot(part, y, axes=([0, 1, 2], [0, 1, 2]))
    return w


def input_gradient(y, w, shape, stride, padding):
    p, k = padding, w.shape[0]
    x = np.zeros((shape[0], shape[1] + 2 * p + k, shape[2] + 2 * p + k, shape[3]))
    for a in range(k):
        for b in range(k):
            window(x, a, b, y.shape[1], y.shape[2], stride)[...] += y @ w[a, b].T
    return x[:, p : p + shape[1], p : p + shape[2]]


def convolutions(group, cases):
    for case in cases:
        conv = group.programs.Conv(*case)
        e = group.element
        x, w, y = group.array(*conv.x), group.array(*conv.kernel), group.array(*conv.y)
        xd, wd, yd = (v.astype(np.float64) for v in (x, w, y))
        s, p = conv.stride, conv.padding
        group.add(f"forward {conv}", conv.forward(e), [x, w], forward(xd, wd, s, p))
        group.add(
            f"input gradient {conv}", conv.input_gradient(e), [y, w],
            input_gradient(yd, wd, conv.x, s, p),
        )
        group.add(
            f"filter gradient {conv}", conv.filter_gradient(e), [x, y],
            filter_gradient(xd, yd, conv.k, s, p),
        )


def small_convolutions(group):
    # (images, height, channels in, out, filter, stride, padding, width): what
    # fills register tiles, and what leaves a rest everywhere.
    convolutions(group, [
        (2, 8, 16, 16, 3, 1),
        (2, 7, 10, 5, 3, 1, 1, 9),
        (1, 5, 3, 33, 3, 1, 1, 6),
        (2, 8, 16, 20, 3, 2),
        (2, 7, 5, 10, 3, 2, 1, 9),
        (2, 8, 16, 32, 1, 1),
        (2, 9, 16, 20, 1, 2, 0),
        (1, 9, 6, 7, 5, 1, 2),
        (1, 6, 4, 8, 3, 1, 0),
    ])


def parallel_convolutions(group):
    # Enough work for the parallel loop, for chunks of a long sum and for blocks.
    convolutions(group, [
        (9, 16, 16, 16, 3, 1),
        (20, 16, 40, 48, 3, 2),
        (5, 32, 12, 32, 1, 1),
    ])


class GroupedConvolution:
    """A convolution of any rank in groups, with the groups a dimension of their own.

    Images are (n, *space, group, channel), filters (*window, channel in, group,
    channel out); half of the window is padded on either side.
    """

    def __init__(self, images, groups, c, f, window, stride=1, dilation=1):
        self.images, self.groups, self.c, self.f = images, groups, c, f
        self.window, self.stride, self.dilation = window, stride, dilation
        self.padding = [dilation * (k - 1) // 2 for k in window]
        results = [
            (m + 2 * p - dilation * (k - 1) - 1) // stride + 1
            for m, p, k in zip(images[1:], self.padding, window)
        ]
        self.x = (*images, groups, c)
        self.y = (images[0], *results, groups, f)
        self.w = (*window, c, groups, f)

    def __str__(self):
        return (f"{self.images} {self.groups} groups {self.c}->{self.f} {self.window} "
                f"stride {self.stride} dilation {self.dilation}")

    def program(self, group, iterators, dims, maps, inputs, shape):
        """`inputs` are (name, shape, padding or None)."""
        e = group.element
        p = group.programs.Program(e)
        values = []
        for name, size, padding in inputs:
            if padding and any(padding):
                pads = (0, *padding, 0, 0)
                values.append(p.pad(name, size, pads, pads))
            else:
                values.append((name, size))
        maps = [f"({', '.join(dims)}) -> ({', '.join(m)})" for m in maps]
        result = p.generic(
            maps, iterators, values, [(p.fill(shape), shape)],
            [f"%m = arith.mulf %a0, %a1 : {e}", f"%s = arith.addf %o0, %m : {e}",
             f"linalg.yield %s : {e}"],
        )
        return p, result

    def add_to(self, group):
        rank, d = len(self.window), self.dilation
        points = [f"p{i}" for i in range(rank)]
        taps = [f"k{i}" for i in range(rank)]
        moved = [f"{p} * {self.stride} + {k} * {d}" for p, k in zip(points, taps)]
        image, result = ["n", *moved, "g", "i"], ["n", *points, "g", "o"]
        weights = [*taps, "i", "g", "o"]
        x, w, y = (group.array(*s) for s in (self.x, self.w, self.y))
        xd, wd, yd = (v.astype(np.float64) for v in (x, w, y))

        p, r = self.program(
            group, "p" * (rank + 3) + "r" * (rank + 1), [*result, *taps, "i"],
            [image, weights, result], [("%x", self.x, self.padding), ("%w", self.w, None)], self.y,
        )
        text = p.finish([("%x", self.x), ("%w", self.w)], [(r, self.y)])
        group.add(f"forward {self}", text, [x, w], self.reference("forward", xd, wd, yd))

        p, r = self.program(
            group, "p" * (rank + 3) + "r" * (rank + 1), [*weights, "n", *points],
            [image, result, weights], [("%x", self.x, self.padding), ("%y", self.y, None)], self.w,
        )
        text = p.finish([("%x", self.x), ("%y", self.y)], [(r, self.w)])
        group.add(f"filter gradient {self}", text, [x, y], self.reference("filter", xd, wd, yd))

        if self.stride != 1:
            return
        flipped = [f"{k - 1} - {t}" for k, t in zip(self.window, taps)]
        dims = ["n", *points, "g", "o", *taps, "i"]
        p, r = self.program(
            group, "p" * (rank + 2) + "r" * (rank + 1) + "p", dims,
            [["n", *moved, "g", "o"], [*taps, "i", "g", "o"], ["n", *points, "g", "i"]],
            [("%y", self.y, [d * (k - 1) - q for k, q in zip(self.window, self.padding)]),
             ("%f", self.w, None)], self.x,
        )
        flip = group.programs.Program(group.element)
        flip.count = 100
        value = flip.generic(
            [f"({', '.join(weights)}) -> ({', '.join([*flipped, 'i', 'g', 'o'])})",
             f"({', '.join(weights)}) -> ({', '.join(weights)})"],
            "p" * (rank + 3), [("%w", self.w)], [(flip.empty(self.w), self.w)],
            [f"linalg.yield %a0 : {group.element}"],
        )
        lines = [line.replace("%f", value) for line in p.lines[1:]]
        p.lines = [*flip.lines, *lines]
        text = p.finish([("%y", self.y), ("%w", self.w)], [(r, self.x)])
        group.add(f"input gradient {self}", text, [y, w], self.reference("input", xd, wd, yd))

    def reference(self, kind, x, w, y):
        pads = [(0, 0), *((p, p) for p in self.padding), (0, 0), (0, 0)]
        padded = np.pad(x if kind != "input" else np.zeros_like(x), pads)
        result = np.zeros(self.y if kind == "forward" else self.w)
        for tap in np.ndindex(*self.window):
            starts = [t * self.dilation for t in tap]
            part = (slice(None), *(
                slice(s, s + self.stride * (m - 1) + 1, self.stride)
                for s, m in zip(starts, self.y[1:-2])
            ))
            if kind == "forward":
                result += np.einsum("...gi,igo->...go", padded[part], w[tap])
            elif kind == "filter":
                result[tap] = np.einsum(
                    "ngi,ngo->igo", padded[part].reshape(-1, self.groups, self.c),
                    y.reshape(-1, self.groups, self.f),
                )
            else:
                padded[part] += np.einsum("...go,igo->...gi", y, w[tap])
        if kind != "input":
            return result
        return padded[(slice(None), *(slice(p, p + m) for p, m in
                                      zip(self.padding, self.x[1:-2])))]


def grouped_convolutions(group):
    # Groups that do not fill a vector: as many as fit lie in one, with a lane left
    # over or not, and the last vector is not full.
    for case in [
        ((2, 9), 16, 2, 2, (3,)),
        ((2, 9), 8, 1, 2, (3,)),
        ((2, 10), 7, 3, 3, (3,), 2),
        ((2, 7, 6), 8, 4, 4, (3, 3)),
        ((1, 6, 9), 5, 5, 3, (3, 3), 1, 2),
        ((1, 7, 8), 9, 2, 5, (3, 2)),
        ((1, 5, 6), 4, 8, 8, (3, 3), 2),
        ((1, 5, 6), 6, 8, 2, (1, 1)),
        ((1, 4, 5), 3, 40, 8, (3, 3)),
        ((1, 5, 5), 33, 1, 3, (5, 5)),
        ((1, 4, 5, 6), 4, 4, 8, (3, 3, 3)),
    ]:
        GroupedConvolution(*case).add_to(group)


def parallel_grouped_convolutions(group):
    # Enough work for the parallel loop and for chunks of a long sum.
    for case in [
        ((4, 28, 28), 32, 4, 4, (3, 3)),
        ((4, 32, 32), 32, 1, 2, (3, 3)),
        ((2, 30, 21), 12, 3, 5, (3, 3), 2),
        ((1, 12, 12, 12), 4, 8, 8, (3, 3, 3)),
        ((8, 300), 10, 5, 3, (5,), 1, 2),
    ]:
        GroupedConvolution(*case).add_to(group)


def products(group):
    program = group.programs
    every = [(False, False), (False, True), (True, False), (True, True)]
    for m, n, k, kinds in [
        (37, 19, 50, every), (5, 7, 3, every[:1]), (200, 48, 12, every[1:3]),
        (33, 20, 10001, every[2:3]), (301, 33, 40, every[:1]),
    ]:
        for ta, tb in kinds:
            a = group.array(*((k, m) if ta else (m, k)))
            b = group.array(*((n, k) if tb else (k, n)))
            ad, bd = a.astype(np.float64), b.astype(np.float64)
            group.add(
                f"product {m}x{n}x{k} {ta} {tb}",
                program.matmul(m, n, k, ta, tb, group.element), [a, b],
                (ad.T if ta else ad) @ (bd.T if tb else bd),
            )
    for b, m, n, k in [(3, 8, 10, 5), (4, 17, 33, 16)]:
        p = program.Program(group.element)
        shapes = (b, m, k), (b, k, n), (b, m, n)
        types = [p.type(s) for s in shapes]
        r = p.add(
            f"linalg.batch_matmul ins(%a, %b : {types[0]}, {types[1]}) "
            f"outs({p.fill(shapes[2])} : {types[2]}) -> {types[2]}"
        )
        text = p.finish([("%a", shapes[0]), ("%b", shapes[1])], [(r, shapes[2])])
        x, y = group.array(*shapes[0]), group.array(*shapes[1])
        group.add(f"batch {shapes}", text, [x, y], x.astype(float) @ y.astype(float))
    # Accumulation into an argument.
    p = program.Program(group.element)
    t = p.type((9, 11)), p.type((11, 6)), p.type((9, 6))
    r = p.add(f"linalg.matmul ins(%a, %b : {t[0]}, {t[1]}) outs(%c : {t[2]}) -> {t[2]}")
    text = p.finish([("%a", (9, 11)), ("%b", (11, 6)), ("%c", (9, 6))], [(r, (9, 6))])
    a, b, c = group.array(9, 11), group.array(11, 6), group.array(9, 6)
    group.add("accumulate", text, [a, b, c], a.astype(float) @ b + c)
    # Matrix times vector, vector times matrix.
    for op, shapes in (("matvec", ((7, 40), (40,), (7,))), ("vecmat", ((40,), (40, 7), (7,)))):
        p = program.Program(group.element)
        t = [p.type(s) for s in shapes]
        r = p.add(
            f"linalg.{op} ins(%a, %b : {t[0]}, {t[1]}) outs({p.fill(shapes[2])} : {t[2]}) -> {t[2]}"
        )
        text = p.finish([("%a", shapes[0]), ("%b", shapes[1])], [(r, shapes[2])])
        x, y = group.array(*shapes[0]), group.array(*shapes[1])
        group.add(op, text, [x, y], x.astype(float) @ y.astype(float))


def elementwise(group, shapes=((2, 8, 8, 16), (3, 7, 5, 10), (1, 3, 3, 3), (2, 9, 9, 70))):
    e = group.element
    for shape in shapes:
        n, h, w, c = shape
        same, channel = "(n, h, w, c) -> (n, h, w, c)", "(n, h, w, c) -> (c)"
        x, s, t = group.array(*shape), group.array(c), group.array(c)
        xd, sd, td = (v.astype(np.float64) for v in (x, s, t))

        p = group.programs.Program(e)
        r = p.generic(
            [same, channel, channel, same], "pppp",
            [("%x", shape), ("%s", (c,)), ("%t", (c,))], [(p.empty(shape), shape)],
            [f"%p = arith.mulf %a0, %a1 : {e}", f"%q = arith.addf %p, %a2 : {e}",
             f"%c = arith.cmpf ogt, %q, %zero : {e}",
             f"%m = arith.select %c, %q, %zero : {e}", f"linalg.yield %m : {e}"],
        )
        text = p.finish([("%x", shape), ("%s", (c,)), ("%t", (c,))], [(r, shape)])
        group.add(f"scale, shift, relu {shape}", text, [x, s, t], np.maximum(xd * sd + td, 0))

        for permutation in ([0, 3, 1, 2], [0, 2, 1, 3], [3, 2, 1, 0]):
            moved = tuple(shape[d] for d in permutation)
            p = group.programs.Program(e)
            r = p.add(
                f"linalg.transpose ins(%x : {p.type(shape)}) outs({p.empty(moved)} : "
                f"{p.type(moved)}) permutation = {permutation}"
            )
            text = p.finish([("%x", shape)], [(r, moved)])
            group.add(f"transpose {shape}", text, [x], xd.transpose(permutation), 0)

        p = group.programs.Program(e)
        value, padded = p.pad("%x", shape, (0, 1, 2, 0), (0, 1, 0, 3))
        text = p.finish([("%x", shape)], [(value, padded)])
        expected = np.pad(xd, ((0, 0), (1, 1), (2, 0), (0, 3)))
        group.add(f"pad {shape}", text, [x], expected, 0)

        p = group.programs.Program(e)
        r = p.generic(
            [same, same], "pppp", [("%x", shape)], [(p.empty(shape), shape)],
            ["%i = linalg.index 1 : index", "%j = linalg.index 3 : index",
             "%k = arith.muli %i, %j : index", "%l = arith.index_cast %k : index to i32",
             f"%m = arith.sitofp %l : i32 to {e}", f"%q = arith.addf %m, %a0 : {e}",
             f"linalg.yield %q : {e}"],
        )
        group.add(
            f"index {shape}", p.finish([("%x", shape)], [(r, shape)]), [x],
            xd + np.arange(h)[:, None, None] * np.arange(c),
        )

    for stride in (2, 3, 4, 7):
        shape, part = (5, 35 * stride - 1), (5, 35)
        x = group.array(*shape)
        p = group.programs.Program(e)
        value = p.add(
            f"tensor.extract_slice %x[0, {stride - 2}][5, 35][1, {stride}] : {p.type(shape)} "
            f"to {p.type(part)}"
        )
        r = p.generic(
            ["(i, j) -> (i, j)"] * 2, "pp", [(value, part)], [(p.empty(part), part)],
            [f"%m = arith.mulf %a0, %a0 : {e}", f"linalg.yield %m : {e}"],
        )
        group.add(
            f"every element of {stride}", p.finish([("%x", shape)], [(r, part)]), [x],
            x.astype(np.float64)[:, stride - 2 :: stride] ** 2,
        )

    functions = {
        "exp": np.exp, "tanh": np.tanh, "log": np.log, "sqrt": np.sqrt, "log1p": np.log1p,
        "rsqrt": lambda v: 1 / np.sqrt(v), "erf": np.vectorize(math.erf), "expm1": np.expm1,
        "sin": np.sin, "atan": np.arctan,
    }
    x = group.array(7, 13, low=0.05)
    for name, function in functions.items():
        p = group.programs.Program(e)
        r = p.generic(
            ["(i, j) -> (i, j)"] * 2, "pp", [("%x", (7, 13))], [(p.empty((7, 13)), (7, 13))],
            [f"%y = math.{name} %a0 : {e}", f"linalg.yield %y : {e}"],
        )
        group.add(
            name, p.finish([("%x", (7, 13))], [(r, (7, 13))]), [x],
            function(x.astype(np.float64)), 1e-6 if e == "f32" else 1e-15 * 2,
        )


def reductions(group, shapes=((2, 8, 8, 16), (3, 7, 5, 10), (16, 16, 16, 24), (1, 3, 3, 3))):
    e = group.element
    low = "0xFF800000" if e == "f32" else "0xFFF0000000000000"
    for shape in shapes:
        n, h, w, c = shape
        x = group.array(*shape)
        xd = x.astype(np.float64)
        same, channel = "(n, h, w, c) -> (n, h, w, c)", "(n, h, w, c) -> (c)"
        p = group.programs.Program(e)
        init = [(p.fill((c,)), (c,)), (p.fill((c,)), (c,))]
        r = p.generic(
            [same, channel, channel], "rrrp", [("%x", shape)], init,
            [f"%s = arith.addf %a0, %o0 : {e}", f"%p = arith.mulf %a0, %a0 : {e}",
             f"%q = arith.addf %p, %o1 : {e}", f"linalg.yield %s, %q : {e}, {e}"],
        )
        # A generic of two results is named as one pack of values.
        p.lines[-1] = p.lines[-1].replace(f"{r} =", f"{r}:2 =", 1)
        text = p.finish([("%x", shape)], [(f"{r}#0", (c,)), (f"{r}#1", (c,))])
        expected = (xd.sum((0, 1, 2)), (xd * xd).sum((0, 1, 2)))
        group.add(f"statistics {shape}", text, [x], expected)

        p = group.programs.Program(e)
        r = p.generic(
            [same, "(n, h, w, c) -> ()"], "rrrr", [("%x", shape)], [(p.fill(()), ())],
            [f"%s = arith.addf %a0, %o0 : {e}", f"linalg.yield %s : {e}"],
        )
        group.add(f"sum {shape}", p.finish([("%x", shape)], [(r, ())]), [x], xd.sum())

        flat = (n * h * w, c)
        p = group.programs.Program(e)
        least = p.add(f"arith.constant {low} : {e}")
        rows = (flat[0],)
        m = p.generic(
            ["(i, j) -> (i, j)", "(i, j) -> (i)"], "pr", [("%x", flat)],
            [(p.fill(rows, least), rows)],
            [f"%m = arith.maximumf %a0, %o0 : {e}", f"linalg.yield %m : {e}"],
        )
        r = p.generic(
            ["(i, j) -> (i, j)", "(i, j) -> (i)", "(i, j) -> (i)"], "pr",
            [("%x", flat), (m, rows)], [(p.fill(rows), rows)],
            [f"%d = arith.subf %a0, %a1 : {e}", f"%x0 = math.exp %d : {e}",
             f"%s = arith.addf %x0, %o0 : {e}", f"linalg.yield %s : {e}"],
        )
        f = x.reshape(flat)
        fd = f.astype(np.float64)
        expected = np.exp(fd - fd.max(1, keepdims=True)).sum(1)
        group.add(f"softmax sums {flat}", p.finish([("%x", flat)], [(r, rows)]), [f], expected)

        if h >= 4 and w >= 4:
            small = (n, h // 2, w // 2, c)
            p = group.programs.Program(e)
            least = p.add(f"arith.constant {low} : {e}")
            r = p.add(
                "linalg.pooling_nhwc_max {dilations = dense<1> : tensor<2xi64>, "
                f"strides = dense<2> : tensor<2xi64>}} ins(%x, {p.empty((2, 2))} : "
                f"{p.type(shape)}, {p.type((2, 2))}) outs({p.fill(small, least)} : "
                f"{p.type(small)}) -> {p.type(small)}"
            )
            # The operands were added before the op that uses them.
            even = xd[:, : h // 2 * 2, : w // 2 * 2]
            expected = even.reshape(n, h // 2, 2, w // 2, 2, c).max((2, 4))
            group.add(f"pool {shape}", p.finish([("%x", shape)], [(r, small)]), [x], expected, 0)


def epilogues(group):
    e = group.element
    for n, h, c, f in [(2, 8, 16, 16), (2, 5, 3, 17), (9, 16, 16, 33)]:
        conv = group.programs.Conv(n, h, c, f, 3, 1)
        p = group.programs.Program(e)
        image, shape = conv.padded(p, "%x", conv.x)
        y = p.conv(image, shape, "%w", conv.kernel, p.fill(conv.y), conv.y, 1)
        same, channel = "(n, h, w, c) -> (n, h, w, c)", "(n, h, w, c) -> (c)"
        r = p.generic(
            [same, channel, same, same], "pppp",
            [(y, conv.y), ("%b", (f,)), ("%r", conv.y)], [(p.empty(conv.y), conv.y)],
            [f"%p = arith.addf %a0, %a1 : {e}", f"%q = arith.addf %p, %a2 : {e}",
             f"%m = arith.maximumf %q, %zero : {e}", f"linalg.yield %m : {e}"],
        )
        inputs = [("%x", conv.x), ("%w", conv.kernel), ("%b", (f,)), ("%r", conv.y)]
        arrays = [group.array(*s) for _, s in inputs]
        x, w, b, residual = (a.astype(np.float64) for a in arrays)
        group.add(
            f"bias, residual, relu {conv}", p.finish(inputs, [(r, conv.y)]), arrays,
            np.maximum(forward(x, w, 1, 1) + b + residual, 0),
        )


def main(compiler, programs_folder, name, *arguments):
    sys.path.insert(0, programs_folder)
    import programs

    options = [a for a in arguments if a.startswith("--")]
    threads = [int(a) for a in arguments if a not in options] or [1]
    bad = 0
    for element in ("f32", "f64", *(["f16"] if name == "grouped_convolutions" else [])):
        group = Group(programs, element)
        globals()[name](group)
        with tempfile.TemporaryDirectory() as folder:
            runs = [group.run(compiler, pathlib.Path(folder), t, options) for t in threads]
        bad += group.check(runs[0])
        for count, values in zip(threads[1:], runs[1:]):
            for number, (left, right) in enumerate(zip(runs[0], values)):
                if left.tobytes() != right.tobytes():
                    print(f"{element} result {number}: differs between {threads[0]} and {count} threads")
                    bad += 1
    return bad != 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
