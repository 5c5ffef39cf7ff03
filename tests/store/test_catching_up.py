"""A reader that looks for more without reading it knows of it, and still tells all of it afterwards."""

from pathlib import Path

import pytest

from tests.store.samples import META, step_record, structure_record
from tracer import Tape
from tracer.store.records import EventRecord
from tracer.store.writer import Writer


@pytest.mark.parametrize("had_told", [False, True])
def test_what_was_caught_up_with_is_told_all_the_same(tmp_path: Path, had_told: bool) -> None:
    writer, graph = Writer(tmp_path / "run.tape", META), structure_record()
    for step in range(3):
        writer.append(step_record(step, graph, loss=step / 2))
    assert writer.flush()
    with Tape(writer.path) as tape:
        told = tape.refresh().steps.column("steps").tolist() if had_told else []
        for step in range(3, 3_000):
            writer.append(step_record(step, graph, loss=step / 2))
        writer.append(EventRecord("stopped", 2_999, 0, {}))
        assert writer.flush()
        tape.catch_up()
        assert len(tape) == 3_000 and tape.step(-1).scalars == {"loss": 2_999 / 2}
        assert tape.table.column("steps").tolist() == list(range(3_000))
        batch = tape.refresh()
        assert told + batch.steps.column("steps").tolist() == list(range(3_000))
        assert [event.kind for event in batch.events] == ["stopped"]
        known = dict(zip(*(side.tolist() for side in batch.scalars["loss"]), strict=True))
        assert {step: step / 2 for step in range(3 if had_told else 0, 3_000)}.items() <= known.items()
        tape.catch_up()
        assert not tape.refresh()
    writer.close("closed")
