"""Damaged tapes: what they say is right, or refused; `check` knows it, `repair` keeps what is intact."""

import contextlib
import json
import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.damage import Trial
from main import main
from tests.store import damages
from tests.store.samples import META, step_record, structure, structure_record, write_tape
from tracer import Tape, TapeError
from tracer.errors import UsageError
from tracer.model.fingerprint import shape_id, topology_id
from tracer.store import schema
from tracer.store.checking import check
from tracer.store.records import StructureRecord
from tracer.store.salvage import repair
from tracer.store.writer import Writer

ROOT = Path(__file__).resolve().parents[2]
PAGE = schema.PAGE_BYTES


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return Trial(tmp_path_factory.mktemp("trial"))


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A closed tape with blocks, structures that lean on others, measurements, late values, events."""
    return damages.closed_tape(tmp_path_factory.mktemp("rich") / "a.tape")[""]


def pages_of(data: bytes, table: str) -> list[int]:
    """Where the leaves of a table begin."""
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(data)
        names = "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path"
        return [PAGE * (number - 1) for (number,) in connection.execute(names, (table,))]


def without(data: bytes, *places: int) -> bytes:
    """Pages made of noise."""
    damaged, chance = bytearray(data), random.Random(1)
    for place in places:
        damaged[place : place + PAGE] = chance.randbytes(PAGE)
    return bytes(damaged)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(chance=st.randoms(use_true_random=False))
def test_a_damaged_tape_says_the_truth_or_less(trial: Trial, chance: random.Random) -> None:
    trial.run(chance)


def test_no_damage_crashes_hangs_or_takes_all_memory() -> None:
    """In a process of its own, with a limit on its memory; its outcomes are lines of seed, outcome, seconds."""
    command = [sys.executable, "-m", "benchmarks.damage", "--work", "500000", "500030"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=600)
    outcomes = [line.split(" ", 1)[1].partition("|")[0] for line in done.stdout.splitlines()]
    assert done.returncode == 0 and len(outcomes) == 30, done.stderr
    assert set(outcomes) <= {"right", "read in part", "refused"}, done.stdout


def test_an_intact_tape_is_found_intact(tmp_path: Path, rich: bytes) -> None:
    (tmp_path / "a.tape").write_bytes(rich)
    for path in (tmp_path / "a.tape", *sorted(damages.GOLDEN.glob("*.tape"))):
        condition = check(path)
        assert not condition.damage
        with Tape(path) as tape:
            assert (condition.n_steps, condition.n_events) == (len(tape.table), len(tape.events()))


def test_a_tape_that_is_being_written_is_found_intact(tmp_path: Path) -> None:
    with damages.small_blocks():
        writer = Writer(tmp_path / "a.tape", META)
        damages.fill(writer, 40)
        writer.flush(20)
        condition = check(tmp_path / "a.tape")
        writer.close("closed")
    assert not condition.damage and condition.n_steps == 40


def lost_page(table: str, nth: int = 0) -> Callable[[bytes], bytes]:
    return lambda data: without(data, pages_of(data, table)[nth])


DAMAGE: dict[str, tuple[Callable[[bytes], bytes], list[str]]] = {
    "header": (lambda data: b"x" * 100 + data[100:], ["the first page, which says what is where, is destroyed"]),
    "first page": (lambda data: without(data, 0), ["the first page, which says what is where, is destroyed"]),
    "newest steps": (lost_page("step"), ["steps 80 to 89: lost"]),
    "events": (lost_page("event"), ["5 events lost"]),
    "forward-only passes": (lost_page("evaluation"), ["13 steps between 0 and 84: its forward-only passes lost"]),
    "statistics": (
        lost_page("layout"),
        ["30 steps between 0 and 87: statistics lost"],
    ),
    "names": (lost_page("scalar"), ["3 names of scalars lost, the values are there"]),
    "an index": (lost_page("sqlite_autoindex_layout_1"), ["nothing of the run is lost, but "]),
}


@pytest.mark.parametrize("damage, words", DAMAGE.values(), ids=DAMAGE)
def test_check_says_what_is_damaged(
    damage: Callable[[bytes], bytes], words: list[str], rich: bytes, tmp_path: Path
) -> None:
    (tmp_path / "a.tape").write_bytes(damage(rich))
    found = check(tmp_path / "a.tape").damage
    assert all(line.startswith(word) for line, word in zip(found, words, strict=True)), found


def test_what_is_lost_is_a_gap_of_the_new_tape(rich: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.tape").write_bytes(without(rich, *pages_of(rich, "step"), *pages_of(rich, "evaluation")))
    repair(tmp_path / "a.tape", tmp_path / "b.tape")
    with Tape(tmp_path / "b.tape") as tape:
        assert (80, 89, "lost to damage") in tape.gaps
        assert (7, 7, "without its forward-only passes: lost to damage") in tape.gaps
        assert tape.graph(7).graph["module_calls"][0]["grad_enabled"] and tape.state == "closed"
        assert tape.meta["repaired_from"] == str(tmp_path / "a.tape")
        assert tape.series("loss")[0].tolist()[:80] == list(range(80))
    assert not check(tmp_path / "b.tape").damage


def test_a_graph_whose_ids_are_left_is_told_apart_from_others(rich: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.tape").write_bytes(without(rich, *pages_of(rich, "graph")))
    lost = repair(tmp_path / "a.tape", tmp_path / "b.tape").lost
    assert any("graph lost" in line for line in lost)
    with Tape(tmp_path / "b.tape") as tape:
        assert tape.step(0).topology_id == "topology-30-fc" != tape.step(1).topology_id
        with pytest.raises(TapeError):
            tape.graph(0)


def test_a_log_cut_in_the_middle_is_used_as_far_as_it_is_right(tmp_path: Path) -> None:
    files = damages.killed_tape(tmp_path / "k.tape")
    whole_path = tmp_path / "a.tape"
    damages.write(whole_path, files)
    n_steps = check(whole_path).n_steps
    log = bytearray(files["-wal"])
    log[32 + 24 + 500] ^= 255  # in the first frame: SQLite reads none after it
    damages.write(whole_path, {**files, "-wal": bytes(log)})
    condition = check(whole_path)
    assert any("the log beside the tape is damaged" in line for line in condition.damage)
    assert condition.n_steps > 0.5 * n_steps


def test_repair_leaves_the_damaged_file_as_it_is(rich: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.tape"
    path.write_bytes(without(rich, 3 * PAGE))
    before = path.read_bytes(), path.stat().st_mtime_ns
    repair(path, tmp_path / "b.tape")
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert sorted(os.listdir(tmp_path)) == ["a.tape", "b.tape"]
    with pytest.raises(UsageError, match="is the damaged tape itself"):
        repair(path, path)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not a tape; it is left as it is"):
        repair(path, tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "mine"
    with pytest.raises(TapeError, match="Cannot create the tape"):
        repair(path, tmp_path / "no folder" / "b.tape")


def test_a_mended_tape_is_repaired_over(rich: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.tape").write_bytes(rich)
    write_tape(tmp_path / "b.tape")
    assert repair(tmp_path / "a.tape", tmp_path / "b.tape").lost == ()
    with Tape(tmp_path / "b.tape") as tape:
        assert len(tape) == damages.N_STEPS


@pytest.mark.parametrize("version", [1, 2])
def test_old_formats_are_repaired_into_the_present_one(version: int, tmp_path: Path) -> None:
    whole = damages.GOLDEN / f"format-{version}.tape"
    (tmp_path / "a.tape").write_bytes(without(whole.read_bytes(), 0))
    assert not repair(tmp_path / "a.tape", tmp_path / "b.tape").lost[1:]
    assert damages.contents(tmp_path / "b.tape").graphs == damages.contents(whole).graphs
    with contextlib.closing(sqlite3.connect(tmp_path / "b.tape")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (schema.FORMAT,)


@pytest.fixture
def no_tapes(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("loss,step\n" * 10_000)
    (tmp_path / "noise").write_bytes(random.Random(3).randbytes(200_000))
    (tmp_path / "folder").mkdir()
    with contextlib.closing(sqlite3.connect(tmp_path / "database")) as connection:
        connection.execute("CREATE TABLE meta(key, value)")
    with (tmp_path / "zeros").open("wb") as file:
        file.truncate(10 << 30)
    yield tmp_path


def test_what_is_no_tape_is_said_to_be_none(no_tapes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in sorted(no_tapes.iterdir()):
        for words in (["check", str(path)], ["repair", str(path), "-o", str(no_tapes / "new.tape")]):
            assert main(words) == 2, path
            out, err = capsys.readouterr()
            assert out == "" and err.count("\n") == 1 and str(path) in err, err
    assert not (no_tapes / "new.tape").exists()


def test_a_newer_format_is_not_damage(tmp_path: Path) -> None:
    write_tape(tmp_path / "a.tape")
    with contextlib.closing(sqlite3.connect(tmp_path / "a.tape")) as connection:
        connection.execute("PRAGMA user_version=9")
        connection.execute("CREATE TABLE more(x)")
    with pytest.raises(TapeError, match=r"was written by format 9.*Update Tapescope"):
        check(tmp_path / "a.tape")


def test_check_and_repair_on_the_command_line(rich: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, new = tmp_path / "a.tape", tmp_path / "b.tape"
    path.write_bytes(rich)
    assert main(["check", str(path)]) == 0
    assert capsys.readouterr().out == "intact: 90 steps, 5 events\n"
    path.write_bytes(without(rich, *pages_of(rich, "step")))
    assert main(["check", str(path)]) == 1
    assert "is damaged; 80 steps are intact:\n  steps 80 to 89: lost\n" in capsys.readouterr().out
    assert main(["check", str(path), "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said == {"intact": False, "n_steps": 80, "n_events": 5, "damage": ["steps 80 to 89: lost"]}
    assert main(["repair", str(path), "-o", str(new)]) == 0
    assert capsys.readouterr().out == f"{new}: 80 steps\nlost:\n  steps 80 to 89: lost\n"
    assert main(["check", str(new)]) == 0


def test_a_run_of_missing_steps_that_a_gap_explains_is_no_damage(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "a.tape", META)
    graph = structure_record()
    for index in (0, 1, 5, 6):
        writer.append(step_record(index, graph, loss=0.5))
    writer.close("closed")
    assert check(tmp_path / "a.tape").damage == ("steps 2 to 4: lost",)
    with contextlib.closing(sqlite3.connect(tmp_path / "a.tape", isolation_level=None)) as connection:
        from tracer.store.blobs import checksum

        row = 1, 2, 4, "the disk was slower than the training"
        connection.execute("INSERT INTO gap VALUES (?, ?, ?, ?, ?)", (*row, checksum(*row)))
        rows = schema.count_rows(connection)
        connection.execute("UPDATE meta SET value = ?, crc = ? WHERE key = 'rows'", (rows, checksum("rows", rows)))
    assert not check(tmp_path / "a.tape").damage


def test_structures_whose_rows_are_destroyed_come_back_from_their_graphs(tmp_path: Path) -> None:
    graphs = [structure(n) for n in (30, 31, 32)]
    ids = [(topology_id(one), shape_id(one, topology_id(one))) for one in graphs]
    writer = Writer(tmp_path / "a.tape", META)
    for index in range(9):
        writer.append(step_record(index, StructureRecord(graphs[index % 3], *ids[index % 3]), loss=0.5))
    writer.close("closed")
    whole = (tmp_path / "a.tape").read_bytes()
    (tmp_path / "a.tape").write_bytes(without(whole, *pages_of(whole, "structure")))
    repair(tmp_path / "a.tape", tmp_path / "b.tape")
    (tmp_path / "whole.tape").write_bytes(whole)
    assert damages.contents(tmp_path / "b.tape").graphs == damages.contents(tmp_path / "whole.tape").graphs
    with Tape(tmp_path / "b.tape") as tape:
        assert [(step.topology_id, step.shape_id) for step in tape.steps] == 3 * ids
    lost = without(whole, *pages_of(whole, "structure"), *pages_of(whole, "sqlite_autoindex_structure_1"))
    (tmp_path / "a.tape").write_bytes(lost)
    assert any("graph lost" in line for line in repair(tmp_path / "a.tape", tmp_path / "b.tape").lost)
