# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Takes the compiler's library from the build folder into the package.

MEMREV_WHEEL_DIR names a folder with all libraries that the package shall hold, which
scripts/wheel.sh makes: libMemRevC.so with LLVM inside, and the OpenMP runtime. Without
it the package gets the library of the build folder (MEMREV_BUILD_DIR, or build/), which
needs LLVM's libraries where it runs.
"""

import os
import shutil
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent
LIBRARY = "libMemRevC.so"
#: What programs for cuda are linked with.
RUNTIME = "libMemRevCUDARuntime.a"


class BuildWithLibrary(build_py):
    """Copies libraries next to the collected Python files. A development install finds
    that of the build folder by itself."""

    def run(self):
        super().run()
        if self.editable_mode:
            return
        if "MEMREV_WHEEL_DIR" in os.environ:
            folder = Path(os.environ["MEMREV_WHEEL_DIR"])
        else:
            folder = Path(os.environ.get("MEMREV_BUILD_DIR", HERE.parent / "build")) / "lib"
        target = Path(self.build_lib) / "memrev" / "_lib"
        target.mkdir(parents=True, exist_ok=True)
        for name in (LIBRARY, RUNTIME):
            source = folder / name
            if not source.is_file():
                raise SystemExit(
                    f"{source} is missing: build memrev first (CONTRIBUTING.md), or name the "
                    "folder where it was built by MEMREV_BUILD_DIR")
            shutil.copy2(source, target)
        if "MEMREV_WHEEL_DIR" in os.environ:
            for other in folder.glob("libomp.so*"):
                shutil.copy2(other, target)


class WheelForAnyPython(bdist_wheel):
    """The library is called through ctypes, so that it suits every Python 3."""

    def get_tag(self):
        return "py3", "none", super().get_tag()[2]


class BinaryDistribution(Distribution):
    """The package holds machine code, so a wheel of it is not for any machine."""

    def has_ext_modules(self):
        return True


setup(cmdclass={"build_py": BuildWithLibrary, "bdist_wheel": WheelForAnyPython},
      distclass=BinaryDistribution)
