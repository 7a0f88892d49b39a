# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`torch.compile(backend="memrev")`."""

import threading
import warnings

import torch
from torch._dynamo.backends import registry
from torch.fx import traceback as fx_traceback

from .._program import CompileError
from ._capture import CaptureError, capture
from ._compiled import Evaluation
from ._fx import UnsupportedOperation


class _Graph(torch.nn.Module):
    """A graph of Dynamo's. Run node by node, so that what is traced keeps the places in
    the user's code."""

    def __init__(self, graph_module):
        super().__init__()
        self.graph_module = graph_module

    def forward(self, *args):
        with fx_traceback.preserve_node_meta():
            return torch.fx.Interpreter(self.graph_module).run(*args)


class _CompiledGraph:
    """A graph of Dynamo's as programs: one with derivatives and one without, for each
    value of what Dynamo does not know (sizes, if it takes them as arguments)."""

    def __init__(self, graph_module):
        self._graph_module = graph_module
        self._programs = {}
        self._lock = threading.Lock()

    def program(self, args):
        """The program for these arguments, or None if PyTorch has to run the graph."""
        key = (torch.is_grad_enabled(), tuple(
            (a.shape, a.stride()) if isinstance(a, torch.Tensor) else a for a in args))
        with self._lock:
            if key not in self._programs:
                self._programs[key] = self._compile(args)
            return self._programs[key]

    def _compile(self, args):
        try:
            return Evaluation(capture(_Graph(self._graph_module), tuple(args)), args)
        except (UnsupportedOperation, CaptureError, CompileError) as error:
            warnings.warn(f"PyTorch runs a graph that memrev does not compile: {error}",
                          stacklevel=2)
            return None

    def __call__(self, *args):
        program = self.program(args)
        return self._graph_module(*args) if program is None else program.run(args)


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
