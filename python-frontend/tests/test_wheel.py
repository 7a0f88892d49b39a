# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The wheel: builds, installs into a fresh environment with NumPy only, and works there."""

import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest

import cifar_files
import conftest
from memrev.train import cifar

SMOKE = """
import ctypes
import os
import sys
import numpy as np
import memrev
import memrev.numpy as mnp

assert os.path.realpath(memrev.__file__).startswith(os.path.realpath(sys.prefix)), memrev

@memrev.jit
def f(x, w):
    return mnp.tanh(x @ w).sum()

rng = np.random.default_rng(0)
x, w = rng.standard_normal((64, 32)), rng.standard_normal((32, 48))
np.testing.assert_allclose(f(x, w), np.tanh(x @ w).sum(), rtol=1e-12)
found = memrev.grad(f, argnums=1)(x, w)
np.testing.assert_allclose(found, x.T @ (1 - np.tanh(x @ w) ** 2), rtol=1e-10)

memrev.export("f.so", target="cuda", chip="sm_90", f=(f, x, w))
assert "memrevCudaUseStream" in open("f.h").read()
ctypes.CDLL("./f.so").f

loaded = open("/proc/self/maps").read()
for library in ("libMLIR", "libLLVM"):
    assert library not in loaded, library
for library in ("libMemRevC.so", "libomp.so"):
    path = next(line.split()[-1] for line in loaded.splitlines() if library in line)
    assert os.path.dirname(path).endswith("memrev/_lib"), path
print("works")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([conftest.ROOT / "scripts" / "wheel.sh", folder], check=True,
                   env=dict(os.environ, PYTHON=sys.executable))
    path, = folder.iterdir()
    return path


@pytest.mark.slow
def test_what_is_in_it(wheel):
    assert wheel.name.endswith("-py3-none-linux_x86_64.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = archive.read(next(n for n in names if n.endswith("/METADATA"))).decode()
    package = conftest.ROOT / "python-frontend" / "memrev"
    sources = {str(path.relative_to(package.parent)) for path in package.rglob("*.py")}
    libraries = {f"memrev/_lib/{name}" for name in (
        "libMemRevC.so", "libMemRevCUDARuntime.a", "libomp.so.5")}
    inside = {name for name in names if ".dist-info/" not in name}
    assert inside == sources | libraries
    assert any(name.endswith("/LICENSE") for name in names)
    assert "Requires-Dist: numpy" in metadata and "torch" not in metadata


@pytest.mark.slow
def test_works_in_a_fresh_environment(wheel, tmp_path):
    """With a Python that has nothing but NumPy, and without the network."""
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin" / "python"
    clean = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-m", "pip", "--python", python, "install", "--quiet",
                    "--disable-pip-version-check", "--no-index", "--no-deps", wheel],
                   check=True, env=clean)
    packages, = environment.glob("lib/python*/site-packages")
    installed = pathlib.Path(np.__file__).parents[1]
    for name in ("numpy", "numpy.libs"):
        if (installed / name).exists():
            shutil.copytree(installed / name, packages / name, symlinks=True)
    result = subprocess.run([python, "-c", SMOKE], cwd=tmp_path, env=clean,
                            stdout=subprocess.PIPE, text=True, check=True)
    assert result.stdout == "works\n"
    # Training in one process needs no PyTorch either.
    cifar_files.write(tmp_path / "data", cifar.DATASETS["cifar10"], train=40, test=20)
    script = pathlib.Path(__file__).with_name("tiny_network.py")
    result = subprocess.run(
        [python, script, "tiny", "cifar10", "--iterations=4", "--batch-size=10"],
        cwd=tmp_path, env=clean, stdout=subprocess.PIPE, text=True, check=True)
    assert "iteration 4: test loss" in result.stdout
    missing = subprocess.run([python, "-c", "import torch"], cwd=tmp_path, env=clean,
                             stderr=subprocess.DEVNULL)
    assert missing.returncode != 0
