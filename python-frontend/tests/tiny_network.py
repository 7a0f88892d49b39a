# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The command line of training with one more network, "tiny", which compiles in a second:

    python tiny_network.py tiny cifar10 [options]
"""

import sys

from memrev import lax, nn
from memrev.train import command


class Branch(nn.Module):
    """Batch norm, ReLU and a 3x3 convolution."""

    def __init__(self, channels):
        self.norm = nn.BatchNorm(channels)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def __call__(self, x):
        return self.conv(lax.relu(self.norm(x)))


def tiny(classes=10):
    """An average, a convolution, a coupling, and a linear layer."""
    return nn.Sequential(nn.AvgPool(4), nn.BatchNorm(3), nn.Conv2d(3, 8, 3, padding=1),
                         nn.Coupling(Branch(4), Branch(4)), nn.BatchNorm(8),
                         nn.GlobalAvgPool(), nn.Linear(8, classes))


command.NETWORKS["tiny"] = command.Network(tiny, "all")

if __name__ == "__main__":
    sys.exit(command.main(sys.argv[1:]))
