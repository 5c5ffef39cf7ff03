"""Which node of the graph a backward failed at. Autograd does not say, but it leaves traces.

The engine runs, of the nodes whose consumers all ran, the one made last; a node that ran has freed the tensors it had
saved. So the node that failed comes after the last that is freed, and not after the first that is not. Where several
come into question, because they save nothing, the error's own words and hooks that can be seen decide.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tracer.capture.place import EngineRun, Place
from tracer.capture.saved import is_freed, is_overwritten
from tracer.capture.walk import AccumulateGrad, root_of
from tracer.model.engine_order import engine_order

_AGAIN = "backward through the graph a second time"
_OVERWRITTEN = "modified by an inplace operation"
_NAMED = re.compile(r"[Ff]unction '?(\w+)'? returned (?:an? \w+|nan)")
_BACKWARD_HOOK = "BackwardHookFunctionBackward"


@dataclass(frozen=True, slots=True, eq=False)
class Guess:
    """An autograd node; `is_certain` is False where one close to it may be meant as well."""

    node: Any
    is_certain: bool = True


def failed_node(place: Place, message: str, was_run: Callable[[Any], bool], hooked: Iterable[Any] = ()) -> Guess | None:
    """The node where the backward of `place` failed; None where nothing tells.

    `was_run` says whether an earlier backward may have freed a node, `hooked` are nodes known to have hooks.
    """
    run = place.run
    if run is None:
        return None
    order = order_of(run)
    if place.function is not None and place.function in order:
        return Guess(place.function)
    if _AGAIN in message:
        return _first(node for node in order if is_freed(node) and was_run(node))
    if _OVERWRITTEN in message:
        return _first(node for node in order if is_overwritten(node))
    start, end = _suspects(order, run, was_run)
    suspects = order[start:end]
    named = _NAMED.search(message)
    if named is not None:
        # anomaly mode looks for NaN after the node has freed what it had saved
        possible = order[max(start - named[0].endswith("nan"), 0) : end]
        found = _first(node for node in possible or order if node.name() == named[1])
        if found is not None:
            return found
    if not place.is_hooked:
        return _first(filter(_is_outgrown, suspects)) or _likely(suspects)
    seen = set(hooked)
    found = _first(node for node in suspects if node in seen or _has_hook(node))
    return found or _likely(suspects, is_certain=len(suspects) == 1)


def order_of(run: EngineRun) -> list[Any]:
    """The nodes that the engine would run, in its order on one device."""
    nodes = _needed(run)
    inputs = {node: [child for child, _ in node.next_functions if child in nodes] for node in nodes}
    roots = [root.node for given in run.roots if (root := root_of(given)) is not None and root.node in nodes]
    return engine_order(roots, inputs, lambda node: node._sequence_nr())


def _needed(run: EngineRun) -> set[Any]:
    """The nodes that lie between the roots and what gradients are wanted of; all of them where that is everything."""
    roots = [root.node for given in run.roots if (root := root_of(given)) is not None]
    parents: dict[Any, list[Any]] = {node: [] for node in roots}
    waiting = list(parents)
    while waiting:
        node = waiting.pop()
        for child, _ in node.next_functions:
            if child is not None and child not in parents:
                parents[child] = []
                waiting.append(child)
            if child is not None:
                parents[child].append(node)
    if not run.inputs:
        return set(parents)
    wanted = [root.node for given in run.inputs if (root := root_of(given)) is not None]
    needed = {node for node in wanted if type(node) is AccumulateGrad and node in parents}
    waiting = [above for node in wanted for above in parents.get(node, ())]
    while waiting:
        node = waiting.pop()
        if node not in needed:
            needed.add(node)
            waiting += parents[node]
    return needed


def _suspects(order: Sequence[Any], run: EngineRun, was_run: Callable[[Any], bool]) -> tuple[int, int]:
    """From the first that may have failed to behind the first that must have, if not one before it; none where the
    graph is kept, so that nothing tells."""
    if run.keeps_graph:
        return 0, 0
    start = 0
    for at, node in enumerate(order):
        freed = is_freed(node)
        if freed and not was_run(node):
            start = at + 1
        elif freed is False:
            return start, at + 1
    return start, len(order)


def _first(nodes: Iterable[Any]) -> Guess | None:
    node = next(iter(nodes), None)
    return None if node is None else Guess(node)


def _is_outgrown(node: Any) -> bool:
    """Whether a leaf cannot take its gradient any more, as its size was changed since."""
    if type(node) is not AccumulateGrad:
        return False
    leaf = node.variable
    return any(tuple(made.shape) != tuple(leaf.shape) for made in node._input_metadata)


def _has_hook(node: Any) -> bool:
    if type(node) is AccumulateGrad:
        leaf = node.variable
        return bool(leaf._backward_hooks or getattr(leaf, "_post_accumulate_grad_hooks", None))
    return bool(node.name() == _BACKWARD_HOOK)


def _likely(suspects: Sequence[Any], is_certain: bool = True) -> Guess | None:
    """The one that needs what it saved: nodes that save nothing hardly ever fail of themselves."""
    if not suspects:
        return None
    has_saved = is_freed(suspects[-1]) is False
    return Guess(suspects[-1] if has_saved else suspects[0], is_certain and (has_saved or len(suspects) == 1))
