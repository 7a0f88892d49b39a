#!/usr/bin/env bash
# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Builds the Python package as a wheel that needs no LLVM where it is installed.
#   scripts/wheel.sh [FOLDER]   writes memrev-VERSION-py3-none-linux_x86_64.whl
#                               to the folder, dist/ by default
# PYTHON names the Python that builds, with setuptools; .venv's by default.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ $# -gt 1 ]; then
  echo "error: expects a folder at most, but got $# arguments" >&2
  exit 2
fi
output=$(realpath -m "${1:-dist}")

scripts/install-deps.sh
if [ -z "${PYTHON:-}" ]; then
  scripts/setup-python.sh
  PYTHON=.venv/bin/python
fi
[ -f build/build.ninja ] || cmake --preset release
cmake --build --preset release --target MemRevCWheel

# What setuptools left in the tree by an earlier build would get into the wheel.
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
cp -r python-frontend/memrev python-frontend/setup.py python-frontend/pyproject.toml \
  LICENSE "$stage"
MEMREV_WHEEL_DIR="$PWD/build/wheel" "$PYTHON" -m pip wheel --quiet \
  --disable-pip-version-check --no-build-isolation --no-deps --wheel-dir "$output" "$stage"
ls -l "$output"/memrev-*.whl
