"""Which node of the graph a backward failed at. Autograd does not say, but it leaves traces.

The engine runs, of the nodes whose consumers all ran, the one made last; a node that ran has freed the tensors it had
saved. So the node that failed comes after the last that is freed, and not after the first that is not. Where several
come into question, because they save nothing, the error's own words and hooks that can be seen decide.
"""

import heapq
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tracer.capture.place import EngineRun, Place
from tracer.capture.saved import is_freed, is_overwritten
from tracer.capture.walk import AccumulateGrad, root_of

_AGAIN = "backward through the graph a second time"
_OVERWRITTEN = "modified by an inplace operation"
_NAMED = re.compile(r"[Ff]unction '?(\w+)'? returned")
_BACKWARD_HOOK = "BackwardHookFunctionBackward"


def failed_node(place: Place, message: str, was_run: Callable[[Any], bool], hooked: Iterable[Any] = ()) -> Any | None:
    """The autograd node; None where nothing tells.

    `was_run` says whether an earlier backward may have freed a node, `hooked` are nodes known to have hooks.
    """
    run = place.run
    if run is None:
        return None
    order = engine_order(run)
    if place.function is not None and place.function in order:
        return place.function
    if _AGAIN in message:
        return next((node for node in order if is_freed(node) and was_run(node)), None)
    if _OVERWRITTEN in message:
        return next((node for node in order if is_overwritten(node)), None)
    suspects = _suspects(order, run, was_run)
    return (
        _named(suspects, message) or (_hooked(suspects, set(hooked)) if place.is_hooked else None) or _likely(suspects)
    )


def engine_order(run: EngineRun) -> list[Any]:
    """The nodes that the engine would run, in its order on one device."""
    nodes = _needed(run)
    waits = Counter(child for node in nodes for child, _ in node.next_functions if child in nodes)
    roots = [root.node for given in run.roots if (root := root_of(given)) is not None and root.node in nodes]
    ready = [(-node._sequence_nr(), at, node) for at, node in enumerate(dict.fromkeys(roots)) if not waits[node]]
    heapq.heapify(ready)
    order: list[Any] = []
    while ready:
        node = heapq.heappop(ready)[2]
        order.append(node)
        for child, _ in node.next_functions:
            if child in nodes:
                waits[child] -= 1
                if not waits[child]:
                    heapq.heappush(ready, (-child._sequence_nr(), len(nodes) + len(order) + len(ready), child))
    return order


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


def _suspects(order: Sequence[Any], run: EngineRun, was_run: Callable[[Any], bool]) -> list[Any]:
    """From the first that may have failed to the first that must have, if not one before it; none where the graph is
    kept, so that nothing tells."""
    if run.keeps_graph:
        return []
    start = 0
    for at, node in enumerate(order):
        freed = is_freed(node)
        if freed and not was_run(node):
            start = at + 1
        elif freed is False:
            return list(order[start : at + 1])
    return list(order[start:])


def _named(suspects: Sequence[Any], message: str) -> Any | None:
    """The one that the error names: what it returned was wrong."""
    named = _NAMED.search(message)
    return next((node for node in suspects if named is not None and node.name() == named[1]), None)


def _hooked(suspects: Sequence[Any], hooked: set[Any]) -> Any | None:
    return next((node for node in suspects if node in hooked or _has_hook(node)), None)


def _has_hook(node: Any) -> bool:
    if type(node) is AccumulateGrad:
        leaf = node.variable
        return bool(leaf._backward_hooks or getattr(leaf, "_post_accumulate_grad_hooks", None))
    return bool(node.name() == _BACKWARD_HOOK)


def _likely(suspects: Sequence[Any]) -> Any | None:
    """The one that needs what it saved: nodes that save nothing hardly ever fail."""
    if not suspects:
        return None
    last = suspects[-1]
    return last if is_freed(last) is False else suspects[0]
