# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Networks of flows, which are made of the layers."""

from .glow import NICE, ConditionalGlow, Glow, NeuralSplineFlow, RealNVP
from .graph import ConditionNode, FeedForwardNode, Graph, InputNode, Node
from .hint import (
    ConditionalHINTNetwork, HINTNetwork, MultiscaleConditionalHINT, MultiscaleHINT)
from .hyperbolic import HyperbolicNetwork
from .iunet import IUNet
from .loop import LoopUnrolled, least_squares
from .multiscale import Multiscale
from .summarized import Summarized
