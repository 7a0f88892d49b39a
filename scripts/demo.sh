#!/usr/bin/env bash
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
