#!/usr/bin/env bash
# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Checks memrev's GPU programs on a machine that has a GPU and no compiler.
#
#   check.sh pack OUT.tar.xz [--only FAMILY...] [--chips CHIP...]
#       where memrev is built: compiles programs and packs them with what runs them
#   check.sh run [OUT.tar.xz] [--output DIR] [--only FAMILY...] [--no-time] ...
#       on the GPU machine, where this file, the pack and Python with NumPy are enough:
#       compares all results with those of the processor, runs compute-sanitizer, measures
#       beside PyTorch; writes results.json and results.md. Fails if a result is wrong.

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

usage() {
  sed -n '/^# Checks/,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
  exit 2
}

case ${1:-} in
pack)
  shift
  exec python3 "$here/pack.py" "$@"
  ;;
run)
  shift
  folder=$here
  if [[ ${1:-} == *.tar.xz ]]; then
    unpacked=$(mktemp -d)
    trap 'rm -rf "$unpacked"' EXIT
    tar -xJf "$1" -C "$unpacked"
    folder=$unpacked/memrev-gpu-check
    shift
  fi
  if [[ ! -f $folder/manifest.json ]]; then
    echo "error: expects a pack, but got none; 'check.sh pack' makes one" >&2
    exit 2
  fi
  python3 "$folder/check.py" "$@"
  ;;
*) usage ;;
esac
