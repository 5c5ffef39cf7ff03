"""Files that are no tapes, or not any more: one clear sentence, never a wrong value, a crash or a wait."""

import contextlib
import math
import os
import random
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest

from tests.store.samples import META, N_FOLDED, step_record, write_folded_tape, write_rich_tape, write_tape
from tracer import Tape, TapeError
from tracer.errors import ThinnedError
from tracer.model.records import Pass
from tracer.model.statistics import Statistics, Table
from tracer.store import schema
from tracer.store.blobs import checksum
from tracer.store.writer import Writer


@pytest.fixture(scope="module", params=[write_rich_tape, write_folded_tape])
def intact(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    written: Path = request.param(tmp_path_factory.mktemp("tape") / "a.tape")
    return written.read_bytes()


@dataclass(frozen=True)
class Refused:
    """Instead of what a step has: nothing is said, which is never wrong."""

    sentence: str


def everything(path: Path) -> list[Any]:
    """All that a tape can say, except its own path."""
    with Tape(path) as tape:
        said: list[Any] = [tape.meta, tape.state, tape.gaps, tape.events(), len(tape)]
        batch = tape.refresh()
        table = batch.steps
        said += [table.durations.tolist(), *(table.column(name).tolist() for name in table.DTYPES)]
        said += [table.texts(name) for name in table.NAMED]
        said += [tape.scalars, list(batch.scalars)]
        for name in tape.scalars:
            said += map(repr, (bytes(array) for pair in (tape.series(name), batch.scalars[name]) for array in pair))
            said += map(repr, (array.tolist() for points in (10, 10_000) for array in tape.curve(name, points=points)))
            said += [repr(tape.envelope(name, 5, 99, 9).means.tolist())]
        for index in range(len(tape)):
            said += about_step(tape, index)
        return said


def about_step(tape: Tape, index: int) -> list[Any]:
    said: list[Any] = []
    for ask in (tape.step, tape.lines_digest, tape.graph, tape.statistics):
        try:
            said.append(plain(ask(index)))
        except TapeError as error:
            if "was not recorded" not in str(error) and "thinned" not in str(error):
                raise
            said.append(Refused(str(error)))
    return said


def plain(found: Any) -> Any:
    """What can be compared, NaN included."""
    if isinstance(found, nx.MultiDiGraph):
        for node in found.nodes.values():
            node["inside"] = None if node["inside"] is None else nx.node_link_data(node["inside"], edges="edges")
        return dict(found.nodes(data=True)), list(found.edges(keys=True, data=True)), found.graph
    if isinstance(found, Statistics):
        tables = [(table.keys, table.columns, repr(table.values.tolist())) for table in found_tables(found)]
        return tables, found.operators, found.operator_secs.tolist()
    return repr(found)


def found_tables(found: Statistics) -> tuple[Table, ...]:
    return found.calls, found.parameters, found.nodes


def make_missing(path: Path) -> None:
    pass


def make_folder(path: Path) -> None:
    path.mkdir()


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_empty(path: Path) -> None:
    path.touch()


def make_text(path: Path) -> None:
    path.write_text("loss,step\n" * 1000)


def make_other_database(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as file:
        file.execute("CREATE TABLE meta(key, value)")


def altered(*statements: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        write_tape(path)
        alter(path, *statements)

    return make


def alter(path: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as file:
        for statement in statements:
            file.execute(statement)


STRANGE = r"does not have the tables of a tape of format 3; it is damaged or was altered"
BAD_FILES = {
    "missing": (make_missing, "There is no file"),
    "folder": (make_folder, "is not a file, nor a folder of a job's tapes"),
    "pipe": (make_pipe, "is not a file"),
    "empty": (make_empty, "is not a tape; a tape is written by `tapescope run`"),
    "text": (make_text, "is not a tape"),
    "database": (make_other_database, "is another program's database, not a tape"),
    "newer": (
        altered("PRAGMA user_version=4"),
        "was written by format 4; this version reads up to 3. Update Tapescope",
    ),
    "older than it looks": (
        altered("PRAGMA user_version=1"),
        "does not have the tables of a tape of format 1; it is damaged or was altered",
    ),
    "formatless": (altered("PRAGMA user_version=0"), "has no format"),
    "table": (altered("CREATE TABLE extra(x)"), STRANGE),
    "view": (altered("CREATE VIEW extra AS SELECT 1"), STRANGE),
    "trigger": (altered("CREATE TRIGGER extra AFTER INSERT ON gap BEGIN SELECT 1; END"), STRANGE),
    "index": (altered("CREATE INDEX extra ON gap(first)"), STRANGE),
    "swapped": (altered("DROP TABLE gap", "CREATE VIEW gap AS SELECT 1 AS first, 2 AS last, 'x' AS reason"), STRANGE),
    "lost steps": (altered("DELETE FROM step WHERE id = 5"), "does not hold all that was recorded"),
    "lost values": (altered("DELETE FROM scalar"), "does not hold all that was recorded"),
    "lost facts": (altered("DELETE FROM meta"), "does not hold all that was recorded"),
    "renamed scalar": (altered("UPDATE scalar SET name = 'acc' WHERE id = 0"), "the name of a scalar does not match"),
    "moved step": (altered("UPDATE step SET structure = 2 WHERE id = 0"), "step 0 does not match its checksum"),
    "moved steps": (altered("UPDATE step SET id = -id"), "does not match its checksum"),
    "lost lines": (altered("DELETE FROM structure"), "does not hold all that was recorded"),
    "other fact": (altered("UPDATE meta SET value = 'x' WHERE key = 'command'"), "a fact of the run does not match"),
}


@pytest.mark.parametrize("make, sentence", BAD_FILES.values(), ids=BAD_FILES)
def test_bad_file_gets_one_sentence(make: Callable[[Path], None], sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.tape"
    make(path)
    with pytest.raises(TapeError, match=sentence) as raised:
        Tape(path)
    assert str(raised.value).count("\n") == 0
    assert str(path) in str(raised.value)
    assert not list(tmp_path.glob("bad.tape-*"))


@pytest.mark.parametrize("name", ["a?b#c%20.tape", "ü🎈.tape", "-.tape", b"\xff.tape"])
def test_any_name_of_a_file_will_do(name: str | bytes, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(name)
    with Tape(write_tape(path)) as tape:
        assert len(tape) == 6
    for impossible in ("x" * 300, "nul\0"):
        with pytest.raises(TapeError):
            Tape(tmp_path / impossible)


def assert_right_or_refused(path: Path, expected: list[Any]) -> bool:
    """True where it was refused, or a part of it."""
    try:
        found = everything(path)
    except TapeError as error:
        assert "\n" not in str(error)
        return True
    pairs = list(zip(found, expected, strict=True))
    assert all(one == other or isinstance(one, Refused) for one, other in pairs)
    return any(one != other for one, other in pairs)


def test_a_tape_cut_anywhere_is_right_or_refused(intact: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.tape"
    path.write_bytes(intact)
    expected = everything(path)
    for size in {*range(0, len(intact), 3001), 1, 15, 16, 99, 100, 16383, 16384, len(intact) - 1}:
        path.write_bytes(intact[:size])
        # the last page is an index that only the writer uses
        assert assert_right_or_refused(path, expected) or size > len(intact) - schema.PAGE_BYTES, size


def test_flipped_bits_never_make_a_wrong_value(intact: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.tape"
    path.write_bytes(intact)
    expected, chance, refused = everything(path), random.Random(7), 0
    used = [at for at in range(len(intact)) if any(intact[max(0, at - 8) : at + 8])]  # most of a small tape is empty
    for _ in range(150):
        damaged = bytearray(intact)
        damaged[chance.choice(used)] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        refused += assert_right_or_refused(path, expected)
    assert refused > 100


def test_bytes_overwritten_with_noise_never_make_a_wrong_value(intact: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.tape"
    path.write_bytes(intact)
    expected, chance = everything(path), random.Random(8)
    for _ in range(40):
        damaged, at, n = bytearray(intact), chance.randrange(len(intact)), chance.choice([2, 40, 5000])
        damaged[at : at + n] = chance.randbytes(len(damaged[at : at + n]))
        path.write_bytes(damaged)
        assert_right_or_refused(path, expected)


def test_a_log_cut_or_flipped_after_a_kill_loses_only_its_end(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "a.tape", META)
    for index in range(40):
        writer.append(step_record(index, None, loss=float(index)))
        writer.flush()
    files = {suffix: (tmp_path / f"a.tape{suffix}").read_bytes() for suffix in ("", "-wal")}
    writer.close("closed")
    chance = random.Random(9)
    for _ in range(40):
        log = bytearray(files["-wal"])
        at = chance.randrange(len(log))
        if chance.random() < 0.5:
            log[at] ^= 1 << chance.randrange(8)
        else:
            del log[at:]
        (tmp_path / "b.tape").write_bytes(files[""])
        (tmp_path / "b.tape-wal").write_bytes(log)
        (tmp_path / "b.tape-shm").unlink(missing_ok=True)
        with contextlib.suppress(TapeError), Tape(tmp_path / "b.tape") as tape:
            assert [step.scalars["loss"] for step in tape.steps] == [float(index) for index in range(len(tape))]


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("UPDATE source SET id = 2", "row 2 of source does not match its checksum"),
        ("UPDATE structure SET id = 9 WHERE id = 1", "graph 1 is missing"),
        ("UPDATE structure SET kept = 0 WHERE id = 1", "graph 1 does not match its checksum"),
        ("DELETE FROM graph WHERE id = 2", "the content of graph 2 is missing"),
        ("UPDATE graph SET data = (SELECT data FROM graph WHERE id = 1)", "does not unpack to"),
        ("DELETE FROM source", "does not hold all that was recorded"),
        ("UPDATE statistics SET data = zeroblob(32)", "the statistics of step 2 does not match its checksum"),
        ("UPDATE statistics SET id = 1", "The statistics of step 2 were not recorded"),
        ("DELETE FROM layout", "is damaged"),
        ("UPDATE layout SET size = 5", "row 1 of layout does not match its checksum"),
    ],
)
def test_altered_lines_and_numbers_are_refused(statement: str, sentence: str, tmp_path: Path) -> None:
    write_rich_tape(tmp_path / "a.tape")
    alter(tmp_path / "a.tape", statement)
    with pytest.raises(TapeError, match=sentence):
        everything(tmp_path / "a.tape")


def test_a_graph_that_leans_on_one_that_leans_itself_is_refused(tmp_path: Path) -> None:
    """Nothing may send a reader round in circles, though each row by itself is as it should be."""
    path = write_folded_tape(tmp_path / "a.tape")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as file:
        for number, base in ((4, 5), (5, 5)):
            *fields, _ = file.execute("SELECT * FROM structure WHERE id = ?", (number,)).fetchone()
            fields[5] = base
            file.execute("REPLACE INTO structure VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*fields, checksum(*fields)))
    with Tape(path) as tape:
        for number in (4, 5):
            with pytest.raises(TapeError, match="graph 5, which others lean on, leans itself"):
                tape.structure(number)
        assert len(tape.structure(6).nodes) == 44


GOLDEN = Path(__file__).resolve().parents[1] / "data"


def test_the_golden_tape_of_format_1_reads_as_ever() -> None:
    with Tape(GOLDEN / "format-1.tape") as tape:
        assert tape.state == "closed" and tape.meta["command"] == "train.py"
        assert [step.topology_id for step in tape.steps] == ["topology-2-fc"] * 3 + ["topology-3-fc"] * 3
        assert [array.tolist() for array in tape.series("loss")] == [list(range(6)), [1 / n for n in range(1, 7)]]
        assert [step.scalars["lr"] for step in tape.steps] == [0.1] * 6
        assert [(event.kind, event.step, event.data) for event in tape.events()] == [
            ("stopped", 6, {"reason": "pause"})
        ]
        graph = tape.graph(0)
        chain = ["fc.weight", "fc#0/MulBackward0:0", "fc#0/MulBackward0:1", "output:0"]
        assert list(nx.topological_sort(graph)) == chain and graph.number_of_edges() == 3
        assert graph.nodes["fc.weight"]["parameter"] == "fc.weight" and graph.nodes[chain[1]]["shapes"] == [[2, 2]]
        assert graph.graph["unreached"] == ["unused"] and graph.graph["module_calls"][0]["class"] == "Linear"
        assert tape.diff(2, 3).added == {"fc#0/MulBackward0:2"}
        assert tape.statistics(0) is None and graph.nodes[chain[1]]["source"] is None
        assert graph.nodes[chain[1]]["inside"] is None and graph.graph["module_calls"][0]["fed_by"] == []


def test_the_golden_tape_of_format_2_reads_as_ever() -> None:
    with Tape(GOLDEN / "format-2.tape") as tape:
        assert [step.topology_id for step in tape.steps] == ["topology-2-fc"] * 2 + ["topology-compiled"]
        assert [array.tolist() for array in tape.series("loss")] == [list(range(3)), [1 / n for n in range(1, 4)]]
        op = "fc#0/MulBackward0:0"
        for step in range(2):
            assert tape.graph(step).nodes[op]["source"] == {"file": "train.py", "line": 7, "function": "Net.forward"}
            assert tape.graph(step).nodes["fc.weight"]["source"] is None
        graph = tape.graph(2)
        assert graph.nodes[op]["source"] is None
        inside = graph.nodes[op]["inside"]
        assert inside.graph["title"] == "torch.compile, backend inductor"
        assert list(inside.edges(data="input_nr")) == [("x", "mul", 0), ("x", "mul", 1), ("mul", "output", 0)]
        assert inside.nodes["mul"] == {
            "op": "call_function",
            "target": "mul",
            "shape": [2, 2],
            "dtype": "float32",
            "source": {"file": "net.py", "line": 4, "function": "f"},
        }
        assert [call["fed_by"] for call in graph.graph["module_calls"]] == [[], [0], []]
        assert tape.statistics(1) is None
        measured = tape.statistics(2)
        assert measured is not None and measured.calls.row("fc#0") == {"mean": 1.0, "nans": 0.0}
        assert measured.parameters.column("grad_norm").tolist()[0] == 2.0
        assert [(item.name, item.flops) for item in measured.operators] == [("aten.mm.default", 16)]
        assert measured.operator_secs.tolist() == [0.125]


def test_the_golden_tape_of_format_3_reads_as_ever() -> None:
    nan = float("nan")
    with Tape(GOLDEN / "format-3.tape") as tape:
        assert tape.state == "closed" and len(tape) == N_FOLDED and tape.scalars == ["loss", "lr", "late", "extra"]
        known = [index for index in range(N_FOLDED) if index != 33]
        assert tape.table.column("steps").tolist() == known
        loss = {index: 0.5 if index % 5 == 3 else 1 / (index + 1) for index in range(N_FOLDED)} | {70: -0.0}
        assert_series(tape, "loss", loss)
        assert_series(tape, "lr", {index: 0.1 if index % 50 else nan for index in known if index != 70})
        late = {index: index + 3.0 for index in range(1, N_FOLDED, 5)} | {2: -119.0}
        assert_series(tape, "late", late)
        assert_series(tape, "extra", {70: float("inf")})
        assert (33, 33, "it could not be stored") in tape.gaps
        assert [(event.step, event.data) for event in tape.events("note")] == [(59, {"n": 59}), (119, {"n": 119})]
        for step in tape:
            expected = {name: some[step.index] for name, some in (("loss", loss), ("late", late)) if step.index in some}
            assert expected.items() <= step.scalars.items()
            assert step.passes == (Pass("backward", 0.5),) and step.started_ns == 1_000 + step.index
        with pytest.raises(TapeError, match="Step 33 was not recorded \\(it could not be stored"):
            tape.step(33)
        with pytest.raises(ThinnedError, match="The graph of step 50 was thinned out to keep the tape small"):
            tape.graph(50)
        with pytest.raises(ThinnedError, match="measurements are kept of none"):
            tape.statistics(50)
        assert tape.step(50).shape_id == "shape-5-gone" and tape.step(70).shape_id == ""
        assert [len(tape.graph(index)) for index in range(134, N_FOLDED)] == [42, 43, 44, 45, 4, 3]
        measured = tape.statistics(139)
        assert measured is not None and measured.calls.row("fc#0") == {"mean": 139.0, "nans": 0.0}
        op = "fc#0/MulBackward0:0"
        assert [tape.graph(index).nodes[op]["source"] for index in (0, 138)] == 2 * [
            {"file": "train.py", "line": 7, "function": "Net.forward"}
        ]
        assert [len(tape.graph(index).graph["module_calls"]) for index in (137, 138)] == [2, 1]


def assert_series(tape: Tape, name: str, expected: dict[int, float]) -> None:
    steps, values = tape.series(name)
    assert steps.tolist() == sorted(expected)
    np.testing.assert_array_equal(values, [expected[step] for step in sorted(expected)])
    assert math.copysign(1, values[0]) == math.copysign(1, expected[int(steps[0])])


def test_golden_tapes_reach_up_to_the_present_format() -> None:
    assert [path.name for path in sorted(GOLDEN.glob("*.tape"))] == [
        f"format-{version}.tape" for version in range(1, schema.FORMAT + 1)
    ]
