"""What `torch.compile` made one node of: the FX graph that Dynamo handed to its backend.

A `CompiledFunctionBackward` carries the id that AOTAutograd gave its graph. The ids given while a backend is at work on
Dynamo's graph belong to that graph. All this is private to PyTorch: where a name is missing, nodes just have no inside.
"""

import re
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch

from tracer.capture.frames import Frames
from tracer.capture.fx_graph import inside_of_graph
from tracer.capture.guard import during_compilation
from tracer.capture.hooks import Undo
from tracer.imports import after_import
from tracer.model.structure import Inside

Guard = Callable[[Callable[..., None]], Callable[..., None]]

_MAX_KEPT_NODES = 200_000  # about half a kilobyte each
_COUNT = re.compile(r"count\((\d+)\)")


class Compilations:
    """Notes graphs as they are compiled; those compiled before `attach` stay unknown."""

    def __init__(self) -> None:
        self._frames = Frames()
        self._insides: dict[int, Inside] = {}
        self._size = 0
        self._pending: list[tuple[Inside, int]] = []

    def attach(self, guard: Guard) -> Undo:
        """Note graphs from now on. Dynamo is watched as soon as it is imported, and not imported for it."""
        undo: list[Undo] = []
        before, after = guard(self._before_backend), guard(self._after_backend)
        undo.append(
            after_import("torch._dynamo.output_graph", lambda module: undo.append(_on_backend(module, before, after)))
        )

        def stop() -> None:
            for step in undo:
                step()

        return stop

    def inside_of(self, node: Any) -> Inside | None:
        """The graph that this autograd node stands for, if it is a compiled one and was seen being compiled."""
        number = getattr(getattr(type(node), "_forward_cls", None), "_aot_id", None)
        return None if number is None else self._insides.get(number)

    @during_compilation
    def _before_backend(self, graph_module: torch.fx.GraphModule, backend: object) -> None:
        # before, because backends rewrite the graph in place
        inside = inside_of_graph(graph_module, f"torch.compile, backend {_name(backend)}", self._frames)
        self._pending.append((inside, _next_aot_id()))

    @during_compilation
    def _after_backend(self) -> None:
        if not self._pending:  # noting it failed
            return
        inside, first = self._pending.pop()
        for number in range(first, _next_aot_id()):
            self._keep(number, inside)

    def _keep(self, number: int, inside: Inside) -> None:
        if number in self._insides:  # compiled while another was, and so its own
            return
        self._insides[number] = inside
        self._size += len(inside.nodes)
        while self._size > _MAX_KEPT_NODES and len(self._insides) > 1:
            oldest = next(iter(self._insides))
            self._size -= len(self._insides.pop(oldest).nodes)


def _on_backend(module: ModuleType, before: Callable[..., None], after: Callable[..., None]) -> Undo:
    """Call `before(graph_module, backend)` and `after()` around each call of a backend by Dynamo."""
    owner: Any = getattr(module, "OutputGraph", None)
    original = getattr(owner, "call_user_compiler", None)
    if original is None:
        return lambda: None

    def call_user_compiler(self: Any, graph_module: torch.fx.GraphModule, *args: Any, **kwargs: Any) -> Any:
        before(graph_module, getattr(self, "compiler_fn", None))
        try:
            return original(self, graph_module, *args, **kwargs)
        finally:
            after()

    owner.call_user_compiler = call_user_compiler

    def undo() -> None:
        owner.call_user_compiler = original

    return undo


def _next_aot_id() -> int:
    """The id that AOTAutograd gives the next graph; 0 where that cannot be told."""
    counter = getattr(sys.modules.get("torch._functorch.aot_autograd"), "AOT_COUNTER", None)
    found = _COUNT.fullmatch(repr(counter))  # an `itertools.count` tells its next number nowhere else
    return int(found[1]) if found else 0


def _name(backend: object) -> str:
    """How the user named the backend, or what it is: Dynamo wraps it in objects that know."""
    while True:
        for attribute in ("_compiler_name", "compiler_name", "__name__"):
            name = getattr(backend, attribute, None)
            if isinstance(name, str) and not name.startswith("<"):  # some just print the object
                return name
        inner = getattr(backend, "_torchdynamo_orig_backend", None) or getattr(backend, "compiler_fn", None)
        if inner is None:
            return type(backend).__name__
        backend = inner
