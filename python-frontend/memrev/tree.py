# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Trees of Python containers: parameters, states, arguments and results.

A tree is a dict, a list, a tuple, a named tuple, None, an object of a registered
class, or a leaf: anything else. None has no leaves. The children of a node have
keys: those of a dict, the indices of a list or tuple, the fields of a named tuple
or dataclass. The path of a leaf is the tuple of the keys that lead to it.

    >>> flatten({"weight": 1, "layers": [2, 3]})[0]
    [2, 3, 1]

Leaves come in the order of sorted keys, so that equal dicts have equal leaves
whatever order they were written in. `unflatten` gives dicts the order of the
original back.
"""

import dataclasses
from typing import Any, Callable, Hashable, Iterable, List, Sequence, Tuple

__all__ = [
    "Structure", "children", "difference", "flatten", "flatten_with_paths", "leaves", "map",
    "map_with_path", "path_name", "register", "register_dataclass", "structure", "unflatten",
]

Path = Tuple[Hashable, ...]

_map = map  # This module has a function of that name.
_registry = {}


class Structure:
    """The shape of a tree: which containers, which keys, without the leaves.

    Structures are hashable. Two are equal if they hold the same containers with
    the same keys; the order of a dict's keys does not matter.
    """

    __slots__ = ("type", "static", "keys", "children", "num_leaves", "_order", "_hash")

    def __init__(self, type, static, keys, children, order=None):
        #: The container's class; None for a leaf.
        self.type = type
        #: What a registered class holds beside its children.
        self.static = static
        #: The children's keys in the order of leaves.
        self.keys = keys
        #: The children's structures in that order.
        self.children = children
        self.num_leaves = sum(child.num_leaves for child in children) if type else 1
        self._order = order
        self._hash = None

    def _same_node(self, other):
        return (self.type is other.type and self.keys == other.keys
                and self.static == other.static)

    def __eq__(self, other):
        if not isinstance(other, Structure):
            return NotImplemented
        return self is other or (self._same_node(other) and self.children == other.children)

    def __hash__(self):
        if self._hash is None:
            self._hash = hash((self.type, self.static, self.keys, self.children))
        return self._hash

    def __repr__(self):
        return f"Structure({unflatten(self, [_Star()] * self.num_leaves)})"

    def paths(self) -> List[Path]:
        """The path of each leaf, in their order."""
        result = []
        _collect_paths(self, (), result)
        return result


class _Star:
    def __repr__(self):
        return "*"


_LEAF = Structure(None, None, (), ())
_NONE = Structure(type(None), None, (), ())


def register(cls, flatten: Callable, unflatten: Callable):
    """Makes objects of `cls` nodes of trees. Returns `cls`.

    `flatten(node)` returns a dict from keys to children, and a hashable value of
    what else the node holds; `unflatten(children, static)` makes a node of them.
    Subclasses are registered on their own. Raises ValueError if `cls` is known.
    """
    if cls in _registry or cls in (dict, list, tuple, type(None)):
        raise ValueError(f"expects a class that is not registered yet, but got {cls.__name__}")
    _registry[cls] = (flatten, unflatten)
    return cls


def register_dataclass(cls=None, *, static: Sequence[str] = ()):
    """Makes a dataclass a node: fields are children, but for those in `static`,
    whose values are hashable and belong to the structure.

        @memrev.tree.register_dataclass
        @dataclasses.dataclass
        class Sample: ...
    """
    if cls is None:
        return lambda decorated: register_dataclass(decorated, static=static)
    if not dataclasses.is_dataclass(cls):
        raise TypeError(f"expects a dataclass, but got {cls.__name__}")
    names = [field.name for field in dataclasses.fields(cls)]
    unknown = [name for name in static if name not in names]
    if unknown:
        raise ValueError(f"expects fields of {cls.__name__} ({', '.join(names)}) as static, "
                         f"but got '{unknown[0]}'")
    inner = [name for name in names if name not in static]

    def take_apart(node):
        return ({name: getattr(node, name) for name in inner},
                tuple((name, getattr(node, name)) for name in static))

    def put_together(children, static_values):
        # Not through __init__: leaves may be placeholders that it would refuse.
        node = object.__new__(cls)
        for name, value in (*children.items(), *static_values):
            object.__setattr__(node, name, value)
        return node

    return register(cls, take_apart, put_together)


def _sorted_keys(keys):
    try:
        return tuple(sorted(keys))
    except TypeError:
        return tuple(sorted(keys, key=lambda key: (type(key).__name__, key)))


def _flatten(node, out):
    """Appends the leaves of `node` to `out` and returns its structure."""
    kind = type(node)
    if kind is dict:
        order = tuple(node)
        keys = _sorted_keys(order)
        return Structure(dict, None, keys, tuple([_flatten(node[key], out) for key in keys]),
                         order)
    if kind is list or kind is tuple:
        return Structure(kind, None, tuple(range(len(node))),
                         tuple([_flatten(child, out) for child in node]))
    if node is None:
        return _NONE
    entry = _registry.get(kind)
    if entry is not None:
        children, static = entry[0](node)
        return Structure(kind, static, tuple(children),
                         tuple([_flatten(child, out) for child in children.values()]))
    if _is_named_tuple(kind):
        return Structure(kind, None, kind._fields, tuple([_flatten(child, out) for child in node]))
    out.append(node)
    return _LEAF


def children(node) -> Tuple[Any, dict]:
    """The class of a node and its children by their keys; (None, {}) for a leaf."""
    kind = type(node)
    if kind is dict:
        return kind, node
    if kind is list or kind is tuple:
        return kind, dict(enumerate(node))
    if node is None:
        return kind, {}
    entry = _registry.get(kind)
    if entry is not None:
        return kind, entry[0](node)[0]
    if _is_named_tuple(kind):
        return kind, dict(zip(kind._fields, node))
    return None, {}


def _is_named_tuple(kind):
    return issubclass(kind, tuple) and hasattr(kind, "_fields")


def _unflatten(structure, remaining):
    kind = structure.type
    if kind is None:
        return next(remaining)
    if kind is type(None):
        return None
    children = [_unflatten(child, remaining) for child in structure.children]
    if kind is dict:
        by_key = dict(zip(structure.keys, children))
        return {key: by_key[key] for key in structure._order}
    if kind is list or kind is tuple:
        return kind(children)
    entry = _registry.get(kind)
    if entry is not None:
        return entry[1](dict(zip(structure.keys, children)), structure.static)
    return kind(*children)


def _collect_paths(structure, path, out):
    if structure.type is None:
        out.append(path)
    for key, child in zip(structure.keys, structure.children):
        _collect_paths(child, (*path, key), out)


def flatten(tree) -> Tuple[list, Structure]:
    """Returns the leaves of `tree` and its structure."""
    out = []
    found = _flatten(tree, out)
    return out, found


def unflatten(structure: Structure, leaves: Iterable) -> Any:
    """Makes the tree of that structure with those leaves, the inverse of `flatten`.

    Raises ValueError if there are more or fewer leaves than the structure has.
    """
    leaves = list(leaves)
    if len(leaves) != structure.num_leaves:
        raise ValueError(f"expects {structure.num_leaves} leaves, but got {len(leaves)}")
    return _unflatten(structure, iter(leaves))


def flatten_with_paths(tree) -> Tuple[List[Tuple[Path, Any]], Structure]:
    """Returns pairs of path and leaf, and the structure."""
    out, found = flatten(tree)
    return list(zip(found.paths(), out)), found


def leaves(tree) -> list:
    """The leaves of `tree`."""
    return flatten(tree)[0]


def structure(tree) -> Structure:
    """The structure of `tree`."""
    return flatten(tree)[1]


def path_name(path: Path) -> str:
    """A path as text, "layers.0.weight"; "the root" for the empty path."""
    return ".".join(_map(str, path)) if path else "the root"


def _describe(node):
    if node.type is None:
        return "a leaf"
    if node.type is type(None):
        return "None"
    if node.type in (list, tuple):
        return f"a {node.type.__name__} of {len(node.keys)}"
    text = f"a {node.type.__name__} of ({', '.join(_map(str, node.keys))})"
    return f"{text} with {node.static}" if node.static else text


def difference(expected: Structure, found: Structure, path: Path = ()) -> str:
    """Says where two structures differ first: "expects a dict of (bias, weight) at
    'layers.0', but got a leaf". Returns "" if they are equal."""
    if not expected._same_node(found):
        place = f"'{path_name(path)}'" if path else "the root"
        return f"expects {_describe(expected)} at {place}, but got {_describe(found)}"
    for key, a, b in zip(expected.keys, expected.children, found.children):
        text = difference(a, b, (*path, key))
        if text:
            return text
    return ""


def _aligned(tree, rest):
    """The leaves of `tree`, its structure, and tuples of the leaves of all trees."""
    out, found = flatten(tree)
    columns = [out]
    for other in rest:
        other_leaves, other_structure = flatten(other)
        if other_structure != found:
            raise ValueError(difference(found, other_structure))
        columns.append(other_leaves)
    return found, zip(*columns)


def map(function: Callable, tree, *rest):
    """The tree of `function(leaf, *leaves of the rest at the same place)`.

    Raises ValueError that names the path at which the trees' structures differ.
    """
    found, rows = _aligned(tree, rest)
    return _unflatten(found, iter([function(*row) for row in rows]))


def map_with_path(function: Callable, tree, *rest):
    """As `map`, with the leaf's path as the first argument of `function`."""
    found, rows = _aligned(tree, rest)
    return _unflatten(
        found, iter([function(path, *row) for path, row in zip(found.paths(), rows)]))
