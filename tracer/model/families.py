"""Members of a list of modules that work beside each other, such as experts, brought together: what runs between their
calls, and the order in which the steps of a union first called them, then hides no repeat."""

import re
from collections.abc import Iterator, Mapping, Sequence

from tracer.model.content import Content
from tracer.model.repeats import FEW_TURNS, Repeat
from tracer.model.signature import Anatomy, masked

_NUMBERS = re.compile(r"\d+")


def brought_together(content: Content, anatomy: Anatomy, found: Mapping[int, Sequence[Repeat]]) -> dict[int, list[int]]:
    """Another order of the items of those frames in which a family stands apart; `found` are the repeats by frame.

    A family are calls that are the same inside, of modules whose paths differ in numbers only, and none of which leads
    to another: drawn as one they make no loop.
    """
    orders = {}
    for key, items in anatomy.items.items():
        order = items
        for family in _families(content, anatomy, items):
            if not _is_covered(family, items, found.get(key, ())) and _is_abreast(family, anatomy, key):
                order = _gathered(order, family)
        if order is not items:
            orders[key] = order
    return orders


def _families(content: Content, anatomy: Anatomy, items: Sequence[int]) -> Iterator[list[int]]:
    """The items of each family in order of the numbers in their paths."""
    kinds: dict[tuple[int, str], list[int]] = {}
    for item in items:
        if item < 0:
            kinds.setdefault((anatomy.kind_of(~item), masked(content.calls[~item].path)), []).append(item)
    for members in kinds.values():
        paths = {item: content.calls[~item].path for item in members}
        if len(members) >= FEW_TURNS and len(set(paths.values())) == len(members):
            yield sorted(members, key=lambda item: [int(number) for number in _NUMBERS.findall(paths[item])])


def _is_covered(family: Sequence[int], items: Sequence[int], repeats: Sequence[Repeat]) -> bool:
    """Whether each is in another copy of one repeat."""
    members = set(family)
    return any(
        members <= set(items[repeat.start : repeat.start + repeat.count * repeat.period])
        for repeat in repeats
        if repeat.count >= len(members)
    )


def _is_abreast(family: Sequence[int], anatomy: Anatomy, frame: int) -> bool:
    """Whether no edges in the frame lead from one to another."""
    rank = {item: at for at, item in enumerate(anatomy.items[frame])}
    wires, below = anatomy.frame(frame).wires, dict[int, list[int]]()
    for source, target in zip(wires.sources.tolist(), wires.targets.tolist(), strict=True):
        below.setdefault(source, []).append(target)
    members = {rank[item] for item in family}
    waiting = [target for member in members for target in below.get(member, ())]
    met = set(waiting)
    while waiting:
        further = set(below.get(waiting.pop(), ())) - met
        met |= further
        waiting += further
    return met.isdisjoint(members)


def _gathered(items: Sequence[int], family: Sequence[int]) -> list[int]:
    """The family where its first member stood."""
    members = set(family)
    first = next(at for at, item in enumerate(items) if item in members)
    others = [item for item in items if item not in members]
    return [*others[:first], *family, *others[first:]]
