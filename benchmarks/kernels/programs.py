# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""MLIR programs of single kernels, in the forms that differentiation emits.

Each function returns the text of a module with one public function `k`. Images
are NHWC, filters HWCF. Those of `Layer` are traced by memrev and differentiated by
memrev-compile; the others need no package.
"""

import math


def tensor(shape, element):
    return "tensor<" + "".join(f"{size}x" for size in shape) + element + ">"


class Program:
    """A function under construction."""

    def __init__(self, element="f32"):
        self.element = element
        self.lines = [f"  %zero = arith.constant 0.0 : {element}"]
        self.count = 0

    def type(self, shape):
        return tensor(shape, self.element)

    def name(self):
        self.count += 1
        return f"%v{self.count}"

    def add(self, text):
        name = self.name()
        self.lines.append(f"  {name} = {text}")
        return name

    def empty(self, shape):
        return self.add(f"tensor.empty() : {self.type(shape)}")

    def fill(self, shape, value="%zero"):
        empty = self.empty(shape)
        t = self.type(shape)
        return self.add(f"linalg.fill ins({value} : {self.element}) outs({empty} : {t}) -> {t}")

    def pad(self, value, shape, low, high):
        padded = tuple(s + a + b for s, a, b in zip(shape, low, high))
        arguments = ", ".join(f"%i{d}: index" for d in range(len(shape)))
        return (
            self.add(
                f"tensor.pad {value} low{list(low)} high{list(high)} {{\n"
                f"  ^bb0({arguments}):\n    tensor.yield %zero : {self.element}\n"
                f"  }} : {self.type(shape)} to {self.type(padded)}"
            ),
            padded,
        )

    def generic(self, maps, iterators, inputs, outputs, body):
        """Inputs and outputs are (name, shape); the body sees %a0.. and %o0.."""
        e = self.element
        kinds = {"p": '"parallel"', "r": '"reduction"'}
        arguments = [f"%a{n}: {e}" for n in range(len(inputs))]
        arguments += [f"%o{n}: {e}" for n in range(len(outputs))]
        operands = lambda values: (
            ", ".join(n for n, _ in values) + " : " + ", ".join(self.type(s) for _, s in values)
        )
        results = [self.type(s) for _, s in outputs]
        ins = f"ins({operands(inputs)}) " if inputs else ""
        lines = "\n".join("    " + line for line in body)
        return self.add(
            f"linalg.generic {{indexing_maps = [{', '.join(f'affine_map<{m}>' for m in maps)}], "
            f"iterator_types = [{', '.join(kinds[k] for k in iterators)}]}} {ins}"
            f"outs({operands(outputs)}) {{\n  ^bb0({', '.join(arguments)}):\n{lines}\n  }} -> "
            + (results[0] if len(results) == 1 else f"({', '.join(results)})")
        )

    def conv(self, image, image_shape, kernel, kernel_shape, init, shape, stride):
        return self.add(
            "linalg.conv_2d_nhwc_hwcf {dilations = dense<1> : tensor<2xi64>, "
            f"strides = dense<{stride}> : tensor<2xi64>}} ins({image}, {kernel} : "
            f"{self.type(image_shape)}, {self.type(kernel_shape)}) outs({init} : "
            f"{self.type(shape)}) -> {self.type(shape)}"
        )

    def finish(self, inputs, results):
        """Inputs and results are (name, shape)."""
        arguments = ", ".join(f"{n}: {self.type(s)}" for n, s in inputs)
        types = ", ".join(self.type(s) for _, s in results)
        names = ", ".join(n for n, _ in results)
        body = "\n".join(self.lines)
        return f"func.func @k({arguments}) -> ({types}) {{\n{body}\n  return {names} : {types}\n}}\n"


class Conv:
    """The shapes of one convolution and its three programs."""

    family = ""
    rank, groups, transposed = 2, 1, False

    def __init__(self, n, size, c, f, k, stride, padding=None, width=None):
        self.n, self.h, self.w = n, size, width or size
        self.c, self.f, self.k, self.stride = c, f, k, stride
        self.padding = k // 2 if padding is None else padding
        self.oh = (self.h + 2 * self.padding - k) // stride + 1
        self.ow = (self.w + 2 * self.padding - k) // stride + 1
        self.x = (n, self.h, self.w, c)
        self.kernel = (k, k, c, f)
        self.y = (n, self.oh, self.ow, f)
        self.flops = 2 * n * self.oh * self.ow * c * f * k * k

    def __str__(self):
        return f"{self.n}x{self.h}x{self.w} {self.c}->{self.f} {self.k}x{self.k}/{self.stride}"

    def padded(self, program, value, shape):
        if self.padding == 0:
            return value, shape
        p = self.padding
        return program.pad(value, shape, (0, p, p, 0), (0, p, p, 0))

    def forward(self, element="f32"):
        program = Program(element)
        image, shape = self.padded(program, "%x", self.x)
        result = program.conv(
            image, shape, "%w", self.kernel, program.fill(self.y), self.y, self.stride
        )
        return program.finish([("%x", self.x), ("%w", self.kernel)], [(result, self.y)])

    def filter_gradient(self, element="f32"):
        program = Program(element)
        image, shape = self.padded(program, "%x", self.x)
        s = self.stride
        dims = "(kh, kw, c, f, n, h, w)"
        result = program.generic(
            [
                f"{dims} -> (n, h * {s} + kh, w * {s} + kw, c)",
                f"{dims} -> (n, h, w, f)",
                f"{dims} -> (kh, kw, c, f)",
            ],
            "pppprrr",
            [(image, shape), ("%y", self.y)],
            [(program.fill(self.kernel), self.kernel)],
            [
                f"%m = arith.mulf %a0, %a1 : {element}",
                f"%s = arith.addf %o0, %m : {element}",
                f"linalg.yield %s : {element}",
            ],
        )
        return program.finish([("%x", self.x), ("%y", self.y)], [(result, self.kernel)])

    def input_gradient(self, element="f32"):
        """The forward convolution of dY with the flipped, transposed filter; with
        a stride, one such convolution for each phase of the input."""
        program = Program(element)
        k, s, p = self.k, self.stride, self.padding
        flipped = (k, k, self.f, self.c)
        weights = program.generic(
            [
                f"(a, b, f, c) -> ({k - 1} - a, {k - 1} - b, c, f)",
                "(a, b, f, c) -> (a, b, f, c)",
            ],
            "pppp",
            [("%w", self.kernel)],
            [(program.empty(flipped), flipped)],
            [f"linalg.yield %a0 : {element}"],
        )
        if s == 1:
            q = k - 1 - p
            image, shape = "%y", self.y
            if q:
                image, shape = program.pad("%y", self.y, (0, q, q, 0), (0, q, q, 0))
            result = program.conv(
                image, shape, weights, flipped, program.fill(self.x), self.x, 1
            )
        else:
            result = program.fill(self.x)
            for ph in range(s):
                for pw in range(s):
                    result = self.phase(program, weights, flipped, result, ph, pw)
        return program.finish([("%y", self.y), ("%w", self.kernel)], [(result, self.x)])

    def phase(self, program, weights, flipped, result, ph, pw):
        k, s, p = self.k, self.stride, self.padding
        taps = [[t for t in range(k) if (phase + p - t) % s == 0] for phase in (ph, pw)]
        if not taps[0] or not taps[1]:
            return result
        sizes = [-(-(self.h - ph) // s), -(-(self.w - pw) // s)]
        outs = [self.oh, self.ow]
        sub = (len(taps[0]), len(taps[1]), self.f, self.c)
        offsets = [k - 1 - max(t) for t in taps]
        kernel = program.add(
            f"tensor.extract_slice {weights}[{offsets[0]}, {offsets[1]}, 0, 0]"
            f"[{sub[0]}, {sub[1]}, {sub[2]}, {sub[3]}][{s}, {s}, 1, 1] : "
            f"{program.type(flipped)} to {program.type(sub)}"
        )
        low = [-((phase + p - max(t)) // s) for phase, t in zip((ph, pw), taps)]
        high = [
            sizes[d] + len(taps[d]) - 2 - low[d] - (outs[d] - 1) for d in range(2)
        ]
        image, shape = "%y", self.y
        if any(v > 0 for v in low + high):
            image, shape = program.pad(
                "%y",
                self.y,
                (0, max(low[0], 0), max(low[1], 0), 0),
                (0, max(high[0], 0), max(high[1], 0), 0),
            )
        if any(v < 0 for v in low + high):
            cut = (self.n, sizes[0] + len(taps[0]) - 1, sizes[1] + len(taps[1]) - 1, self.f)
            image = program.add(
                f"tensor.extract_slice {image}[0, {max(-low[0], 0)}, {max(-low[1], 0)}, 0]"
                f"[{cut[0]}, {cut[1]}, {cut[2]}, {cut[3]}][1, 1, 1, 1] : "
                f"{program.type(shape)} to {program.type(cut)}"
            )
            shape = cut
        part = (self.n, sizes[0], sizes[1], self.c)
        conv = program.conv(image, shape, kernel, sub, program.fill(part), part, 1)
        return program.add(
            f"tensor.insert_slice {conv} into {result}[0, {ph}, {pw}, 0]"
            f"[{part[0]}, {part[1]}, {part[2]}, {part[3]}][1, {s}, {s}, 1] : "
            f"{program.type(part)} into {program.type(self.x)}"
        )


class Layer:
    """A convolution of any rank, transposed or in groups, with the members of `Conv`."""

    def __init__(self, family, images, c, f, k, stride, groups=1, transposed=False):
        self.family, self.rank = family, len(images) - 1
        self.n, space = images[0], images[1:]
        self.c, self.f, self.k, self.stride = c, f, k, stride
        self.groups, self.transposed = groups, transposed
        self.padding = (k - stride + 1) // 2 if transposed else k // 2
        p = 2 * self.padding
        results = [(m - 1) * stride + k - p if transposed else (m + p - k) // stride + 1
                   for m in space]
        self.x, self.y = (self.n, *space, c), (self.n, *results, f)
        # A transposed convolution has the filter of the convolution the other way round.
        self.kernel = (*[k] * self.rank, f // groups if transposed else c // groups,
                       c if transposed else f)
        products = math.prod(space) * f if transposed else math.prod(results) * c
        self.flops = 2 * self.n * products * (c if transposed else f) // groups * k**self.rank

    def __str__(self):
        size = "x".join(map(str, self.x[:-1]))
        window = "x".join([str(self.k)] * self.rank)
        return f"{size} {self.c}->{self.f} {window}/{self.stride} g{self.groups}"

    def apply(self, x, w):
        from memrev import lax

        function = lax.conv_transpose if self.transposed else lax.conv
        return function(x, w, self.stride, self.padding, groups=self.groups)

    def text(self, k, *shapes):
        import memrev
        import numpy

        return memrev.jit(k).mlir(*[memrev.ShapeDtype(s, numpy.float32) for s in shapes])

    def forward(self):
        def k(x, w):
            return self.apply(x, w)

        return self.text(k, self.x, self.kernel)

    def input_gradient(self):
        import memrev

        def k(y, w):
            start = memrev.numpy.zeros(self.x, "float32")
            return memrev.vjp(lambda x: self.apply(x, w), start)[1](y)[0]

        return self.text(k, self.y, self.kernel)

    def filter_gradient(self):
        import memrev

        def k(x, y):
            start = memrev.numpy.zeros(self.kernel, "float32")
            return memrev.vjp(lambda w: self.apply(x, w), start)[1](y)[0]

        return self.text(k, self.x, self.y)


def matmul(m, n, k, transpose_a=False, transpose_b=False, element="f32"):
    program = Program(element)
    a = (k, m) if transpose_a else (m, k)
    b = (n, k) if transpose_b else (k, n)
    c = (m, n)
    maps = [
        "(m, n, k) -> " + ("(k, m)" if transpose_a else "(m, k)"),
        "(m, n, k) -> " + ("(n, k)" if transpose_b else "(k, n)"),
        "(m, n, k) -> (m, n)",
    ]
    result = program.add(
        f"linalg.matmul indexing_maps = [{', '.join(f'affine_map<{m}>' for m in maps)}] "
        f"ins(%a, %b : {program.type(a)}, {program.type(b)}) "
        f"outs({program.fill(c)} : {program.type(c)}) -> {program.type(c)}"
    )
    return program.finish([("%a", a), ("%b", b)], [(result, c)])
