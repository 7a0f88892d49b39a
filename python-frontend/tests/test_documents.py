# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The tutorials that need PyTorch print what they say."""

import os
import subprocess
import sys

import pytest

import conftest
import slow


@pytest.mark.parametrize("document", slow.but(
    ["docs/PyTorch.md"], ["docs/MemCNN.md", "docs/PyTorch.md", "docs/Tutorial.md"]))
def test_document(document):
    build = os.environ.get("MEMREV_BUILD_DIR", conftest.ROOT / "build")
    # The documents' python3 is this one.
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    packages = os.pathsep.join([str(conftest.ROOT / "python-frontend"),
                                os.environ.get("PYTHONPATH", "")])
    result = subprocess.run(
        [sys.executable, conftest.ROOT / "utils" / "run-documents.py", conftest.ROOT, build,
         conftest.ROOT / document],
        env=dict(os.environ, PATH=path, PYTHONPATH=packages, OMP_NUM_THREADS="1"),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert result.returncode == 0, result.stdout
