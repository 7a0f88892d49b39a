#!/usr/bin/env bash
# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Installs what memrev needs to be built and run on Debian 12 from the machine's
# own package sources; with --tests, what its tests need, too, and with --all what
# those of `scripts/test.sh --all` need. Does nothing when all of it is there.
set -euo pipefail

packages=(
  # The compiler is built with LLVM's tools against LLVM's and MLIR's libraries.
  libmlir-22-dev mlir-22-tools llvm-22-dev llvm-22-tools clang-22 lld-22
  # Compiled programs load the OpenMP runtime; Debian 12 has that of LLVM 19.
  libomp5-19
  cmake ninja-build ccache git
  # Tests and examples are run in a Python environment of their own.
  python3 python3-venv python3-pip
)
case "${1:-}" in
  '') ;;
  # Tests open the page of the memory report in a browser.
  --tests) packages+=(chromium-headless-shell) ;;
  # All tests: the sanitizers' runtime, too.
  --all) packages+=(chromium-headless-shell libclang-rt-22-dev) ;;
  *) echo "error: expects no option, --tests or --all, but got '$1'" >&2; exit 2 ;;
esac

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" -eq 0 ]; then
  as_root=(env)
elif command -v sudo >/dev/null; then
  as_root=(sudo)
else
  echo "error: expects to be run as root or with sudo installed, to install: ${missing[*]}" >&2
  exit 1
fi

echo "Installing: ${missing[*]}"
"${as_root[@]}" apt-get update -q
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install -q --yes --no-install-recommends "${missing[@]}"
