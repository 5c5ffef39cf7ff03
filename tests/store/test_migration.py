"""Tapes of older formats read as they did when they were new; their files are left as they are."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from tests.store.test_bad_files import GOLDEN, alter, everything
from tracer import Tape, TapeError
from tracer.store import schema
from tracer.store.blobs import checksum

OLD = sorted(GOLDEN.glob("format-[12].tape"))


@pytest.fixture(params=OLD, ids=lambda path: path.stem)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "old.tape"
    path.write_bytes(request.param.read_bytes())
    return path


def test_reading_an_old_tape_leaves_its_file_and_folder_alone(old: Path) -> None:
    before = old.read_bytes()
    old.chmod(0o444)
    assert everything(old) == everything(old)
    assert old.read_bytes() == before and [path.name for path in old.parent.iterdir()] == ["old.tape"]
    with Tape(old) as tape:
        assert [getattr(item, "index", None) for item in tape.follow()] == [*range(len(tape)), None]
        assert not tape.refresh()


def test_old_values_that_came_again_count_and_pieces_that_overlap_are_one(old: Path) -> None:
    add_chunk(old, 0, [5, 1, 0], [7.0, -1.0, -2.0])
    with Tape(old) as tape:
        steps, values = tape.series("loss")
        found = dict(zip(steps.tolist(), values.tolist(), strict=True))
        assert (found[5], found[1], found[0], found[2]) == (7.0, -1.0, -2.0, 1 / 3)
        assert tape.step(1).scalars["loss"] == -1.0
        assert tape.curve("loss", 0, 1)[1].tolist() == [-2.0, -1.0]


def add_chunk(path: Path, first: int, steps: list[int], values: list[float]) -> None:
    """After the values there are, as a training that goes on would: the tape is live again."""
    with sqlite3.connect(path) as file:
        (end,) = file.execute("SELECT max(first + n) FROM chunk WHERE scalar = 0").fetchone()
        data = np.array(steps, "<i8").tobytes() + np.array(values, "<f8").tobytes()
        row = 0, end + first, len(steps)
        file.execute(
            "INSERT INTO chunk(scalar, first, n, crc, data) VALUES (?, ?, ?, ?, ?)", (*row, checksum(*row, data), data)
        )
        for key, value in (("state", "live"), ("pid", "0"), ("process_start", "")):
            file.execute("REPLACE INTO meta VALUES (?, ?, ?)", (key, value, checksum(key, value)))
    file.close()


DAMAGE = {
    "a step": ("UPDATE step SET duration_ns = 1 WHERE id = 1", "step 1 does not match its checksum"),
    "a step's passes": ("UPDATE step SET passes = 'x' WHERE id = 1", "step 1 does not match"),
    "a lost step": ("DELETE FROM step WHERE id = 1", "does not hold all that was recorded"),
    "values": ("UPDATE chunk SET data = zeroblob(length(data))", "a piece of 'loss' does not match its checksum"),
    "lost values": ("DELETE FROM chunk", "does not hold all that was recorded"),
    "a moved piece": ("UPDATE chunk SET first = 9", "does not match its checksum"),
    "a name": ("UPDATE scalar SET name = 'acc' WHERE id = 0", "does not match its checksum"),
    "a graph": ("UPDATE structure SET shape_id = 'x' WHERE id = 1", "graph 1 does not match its checksum"),
    "a graph's bytes": ("UPDATE structure SET data = zeroblob(9)", "is damaged"),
    "an event": ("UPDATE event SET step = 1", "event 1 does not match its checksum"),
    "a lost event": ("DELETE FROM event", "does not hold all that was recorded"),
    "a fact": ("UPDATE meta SET value = 'x' WHERE key = 'command'", "a fact of the run does not match its checksum"),
}


@pytest.mark.parametrize(("statement", "sentence"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_old_tape_is_refused(old: Path, statement: str, sentence: str) -> None:
    alter(old, statement)
    with pytest.raises(TapeError, match=sentence) as raised:
        everything(old)
    assert str(old) in str(raised.value)


@pytest.mark.parametrize(
    "statement", ["UPDATE statistics SET data = zeroblob(32)", "UPDATE layout SET size = 5", "DELETE FROM layout"]
)
def test_damaged_measurements_of_an_old_tape_are_refused_when_asked_for(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "old.tape"
    path.write_bytes((GOLDEN / "format-2.tape").read_bytes())
    alter(path, statement)
    with Tape(path) as tape:
        assert len(tape.graph(2)) == 3 and len(tape) == 3
        with pytest.raises(TapeError, match="the statistics of step 2 does not match its checksum"):
            tape.statistics(2)


def test_lost_source_lines_of_an_old_tape_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "old.tape"
    path.write_bytes((GOLDEN / "format-2.tape").read_bytes())
    alter(path, "DELETE FROM source")
    with pytest.raises(TapeError, match="does not hold all that was recorded"):
        Tape(path)


def test_many_old_steps_become_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "BLOCK_STEPS", 2)
    for path in OLD:
        expected = everything(path)
        monkeypatch.setattr(schema, "BLOCK_STEPS", 2048)
        assert everything(path) == expected
        monkeypatch.setattr(schema, "BLOCK_STEPS", 2)
