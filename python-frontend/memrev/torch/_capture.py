# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Modules of PyTorch as functional graphs of ATen operations.

torch.export traces a module and makes the graph functional. A program is differentiated
as it stands, so the graph has to say all that autograd knows: what it does not record,
or records as something else, is noticed here and refused.
"""

import contextlib
import copy
import dataclasses
import functools
import logging
import operator
import threading
import warnings
from typing import Any, List, Optional, Tuple

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx import traceback as fx_traceback
from torch.export.graph_signature import InputKind, OutputKind
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree

from ._fx import UnsupportedOperation, refusals
from ._fx.table import RULES, name_of, place_of
from ._place import device_of
from ._structure import Structure


class CaptureError(Exception):
    """A module that torch.export cannot trace."""


class ChangingModuleError(CaptureError):
    """A module whose attributes a call changes: a program would leave them as they are."""


@dataclasses.dataclass(frozen=True)
class Argument:
    """Where the tensor of a placeholder comes from: a "parameter", "buffer" or "attribute"
    of the `owner`, a module, with the name `place`; an "input" with its number `place`
    among the leaves of the call's arguments; a "constant" is the tensor `place`."""

    kind: str
    place: Any
    owner: Optional[torch.nn.Module] = None

    def read(self, leaves):
        """The tensor in a call whose arguments have those leaves."""
        if self.kind == "input":
            return leaves[self.place]
        return self.place if self.owner is None else getattr(self.owner, self.place)


class View:
    """A view operation of a graph, to be applied to a tensor."""

    __slots__ = ("_target", "_args", "_kwargs")

    def __init__(self, node):
        self._target, self._args, self._kwargs = node.target, node.args[1:], node.kwargs

    def __call__(self, tensor):
        return self._target(tensor, *self._args, **self._kwargs)


@dataclasses.dataclass(frozen=True)
class Output:
    """A leaf of what the module returns: a `constant`, or a tensor that begins as argument
    or result `number` and goes through `views`: it shares memory where PyTorch's would."""

    source: str  # "constant", "argument" or "result"
    constant: Any = None
    number: int = 0
    views: Tuple[View, ...] = ()


@dataclasses.dataclass(frozen=True)
class Capture:
    """A module's forward pass for arguments of certain types, in its current mode."""

    graph_module: torch.fx.GraphModule
    #: One for each placeholder; None for one that is no tensor.
    arguments: List[Optional[Argument]]
    #: The nodes whose values a program returns, each once.
    results: List[torch.fx.Node]
    #: Pairs (argument, result): the result becomes the value of the argument.
    mutations: List[Tuple[int, int]]
    outputs: List[Output]
    out_spec: Any
    #: For each output whether autograd tracks it, if all parameters and inputs that
    #: require a gradient do.
    requires_grad: List[bool]

    @property
    def names(self):
        """A name for each argument."""
        placeholders = [n for n in self.graph_module.graph.nodes if n.op == "placeholder"]
        return [n.name for n, a in zip(placeholders, self.arguments) if a is not None]

    def influences(self):
        """For each argument the numbers of the results whose derivative may depend on it."""
        placeholders = [n for n in self.graph_module.graph.nodes if n.op == "placeholder"]
        order = [n for n, a in zip(placeholders, self.arguments) if a is not None]
        reached = {node: {i} if _is_differentiable(node) else set()
                   for i, node in enumerate(order)}
        for node in self.graph_module.graph.nodes:
            if node.op == "call_function":
                reached[node] = set().union(*(
                    reached.get(source, ()) for source in node.all_input_nodes)
                ) if _is_differentiable(node) else set()
        found = [set() for _ in order]
        for number, node in enumerate(self.results):
            for i in reached[node]:
                found[i].add(number)
        return found

    @property
    def is_random(self):
        """Whether the graph draws random numbers."""
        return any(torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ())
                   or _drops(node) for node in self.graph_module.graph.nodes)


def _is_differentiable(node):
    """Whether a node has a float among its values, and hands derivatives on."""
    return node.target is not torch.ops.aten.detach.default and any(
        isinstance(value, torch.Tensor) and value.is_floating_point()
        for value in _pytree.tree_leaves(node.meta.get("val")))


def _drops(node):
    operation = torch.ops.aten.scaled_dot_product_attention.default
    return node.target is operation and (
        node.kwargs.get("dropout_p", node.args[4] if len(node.args) > 4 else 0) > 0)


# ------------------------------------------------------------------------------
# Decompositions
# ------------------------------------------------------------------------------


@functools.lru_cache(maxsize=None)
def _decompositions():
    """Those of operations that autograd itself takes apart. Others have a derivative of
    their own, of which their decomposition for the forward pass knows nothing."""
    table = torch.export.default_decompositions()
    for operation in list(table.keys()):
        if not isinstance(operation, torch._ops.OpOverload) or operation in RULES or not (
                torch._C._dispatch_has_kernel_for_dispatch_key(
                    operation.name(), "CompositeImplicitAutograd")):
            table.pop(operation)
    return dict(table.items())


# ------------------------------------------------------------------------------
# What autograd sees
# ------------------------------------------------------------------------------


class _Watch(TorchFunctionMode):
    """Notes what a graph of operations leaves out."""

    _hooks = (torch.Tensor.register_hook, torch.Tensor.retain_grad,
              torch.Tensor.register_post_accumulate_grad_hook, torch.Tensor.backward,
              torch.autograd.grad, torch.autograd.backward)

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function in self._hooks:
            raise UnsupportedOperation(function.__name__, "forward",
                                       "programs call nothing while they run")
        return function(*args, **(kwargs or {}))


def _check_graph_of(outputs):
    """Raises UnsupportedOperation if a derivative is the user's own."""
    nodes = [t.grad_fn for t in outputs if t.grad_fn is not None]
    seen = set(nodes)
    while nodes:
        node = nodes.pop()
        if isinstance(node, torch.autograd.function.BackwardCFunction):
            raise UnsupportedOperation(type(node).__name__, "forward",
                                       "an autograd function with a derivative of its own")
        for following, _ in node.next_functions:
            if following is not None and following not in seen:
                seen.add(following)
                nodes.append(following)


def _autograd_view(module, args, kwargs):
    """Evaluates the module on tensors without numbers, and returns for each leaf of the
    result whether it requires a gradient."""
    mode = FakeTensorMode(allow_non_fake_inputs=True)

    def fake(value):
        return mode.from_tensor(value) if isinstance(value, torch.Tensor) else value

    tensors = {name: fake(t) for name, t in
               (*module.named_parameters(remove_duplicate=False),
                *module.named_buffers(remove_duplicate=False)) if t is not None}
    buffers = [name for name, _ in module.named_buffers()]
    args, kwargs = _pytree.tree_map(fake, (args, kwargs))
    with mode, _Watch():
        result = torch.func.functional_call(module, tensors, args, kwargs)
    leaves = _pytree.tree_leaves(result)
    _check_graph_of([leaf for leaf in leaves if isinstance(leaf, torch.Tensor)])
    for name in buffers:
        if tensors[name].requires_grad:
            raise UnsupportedOperation(name, "forward", "a buffer that keeps a gradient")
    return [isinstance(leaf, torch.Tensor) and leaf.requires_grad for leaf in leaves]


# ------------------------------------------------------------------------------
# Graphs
# ------------------------------------------------------------------------------


def _is_view(target):
    returns = getattr(getattr(target, "_schema", None), "returns", ())
    return any(r.alias_info is not None and not r.alias_info.is_write for r in returns)


def _is_mutable(target):
    schema = getattr(target, "_schema", None)
    return schema is not None and schema.is_mutable


def _check_in_place(graph_module, inherited):
    """An in-place operation under no_grad, or on a detached tensor, changes numbers and
    leaves the derivative as it is; a functional graph has no form for that. `inherited`
    are placeholders that may require a gradient."""
    detached = set()
    for node in graph_module.graph.nodes:
        if node.target is torch.ops.aten.detach.default and node.args[0] not in detached:
            base = node.args[0]
            while _is_view(base.target):
                base = base.args[0]
            if base.op != "placeholder" or base in inherited:
                detached.add(node)
        elif _is_view(node.target) and node.args and node.args[0] in detached:
            detached.add(node)
        elif _is_mutable(node.target) and node.args[0] in detached:
            raise UnsupportedOperation(name_of(node), place_of(node),
                                       "an in-place operation on a detached tensor")


def _check_region(body, values):
    """The same for a region under no_grad; `values` says for each of its placeholders
    whether it may require a gradient."""
    placeholders = [n for n in body.graph.nodes if n.op == "placeholder"]
    tracked = {n for n, active in zip(placeholders, values) if active}
    for node in body.graph.nodes:
        if _is_view(node.target) and node.args[0] in tracked:
            tracked.add(node)
        elif _is_mutable(node.target) and node.args[0] in tracked:
            raise UnsupportedOperation(name_of(node), place_of(node),
                                       "an in-place operation without a gradient")
        elif isinstance(node.target, torch._ops.HigherOrderOperator):
            raise UnsupportedOperation(name_of(node), place_of(node))


def _detach_regions(program):
    """Gives the results of regions under no_grad a derivative of zero, which functional
    graphs would forget."""
    graph_module = program.graph_module
    signature = program.graph_signature
    fixed = {spec.arg.name for spec in signature.input_specs
             if spec.kind in (InputKind.BUFFER, InputKind.CONSTANT_TENSOR)}
    fixed = {n for n in graph_module.graph.nodes if n.op == "placeholder" and n.name in fixed}
    inherited = {n for n in graph_module.graph.nodes if n.op == "placeholder"} - fixed
    _check_in_place(graph_module, inherited)
    for node in list(graph_module.graph.nodes):
        if not isinstance(node.target, torch._ops.HigherOrderOperator):
            continue
        if node.target is not torch.ops.higher_order.wrap_with_set_grad_enabled:
            if node.target is torch.ops.higher_order.wrap_with_autocast:
                body = getattr(graph_module, node.args[4].target)
                _check_in_place(body, set())
                _refuse_regions(body)
                continue
            raise UnsupportedOperation(name_of(node), place_of(node))
        enabled, body = node.args[0], getattr(graph_module, node.args[1].target)
        if enabled:
            _refuse_regions(body)
            continue
        _check_region(body, [value not in fixed for value in node.args[2:]])
        output = next(iter(reversed(body.graph.nodes)))
        with body.graph.inserting_before(output):
            def detached(value):
                if value.op == "placeholder" or not isinstance(value.meta["val"], torch.Tensor):
                    return value
                found = body.graph.call_function(torch.ops.aten.detach.default, (value,))
                found.meta = dict(value.meta)
                return found

            output.args = torch.fx.node.map_arg(output.args, detached)
        body.recompile()


def _refuse_regions(body):
    for node in body.graph.nodes:
        if isinstance(node.target, torch._ops.HigherOrderOperator):
            raise UnsupportedOperation(name_of(node), place_of(node))


def _prune(graph_module):
    """Removes what nobody reads. Faults of indices that nobody reads go with them."""
    for node in reversed(graph_module.graph.nodes):
        if node.op == "call_function" and not node.users:
            graph_module.graph.erase_node(node)


class GraphOfDynamo(torch.nn.Module):
    """A graph of Dynamo's. Run node by node, so that what is traced keeps the places in
    the user's code."""

    def __init__(self, graph_module):
        super().__init__()
        self.graph_module = graph_module

    def forward(self, *args):
        with fx_traceback.preserve_node_meta():
            return torch.fx.Interpreter(self.graph_module).run(*args)


class _AutocastModule(torch.nn.Module):
    """Calls a module as it is called under the autocast that is in force."""

    def __init__(self, module, kind):
        super().__init__()
        self.module, self._kind = module, kind
        self._dtype = torch.get_autocast_dtype(kind)

    def forward(self, *args, **kwargs):
        with torch.autocast(self._kind, self._dtype, cache_enabled=False):
            return self.module(*args, **kwargs)


#: torch.export changes global state, and puts tensors of its own into the modules that it
#: traces: who reads a module's tensors holds this lock, too.
lock = threading.RLock()


def capture(module: torch.nn.Module, args: tuple, kwargs: Optional[dict] = None) -> Capture:
    """The functional graph of `module(*args, **kwargs)` in the module's current mode, and
    under the autocast in force.

    Raises UnsupportedOperation for what a program cannot do, with the user's line,
    CaptureError if torch.export does not understand the module, and ChangingModuleError if
    the call changes its attributes.
    """
    with lock:
        return _capture(module, args, kwargs or {})


def _apart(module):
    """A copy of the module with the same tensors: while torch.export traces a module, its
    parameters are tensors without numbers, which no other thread may see, and what a call
    changes is changed. What torch.func.functional_call has put in place of a parameter is
    made one."""
    tensors = [t for m in module.modules() for t in _pytree.tree_leaves(
        [m._parameters, m._buffers, list(m.__dict__.values())]) if isinstance(t, torch.Tensor)]
    copies = {id(t): t for t in tensors}
    for child in module.modules():
        for t in child._parameters.values():
            if t is not None and not isinstance(t, torch.nn.Parameter):
                copies[id(t)] = torch.nn.Parameter(t.detach(), t.requires_grad)
    try:
        return copy.deepcopy(module, copies)
    except Exception:  # What modules hold may refuse to be copied in any way.
        return module


def tensors_of(module, leaves):
    """The tensors that a call of a module is about: parameters, buffers and arguments."""
    yield from module.parameters()
    yield from module.buffers()
    yield from (leaf for leaf in leaves if isinstance(leaf, torch.Tensor))


def _autocast_depth():
    torch.autocast_increment_nesting()
    return torch.autocast_decrement_nesting()


@contextlib.contextmanager
def _undisturbed():
    """Undoes what a graph that cannot be traced to its end has done until there: it may
    have entered a transform of torch.func or autocast. Keeps to itself what PyTorch says of
    graphs that it cannot trace, which an exception says, and of its own code."""
    functorch, autograd = torch._C._functorch, torch._C._autograd
    layers, casts = functorch.get_dynamic_layer_stack_depth(), _autocast_depth()
    hooks_off = autograd._saved_tensors_hooks_get_disabled_error_message()
    logger = logging.getLogger("torch.fx.experimental.symbolic_shapes")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*LeafSpec", FutureWarning)
            warnings.filterwarnings("ignore", ".*were assigned during export")
            yield
    finally:
        logger.setLevel(level)
        functorch.pop_dynamic_layer_stack_and_undo_to_depth(layers)
        if autograd._saved_tensors_hooks_get_disabled_error_message() != hooks_off:
            autograd._saved_tensors_hooks_enable()
            if hooks_off is not None:
                autograd._saved_tensors_hooks_disable(hooks_off)
        for _ in range(_autocast_depth() - casts):
            torch.autocast_decrement_nesting()
        if not casts:
            torch.clear_autocast_cache()


def _capture(module, args, kwargs):
    original, module = module, _apart(module)
    exported, prefix = module, ""
    kind = device_of(tensors_of(module, _pytree.tree_leaves((args, kwargs)))).type
    if torch.is_autocast_enabled(kind):
        exported, prefix = _AutocastModule(module, kind), "module."
    # A graph of Dynamo's has its effects in it.
    structure = None if isinstance(module, GraphOfDynamo) else Structure(module)
    try:
        with _undisturbed():
            with torch.enable_grad():
                with torch.autocast(kind, enabled=False):
                    program = torch.export.export(exported, args, kwargs, strict=False)
                requires_grad = _autograd_view(module, args, kwargs)
            # torch.export itself puts attributes back that it finds changed, new ones not.
            if structure is not None and not structure.holds():
                raise ChangingModuleError(
                    f"{type(module).__name__} changes its attributes when it is called")
            _detach_regions(program)
            program = program.run_decompositions(_decompositions())
    except (UnsupportedOperation, ChangingModuleError):
        raise
    except Exception as error:  # Tracing raises errors of many kinds.
        raise CaptureError(f"torch.export does not trace {type(module).__name__}: {error}"
                           ) from error
    graph_module = program.graph_module
    _prune(graph_module)
    for refusal in refusals(graph_module):
        raise refusal
    leaves = _pytree.tree_leaves((args, kwargs))
    return _described(original, program, graph_module, prefix, requires_grad, leaves)


def _argument(module, spec, constants, prefix):
    """Where the tensor of a placeholder that is no input comes from. What it is at the
    time of a call counts, so modules are asked for it by name."""
    if spec.kind == InputKind.CONSTANT_TENSOR and spec.target not in constants:
        raise CaptureError(f"expects a constant, but got '{spec.target}'")
    path = spec.target[len(prefix):].split(".")
    owner = module
    for name in path[:-1]:
        owner = getattr(owner, name, None)
    found = getattr(owner, path[-1], None)
    if spec.kind == InputKind.CONSTANT_TENSOR:
        if found is constants[spec.target]:
            return Argument("attribute", path[-1], owner)
        return Argument("constant", constants[spec.target])
    kinds = {InputKind.PARAMETER: "parameter", InputKind.BUFFER: "buffer"}
    if spec.kind not in kinds or found is None:
        raise CaptureError(f"expects parameters, buffers and tensors, but got {spec.kind} "
                           f"'{spec.target}'")
    return Argument(kinds[spec.kind], path[-1], owner)


def _described(module, program, graph_module, prefix, requires_grad, leaves):
    signature = program.graph_signature
    placeholders = [n for n in graph_module.graph.nodes if n.op == "placeholder"]
    arguments, number = [], 0
    for spec, node in zip(signature.input_specs, placeholders):
        if spec.kind == InputKind.USER_INPUT:
            is_tensor = isinstance(node.meta.get("val"), torch.Tensor)
            arguments.append(Argument("input", number) if is_tensor else None)
            number += 1
        else:
            arguments.append(_argument(module, spec, program.constants, prefix))
    if number != len(leaves):
        raise CaptureError(f"expects {len(leaves)} leaves of arguments, but got {number}")
    number_of = {node: i for i, node in enumerate(placeholders)}
    by_name = {spec.target: i for i, spec in enumerate(signature.input_specs)
               if spec.kind != InputKind.USER_INPUT}
    by_input = {spec.arg.name: i for i, spec in enumerate(signature.input_specs)}
    output_node = next(iter(reversed(graph_module.graph.nodes)))
    results, mutations, outputs, written = [], [], [], {}

    def result(node):
        if node not in results:
            results.append(node)
        return results.index(node)

    values = list(zip(signature.output_specs, output_node.args[0]))
    for spec, value in values:
        if spec.kind in (OutputKind.BUFFER_MUTATION, OutputKind.USER_INPUT_MUTATION):
            place = (by_name if spec.kind == OutputKind.BUFFER_MUTATION else by_input)[spec.target]
            if arguments[place].read(leaves).requires_grad:
                raise UnsupportedOperation(spec.target, "forward",
                                           "an argument that requires a gradient is changed")
            mutations.append((place, result(value)))
            written[value] = place
        elif spec.kind != OutputKind.USER_OUTPUT:
            raise CaptureError(f"expects tensors as results, but got {spec.kind}")
    roots = [(value, *_root(value)) for spec, value in values
             if spec.kind == OutputKind.USER_OUTPUT]
    bases = [base for _, base, _ in roots]
    for value, base, views in roots:
        if not isinstance(base, torch.fx.Node):
            outputs.append(Output("constant", constant=base))
        elif base in written:
            outputs.append(Output("argument", number=written[base], views=views))
        elif base in number_of:
            outputs.append(Output("argument", number=number_of[base], views=views))
        elif bases.count(base) > 1:
            outputs.append(Output("result", number=result(base), views=views))
        else:
            outputs.append(Output("result", number=result(value)))
    return Capture(graph_module, arguments, results, mutations, outputs,
                   program.call_spec.out_spec, requires_grad)


def _root(value):
    """What a value is a view of, and the views that lead from there to it."""
    views = []
    while isinstance(value, torch.fx.Node) and value.op == "call_function":
        source = value.args[0] if value.args else None
        parts = value.target is operator.getitem and _is_view(source.target)
        if not (parts or _is_view(value.target)):
            break
        views.append(View(value))
        value = source
    return value, tuple(reversed(views))
