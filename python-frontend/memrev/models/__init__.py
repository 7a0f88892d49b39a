# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Networks of papers, as modules (`memrev.nn`). Images are NHWC.

    model = memrev.models.revnet38(classes=10)
    variables = model.init(seed=0)
"""

from .gomez import (
    GomezRevNet, gomez_revnet38, gomez_revnet110, gomez_revnet164, revnet56, revnet104,
)
from .irevnet import IRevNet, irevnet_cifar, irevnet_imagenet
from .language import DynamicsLM
from .resnet import ResNet, resnet32, resnet110, resnet164
from .revnet import RevNet, revnet38, revnet110, revnet164
from .transformer import Reformer, RevViT, rev_vit_base, rev_vit_small

__all__ = sorted(name for name in globals() if not name.startswith("_"))
