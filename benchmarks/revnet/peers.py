"""The network of examples/digits/model.py as PyTorch modules, with a choice of
who runs the reversible blocks backwards."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

EPSILON = 1e-5


def norm(channels):
    # memrev's step returns no running statistics, so the peers keep none.
    return nn.BatchNorm2d(channels, eps=EPSILON, track_running_stats=False)


def conv(inputs, outputs, size=3, stride=1):
    return nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)


def branch(channels, convolutions):
    layers = []
    for _ in range(convolutions):
        layers += [norm(channels), nn.ReLU(), conv(channels, channels)]
    return nn.Sequential(*layers)


class StoredBlock(nn.Module):
    """A block whose activations autograd stores."""

    def __init__(self, f, g):
        super().__init__()
        self.f, self.g = f, g

    def forward(self, x):
        x1, x2 = x.chunk(2, 1)
        y1 = x1 + self.f(x2)
        return torch.cat([y1, x2 + self.g(y1)], 1)


def stored(blocks):
    return nn.Sequential(*(StoredBlock(f, g) for f, g in blocks))


def memcnn(blocks):
    from memcnn import AdditiveCoupling, InvertibleModuleWrapper
    return nn.Sequential(*(
        InvertibleModuleWrapper(AdditiveCoupling(f, g), keep_input=False)
        for f, g in blocks))


def revtorch(blocks):
    from revtorch import ReversibleBlock, ReversibleSequence
    return ReversibleSequence(
        nn.ModuleList(ReversibleBlock(f, g) for f, g in blocks))


class Transition(nn.Module):
    def __init__(self, before, after):
        super().__init__()
        self.norm0, self.conv0 = norm(before), conv(before, after, stride=2)
        self.norm1, self.conv1 = norm(after), conv(after, after)
        self.shortcut = conv(before, after, size=1, stride=2)

    def forward(self, x):
        h = self.conv0(functional.relu(self.norm0(x)))
        h = self.conv1(functional.relu(self.norm1(h)))
        return h + self.shortcut(x)


class Network(nn.Module):
    def __init__(self, arch, scheme):
        super().__init__()
        self.stem = conv(arch.colors, arch.channels[0])
        self.stages, self.transitions = nn.ModuleList(), nn.ModuleList()
        self.branches = []  # (F, G) of each block of each stage
        for stage, (channels, blocks) in enumerate(zip(arch.channels, arch.blocks)):
            if stage:
                self.transitions.append(Transition(arch.channels[stage - 1], channels))
            half = channels // 2
            pairs = [(branch(half, arch.convolutions),
                      branch(half, arch.convolutions)) for _ in range(blocks)]
            self.branches.append(pairs)
            self.stages.append(scheme(pairs))
        self.norm = norm(arch.channels[-1])
        self.linear = nn.Linear(arch.channels[-1], arch.classes)

    def forward(self, x):
        x = self.stem(x)
        for i, stage in enumerate(self.stages):
            x = stage(self.transitions[i - 1](x) if i else x)
        return self.linear(functional.relu(self.norm(x)).mean((2, 3)))


def load(network, arch, arrays):
    """Sets the parameters to memrev's `arrays` (loop form, by name)."""

    def put(parameter, *values):
        array = np.concatenate(values, -1)
        if array.ndim == 4:
            array = array.transpose(3, 2, 0, 1)
        with torch.no_grad():
            parameter.copy_(torch.tensor(array))

    def put_norm(module, name, block=...):
        put(module.weight, arrays[name + ".scale"][block])
        put(module.bias, arrays[name + ".offset"][block])

    put(network.stem.weight, arrays["stem.conv1"], arrays["stem.conv2"])
    for i, module in enumerate(network.transitions, 1):
        name = f"transition{i}"
        put_norm(module.norm0, f"{name}.norm0")
        put(module.conv0.weight, arrays[f"{name}.conv0"])
        put_norm(module.norm1, f"{name}.norm1")
        put(module.conv1.weight, arrays[f"{name}.conv1.1"], arrays[f"{name}.conv1.2"])
        put(module.shortcut.weight, arrays[f"{name}.shortcut1"],
            arrays[f"{name}.shortcut2"])
    for stage, branches in enumerate(network.branches):
        for block, pair in enumerate(branches):
            for letter, layers in zip("fg", pair):
                for i in range(arch.convolutions):
                    name = f"stage{stage}.{letter}"
                    put_norm(layers[3 * i], f"{name}.norm{i}", block)
                    put(layers[3 * i + 2].weight, arrays[f"{name}.conv{i}"][block])
    put_norm(network.norm, "head.norm")
    put(network.linear.weight, arrays["head.weight"].T)
    put(network.linear.bias, arrays["head.bias"])


class Step:
    """A training step in PyTorch, as examples/digits/model.py's @step is one."""

    def __init__(self, arch, arrays, scheme, optimizer, rate, channels_last=False):
        self.network = Network(arch, scheme)
        load(self.network, arch, arrays)
        self.format = (torch.channels_last if channels_last
                       else torch.contiguous_format)
        self.network.to(memory_format=self.format).train()
        decayed = [p for p in self.network.parameters() if p.ndim > 1]
        others = [p for p in self.network.parameters() if p.ndim == 1]
        self.optimizer = torch.optim.SGD(
            [{"params": decayed, "weight_decay": optimizer.weight_decay},
             {"params": others}], lr=rate, momentum=optimizer.momentum)

    def prepare(self, images, labels):
        x = torch.tensor(images.transpose(0, 3, 1, 2).copy())
        self.images = x.contiguous(memory_format=self.format)
        self.labels = torch.tensor(labels).long()

    def __call__(self):
        """One step; returns the loss."""
        self.optimizer.zero_grad(set_to_none=True)
        loss = functional.cross_entropy(self.network(self.images), self.labels)
        loss.backward()
        self.optimizer.step()
        return loss.item()
