# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""RevNets for CIFAR as MemCNN has them: residual networks whose blocks are couplings,
but for those that change the shape.

Gomez, Ren, Urtasun, Grosse: The reversible residual network (arXiv 1707.04585); van de
Leemput et al.: MemCNN (JOSS 4(39), 2019). The networks of the former paper are in
`memrev.models.gomez`.
"""

from .. import nn
from .. import numpy as mnp
from .resnet import Basic, Bottleneck, Residual, ResNet, repeated

__all__ = ["RevNet", "revnet110", "revnet164", "revnet38"]


class _Join(nn.Module):
    """Halves (x1, x2) to one array."""

    def __call__(self, x):
        return mnp.concatenate(x, axis=-1)


class _Split(nn.Module):
    """One array to halves (x1, x2) of its channels."""

    def __call__(self, x):
        return tuple(mnp.split(x, 2, axis=-1))


class RevNet(ResNet):
    """A residual network with reversible blocks: [batch, height, width, 3] to logits
    [batch, classes].

    As `ResNet`, but a block that keeps the shape is a `Coupling` of two residual
    functions of half its width. Runs of them are undone in the backward pass: what is
    kept of a stage does not depend on the number of its blocks. Between the blocks of a
    run halves are apart.
    """

    def _stage(self, block, inputs, width, count, stage, loops):
        strides = 1 if stage == 0 else 2
        outputs = width * block.expansion
        half = outputs // 2, width // 2

        def coupling(activate=True):
            return nn.Coupling(*(block(*half, activate=activate) for _ in range(2)))

        if strides == 1 and inputs == outputs:
            first = [_Split(), coupling(activate=stage > 0)]
        else:
            first = [Residual(block(inputs, width, strides, activate=stage > 0), inputs,
                              outputs, strides), _Split()]
        return [*first, *repeated((count - 1, coupling), loops), _Join()]


def revnet38(classes: int = 10, loops: bool = True) -> RevNet:
    """MemCNN's RevNet-38: [batch, 32, 32, 3] to [batch, classes]; 573,994 parameters for 10
    classes, 584,164 for 100."""
    return RevNet(Basic, (3, 3, 3), (32, 64, 112), classes, loops)


def revnet110(classes: int = 10, loops: bool = True) -> RevNet:
    """MemCNN's RevNet-110: [batch, 32, 32, 3] to [batch, classes]; 1,854,890 parameters for
    10 classes, 1,866,500 for 100."""
    return RevNet(Basic, (9, 9, 9), (32, 64, 128), classes, loops)


def revnet164(classes: int = 10, loops: bool = True) -> RevNet:
    """MemCNN's RevNet-164, of bottlenecks: [batch, 32, 32, 3] to [batch, classes]; 1,983,786
    parameters for 10 classes, 2,029,956 for 100."""
    return RevNet(Bottleneck, (9, 9, 9), (32, 64, 128), classes, loops)
