#!/usr/bin/env bash
# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Installs what is missing, builds memrev and runs its tests.
#   scripts/test.sh        lit and pytest, under 15 minutes on 2 cores
#   scripts/test.sh --all  also slow tests (steps of deep models, all flows for GPUs), lit
#                          under the address and undefined-behaviour sanitizers, and
#                          fuzzing of the tools, of derivatives and of programs for GPUs,
#                          under 60 minutes
set -euo pipefail
cd "$(dirname "$0")/.."

all=false
for option in "$@"; do
  case "$option" in
    --all) all=true ;;
    *) echo "error: expects no option or --all, but got '$option'" >&2; exit 2 ;;
  esac
done

if $all; then
  scripts/install-deps.sh --all
  export LIT_OPTS="-Dslow=1"
else
  scripts/install-deps.sh --tests
fi
scripts/setup-python.sh
# Commands in documents and tests call the environment's python3.
export PATH="$PWD/.venv/bin:$PATH" PYTHONPATH="$PWD/python-frontend"

cmake --preset release
cmake --build --preset release
cmake --build --preset release --target check-memrev
python3 -m pytest --quiet --numprocesses "$(nproc)" --dist loadfile python-frontend/tests

if $all; then
  python3 -m pytest --quiet --slow -m slow --numprocesses "$(nproc)" python-frontend/tests
  cmake --preset debug-asan
  cmake --build --preset debug-asan
  cmake --build --preset debug-asan --target check-memrev
  python3 utils/fuzz.py --seconds 300 build-asan/bin
  utils/fuzz-autodiff --seconds=300 --seed=1000000 --build=build
  utils/fuzz-gpu --seconds=180 --seed=1000000 --build=build
fi
