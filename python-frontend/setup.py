# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Takes the compiler's library from the build folder into the package."""

import os
import shutil
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent
LIBRARY = "libMemRevC.so"


class BuildWithLibrary(build_py):
    """Copies the library next to the Python files before they are collected."""

    def run(self):
        build = Path(os.environ.get("MEMREV_BUILD_DIR", HERE.parent / "build"))
        source = build / "lib" / LIBRARY
        if not source.is_file():
            raise SystemExit(
                f"{source} is missing: build memrev first (scripts/test.sh), or set "
                "MEMREV_BUILD_DIR to the folder where it was built"
            )
        target = HERE / "memrev" / "_lib"
        target.mkdir(exist_ok=True)
        shutil.copy2(source, target / LIBRARY)
        super().run()


class BinaryDistribution(Distribution):
    """The package holds machine code, so a wheel of it is not for any machine."""

    def has_ext_modules(self):
        return True


setup(cmdclass={"build_py": BuildWithLibrary}, distclass=BinaryDistribution)
