# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How lit runs memrev's tests: which files are tests, and which tools they call."""

import ctypes.util
import glob
import os
import shutil
import subprocess
import sys

import lit.formats
from lit.llvm import llvm_config
from lit.llvm.subst import ToolSubst

config.name = "MemRev"
config.test_format = lit.formats.ShTest(not llvm_config.use_lit_shell)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs", "CMakeLists.txt", "lit.cfg.py"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.memrev_obj_root, "test")
config.substitutions.append(("%memrev_src_root", config.memrev_src_root))
config.substitutions.append(("%memrev_obj_root", config.memrev_obj_root))
config.substitutions.append(("%memrev_lib_dir", config.memrev_lib_dir))
config.substitutions.append(("%mlir_lib_dir", config.mlir_lib_dir))
config.substitutions.append(("%memrev_tools_dir", config.memrev_tools_dir))
config.substitutions.append(("%host_cxx", config.host_cxx))
config.substitutions.append(("%python", sys.executable))
# Runs a program for a GPU on the host and compares it with plain loops.
config.substitutions.append(
    (
        "%emulate",
        f"{sys.executable} {config.test_source_root}/Integration/GPU/Inputs/emulate.py "
        f"--lib-dir {config.memrev_lib_dir} --mlir-lib-dir {config.mlir_lib_dir} "
        f"--cxx {config.host_cxx} "
        f"--emulator-dir {config.memrev_obj_root}/test/simt:"
        f"{config.memrev_obj_root}/test/vendor",
    )
)

# What takes longer than the tests of a change should: `lit -Dslow=1`.
if lit_config.params.get("slow"):
    config.available_features.add("slow")
if config.memrev_sanitize:
    config.available_features.add("sanitize")
if shutil.which("ptxas"):
    config.available_features.add("ptxas")
if os.path.exists("/proc/cpuinfo"):
    with open("/proc/cpuinfo") as file:
        if {"avx2", "fma"} <= set(file.read().split()):
            config.available_features.add("avx2")
if ctypes.util.find_library("cuda"):
    config.available_features.add("cuda")
# Where programs would find them, which the emulator is no driver for.
for library in ("cublasLt", "cudnn"):
    if ctypes.util.find_library(library) or any(
            glob.glob(f"{folder}/nvidia/*/lib/lib{library}.so.*") for folder in sys.path):
        config.available_features.add("vendor-libraries")

# Commands that use the Python package run in the environment of
# scripts/setup-python.sh, if it is there.
venv = os.path.join(config.memrev_src_root, ".venv", "bin")
if os.path.isdir(venv):
    llvm_config.with_environment("PATH", venv, append_path=True)
for package in ("numpy", "mpmath"):
    if subprocess.run(["python3", "-c", f"import {package}"], capture_output=True,
                      env=dict(config.environment)).returncode == 0:
        config.available_features.add(package)
llvm_config.with_environment(
    "PYTHONPATH", os.path.join(config.memrev_src_root, "python-frontend"))
llvm_config.with_environment("MEMREV_BUILD_DIR", config.memrev_obj_root)
# The user's cache of compiled programs is no business of tests.
llvm_config.with_environment("MEMREV_CACHE_DIR", os.path.join(config.test_exec_root, "cache"))

llvm_config.use_default_substitutions()
llvm_config.with_environment("PATH", config.llvm_tools_dir, append_path=True)
llvm_config.with_environment("PATH", config.memrev_tools_dir, append_path=True)
llvm_config.add_tool_substitutions(
    [
        ToolSubst("memrev-opt", unresolved="fatal"),
        ToolSubst("memrev-compile", unresolved="ignore"),
        ToolSubst("memrev-fuzz-autodiff", unresolved="ignore"),
        ToolSubst("memrev-check-ordering", unresolved="ignore"),
        ToolSubst("memrev-check-packing", unresolved="ignore"),
        ToolSubst("memrev-check-planning", unresolved="ignore"),
        ToolSubst("memrev-simt", unresolved="ignore"),
        ToolSubst("memrev-tblgen", unresolved="ignore"),
        "mlir-opt",
        "mlir-runner",
    ],
    [config.memrev_tools_dir, config.llvm_tools_dir],
)
