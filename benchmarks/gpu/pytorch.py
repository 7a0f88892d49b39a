# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What PyTorch takes for the programs of a pack: eager, where products and convolutions are
cuBLAS's and cuDNN's, and compiled; for networks MemCNN's scheme too."""

import statistics

import numpy as np

#: What is measured, by the names of columns.
EAGER, COMPILED, MEMCNN = "PyTorch", "torch.compile", "MemCNN"
#: Attempts before the first measurement, in which PyTorch chooses and compiles.
WARM_UP = 5


def available():
    """The names of the columns, none without a PyTorch with CUDA."""
    try:
        import torch
    except ImportError:
        return []
    return [EAGER, COMPILED, MEMCNN] if torch.cuda.is_available() else []


def measure(description, parameters, arrays, precision, rounds):
    """{column: the median of the seconds of a call, or why there is none}."""
    if description is None:
        return {}
    import torch
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.benchmark = True  # Each convolution by the fastest algorithm.
    found = {}
    if description["kind"] == "network":
        for column, name in ((EAGER, "torch-channels-last"), (COMPILED, "torch-compile"),
                             (MEMCNN, "memcnn")):
            found[column] = _attempt(
                lambda: _network(torch, description["network"], name, parameters, arrays), rounds)
        return found
    if description["kind"] == "language":
        for column in (EAGER, COMPILED):
            found[column] = _attempt(
                lambda: _language(description, parameters, arrays, "cuda", column == COMPILED),
                rounds)
        return found
    tensors = [_tensor(torch, p, array) for p, array in zip(parameters, arrays)]
    function = _KINDS[description["kind"]](torch, description)
    tensors = function.prepare(tensors) if hasattr(function, "prepare") else tensors
    found[EAGER] = _attempt(lambda: lambda: function(*tensors), rounds)
    compiled = torch.compile(function)
    found[COMPILED] = _attempt(lambda: lambda: compiled(*tensors), rounds)
    return found


def _attempt(make, rounds):
    """The seconds of a call of what `make` returns, or why there are none: whatever others
    raise is no failure of this check."""
    import torch
    try:
        call = make()
        for _ in range(WARM_UP):
            call()
        count = max(1, int(0.02 / max(_time(torch, call, 1), 1e-6)))
        return statistics.median(_time(torch, call, count) for _ in range(rounds))
    except Exception as error:
        reason = next(iter(str(error).splitlines()), "")
        return f"not run: {type(error).__name__}: {reason[:80]}"


def _time(torch, call, count):
    events = [torch.cuda.Event(enable_timing=True) for _ in range(2)]
    events[0].record()
    for _ in range(count):
        call()
    events[1].record()
    events[1].synchronize()
    return events[0].elapsed_time(events[1]) / 1e3 / count


def _tensor(torch, parameter, array):
    if parameter["dtype"] == "bfloat16":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16).cuda()
    return torch.from_numpy(np.ascontiguousarray(array)).cuda()


def _gemm(torch, description):
    return torch.matmul


def _convolution(torch, description):
    """Images and filters are PyTorch's in channels_last, which is memrev's order of images."""
    stride, padding = description["stride"], description["padding"]
    n, h, w, c = description["image"]
    window, _, _, filters = description["weight"]
    masks = {"image": (True, False, False), "filter": (False, True, False)}

    def of_image(x):
        return x.permute(0, 3, 1, 2)  # Is in channels_last as it lies.

    def of_filter(w):
        return w.permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)

    def backward(gradient, image, weight):
        return torch.ops.aten.convolution_backward(
            gradient, image, weight, None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1,
            masks[description["of"]])

    def forward(image, weight):
        return torch.nn.functional.conv2d(image, weight, None, stride, padding)

    def prepare(tensors):
        first, second = tensors
        if description["of"] == "forward":
            return of_image(first), of_filter(second)
        if description["of"] == "image":
            weight, gradient = of_filter(first), of_image(second)
            image = torch.empty((n, c, h, w), dtype=first.dtype, device=first.device).to(
                memory_format=torch.channels_last)
            return gradient, image, weight
        image, gradient = of_image(first), of_image(second)
        weight = torch.empty((filters, c, window, window), dtype=first.dtype,
                             device=first.device).to(memory_format=torch.channels_last)
        return gradient, image, weight

    function = forward if description["of"] == "forward" else backward
    function.prepare = prepare
    return function


def _elementwise(torch, description):
    return lambda x, y, scale, shift: torch.relu(scale * x + shift) + y


def _moments(torch, description):
    axes = description["axes"]

    def moments(x):
        mean = x.mean(axes)
        return mean, (x * x).mean(axes) - mean * mean

    return moments


def _softmax(torch, description):
    return lambda x: torch.softmax(x, -1)


_KINDS = {"gemm": _gemm, "convolution": _convolution, "elementwise": _elementwise,
          "moments": _moments, "softmax": _softmax}


def _arguments(parameters, arrays):
    """(parameters of a network by their names, other arguments by theirs)."""
    named = {p["name"]: array for p, array in zip(parameters, arrays)}
    prefix = "params."
    return {name[len(prefix):]: array for name, array in named.items()
            if name.startswith(prefix)}, named


def _language(description, parameters, arrays, device, compile=False):
    """A training step of the reversible transformer, from the same arguments."""
    import transformer
    weights, named = _arguments(parameters, arrays)
    return transformer.Step(weights, named["tokens"], named["rate"], description["heads"],
                            description["step"], device, compile)


def _network(torch, network, contestant, parameters, arrays):
    """A training step of benchmarks/revnet's contestants, from the same arguments."""
    import networks
    weights, named = _arguments(parameters, arrays)
    weights = {name.replace(".", "/"): array for name, array in weights.items()}
    step = networks.Step(network, contestant, weights, 0.1, torch.float32, "cuda")
    step.prepare(named["images"], named["labels"])
    return step
