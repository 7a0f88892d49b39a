# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every public name of the package says what it is."""

import importlib
import inspect
import pkgutil

import pytest

import memrev


def modules():
    yield "memrev"
    for info in pkgutil.walk_packages(memrev.__path__, "memrev."):
        if not any(part.startswith("_") for part in info.name.split(".")):
            yield info.name


def members(module):
    """(name, object) of what `module` publishes and our code defines."""
    names = getattr(module, "__all__", None)
    if names is None:
        names = [name for name, value in vars(module).items()
                 if not name.startswith("_")
                 and getattr(value, "__module__", None) == module.__name__]
    for name in names:
        value = getattr(module, name)
        if inspect.isclass(value) or inspect.isroutine(value):
            if (getattr(value, "__module__", None) or "").startswith("memrev"):
                yield name, value


@pytest.mark.parametrize("name", modules())
def test_documented(name):
    module = importlib.import_module(name)
    assert inspect.getdoc(module), f"{name} has no docstring"
    missing = []
    for member, value in members(module):
        if not value.__doc__:
            missing.append(member)
        if inspect.isclass(value):
            for attribute, function in vars(value).items():
                if attribute.startswith("_") or not (
                        inspect.isroutine(function) or isinstance(function, property)):
                    continue
                if not inspect.getdoc(getattr(value, attribute)):
                    missing.append(f"{member}.{attribute}")
    assert not missing, f"no docstring: {', '.join(missing)} in {name}"
