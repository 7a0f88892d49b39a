# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What modules have in common that one program does for."""

import dataclasses
import types

import numpy as np
import pytest
from torch import nn

from memrev.torch._structure import Structure


@dataclasses.dataclass
class Options:
    factor: float
    names: list = dataclasses.field(default_factory=lambda: ["a"])


class Slots:
    __slots__ = ("factor",)

    def __init__(self, factor):
        self.factor = factor


def module(value):
    result = nn.Sequential(nn.Linear(2, 2))
    result[0].value = value
    return result


@pytest.mark.parametrize("make", [
    lambda n: n, float, str, lambda n: (n, [n]), lambda n: {"a": {n}}, lambda n: Options(n),
    lambda n: types.SimpleNamespace(n=n)])
def test_values_of_attributes_count(make):
    assert Structure(module(make(1))).key == Structure(module(make(1))).key
    assert Structure(module(make(1))).key != Structure(module(make(2))).key


@pytest.mark.parametrize("value", [Slots(1), dataclasses.make_dataclass(
    "Empty", [], namespace={"__slots__": ()})(), np.ones(2), print])
def test_other_objects_count_by_identity(value):
    assert Structure(module(value)).key == Structure(module(value)).key
    assert Structure(module(value)).key != Structure(module(object())).key


def test_numbers_of_several_types_differ():
    assert len({Structure(module(value)).key for value in (1, 1.0, True)}) == 3


def test_what_changes_no_longer_holds():
    for value, change in (
            ([1], lambda v: v.append(2)), ({"a": 1}, lambda v: v.update(a=2)),
            ({1}, lambda v: v.add(2)), (Options(1), lambda v: setattr(v, "factor", 2)),
            (Options(1), lambda v: v.names.append("b"))):
        structure = Structure(module(value))
        assert structure.holds()
        change(value)
        assert not structure.holds()


def test_modules_and_their_modes():
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    structure = Structure(net)
    assert structure.key == Structure(nn.Sequential(nn.Linear(2, 2), nn.ReLU())).key
    assert structure.key != Structure(nn.Sequential(nn.Linear(2, 2), nn.Tanh())).key
    net[1].eval()
    assert not structure.holds()
    assert Structure(net).key != structure.key
    twice = nn.ReLU()
    assert Structure(nn.Sequential(twice, twice)).key != Structure(
        nn.Sequential(nn.ReLU(), nn.ReLU())).key


def test_hooks():
    net = nn.Sequential(nn.ReLU())
    structure = Structure(net)
    assert not structure.is_hooked()
    net[0].register_forward_hook(lambda *_: None)
    assert structure.is_hooked()
