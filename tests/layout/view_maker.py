"""Random views to lay out: small ones that hypothesis makes smaller still, and crowded ones from a seed."""

import random
from itertools import pairwise

from hypothesis import strategies as st

from tracer.model.view import Box, Group, Link, View

KINDS = ("op", "parameter", "input", "output", "module")


@st.composite
def views(draw: st.DrawFn) -> View:
    """Up to 6 frames, 16 boxes and 30 links, in any way; half of them without cycles."""
    frames = draw(st.integers(0, 6))
    groups = tuple(
        Group(f"g{index}", "t" * draw(st.integers(0, 30)), None if not index else draw(_parent_of(index)))
        for index in range(frames)
    )
    count = draw(st.integers(0, 16))
    boxes = tuple(
        Box(f"b{index}", draw(st.sampled_from(KINDS)), "x" * draw(st.integers(0, 24)), "", draw(_parent_of(frames)), ())
        for index in range(count)
    )
    ends = st.tuples(st.integers(0, max(count - 1, 0)), st.integers(0, max(count - 1, 0)))
    pairs = draw(st.lists(ends, max_size=30, unique=True)) if count > 1 else []
    if draw(st.booleans()):
        pairs = list(dict.fromkeys((min(pair), max(pair)) for pair in pairs))
    return View(boxes, groups, tuple(Link(f"b{a}", f"b{b}", 1) for a, b in pairs if a != b))


def _parent_of(frames: int) -> st.SearchStrategy[str | None]:
    return st.one_of(st.none(), st.integers(0, frames - 1).map("g{}".format)) if frames else st.none()


@st.composite
def crowded_views(draw: st.DrawFn) -> View:
    """Up to 15 nested frames and some 90 boxes of many sizes: chains with wide fans, long edges across frames, parts
    that nothing connects, parameters drawn once in every frame that uses them, and some edges against the flow."""
    maker = _Maker(draw(st.integers(0, 2**32)), draw(st.integers(0, 15)))
    for _ in range(draw(st.integers(1, 4))):
        maker.add_part(draw(st.integers(1, 15)), draw(st.integers(0, 6)), draw(st.integers(0, 8)))
    maker.add_loops(draw(st.integers(0, 3)))
    return maker.view()


def crowded_view(seed: int) -> View:
    """One of them, always the same."""
    maker = _Maker(seed, 12)
    for length in (3, 14, 9):
        maker.add_part(length, fans=5, long_edges=6)
    maker.add_loops(3)
    return maker.view()


class _Maker:
    def __init__(self, seed: int, frames: int) -> None:
        self.random = random.Random(seed)
        self.groups = [
            Group(f"g{index}", "t" * self.random.randrange(40), self._any_frame(index)) for index in range(frames)
        ]
        self.boxes: list[Box] = []
        self.pairs: dict[tuple[str, str], None] = {}

    def add_part(self, length: int, fans: int, long_edges: int) -> None:
        chain = [self._add(self.random.choice(KINDS)) for _ in range(length)]
        self.pairs.update(dict.fromkeys(pairwise(chain)))
        for _ in range(fans):
            self._add_fan(chain)
        for _ in range(long_edges):
            source, target = sorted(self.random.choices(range(length), k=2))
            self._link(chain[source], chain[target])
        for number in range(self.random.randrange(3)):
            self._add_parameter(f"p{len(self.boxes)}.{number}", self.random.choices(chain, k=4))

    def _add_fan(self, chain: list[str]) -> None:
        """Boxes side by side, between two of the chain, or leading to one, or hanging from one."""
        start, end = sorted(self.random.choices(range(len(chain)), k=2))
        way = self.random.randrange(3)
        for _ in range(self.random.randrange(1, 9)):
            middle = self._add(self.random.choice(KINDS))
            if way != 0:
                self._link(chain[start], middle)
            if way != 1 and end > start:
                self._link(middle, chain[end])

    def _add_parameter(self, name: str, users: list[str]) -> None:
        frame_of = {box.key: box.group for box in self.boxes}
        for user in users:
            key = f"{name}@{frame_of[user]}"
            if key not in frame_of:
                self.boxes.append(Box(key, "parameter", name, "", frame_of[user], (name,)))
                frame_of[key] = frame_of[user]
            self._link(key, user)

    def add_loops(self, count: int) -> None:
        for source, target in self.random.sample(list(self.pairs), min(count, len(self.pairs))):
            self._link(target, source)

    def view(self) -> View:
        return View(tuple(self.boxes), tuple(self.groups), tuple(Link(*ends, 1) for ends in self.pairs))

    def _add(self, kind: str) -> str:
        key = f"b{len(self.boxes)}"
        title = "x" * self.random.randrange(30)
        self.boxes.append(Box(key, kind, title, "", self._any_frame(len(self.groups)), (key,)))
        return key

    def _any_frame(self, before: int) -> str | None:
        number = self.random.randrange(-1, before)
        return None if number < 0 else f"g{number}"

    def _link(self, source: str, target: str) -> None:
        if source != target:
            self.pairs[source, target] = None
