# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Modules: networks as descriptions, apart from their parameters.

A module is a Python object with hyper-parameters, declarations of parameters and
state, and other modules as attributes or in lists, tuples and dicts:

    class Perceptron(nn.Module):
        def __init__(self, features):
            self.weight = nn.Parameter((features, features), nn.init.he_normal())
            self.norm = nn.LayerNorm(features)

        def __call__(self, x):
            return np.tanh(self.norm(x) @ self.weight)

    model = Perceptron(64)
    variables = model.init(0)          # {"params": ..., "state": ...}
    y, state = model.apply(variables["params"], variables["state"], x)

Parameters live outside, in nested dicts that are named by the path of attributes:
`params["norm"]["scale"]`; the items of a list have their indices as keys. Modules
without parameters have no entry. A module that is reached by two paths has one set
of parameters, under the first of them.

`apply` is a pure function of arrays, NumPy's or traced ones: while it runs, the
declared attributes of modules stand for the arrays it was given.
"""

import math
import threading
from typing import Any, Callable, Dict, Optional, Tuple

import numpy as np

from .. import tree

__all__ = ["Module", "Parameter", "State"]


class _Declaration:
    def __init__(self, shape, init):
        self.shape = tuple(int(n) for n in shape)
        self.init = init


class Parameter(_Declaration):
    """Declares a parameter: assign it to an attribute of a module.

    `shape` is a tuple of ints, `init(generator, shape, dtype)` makes the array
    (see `memrev.nn.init`).
    """


class State(_Declaration):
    """Declares an array that training changes without a gradient, such as a running
    average. As `Parameter`; it changes by `Module.update`."""


class Module:
    """A network, or a part of one. Subclasses define `__init__`, which declares, and
    `__call__`, which computes."""

    #: How often the parameters of the modules inside are stacked; None: not at all.
    copies: Optional[int] = None

    def __setattr__(self, name, value):
        declared = self.__dict__.setdefault("_declared", {})
        if isinstance(value, _Declaration):
            declared[name] = value
        elif name in declared:
            raise AttributeError(
                f"'{name}' of {type(self).__name__} was declared and expects no other value: "
                "parameters are arguments of apply, and states change by update")
        else:
            object.__setattr__(self, name, value)

    def __getattr__(self, name):
        # Called for attributes that are not found otherwise: the declared ones.
        if name in self.__dict__.get("_declared", ()):
            return _scope(self).read(self, name)
        raise AttributeError(f"{type(self).__name__} has no attribute '{name}'")

    def __call__(self, *args, **kwargs):
        raise NotImplementedError(f"{type(self).__name__} expects a method __call__")

    def init(self, seed: int, dtype=np.float32) -> Dict[str, dict]:
        """Makes parameters and states: {"params": nested dict, "state": nested dict}.

        `seed` is an integer or a `numpy.random.Generator`; equal seeds give equal
        arrays. Parameters are drawn in the order of attributes, a module's own first.
        """
        params, state = _make(_Node(self), np.random.default_rng(seed), np.dtype(dtype))
        return {"params": params, "state": state}

    def apply(self, params: dict, state: dict, *args, train: bool = False,
              rng: Optional[Tuple[Any, Any]] = None, method: Optional[str] = None, **kwargs):
        """Calls the module with parameters and states.

        Returns the result and the new state, a nested dict like `state`. With `train`
        layers behave as in training: batch norm uses the batch's statistics, dropout
        drops. `rng` is the pair (seed, step) of integers of which random layers are a
        function; `method` names a method to call instead of `__call__`.

        Raises ValueError that names the path if `params` or `state` lack an array, hold
        one too many, or one of another shape.
        """
        node = _Node(self)
        node.check(params, Parameter, "params")
        node.check(state, State, "state")
        scope = _Scope(train=train, rng=rng)
        new_state = _copy(state)
        scope.bind(node, params, new_state)
        with scope:
            function = self if method is None else getattr(self, method)
            result = function(*args, **kwargs)
        return result, new_state

    def initialize(self, params: dict, state: dict, *args,
                   rng: Optional[Tuple[Any, Any]] = None, method: Optional[str] = None,
                   **kwargs) -> Dict[str, dict]:
        """Initialisation by data: calls the module as `apply(..., train=True)` does, while
        layers that choose their parameters by a first batch (`self.initializing`), such as
        `memrev.flows.ActNorm`, set them by what reaches them.

        Returns {"params": nested dict, "state": nested dict} like the arguments, which stay
        as they are. A pure function: call it under `memrev.jit`. Raises what `apply` does.
        """
        node = _Node(self)
        node.check(params, Parameter, "params")
        node.check(state, State, "state")
        scope = _Scope(train=True, rng=rng, initializing=True)
        found = {"params": _copy(params), "state": _copy(state)}
        scope.bind(node, found["params"], found["state"])
        with scope:
            (self if method is None else getattr(self, method))(*args, **kwargs)
        return found

    def update(self, name: str, function: Callable, *values):
        """Sets the state `name` to `function(its value, *values)`, once for each call; while
        `initialize` runs parameters, too.

        Inside of a coupling `function` is called after the coupling, with `values` as
        auxiliary results of it; so an inverse or a derivative does not repeat it.
        """
        scope = _scope(self)
        declared = self._declared.get(name)
        if not isinstance(declared, _Declaration if scope.initializing else State):
            raise AttributeError(f"{type(self).__name__} expects a declared state, but got "
                                 f"'{name}'")
        kind = "state" if isinstance(declared, State) else "params"
        scope.update(scope.binding(self), kind, name, function, values)

    @property
    def training(self) -> bool:
        """Whether `apply` was called with `train`."""
        return _scope(self).train

    @property
    def initializing(self) -> bool:
        """Whether `initialize` runs."""
        return _scope(self).initializing

    def random_key(self):
        """What makes the random numbers of one layer in one step: (seed, step, layer),
        where no other call of this method in the same apply, and no other iteration of a
        Repeat, gets the same layer. Raises ValueError if apply was called without `rng`.
        """
        scope = _scope(self)
        if scope.rng is None:
            raise ValueError(f"{type(self).__name__} expects apply(..., rng=(seed, step)), but "
                             "got no rng")
        return (*scope.rng, scope.next_layer())

    @property
    def num_parameters(self) -> int:
        """The number of elements of all parameters."""
        return _Node(self).count()


# ------------------------------------------------------------------------------
# The tree of modules
# ------------------------------------------------------------------------------


def _children(value):
    """Pairs of key and value of what may hold modules in an attribute."""
    if isinstance(value, (list, tuple)):
        return enumerate(value)
    if isinstance(value, dict):
        return value.items()
    return ()


class _Node:
    """The declarations of a module and of those inside of it. Items of lists are
    nodes without a module."""

    def __init__(self, value, path=(), seen=None):
        seen = set() if seen is None else seen
        self.module = value if isinstance(value, Module) else None
        self.path = path
        self.copies = None
        self.declared = {}
        items = _children(value)
        if self.module is not None:
            seen.add(id(value))
            self.copies = value.copies
            attributes = vars(value)
            self.declared = attributes.get("_declared", {})
            items = [(name, attributes[name]) for name in attributes if name != "_declared"]
        self.children = {}
        for key, item in items:
            if isinstance(item, Module) and id(item) in seen:
                continue
            if isinstance(item, (Module, list, tuple, dict)):
                child = _Node(item, (*path, key), seen)
                # Leaf modules count even if they are empty: they can be called.
                if child.module is not None or child.children:
                    self.children[key] = child

    def keys(self, kind):
        """The keys of this node in `params` or in `state`."""
        own = [name for name, value in self.declared.items() if isinstance(value, kind)]
        return own + [key for key, child in self.children.items() if child.keys(kind)]

    def count(self):
        own = sum(math.prod(value.shape) for value in self.declared.values()
                  if isinstance(value, Parameter))
        return own + (self.copies or 1) * sum(c.count() for c in self.children.values())

    def check(self, values, kind, what, stack=()):
        """Compares `values` with the declarations of one kind."""
        place = tree.path_name((what, *self.path))
        wanted = self.keys(kind)
        if not isinstance(values, dict):
            raise ValueError(f"expects a dict at '{place}', but got {type(values).__name__}")
        for key in wanted:
            if key not in values:
                raise ValueError(f"expects '{key}' in '{place}', but got "
                                 f"({', '.join(map(str, values))})")
        for key in values:
            if key not in wanted:
                raise ValueError(f"expects ({', '.join(map(str, wanted))}) in '{place}', but "
                                 f"got '{key}'")
        for key in wanted:
            if key in self.children:
                inner = stack if self.copies is None else (*stack, self.copies)
                self.children[key].check(values[key], kind, what, inner)
                continue
            shape = (*stack, *self.declared[key].shape)
            found = getattr(values[key], "shape", None)
            if found is None or tuple(found) != shape:
                got = type(values[key]).__name__ if found is None else f"shape {list(found)}"
                raise ValueError(f"expects an array of shape {list(shape)} at "
                                 f"'{place}.{key}', but got {got}")


def _make(node, generator, dtype):
    """Draws the parameters and states of a node."""
    params, state = {}, {}
    for name, value in node.declared.items():
        target = params if isinstance(value, Parameter) else state
        target[name] = value.init(generator, value.shape, dtype)
    # Stacked modules are drawn one after the other, as separate ones would be.
    drawn = [_make_children(node, generator, dtype) for _ in range(node.copies or 1)]
    if node.copies is not None:
        drawn = [tree.map(lambda *arrays: np.stack(arrays), *drawn)]
    (inner_params, inner_state), = drawn
    return {**params, **inner_params}, {**state, **inner_state}


def _make_children(node, generator, dtype):
    params, state = {}, {}
    for key, child in node.children.items():
        inner_params, inner_state = _make(child, generator, dtype)
        if inner_params:
            params[key] = inner_params
        if inner_state:
            state[key] = inner_state
    return params, state


def _copy(state):
    return {key: _copy(value) if isinstance(value, dict) else value
            for key, value in state.items()}


# ------------------------------------------------------------------------------
# What modules read during a call of apply
# ------------------------------------------------------------------------------


class _Binding:
    """The arrays of a module: its part of the nested dicts. The dicts that updates write
    into, of the state, and in `initialize` of the parameters, belong to this call."""

    __slots__ = ("node", "params", "state")

    def __init__(self, node, params, state):
        self.node, self.params, self.state = node, params, state


class _Active(threading.local):
    scope = None


_active = _Active()


class _Scope:
    """What modules see: their arrays, whether they train or are initialised by data,
    random numbers.

    The scope of a coupling or of a loop's body is inside of another one (`outer`),
    whose bindings it sees. With `deferred`, in a coupling, updates of the state wait
    in `pending` until the outer scope takes them.
    """

    def __init__(self, outer=None, deferred=False, train=False, rng=None, loops=None,
                 initializing=False):
        self.outer = outer
        self.train = outer.train if outer else train
        self.initializing = outer.initializing if outer else initializing
        self.rng = outer.rng if outer else rng
        self.bindings = {}
        self.pending = [] if deferred else None
        #: The loops around, from the outside: pairs of counter and number of iterations.
        self.loops = loops or (outer.loops if outer else ())
        self._layers = 0
        self._previous = None

    def __enter__(self):
        self._previous, _active.scope = _active.scope, self
        return self

    def __exit__(self, *exception):
        _active.scope = self._previous

    def bind(self, node, params, state):
        """Gives the modules of a node their arrays; `state` is changed by updates."""
        if node.module is not None:
            self.bindings[id(node.module)] = _Binding(node, params, state)
        if node.copies is None:
            for key, child in node.children.items():
                self.bind(child, params.get(key, {}), state.get(key, {}))

    def binding(self, module):
        scope = self
        while scope is not None:
            found = scope.bindings.get(id(module))
            if found is not None:
                return found
            scope = scope.outer
        raise RuntimeError(
            f"expects {type(module).__name__} to be an attribute, or in a list or dict that is "
            "one, of the module that apply was called on, and called in the loop if it is in "
            "one; but got one that is not")

    def read(self, module, name):
        binding = self.binding(module)
        return (binding.params if name in binding.params else binding.state)[name]

    def update(self, binding, kind, name, function, values):
        """Changes an array of `kind` "params" or "state"."""
        if self.pending is not None:
            self.pending.append((binding, kind, name, function, values))
        elif binding not in self.bindings.values():
            # Only the arrays of the repeated block are carried from iteration to iteration.
            what = "state" if kind == "state" else "parameter"
            raise RuntimeError(
                f"expects the {what} '{name}' of {type(binding.node.module).__name__}, which "
                "changes in each iteration of a Repeat, to be a part of the repeated block, but "
                "got one from outside of it")
        else:
            arrays = getattr(binding, kind)
            arrays[name] = function(arrays[name], *values)

    def next_layer(self):
        """A number that no other random layer of this call has, in no iteration of
        the loops around it: the `layer` of random operations."""
        count, iteration = 1, None
        for counter, extent in self.loops:
            count *= extent
            iteration = counter if iteration is None else iteration * extent + counter
        scope = self
        while scope.outer is not None:
            scope = scope.outer
        first = scope._layers
        scope._layers += count
        if iteration is None:
            return first
        return iteration + first if first else iteration


def detached(module):
    """(params, function): the parameters that a module has now, and the module as a function
    of parameters and arguments that reads no others. For rules of derivatives, which may
    read nothing but their arguments."""
    scope = _scope(module)
    binding = scope.binding(module)

    def function(params, *args):
        inner = _Scope(outer=scope)
        inner.bind(binding.node, params, _copy(binding.state))
        with inner:
            return module(*args)

    return binding.params, function


def _scope(module):
    if _active.scope is None:
        raise RuntimeError(f"expects {type(module).__name__} to be called by apply(params, "
                           "state, ...), but got a call or attribute outside of it")
    return _active.scope
