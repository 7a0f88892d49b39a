# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Training of the networks of `memrev.models` on CIFAR-10 and CIFAR-100:

    python -m memrev.train MODEL DATASET
"""
