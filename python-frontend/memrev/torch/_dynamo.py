# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`torch.compile(backend="memrev")`."""

import collections
import threading
import warnings

import torch
from torch._dynamo.backends import registry

from ._backend import reason_of
from ._capture import GraphOfDynamo, capture
from ._compiled import Evaluation

#: Programs that one graph keeps, which has one for each shape where Dynamo leaves shapes
#: open; those not used longest go first.
CACHE_SIZE = 64


def _apart(args):
    """Tensors like those of `args`, none of which shares memory with another one: whether
    arguments do is no part of a program (see `Evaluation.is_possible`)."""
    found, storages = [], set()
    for value in args:
        if isinstance(value, torch.Tensor):
            storage = value.untyped_storage()._cdata
            if storage in storages:
                value = torch.empty_strided(
                    value.shape, value.stride(), dtype=value.dtype, device=value.device,
                    requires_grad=value.requires_grad)
            storages.add(storage)
        found.append(value)
    return tuple(found)


class _CompiledGraph:
    """A graph of Dynamo's as programs: one with derivatives and one without, for each
    value of what Dynamo does not know (sizes, if it takes them as arguments)."""

    def __init__(self, graph_module):
        self._graph_module = graph_module
        self._programs = collections.OrderedDict()
        self._is_refused = False
        self._lock = threading.Lock()

    def program(self, args):
        """The program for these arguments, or None if PyTorch has to run the graph."""
        key = (torch.is_grad_enabled(), tuple(
            (a.shape, a.stride()) if isinstance(a, torch.Tensor) else a for a in args))
        with self._lock:
            if key not in self._programs:
                self._programs[key] = self._compile(args)
                while len(self._programs) > CACHE_SIZE:
                    self._programs.popitem(last=False)
            self._programs.move_to_end(key)
            return self._programs[key]

    def _compile(self, args):
        try:
            args = _apart(args)
            return Evaluation(capture(GraphOfDynamo(self._graph_module), args), args)
        except Exception as error:  # Tracing runs code of others, on tensors without numbers.
            self._refuse(reason_of(error))
            return None

    def _refuse(self, reason):
        if not self._is_refused:
            self._is_refused = True
            warnings.warn(f"PyTorch runs a graph that memrev does not compile: {reason}",
                          stacklevel=2)

    def __call__(self, *args):
        program = self.program(args)
        if program is not None:
            if program.is_possible(args):
                return program.run(args)
            self._refuse("an argument that it changes shares memory with another one")
        return self._graph_module(*args)


def memrev(graph_module: torch.fx.GraphModule, example_inputs):
    """Compiles a graph for `torch.compile(backend="memrev")`: its forward and backward
    pass are programs, in which values of the forward pass are had back by inversion where
    that is possible.

    A graph that has no compiled form is run by PyTorch, with one warning that names the
    operation and the user's line. Results, gradients and mutations of buffers are
    PyTorch's; random numbers follow from PyTorch's generator, but are others. With
    dynamic shapes each shape is compiled on its own.
    """
    compiled = _CompiledGraph(graph_module)
    if all(isinstance(x, torch.Tensor) for x in example_inputs):
        compiled.program(example_inputs)
    return compiled


# Dynamo registers what it finds as an entry point of an installed package itself.
if "memrev" not in registry._BACKENDS:
    registry.register_backend(memrev)
