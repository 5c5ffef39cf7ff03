"""What comes to the tape after its step: new structures, source lines, numbers from an accelerator."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gui.drafter import Drafter
from gui.drawing import ON_THE_WAY, Drawing, DrawingOptions, Question
from gui.measurements import measured_call
from gui.tables import content_of
from gui.theme import LIGHT
from gui.timeline import Timeline
from tests.store.samples import META, statistics, step_record, structure, structure_record
from tracer import Tape
from tracer.model.structure import SourceLine
from tracer.store.liveness import process_start
from tracer.store.records import SourceRecord, StatisticsRecord, StepRecord
from tracer.store.writer import Writer


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    """Of a tape that this process, alive, writes."""
    own = {"pid": str(os.getpid()), "process_start": process_start(os.getpid())}
    writer = Writer(tmp_path / "run.tape", META | own)
    yield writer
    writer.close("closed")


@pytest.fixture
def drafter(writer: Writer) -> Iterator[Drafter]:
    writer.append(measured_step(0))
    writer.append(StatisticsRecord(0, statistics()))
    writer.append(measured_step(1))
    assert writer.flush()
    with Tape(writer.path) as tape:
        yield Drafter(tape, lambda: False)


GRAPH = structure_record()


def measured_step(index: int) -> StepRecord:
    return replace(step_record(index, GRAPH), level="statistics")


def draw(drafter: Drafter, step: int) -> Drawing:
    return drafter.draw(Question(step, -1, DrawingOptions(), LIGHT))


def test_of_the_latest_step_the_numbers_before_it_are_shown_until_its_own_come(
    writer: Writer, drafter: Drafter
) -> None:
    drawing = draw(drafter, 1)
    assert (drawing.measured_step, drawing.missing, drawing.is_complete) == (0, ON_THE_WAY, False)
    key = drawing.statistics.calls.keys[0]
    assert measured_call(drawing, key, Timeline())[0].title == "Measured in step 0"
    assert content_of("Modules", drawing, Timeline()).summary.startswith("Measured in step 0")

    writer.append(StatisticsRecord(1, statistics(2.0)))
    assert writer.flush()
    drawing = draw(drafter, 1)
    assert (drawing.measured_step, drawing.missing) == (1, "")
    assert measured_call(drawing, key, Timeline())[0].title == "Measured"


def test_numbers_that_were_lost_are_not_waited_for(writer: Writer, drafter: Drafter) -> None:
    for index in range(2, 8):
        writer.append(measured_step(index))
    assert writer.flush()
    drawing = draw(drafter, 1)
    assert drawing.statistics is None
    assert "The statistics of step 1 were not recorded" in drawing.missing
    assert content_of("Modules", drawing, Timeline()).why == drawing.missing


def test_source_lines_that_come_later_are_shown(writer: Writer, drafter: Drafter) -> None:
    drawing = draw(drafter, 0)
    assert not drawing.has_lines
    lines = tuple(SourceLine("net.py", 7, "f") for _ in structure().nodes)
    writer.append(SourceRecord(GRAPH, lines))
    assert writer.flush()
    drawing = draw(drafter, 0)
    assert drawing.is_complete
    assert {source["line"] for _, source in drawing.graph.nodes(data="source")} == {7}


def test_a_structure_that_comes_later_has_its_place_before_it_is_shown(writer: Writer, drafter: Drafter) -> None:
    boxes = len(draw(drafter, 0).scene.layout.boxes)
    writer.append(step_record(2, structure_record(5)))
    assert writer.flush()
    assert len(draw(drafter, 0).scene.layout.boxes) > boxes
