"""How a layout tells how far it is, and how it is given up."""

from itertools import count, pairwise

import pytest

from tests.layout.view_maker import crowded_view
from tests.model.graph_maker import everything, unrolled
from tracer.layout import Cancelled, LayoutCache, lay_out
from tracer.layout.watch import Watch
from tracer.model.view import Box, Link, View
from tracer.model.view_builder import ViewOptions, build_view


def wide_view(count: int) -> View:
    """One level without frames, whose edges cross."""
    boxes = tuple(Box(str(index), "op", f"op {index}", "", None, (str(index),)) for index in range(count))
    pairs = {(source, source + 7 + source * step % 11) for source in range(count - 20) for step in (3, 5)}
    return View(boxes, (), tuple(Link(str(source), str(target), 1) for source, target in sorted(pairs)))


def progress_of(view: View, cache: LayoutCache | None = None) -> list[float]:
    told: list[float] = []
    lay_out(view, cache=cache, progress=told.append)
    return told


@pytest.mark.parametrize("turns", [50, 400])
def test_progress_grows_from_nothing_to_all_in_some_dozens_of_steps(turns: int) -> None:
    graph = unrolled(turns)
    told = progress_of(build_view(graph, ViewOptions(everything(graph), folds_repeats=False)))
    assert told[0] == 0.0
    assert told[-1] == 1.0
    assert all(before < after for before, after in pairwise(told))
    assert 20 <= len(told) <= 50


def test_progress_is_told_within_a_level() -> None:
    told = progress_of(wide_view(300))
    assert told[0] == 0.0
    assert told[-1] == 1.0
    assert len(told) >= 10


def test_known_levels_and_empty_views_are_told_as_done() -> None:
    cache = LayoutCache()
    first = progress_of(crowded_view(3), cache)
    assert first[-1] == progress_of(crowded_view(3), cache)[-1] == 1.0
    assert progress_of(View((), (), ())) == [1.0]


def test_a_watch_reports_portions_parts_and_no_step_back() -> None:
    told: list[float] = []
    watch = Watch(progress=told.append)
    watch.expect(10.0)
    watch.begin(5.0)
    watch.part(0.5, 1.0)
    watch.reach(0.5)
    watch.reach(0.1)
    watch.finish(5.0)
    watch.begin(5.0)
    watch.reach(0.001)
    watch.end()
    assert told == [0.0, 0.375, 0.5, 1.0]


@pytest.mark.parametrize("view", [wide_view(300), crowded_view(5)], ids=["one level", "many frames"])
def test_a_layout_asks_often_whether_it_is_wanted_and_stops_at_once(view: View) -> None:
    asked = count()
    lay_out(view, cancelled=lambda: next(asked) < 0)
    times = next(asked)
    assert times > len(view.links)
    for last in range(0, times, times // 50):
        calls = count()
        with pytest.raises(Cancelled):
            lay_out(view, cancelled=lambda calls=calls, last=last: next(calls) == last)
        assert next(calls) == last + 1


def test_a_layout_given_up_leaves_the_cache_as_it_was() -> None:
    cache = LayoutCache()
    lay_out(crowded_view(5), cache=cache)
    known = dict(cache.levels)
    calls = count()
    with pytest.raises(Cancelled):
        lay_out(wide_view(100), cache=cache, cancelled=lambda: next(calls) == 500)
    assert cache.levels == known
