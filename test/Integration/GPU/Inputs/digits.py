# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Prints a small digits network with its training step.

  digits.py SOURCE_ROOT ELEMENT_TYPE
"""

import os
import sys

sys.path.insert(0, os.path.join(sys.argv[1], "examples", "digits"))
import model

arch = model.Architecture(height=8, width=8, colors=1, classes=10,
                          channels=(2, 4), blocks=(2, 1))
print(model.Module(arch, 2, sys.argv[2]).text("step"))
