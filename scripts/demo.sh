#!/usr/bin/env bash
# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Installs what is missing, builds memrev, and trains a convolutional RevNet on
# scikit-learn's handwritten digits: examples/digits/train.py, whose options it
# passes on.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install-deps.sh
cmake --preset release
cmake --build --preset release
scripts/setup-python.sh
PYTHONPATH=python-frontend .venv/bin/python examples/digits/train.py "$@"
