# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The networks of memrev.models in PyTorch, with a choice of who runs the reversible
blocks backwards. Parameters come by the names that they have in memrev."""

import inspect

import numpy as np
import torch
from torch import nn
from torch.nn import functional

# Kind of block, blocks and channels of the stages, channels of the stem.
NETWORKS = {
    "resnet32": ("basic", False, (5, 5, 5), (16, 32, 64), 16),
    "resnet110": ("basic", False, (18, 18, 18), (16, 32, 64), 16),
    "resnet164": ("bottleneck", False, (18, 18, 18), (16, 32, 64), 16),
    "revnet38": ("basic", True, (3, 3, 3), (32, 64, 112), 32),
    "revnet110": ("basic", True, (9, 9, 9), (32, 64, 128), 32),
    "revnet164": ("bottleneck", True, (9, 9, 9), (32, 64, 128), 32),
}


def conv(inputs, outputs, size, stride=1):
    return nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)


class Function(nn.Module):
    """A residual function: (norm, ReLU, convolution) two or three times."""

    def __init__(self, kind, inputs, width, stride=1, activate=True):
        super().__init__()
        sizes = [(inputs, width, 3, stride), (width, width, 3, 1)]
        if kind == "bottleneck":
            sizes = [(inputs, width, 1, 1), (width, width, 3, stride), (width, 4 * width, 1, 1)]
        self.norms = nn.ModuleList(nn.BatchNorm2d(size[0]) if activate or i else None
                                   for i, size in enumerate(sizes))
        self.convs = nn.ModuleList(conv(*size) for size in sizes)

    def forward(self, x):
        for norm, convolution in zip(self.norms, self.convs):
            if norm is not None:
                x = functional.relu(norm(x), inplace=True)
            x = convolution(x)
        return x

    def places(self, *path):
        for i, (norm, convolution) in enumerate(zip(self.norms, self.convs), 1):
            if norm is not None:
                yield from norm_places(norm, *path, f"norm{i}")
            yield (*path, f"conv{i}", "weight"), convolution.weight


def norm_places(norm, *path):
    yield (*path, "scale"), norm.weight
    yield (*path, "offset"), norm.bias


class Residual(nn.Module):
    def __init__(self, kind, inputs, width, outputs, stride, activate):
        super().__init__()
        self.function = Function(kind, inputs, width, stride, activate)
        self.shortcut = self.norm = None
        if stride != 1 or inputs != outputs:
            self.shortcut = conv(inputs, outputs, 1, stride)
            self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x):
        y = self.function(x)
        y += x if self.shortcut is None else self.norm(self.shortcut(x))
        return y

    def places(self, *path):
        yield from self.function.places(*path, "function")
        if self.shortcut is not None:
            yield (*path, "shortcut", "weight"), self.shortcut.weight
            yield from norm_places(self.norm, *path, "shortcut_norm")


# ------------------------------------------------------------------------------
# Who runs couplings backwards
# ------------------------------------------------------------------------------


class StoredCoupling(nn.Module):
    """A block whose activations autograd stores. Copies of the halves let go of the
    whole, as in MemCNN's."""

    def __init__(self, f, g):
        super().__init__()
        self.f, self.g = f, g

    def forward(self, x):
        x1, x2 = (half.clone(memory_format=torch.preserve_format)
                  for half in x.chunk(2, 1))
        y1 = x1 + self.f(x2)
        return torch.cat([y1, x2 + self.g(y1)], 1)


def stored(pairs):
    return nn.Sequential(*(StoredCoupling(f, g) for f, g in pairs))


def mend_memcnn():
    """Lets MemCNN put an input back on a current PyTorch: `set_` on a tensor that autograd
    knows raises, so the elements are copied into the storage, as older versions did in
    effect."""
    from memcnn.models import revop
    broken = "element_original.set_(element_inverted)"
    mended = ("element_original.storage().copy_("
              "element_inverted.contiguous().storage())")
    source = inspect.getsource(revop)
    if source.count(broken) != 1:
        raise RuntimeError(f"expects MemCNN 1.5.2, with '{broken}'")
    exec(compile(source.replace(broken, mended), revop.__file__, "exec"), revop.__dict__)
    return revop


def memcnn(pairs):
    from memcnn import AdditiveCoupling
    revop = mend_memcnn()
    return nn.Sequential(*(
        revop.InvertibleModuleWrapper(AdditiveCoupling(f, g), keep_input=False)
        for f, g in pairs))


def revtorch(pairs):
    from revtorch import ReversibleBlock, ReversibleSequence
    return ReversibleSequence(nn.ModuleList(ReversibleBlock(f, g) for f, g in pairs))


class Checkpointed(nn.Module):
    """The blocks in segments of `length`, whose activations are computed again in the
    backward pass."""

    def __init__(self, pairs, length):
        super().__init__()
        blocks = [StoredCoupling(f, g) for f, g in pairs]
        self.segments = nn.ModuleList(
            nn.Sequential(*blocks[i:i + length]) for i in range(0, len(blocks), length))

    def forward(self, x):
        from torch.utils.checkpoint import checkpoint
        for segment in self.segments:
            x = checkpoint(segment, x, use_reentrant=False)
        return x


def checkpointed(pairs):
    return Checkpointed(list(pairs), 1)


def checkpointed_in_segments(pairs):
    """About as many segments as blocks in each: the least memory of equal segments."""
    pairs = list(pairs)
    return Checkpointed(pairs, max(1, round(len(pairs) ** 0.5)))


SCHEMES = {"torch": stored, "torch-checkpoint": checkpointed,
           "torch-checkpoint-segments": checkpointed_in_segments,
           "torch-channels-last": stored, "torch-compile": stored, "memcnn": memcnn,
           "revtorch": revtorch}


# ------------------------------------------------------------------------------
# The network
# ------------------------------------------------------------------------------


class Network(nn.Module):
    def __init__(self, name, scheme, classes=10):
        super().__init__()
        kind, reversible, blocks, channels, inputs = NETWORKS[name]
        self.kind = kind
        self.stem, self.stem_norm = conv(3, inputs, 3), nn.BatchNorm2d(inputs)
        self.stages = nn.ModuleList()
        self.located = [(("stem", "weight"), self.stem.weight, None),
                        *((*place, None) for place in norm_places(self.stem_norm, "stem_norm"))]
        for stage, (count, width) in enumerate(zip(blocks, channels)):
            outputs = width * (4 if kind == "bottleneck" else 1)
            self.stages.append(nn.Sequential(*self.stage(
                scheme if reversible else None, inputs, width, outputs, stage, count)))
            inputs = outputs
        self.norm = nn.BatchNorm2d(inputs)
        self.linear = nn.Linear(inputs, classes)
        self.located += [(*place, None) for place in norm_places(self.norm, "norm")]
        self.located += [(("head", "weight"), self.linear.weight, None),
                         (("head", "bias"), self.linear.bias, None)]

    def locate(self, module, path, index=None):
        self.located += [(*place, index) for place in module.places(*path)]

    def stage(self, scheme, inputs, width, outputs, stage, count):
        """The modules of a stage: its first block, then a run of equal ones, which is a
        loop over stacked parameters in memrev."""
        path, stride, active = ("stages", stage), 1 if stage == 0 else 2, stage > 0
        run = (*path, 2 if scheme else 1, "block")
        pairs = []

        def pair(place, activate=True, index=None):
            functions = [Function(self.kind, outputs // 2, width // 2, 1, activate)
                         for _ in "fg"]
            for letter, function in zip("fg", functions):
                self.locate(function, (*place, letter), index)
            pairs.append(functions)

        if scheme and stride == 1 and inputs == outputs:
            pair((*path, 1), active)
        else:
            first = Residual(self.kind, inputs, width, outputs, stride, active)
            self.locate(first, (*path, 0))
            yield first
        for index in range(count - 1):
            if scheme:
                pair(run, True, index)
                continue
            block = Residual(self.kind, outputs, width, outputs, 1, True)
            self.locate(block, run, index)
            yield block
        if scheme:
            yield scheme(pairs)

    def forward(self, x):
        x = functional.relu(self.stem_norm(self.stem(x)))
        for stage in self.stages:
            x = stage(x)
        return self.linear(functional.relu(self.norm(x)).mean((2, 3)))


def to_torch(array):
    """A parameter of memrev in PyTorch's layout: HWCF to FCHW, (inputs, outputs) to
    (outputs, inputs)."""
    order = {4: (3, 2, 0, 1), 2: (1, 0)}.get(array.ndim, range(array.ndim))
    return np.ascontiguousarray(array.transpose(order))


def from_torch(array):
    order = {4: (2, 3, 1, 0), 2: (1, 0)}.get(array.ndim, range(array.ndim))
    return array.transpose(order)


class Step:
    """A training step in PyTorch, as that of memrev.train is one.

    arrays: the parameters by name, the parts of a path joined by "/".
    """

    def __init__(self, network, contestant, arrays, rate, dtype=torch.float32, device="cpu"):
        self.device = device
        self.network = Network(network, SCHEMES[contestant])
        for path, parameter, index in self.network.located:
            array = arrays["/".join(map(str, path))]
            with torch.no_grad():
                parameter.copy_(torch.tensor(
                    to_torch(array if index is None else array[index])))
        self.format = (torch.channels_last if contestant == "torch-channels-last"
                       or contestant == "torch-compile" and device != "cpu"
                       else torch.contiguous_format)
        self.network.to(device=device, dtype=dtype, memory_format=self.format).train()
        self.dtype = dtype
        # Compiled is the call; parameters keep their names.
        self.forward = (torch.compile(self.network) if contestant == "torch-compile"
                        else self.network)
        self.optimizer = torch.optim.SGD(self.network.parameters(), lr=rate, momentum=0.9,
                                         weight_decay=2e-4)

    def prepare(self, images, labels):
        x = torch.tensor(images.transpose(0, 3, 1, 2).copy(), dtype=self.dtype)
        self.images = x.contiguous(memory_format=self.format).to(self.device)
        self.labels = torch.tensor(labels).long().to(self.device)
        self.batch_bytes = self.images.nbytes + self.labels.nbytes

    def forget_gradients(self):
        self.optimizer.zero_grad(set_to_none=True)

    def __call__(self, after_forward=lambda: None):
        """One step; returns the loss. Calls `after_forward` between the two passes."""
        self.forget_gradients()
        loss = functional.cross_entropy(self.forward(self.images), self.labels)
        after_forward()
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def synchronize(self):
        torch.cuda.synchronize()

    def device_memory(self):
        """The bytes of the device that are live after the forward pass and at the peak of a
        step, besides parameters, momenta and running statistics."""
        for _ in range(2):
            self()
        self.forget_gradients()
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated() - self.batch_bytes
        live = []
        torch.cuda.reset_peak_memory_stats()
        self(after_forward=lambda: live.append(torch.cuda.memory_allocated() - before))
        return {"peak_bytes": torch.cuda.max_memory_allocated() - before, "live_bytes": live[0]}

    def gradients(self):
        """The gradients before any step, by the names of the parameters."""
        self.forget_gradients()
        functional.cross_entropy(self.network(self.images), self.labels).backward()
        parts = {}
        for path, parameter, index in self.network.located:
            parts.setdefault("/".join(map(str, path)), []).append(
                from_torch(parameter.grad.double().contiguous().cpu().numpy()))
        indices = {"/".join(map(str, path)): index for path, _, index in self.network.located}
        self.forget_gradients()
        return {name: parts[name][0] if indices[name] is None else np.stack(parts[name])
                for name in parts}
