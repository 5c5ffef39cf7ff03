"""A graph in which equal parts are one: every node, call and edge of a copy is that of the first."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import networkx as nx
import numpy as np

from tracer.model.call_tree import Call
from tracer.model.chains import chained_keys
from tracer.model.content import Content, Ints
from tracer.model.signature import Anatomy

Merged = tuple[list[int], int]
"""The items of the first copy, and how many copies there are, one right after the other."""


class Quotient:
    """Makes quotients of one graph."""

    def __init__(self, graph: nx.MultiDiGraph, content: Content, anatomy: Anatomy) -> None:
        self._content = content
        self._anatomy = anatomy
        self._uses = _parameter_uses(graph, content)

    def of(self, merged: Iterable[Merged], **about_folds: Any) -> Content:
        """Outer parts come before those in their first copies; `about_folds` are further fields of the content."""
        content, anatomy = self._content, self._anatomy
        nodes, calls = np.arange(len(anatomy.order)), np.arange(len(anatomy.call_order))
        for items, count in merged:
            _merge(nodes, *self._span(items), count)
            _merge(calls, *self._call_span(items), count)
        node_firsts = _by_number(_followed(nodes), anatomy.order, len(content.keys))
        call_firsts = _by_number(_followed(calls), anatomy.call_order, len(content.calls))
        self._merge_parameters(node_firsts)
        if (node_firsts == np.arange(len(node_firsts))).all():
            return replace(content, **about_folds)
        chained = chained_keys(content, anatomy, node_firsts, call_firsts)
        return replace(self._reduced(node_firsts, call_firsts), chained=chained, **about_folds)

    def _span(self, items: list[int]) -> tuple[int, int]:
        """Where the nodes of some items, one after the other, stand in the anatomy's order, and how many they are."""
        anatomy, first = self._anatomy, items[0]
        start = anatomy.starts[~first] if first < 0 else int(anatomy.places[first])
        return start, sum(anatomy.sizes[~item] if item < 0 else 1 for item in items)

    def _call_span(self, items: list[int]) -> tuple[int, int]:
        calls = [~item for item in items if item < 0]
        start = self._anatomy.call_starts[calls[0]] if calls else 0
        return start, sum(self._anatomy.call_sizes[call] for call in calls)

    def _merge_parameters(self, firsts: Ints) -> None:
        """A parameter becomes the one that the first copy uses in its place, if it has no other use."""
        users, numbers, parameters = self._uses
        codes = users * (numbers.max(initial=0) + 1) + numbers
        order = np.argsort(codes, kind="stable")
        wanted = firsts[users] * (numbers.max(initial=0) + 1) + numbers
        left, right = (np.searchsorted(codes[order], wanted, side) for side in ("left", "right"))
        # Two parameters may come in the same place, in two steps of a union: then none stands for the other.
        in_place = np.where(right - left == 1, parameters[order][np.minimum(left, len(order) - 1)], parameters)
        lowest, highest = np.full(len(firsts), len(firsts)), np.full(len(firsts), -1)
        np.minimum.at(lowest, parameters, in_place)
        np.maximum.at(highest, parameters, in_place)
        agreed = (lowest == highest) & (highest >= 0)
        firsts[agreed] = highest[agreed]

    def _reduced(self, firsts: Ints, call_firsts: Ints) -> Content:
        content = self._content
        kept, kept_calls = (np.flatnonzero(each == np.arange(len(each))) for each in (firsts, call_firsts))
        numbers, call_numbers = (np.full(len(each) + 1, -1) for each in (firsts, call_firsts))
        numbers[kept], call_numbers[kept_calls] = np.arange(len(kept)), np.arange(len(kept_calls))
        sources, targets, counts = _gathered(
            numbers[firsts[content.sources]], numbers[firsts[content.targets]], content.counts, len(kept)
        )
        stand_ins = {
            content.calls[call].key: content.calls[first].key
            for call, first in enumerate(call_firsts.tolist())
            if call != first
        }
        return Content(
            keys=tuple(content.keys[node] for node in kept.tolist()),
            nodes=tuple(content.nodes[node] for node in kept.tolist()),
            calls=tuple(_with_flow(content.calls[call], stand_ins) for call in kept_calls.tolist()),
            owners=call_numbers[content.owners[kept]],
            callers=call_numbers[content.callers[kept_calls]],
            sources=sources,
            targets=targets,
            counts=counts,
            copies=_copies(content, firsts, numbers),
            stand_ins=stand_ins,
        )


def _merge(firsts: Ints, start: int, size: int, count: int) -> None:
    firsts[start : start + size * count] = start + np.arange(size * count) % max(size, 1)


def _followed(firsts: Ints) -> Ints:
    """The first of the first, and so on, where a first copy lies in parts that are merged themselves."""
    while (further := firsts[firsts]).tolist() != firsts.tolist():
        firsts = further
    return firsts


def _by_number(firsts: Ints, order: list[int], count: int) -> Ints:
    numbers = np.array(order, dtype=np.int64)
    result = np.arange(count)
    result[numbers] = numbers[firsts]
    return result


def _gathered(sources: Ints, targets: Ints, counts: Ints, size: int) -> tuple[Ints, Ints, Ints]:
    """Equal pairs as one, in the order in which they first come; none from a node to itself."""
    is_kept = sources != targets
    codes, firsts, inverse = np.unique((sources * size + targets)[is_kept], return_index=True, return_inverse=True)
    sums = np.zeros(len(codes), dtype=np.int64)
    np.add.at(sums, inverse, counts[is_kept])
    order = np.argsort(firsts)
    return codes[order] // size, codes[order] % size, sums[order]


def _copies(content: Content, firsts: Ints, numbers: Ints) -> dict[int, tuple[str, ...]]:
    several = np.bincount(firsts, minlength=len(firsts))[firsts] > 1
    copies: dict[int, list[str]] = {}
    for node in np.flatnonzero(several).tolist():
        copies.setdefault(int(numbers[firsts[node]]), []).append(content.keys[node])
    return {node: tuple(keys) for node, keys in copies.items()}


def _with_flow(call: Call, stand_ins: Mapping[str, str]) -> Call:
    fed_by = dict.fromkeys(stand_ins.get(key, key) for key in call.fed_by)
    fed_by.pop(call.key, None)
    return call if tuple(fed_by) == call.fed_by else replace(call, fed_by=tuple(fed_by))


def _parameter_uses(graph: nx.MultiDiGraph, content: Content) -> tuple[Ints, Ints, Ints]:
    """For every edge from a parameter: the op, its input number, the parameter."""
    numbers = {key: number for number, key in enumerate(content.keys)}
    uses = [
        (numbers[op], data["input_nr"], number)
        for number, (key, node) in enumerate(zip(content.keys, content.nodes, strict=True))
        if node["kind"] == "parameter"
        for _, op, data in graph.out_edges(key, data=True)
    ]
    users, inputs, parameters = np.array(uses, dtype=np.int64).reshape(-1, 3).T
    return users, inputs, parameters
