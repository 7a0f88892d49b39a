#!/usr/bin/env bash
# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Creates the Python environment .venv with the pinned packages of
# python-frontend/requirements-dev.txt, or brings it up to date.
set -euo pipefail
cd "$(dirname "$0")/.."

requirements=python-frontend/requirements-dev.txt
stamp=.venv/requirements.installed
[ -x .venv/bin/python ] || python3 -m venv .venv
if ! cmp --silent "$requirements" "$stamp"; then
  .venv/bin/python -m pip install --quiet --disable-pip-version-check \
    --requirement "$requirements"
  cp "$requirements" "$stamp"
fi
