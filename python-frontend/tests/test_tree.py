# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Trees of containers."""

import collections
import dataclasses

import numpy as np
import pytest

from memrev import tree

Point = collections.namedtuple("Point", "x y")


@tree.register_dataclass
@dataclasses.dataclass(frozen=True)
class Pair:
    first: object
    second: object

    def __post_init__(self):
        if isinstance(self.first, str):
            raise TypeError("expects no text")


@tree.register_dataclass(static=["name"])
@dataclasses.dataclass
class Named:
    name: str
    value: object


class Bag:
    def __init__(self, items, kind):
        self.items, self.kind = items, kind


tree.register(Bag, lambda bag: (dict(enumerate(bag.items)), bag.kind),
              lambda children, kind: Bag(list(children.values()), kind))

EXAMPLES = [
    1,
    None,
    (),
    [],
    {},
    [1, (2, None), {"b": 3, "a": [4]}],
    Point(1, Point([2], 3)),
    Pair(1, {"k": 2}),
    Named("n", [1, 2]),
    {1: "x", "1": "y", (0, 2): "z"},
]


@pytest.mark.parametrize("example", EXAMPLES, ids=repr)
def test_round_trip(example):
    leaves, structure = tree.flatten(example)
    assert structure.num_leaves == len(leaves) == len(structure.paths())
    again = tree.unflatten(structure, leaves)
    assert again == example and type(again) is type(example)
    assert tree.structure(again) == structure and hash(tree.structure(again)) == hash(structure)


def test_order_of_keys_does_not_matter():
    one, other = {"b": 1, "a": 2}, {"a": 2, "b": 1}
    assert tree.flatten(one) == tree.flatten(other)
    assert hash(tree.structure(one)) == hash(tree.structure(other))
    assert list(tree.map(lambda x: x, one)) == ["b", "a"]
    assert tree.map(lambda x, y: x - y, one, other) == {"b": 0, "a": 0}


def test_integer_keys_are_sorted_as_numbers():
    assert tree.leaves({10: "ten", 2: "two"}) == ["two", "ten"]


def test_structures_differ_by_container_keys_and_static():
    structures = [tree.structure(example) for example in EXAMPLES]
    structures += [tree.structure(x) for x in ([1], (1,), {0: 1}, Named("m", [1, 2]))]
    assert len(set(structures)) == len(structures)


def test_paths():
    pairs, _ = tree.flatten_with_paths({"a": [1, Point(2, 3)], "b": Pair(4, None)})
    assert [(tree.path_name(path), leaf) for path, leaf in pairs] == [
        ("a.0", 1), ("a.1.x", 2), ("a.1.y", 3), ("b.first", 4)]
    assert tree.path_name(()) == "the root"
    assert tree.map_with_path(lambda path, x, y: (path, x + y), {"a": [1]}, {"a": [2]}) == {
        "a": [(("a", 0), 3)]}


def test_registered_class():
    bag = tree.map(lambda x: x + 1, Bag([1, 2], "paper"))
    assert bag.items == [2, 3] and bag.kind == "paper"


def test_unflatten_bypasses_the_constructor():
    assert tree.map(str, Pair(1, 2)).first == "1"


def test_arrays_are_leaves():
    array = np.ones(3)
    assert tree.leaves([array])[0] is array
    assert tree.leaves([Ellipsis, "text"]) == [Ellipsis, "text"]


@pytest.mark.parametrize("other, message", [
    ({"a": [1, 2]}, r"expects a dict of \(a, b\) at the root, but got a dict of \(a\)"),
    ({"a": [1], "b": 3}, r"expects a list of 2 at 'a', but got a list of 1"),
    ({"a": (1, 2), "b": 3}, r"expects a list of 2 at 'a', but got a tuple of 2"),
    ({"a": [1, {"c": 1}], "b": 3}, r"expects a leaf at 'a.1', but got a dict of \(c\)"),
    ({"a": [1, None], "b": 3}, r"expects a leaf at 'a.1', but got None"),
])
def test_map_names_the_place_of_a_difference(other, message):
    with pytest.raises(ValueError, match=message):
        tree.map(lambda x, y: None, {"a": [1, 2], "b": 3}, other)


def test_difference_names_what_is_static():
    text = tree.difference(tree.structure(Named("n", 1)), tree.structure(Named("m", 1)))
    assert "with (('name', 'n'),)" in text and "with (('name', 'm'),)" in text
    assert tree.difference(tree.structure([1]), tree.structure([2])) == ""


def test_errors():
    with pytest.raises(ValueError, match="expects 2 leaves, but got 3"):
        tree.unflatten(tree.structure([1, 2]), [1, 2, 3])
    with pytest.raises(ValueError, match="expects a class that is not registered yet, but got Bag"):
        tree.register(Bag, None, None)
    with pytest.raises(ValueError, match="not registered yet, but got dict"):
        tree.register(dict, None, None)
    with pytest.raises(TypeError, match="expects a dataclass, but got int"):
        tree.register_dataclass(int)
    with pytest.raises(ValueError, match=r"expects fields of Pair2 \(a\) as static, but got 'b'"):
        tree.register_dataclass(dataclasses.make_dataclass("Pair2", ["a"]), static=["b"])
