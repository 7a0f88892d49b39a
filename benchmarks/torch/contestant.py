# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One contestant of run.py, in a process of its own: builds its network, then runs as
many steps as each line of its input says.

usage: contestant.py NAME NETWORK BATCH THREADS

Says when it is ready, then answers each line with a line of JSON: the seconds of each
step, the losses, and with malloc_counter preloaded the peak of memory in a step.
"""

import contextlib
import pathlib
import sys
import warnings

warnings.filterwarnings("ignore")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "common"))

import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from contestants import Counter, answers  # noqa: E402

CIFAR = dict(strides=[1, 1, 2, 2], init_kernel_size=3, batch_norm_fix=False)
# (block, blocks of each stage, channels): MemCNN's networks.
REVNETS = {
    "revnet38": ("RevBasicBlock", [3, 3, 3], [32, 32, 64, 112]),
    "revnet110": ("RevBasicBlock", [9, 9, 9], [32, 32, 64, 128]),
    "revnet164": ("RevBottleneck", [9, 9, 9], [32, 32, 64, 128]),
}


def branch(channels):
    """The residual function of the network "blocks"."""
    return nn.Sequential(
        nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, channels, 3, padding=1, bias=False))


def mend_memcnn():
    """MemCNN restores a tensor that it has emptied by Tensor.set_, which current versions
    of PyTorch take for a modification where another operation saved the tensor. Copying into
    its storage is what older versions did. (The gradients of what is before a block's ReLU
    are wrong all the same, see docs/MemCNN.md.)"""
    def restore(self, source):
        self.untyped_storage().resize_(source.untyped_storage().nbytes())
        self.untyped_storage().copy_(source.contiguous().untyped_storage())
        return self

    torch.Tensor.set_ = restore


def build(name, network):
    """(network, context in which it runs)."""
    if name == "memcnn":
        import memcnn as library
        from memcnn.models import resnet
        mend_memcnn()
    else:
        import memrev.torch as library
        from memrev.torch.models import resnet
    torch.manual_seed(0)
    if network == "blocks":
        net = nn.Sequential(
            nn.Conv2d(3, 64, 3, padding=1),
            *(library.InvertibleModuleWrapper(library.AdditiveCoupling(branch(32), branch(32)))
              for _ in range(8)),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    else:
        block, layers, channels = REVNETS[network]
        net = resnet.ResNet(getattr(resnet, block), layers, 10, channels, **CIFAR)
    if name == "memcnn":
        return net, contextlib.nullcontext()
    kind = name.removesuffix("-channels-last")
    for module in net.modules():
        if isinstance(module, library.InvertibleModuleWrapper):
            module.disable = kind == "torch"
    backend = library.set_backend("compiled" if kind == "memrev-compiled" else "eager")
    return (torch.compile(net, backend="memrev") if kind == "memrev-whole" else net), backend


def kept_bytes():
    """What a step works in and the process keeps for the next one."""
    memrev = sys.modules.get("memrev")
    return memrev.workspace_bytes() if memrev else 0


def main(answer, name, network, batch, threads):
    torch.set_num_threads(threads)
    counter = Counter()
    net, backend = build(name, network)
    generator = torch.Generator().manual_seed(0)
    data = torch.randn(batch, 3, 32, 32, generator=generator)
    labels = torch.randint(0, 10, (batch,), generator=generator)
    layout = torch.contiguous_format
    if name.endswith("-channels-last"):
        layout = torch.channels_last
        net.to(memory_format=layout)

    def step():
        """A step without an optimizer: the batch is made in it, gradients are left."""
        images = data.clone(memory_format=layout)
        loss = functional.cross_entropy(net(images), labels)
        loss.backward()
        return loss.item()

    with backend:
        answer({"name": name})
        for line in sys.stdin:
            answer(counter.measure(step, lambda: net.zero_grad(set_to_none=True), kept_bytes,
                                   int(line)))


if __name__ == "__main__":
    with answers() as answer:
        main(answer, sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
