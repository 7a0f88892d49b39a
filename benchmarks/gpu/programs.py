# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a pack for a GPU machine holds: families of programs, each of which is compiled to
one library for the processor and one for each chip."""

import dataclasses
import functools
import importlib.util
import pathlib
from typing import Any, Callable, Dict, Tuple

import numpy as np

import memrev
import memrev.numpy as mnp
from memrev import ShapeDtype, lax, models, optim, tree
from memrev.train.programs import CompiledPrograms


def _load_example(name):
    """The program of examples/NAME as a module."""
    path = pathlib.Path(__file__).resolve().parents[2] / "examples" / name / "train.py"
    spec = importlib.util.spec_from_file_location(f"{name}_example", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FLOAT16, BFLOAT16, FLOAT32 = np.dtype(np.float16), memrev.bfloat16, np.dtype(np.float32)


@dataclasses.dataclass(frozen=True)
class Program:
    """A function and what it is called with.

    arguments: trees of `ShapeDtype`, or of arrays: numbers like these are drawn.
    flops: floating-point operations of a call, nbytes: what it reads and writes; whichever
        limits it.
    peer: what PyTorch's part is made of (`pytorch.py`), or None.
    """

    function: Callable
    arguments: Tuple[Any, ...]
    flops: int = 0
    nbytes: int = 0
    peer: Any = None


@dataclasses.dataclass(frozen=True)
class Family:
    """Programs that are compiled alike and compared alike.

    oracles: the same programs with f32 instead of 16 bits, which the processor runs.
    tolerance: of the largest difference of a result, by the largest element of the result.
        For models: of the norm of the difference, by that of the result, over all arrays of a
        result.
    is_timed: whether the programs are also measured.
    contractions: who computes products of matrices, as `memrev.compile` has it.
    """

    programs: Dict[str, Program]
    oracles: Dict[str, Program]
    tolerance: float
    precision: str = "ieee"
    is_model: bool = False
    is_timed: bool = True
    contractions: str = "generated"


def _bytes(*shapes):
    return sum(int(np.prod(shape)) * dtype.itemsize for shape, dtype in shapes)


def gemm(m, n, k, dtype):
    """A product of matrices."""
    shapes = ((m, k), dtype), ((k, n), dtype), ((m, n), dtype)
    return Program(memrev.jit(lambda a, b: a @ b), tuple(ShapeDtype(*s) for s in shapes[:2]),
                   2 * m * n * k, _bytes(*shapes), {"kind": "gemm"})


def convolution(batch, size, channels, filters, window, stride, dtype, of):
    """A convolution (`of` "forward"), or its gradient by the image or the filters."""
    out = -(-size // stride)
    image, weight = (batch, size, size, channels), (window, window, channels, filters)
    result = (batch, out, out, filters)

    def forward(x, w):
        return lax.conv(x, w, strides=stride, padding=window // 2)

    def zeros(shape, like):
        # A convolution is linear: where its gradient is taken does not matter.
        return mnp.broadcast_to(mnp.zeros_like(like[0, 0, 0, 0]), shape)

    functions = {
        "forward": (forward, (image, weight)),
        "image": (lambda w, g: memrev.vjp(lambda x: forward(x, w), zeros(image, w))[1](g)[0],
                  (weight, result)),
        "filter": (lambda x, g: memrev.vjp(lambda w: forward(x, w), zeros(weight, x))[1](g)[0],
                   (image, result)),
    }
    function, shapes = functions[of]
    return Program(
        memrev.jit(function), tuple(ShapeDtype(s, dtype) for s in shapes),
        2 * int(np.prod(result)) * window * window * channels,
        _bytes((image, dtype), (weight, dtype), (result, dtype)),
        {"kind": "convolution", "of": of, "stride": stride, "padding": window // 2,
         "image": image, "weight": weight})


def elementwise(shape, dtype):
    """relu(scale x + shift) + y, scale and shift for each channel."""
    channels = shape[-1:]
    return Program(
        memrev.jit(lambda x, y, scale, shift: lax.relu(scale * x + shift) + y),
        tuple(ShapeDtype(s, dtype) for s in (shape, shape, channels, channels)),
        nbytes=3 * _bytes((shape, dtype)), peer={"kind": "elementwise"})


def reduction(shape, axes, dtype):
    """The mean and the variance over some dimensions, in f32."""
    def moments(x):
        x = x.astype(np.float32)
        mean = mnp.mean(x, axes)
        return mean, mnp.mean(x * x, axes) - mean * mean

    return Program(memrev.jit(moments), (ShapeDtype(shape, dtype),),
                   nbytes=_bytes((shape, dtype)), peer={"kind": "moments", "axes": list(axes)})


def softmax(rows, columns, dtype):
    """The softmax of each row, in f32."""
    return Program(memrev.jit(lambda x: lax.softmax(x.astype(np.float32)).astype(dtype)),
                   (ShapeDtype((rows, columns), dtype),),
                   nbytes=2 * _bytes(((rows, columns), dtype)), peer={"kind": "softmax"})


def training_step(network, batch, precision):
    """A step of one of MemCNN's networks, as memrev.train makes it."""
    programs = CompiledPrograms(
        getattr(models, network)(), optim.SGD(0.1, momentum=0.9, weight_decay=2e-4), threads=1,
        fp32_precision=precision)
    variables = programs.variables(0)
    images = ShapeDtype((batch, 32, 32, 3))
    labels = np.arange(batch, dtype=np.int32) % 10
    return Program(programs.jitted["step"],
                   programs.arguments("step", variables, images, labels)[:5] + (
                       np.float32(0.1), np.int32(0)),
                   peer={"kind": "network", "network": network})


def language_step(batch=16, context=96, features=96, depth=8, heads=6):
    """A step of examples/language, by default with its sizes."""
    language = _load_example("language")
    model = models.DynamicsLM(language.VOCABULARY, context, features, depth, heads, "midpoint",
                              0.25)
    params = model.init(0)["params"]
    optimizer = optim.AdamW(2e-3, betas=(0.9, 0.98), weight_decay=0.1, mask=optim.weights_only)
    tokens = np.random.default_rng(0).integers(
        0, language.VOCABULARY, (batch, context + 1)).astype(np.int32)
    return Program(language.make_step(model, optimizer),
                   (params, optimizer.init(params), tokens, np.float32(2e-3)),
                   peer={"kind": "language", "heads": heads, "step": 0.25})


#: Which differences to expect from the same program in f32. Sums are in f32, in another order.
#: 16-bit results are rounded, and so are up to three values before them, each by half a unit in
#: the last place: 2^-11 of it in f16, 2^-8 in bf16. Factors in TF32 have 11 bits.
TOLERANCES = {"f32": 2e-5, "tf32": 4e-3, "f16": 2e-3, "bf16": 1.6e-2}
_TYPES = {"f32": FLOAT32, "tf32": FLOAT32, "f16": FLOAT16, "bf16": BFLOAT16}
_CONVOLUTIONS = {
    # batch, size, channels, filters, window, stride
    "revnet1_3x3": (100, 32, 32, 32, 3, 1), "revnet2_3x3": (100, 16, 64, 64, 3, 1),
    "revnet3_3x3": (100, 8, 128, 128, 3, 1), "resnet2_3x3": (32, 56, 64, 64, 3, 1),
    "resnet3_3x3": (32, 28, 128, 128, 3, 1), "resnet4_3x3": (32, 14, 256, 256, 3, 1),
    "strided_3x3": (32, 56, 64, 128, 3, 2), "resnet2_1x1": (32, 56, 64, 256, 1, 1),
    "resnet4_1x1": (32, 14, 1024, 256, 1, 1),
}

def _tails(dtype):
    """Programs whose sizes are no multiples of anything, and small ones."""
    return {
        "odd_gemm": gemm(37, 53, 61, dtype), "thin_gemm": gemm(130, 8, 40, dtype),
        "odd_softmax": softmax(13, 77, dtype),
        **{f"odd_3x3_{of}": convolution(3, 9, 5, 7, 3, 2, dtype, of)
           for of in ("forward", "image", "filter")},
        **{f"even_3x3_{of}": convolution(2, 8, 16, 16, 3, 1, dtype, of)
           for of in ("forward", "image", "filter")},
        "odd_elements": elementwise((3, 5, 7), dtype),
        "odd_rows": reduction((5, 33), (1,), dtype),
        "odd_columns": reduction((3, 11, 6), (0, 1), dtype)}


def _small_products(dtype):
    """Products of matrices of the small programs."""
    return {"odd_gemm": gemm(37, 53, 61, dtype), "thin_gemm": gemm(130, 8, 40, dtype),
            **{f"odd_1x1_{of}": convolution(3, 5, 9, 7, 1, 1, dtype, of)
               for of in ("forward", "image", "filter")}}


def _gemms(dtype):
    return {f"gemm_{n}": gemm(n, n, n, dtype) for n in (512, 1024, 2048, 4096)}


def _convolutions(dtype):
    return {f"{name}_{of}": convolution(*sizes, dtype, of)
            for name, sizes in _CONVOLUTIONS.items() for of in ("forward", "image", "filter")}


def _pixel_products(dtype):
    """The convolutions that are products of matrices."""
    return {name: program for name, program in _convolutions(dtype).items() if "_1x1_" in name}


def _limited_by_memory(dtype):
    return {"elements": elementwise((100, 32, 32, 64), dtype),
            "rows": reduction((8192, 4096), (1,), dtype),
            "columns": reduction((100, 32, 32, 64), (0, 1, 2), dtype),
            "softmax": softmax(8192, 4096, dtype)}


def families() -> Dict[str, Callable[[], Family]]:
    """What makes each family, by its name."""
    found = {}
    for prefix, make, types in (("tails", _tails, _TYPES), ("gemm", _gemms, _TYPES),
                                ("convolutions", _convolutions, ("tf32", "f16", "bf16")),
                                ("memory", _limited_by_memory, ("f32", "f16"))):
        for kind in types:
            found[f"{prefix}_{kind}"] = functools.partial(_kernels, make, kind, prefix != "tails")
    # The same by NVIDIA's library, called from the same host code.
    for prefix, make, types in (("tails", _small_products, _TYPES), ("gemm", _gemms, _TYPES),
                                ("convolutions", _pixel_products, ("tf32", "f16", "bf16"))):
        for kind in types:
            found[f"{prefix}_{kind}_vendor"] = functools.partial(
                _kernels, make, kind, prefix != "tails", "vendor")
    for precision, batches in (("ieee", (100,)), ("tf32", (100, 1000))):
        for network in ("revnet38", "revnet110", "revnet164"):
            for batch in batches:
                found[f"{network}_{batch}_{precision}"] = functools.partial(
                    _network, network, batch, precision)
    found["language"] = lambda: _model(language_step(), 0.02)
    return found


def _kernels(make, kind, is_timed, contractions="generated"):
    return Family(make(_TYPES[kind]), make(FLOAT32), TOLERANCES[kind],
                  "tf32" if kind == "tf32" else "ieee", is_timed=is_timed,
                  contractions=contractions)


def _network(network, batch, precision):
    # Gradients of deep networks amplify the rounding of sums, and TF32 rounds 2000 times more.
    return _model(training_step(network, batch, precision),
                  0.02 if precision == "ieee" else 0.2, precision)


def _model(step, tolerance, precision="ieee"):
    programs = {"step": step}
    return Family(programs, programs, tolerance, precision, is_model=True)


def described(argument):
    """How numbers like those of an argument are drawn."""
    if isinstance(argument, ShapeDtype):
        return {"kind": "normal", "mean": 0.0, "std": 1.0}
    array = np.asarray(argument)
    if array.dtype.kind in "iu":
        if array.size == 1:
            return {"kind": "constant", "value": int(array.flat[0])}
        return {"kind": "integers", "below": int(array.max()) + 1}
    if array.size and (array == array.flat[0]).all():
        return {"kind": "constant", "value": float(array.flat[0])}
    return {"kind": "normal", "mean": float(array.mean()), "std": float(array.std())}


def descriptions(program: Program):
    """Those of all leaves of the arguments, in the order of the compiled function's."""
    return [described(leaf) for leaf in tree.leaves(program.arguments)]
