# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Who keeps the activation between two invertible modules.

The backward pass of an invertible module starts from the module's output and
gives back its input. In a chain the input of one module is the output of the one
before it, so a chain needs to keep its last output only. No tensor is ever
overwritten or emptied for that: an `Activation` stands for the output of one
module, and is in one of two states.

- kept: it refers to the tensor. So begins every output.
- handed over: the next module of the chain can restore it, and it refers to
  that module's `Link` instead. The tensor is freed as soon as nobody else has it.

When the backward pass of the next module has restored the activation, it lends it
to the module before, which runs next. If autograd frees the graph behind itself,
the loan becomes the activation's own tensor and the link is dropped, so that the
output of the next module can be freed; if the graph is retained, the loan is for
one reading. A backward pass that does not run the next module (its output has no
part in the loss) restores the activation through the link on demand.

References go in one direction, from the front of the chain to its end:

    autograd node -> saved variable -> Handle -> Link -> Activation -> Link of the next module ...

There is no cycle, so a graph without a backward pass is freed with its last
reference. Links know the activations that they restore by weak references only.
"""

import weakref
from typing import List, Optional

import torch


class Activation:
    """The output of an invertible module, or the way to get it back."""

    __slots__ = ("_tensor", "_version", "_loan", "_link", "__weakref__")

    def __init__(self, tensor: torch.Tensor):
        self._loan: Optional[torch.Tensor] = None
        self._link: Optional["Link"] = None
        self._keep(tensor)

    def _keep(self, tensor):
        # The alias has no grad_fn, which would be a cycle, and shares the version counter.
        self._tensor = tensor.detach()
        self._version = self._tensor._version

    @property
    def is_at_hand(self) -> bool:
        return self._tensor is not None or self._loan is not None

    def holds(self, tensor: torch.Tensor) -> bool:
        """Whether `tensor`, which shares memory with the output, still has its value."""
        return tensor._version == self._version

    def hand_over(self, link: "Link") -> None:
        """From now on `link` restores the activation."""
        if self._link is None:
            self._link = link
            self._tensor = None

    def lend(self, tensor: torch.Tensor) -> None:
        """Takes the value that `link`'s backward pass restored."""
        if self._tensor is None:
            self._loan = tensor

    def settle(self) -> None:
        """The module that restores the activation will not run again."""
        if self._loan is not None:
            self._keep(self._loan)
            self._loan = self._link = None

    def read(self) -> torch.Tensor:
        """The value. Raises RuntimeError if somebody has modified it in place."""
        if not self.is_at_hand:
            self._link.restore()
        if self._tensor is None:
            tensor, self._loan = self._loan, None
            return tensor
        if self._tensor._version != self._version:
            raise RuntimeError(
                "expects the output of an invertible module to stay as it is until the backward "
                f"pass, but got one of shape {list(self._tensor.shape)} that was modified by an "
                f"inplace operation: it is at version {self._tensor._version}; expected version "
                f"{self._version}"
            )
        return self._tensor


class Link:
    """A call of an invertible module (`_call.ModuleCall`), between the activations of
    its inputs and those of its outputs. `named` are the tensors that it takes by name."""

    __slots__ = ("_call", "_named", "outputs", "_inputs", "__weakref__")

    def __init__(self, call, named: List[torch.Tensor]):
        self._call = call
        self._named = named
        self.outputs: List[Activation] = []
        self._inputs = []

    def take(self, inputs: List[Optional[Activation]]) -> None:
        """Takes over the inputs of the call, where they are activations."""
        self._inputs = [None if a is None else weakref.ref(a) for a in inputs]
        for activation in inputs:
            if activation is not None:
                activation.hand_over(self)

    def _wanted(self):
        """The activations of the inputs that somebody still refers to."""
        for index, reference in enumerate(self._inputs):
            activation = None if reference is None else reference()
            if activation is not None:
                yield index, activation

    @property
    def is_wanted(self) -> bool:
        """Whether somebody needs an input restored."""
        return next(self._wanted(), None) is not None

    def lend(self, tensors: List[torch.Tensor]) -> None:
        """Gives the inputs to those who need them."""
        for index, activation in self._wanted():
            activation.lend(tensors[index])

    def settle(self) -> None:
        for _, activation in self._wanted():
            activation.settle()

    def restore(self) -> None:
        """Restores the inputs from the first outputs down the chain that are at
        hand. A loop, for a chain may be longer than Python's stack is deep."""
        links = [self]
        while links:
            link = links[-1]
            if all(activation.is_at_hand for _, activation in link._wanted()):
                links.pop()
                continue
            missing = [a._link for a in link.outputs if not a.is_at_hand]
            if missing:
                links += missing
                continue
            links.pop()
            with torch.no_grad(), link._call.flags_restored():
                link.lend(link._call.restore([a.read() for a in link.outputs], link._named))


class Handle:
    """What autograd keeps in place of an output, until it frees the graph."""

    __slots__ = ("activation", "_owner")

    def __init__(self, activation: Activation, owner: "Owner"):
        self.activation = activation
        self._owner = owner


class Owner:
    """Shared by the handles of one autograd node; settles the loans of its link when
    the last one is gone."""

    __slots__ = ("link",)

    def __init__(self, link: Link):
        self.link = link

    def __del__(self):
        self.link.settle()
