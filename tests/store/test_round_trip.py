"""What the writer is given is what a reader gives back, whenever it looks."""

import sqlite3
from pathlib import Path
from unittest.mock import patch

import networkx as nx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.store.samples import META, step_record, structure, structure_record, write_tape
from tracer import Tape, UsageError, record
from tracer.model.records import Pass
from tracer.model.statistics import Operator, Statistics, Table
from tracer.model.structure import Edge, Inside, InsideNode, ModuleCall, Node, SourceLine, Structure, to_networkx
from tracer.store import schema
from tracer.store.destination import check, prepare
from tracer.store.records import EventRecord, ScalarRecord, SourceRecord, StatisticsRecord, StepRecord, StructureRecord
from tracer.store.writer import Writer

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["", "\n", "\0", "'", "fc.🎈", "ß" * 300]
)
numbers = st.floats() | st.sampled_from([float("nan"), float("inf"), -float("inf"), -0.0, 5e-324])
shapes = st.lists(st.lists(st.integers(0, 2**40), max_size=3).map(tuple), max_size=2).map(tuple)

lines = st.none() | st.builds(SourceLine, names, st.integers(0, 2**31), names)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    keys, columns = (draw(st.lists(names, unique=True, max_size=3).map(tuple)) for _ in range(2))
    rows = [[draw(numbers) for _ in columns] for _ in keys]
    return Table(keys, columns, np.array(rows, float).reshape(len(keys), len(columns)))


@st.composite
def measurements(draw: st.DrawFn) -> Statistics:
    texts, flops = names, st.none() | st.integers(0)
    one = st.builds(Operator, texts, st.none() | texts, texts, st.booleans(), shapes, texts, texts, flops)
    operators = draw(st.lists(one, max_size=3).map(tuple))
    secs = np.array([draw(numbers) for _ in operators], float)
    return Statistics(draw(tables()), draw(tables()), draw(tables()), operators, secs)


@st.composite
def structures(draw: st.DrawFn) -> Structure:
    paths = draw(st.lists(names, max_size=4))
    parents = [draw(st.none() | st.integers(0, at - 1)) if at else None for at in range(len(paths))]
    feeding = [tuple(draw(st.lists(st.integers(0, at - 1), max_size=2))) if at else () for at in range(len(paths))]
    calls = tuple(
        ModuleCall(path, draw(names), at, parent, draw(st.booleans()), True, 1, feeding[at])
        for at, (path, parent) in enumerate(zip(paths, parents, strict=True))
    )
    made_by = st.none() | st.integers(0, len(calls) - 1) if calls else st.none()
    texts, maybe = names, st.none() | names
    kinds = st.sampled_from(["op", "parameter", "output"])
    insides = draw(st.lists(insides_of_nodes(), max_size=2).map(tuple))
    inside = st.none() | st.integers(0, len(insides) - 1) if insides else st.none()
    rest = (kinds, texts, made_by, maybe, st.integers(0, 3), shapes, texts, texts, st.booleans(), maybe, inside)
    keys = draw(st.lists(names, unique=True, max_size=5))
    nodes = tuple(draw(st.builds(Node, st.just(key), *rest)) for key in keys)
    pairs = [(one, other) for other in range(len(nodes)) for one in range(other)]  # a graph without circles
    flows = draw(st.lists(st.sampled_from(pairs), max_size=6)) if pairs else []
    edges = tuple(Edge(*pair, draw(st.integers(0, 9)), draw(st.integers(0, 9))) for pair in flows)
    return Structure(nodes, edges, calls, tuple(draw(st.lists(names, max_size=2))), insides)


@st.composite
def insides_of_nodes(draw: st.DrawFn) -> Inside:
    keys = draw(st.lists(names, unique=True, max_size=4))
    flows = [tuple(draw(st.lists(st.integers(0, at - 1), max_size=2))) if at else () for at in range(len(keys))]
    rest = names, names
    shape = st.none() | st.lists(st.integers(0, 9), max_size=2).map(tuple)
    nodes = (
        draw(st.builds(InsideNode, st.just(key), *rest, st.just(flow), shape, names, lines))
        for key, flow in zip(keys, flows, strict=True)
    )
    return Inside(draw(names), tuple(nodes))


def same_graph(one: nx.MultiDiGraph, other: nx.MultiDiGraph) -> bool:
    return parts(one) == parts(other)


def parts(graph: nx.MultiDiGraph) -> tuple[object, ...]:
    nodes = {
        key: {**data, "inside": None if data.get("inside") is None else parts(data["inside"])}
        for key, data in graph.nodes.items()
    }
    return nodes, list(graph.nodes), list(graph.edges(keys=True, data=True)), graph.graph


@pytest.mark.parametrize("block_steps", [1, schema.BLOCK_STEPS])
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    graphs=st.lists(structures(), min_size=1, max_size=3),
    scalars=st.lists(st.dictionaries(names, numbers, max_size=4), min_size=1, max_size=4),
    name=names,
    measured=measurements(),
    data=st.data(),
)
def test_anything_written_is_read_back(
    tmp_path: Path,
    block_steps: int,
    graphs: list[Structure],
    scalars: list[dict[str, float]],
    name: str,
    measured: Statistics,
    data: st.DataObject,
) -> None:
    records = [StructureRecord(graph, name, f"{name} {at}") for at, graph in enumerate(graphs)]
    made = tuple(data.draw(lines) for _ in records[0].structure.nodes)
    with patch.multiple(schema, BLOCK_STEPS=block_steps, YOUNG_STEPS=1):
        writer = Writer(tmp_path / "a.tape", {**META, "command": name})
        for index, values in enumerate(scalars):
            graph = records[index % len(records)]
            passes = Pass("backward", values.get("loss")), Pass("forward", None, 3)
            evaluated = graph.structure.calls if index % 2 else ()
            writer.append(StepRecord(index, graph, evaluated, name, name, -index, 5, name, passes, values))
        writer.append(SourceRecord(records[0], made))
        writer.append(StatisticsRecord(0, measured))
        writer.append(EventRecord(name, 7, 1, {name: name}))
        writer.close("closed")

    with Tape(tmp_path / "a.tape") as tape:
        assert tape.state == "closed" and tape.meta["command"] == name
        for index, (step, values) in enumerate(zip(tape.steps, scalars, strict=True)):
            graph = records[index % len(records)]
            stored_once = next(other for other in records if other.structure == graph.structure)
            assert (step.index, step.phase, step.optimizer, step.level) == (index, name, name, name)
            assert (step.topology_id, step.shape_id) == (stored_once.topology_id, stored_once.shape_id)
            assert (step.started_ns, step.duration_secs, step.passes[1]) == (-index, 5e-9, Pass("forward", None, 3))
            np.testing.assert_equal(dict(step.scalars), values)
            evaluated = graph.structure.calls if index % 2 else ()
            known = made if graph.structure == graphs[0] else ()
            assert same_graph(tape.graph(index), to_networkx(graph.structure, evaluated, known))
        assert_equal_measurements(tape.statistics(0), None if name == "structure" else measured)
        (event,) = tape.events()
        assert (event.kind, event.step, event.time_ns, event.data) == (name, 7, 1, {name: name})
        for scalar in tape.scalars:
            steps, values = tape.series(scalar)
            assert steps.tolist() == [at for at, given in enumerate(scalars) if scalar in given]
            np.testing.assert_equal(values.tolist(), [given[scalar] for given in scalars if scalar in given])


def assert_equal_measurements(found: Statistics | None, expected: Statistics | None) -> None:
    if found is None or expected is None:
        assert found is expected
        return
    for name in ("calls", "parameters", "nodes"):
        one, other = getattr(found, name), getattr(expected, name)
        assert (one.keys, one.columns) == (other.keys, other.columns)
        np.testing.assert_equal(one.values, other.values)
    assert found.operators == expected.operators
    np.testing.assert_equal(found.operator_secs, expected.operator_secs)


def test_equal_structures_are_stored_once(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "a.tape", META)
    for index in range(600):
        writer.append(step_record(index, structure_record(2 + index % 2)))
    writer.close("closed")
    with sqlite3.connect(tmp_path / "a.tape") as file:
        assert file.execute("SELECT count(*) FROM structure").fetchone() == (2,)
    file.close()


def test_an_open_reader_sees_every_value_once_while_steps_are_folded(tmp_path: Path) -> None:
    n_steps, seen_steps, seen_values = 5_200, [], {"loss": [], "late": []}
    writer = Writer(tmp_path / "a.tape", META)
    with Tape(tmp_path / "a.tape") as tape:
        for index in range(n_steps):
            writer.append(step_record(index, None, loss=float(index)))
            if index % 3 == 2:
                writer.append(ScalarRecord(index - 2, "late", index / 2))
            if index % 97 == 0 or index == n_steps - 1:
                assert writer.flush()
                batch = tape.refresh()
                seen_steps += batch.steps.column("steps").tolist()
                for name, (steps, values) in batch.scalars.items():
                    seen_values[name] += list(zip(steps.tolist(), values.tolist(), strict=True))
        assert not tape.refresh()
        n_chunks = tape._connection.execute("SELECT count(*) FROM chunk").fetchone()[0]
        series = tape.series("loss")
        writer.close("closed")
        assert not tape.refresh().steps
        assert tape.state == "closed"

    assert seen_steps == list(range(n_steps))
    assert seen_values["loss"] == [(index, float(index)) for index in range(n_steps)]
    assert seen_values["late"] == [(index - 2, index / 2) for index in range(n_steps) if index % 3 == 2]
    assert n_chunks == 2 * 2  # two blocks, two scalars
    with Tape(tmp_path / "a.tape") as tape:
        for whole, part in zip(tape.series("loss"), series, strict=True):
            assert np.array_equal(whole, part)


def test_the_last_value_of_a_step_counts_however_late(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "a.tape", META)
    for index in range(3):
        writer.append(step_record(index, None, loss=float(index)))
    for step, value in ((1, 10.0), (0, 20.0), (1, 30.0)):
        writer.append(ScalarRecord(step, "loss", value))
    writer.close("closed")
    with Tape(tmp_path / "a.tape") as tape:
        assert [array.tolist() for array in tape.series("loss")] == [[0, 1, 2], [20.0, 30.0, 2.0]]
        assert [step.scalars["loss"] for step in tape.steps] == [20.0, 30.0, 2.0]
        with pytest.raises(KeyError, match="'acc' is not in this tape; it has loss"):
            tape.series("acc")


def test_steps_behave_like_a_list(tmp_path: Path) -> None:
    with Tape(write_tape(tmp_path / "a.tape")) as tape:
        assert len(tape) == len(tape.steps) == 6
        assert [step.index for step in tape.steps] == [0, 1, 2, 3, 4, 5]
        assert tape.steps[-1].index == 5
        assert [step.index for step in tape.steps[-2:]] == [4, 5]
        assert [step.index for step in tape.steps[::-3]] == [5, 2]
        assert tape.steps[9:] == []
        for index in (6, -7):
            with pytest.raises(IndexError, match=rf"step {index} is out of range: .*a\.tape has steps 0 to 5"):
                tape.steps[index]
        with pytest.raises(IndexError):
            tape.graph(6)


def test_diff_of_two_steps_names_what_came(tmp_path: Path) -> None:
    with Tape(write_tape(tmp_path / "a.tape")) as tape:
        assert not tape.diff(0, 1)
        assert tape.diff(0, 5).added == {"fc#0/MulBackward0:2"}
        assert tape.diff(5, 0).removed == {"fc#0/MulBackward0:2"}


def test_follow_yields_all_and_ends(tmp_path: Path) -> None:
    with Tape(write_tape(tmp_path / "a.tape")) as tape:
        found = list(tape.follow())
    assert [getattr(item, "index", None) for item in found] == [0, 1, 2, 3, 4, 5, None]


def test_a_record_that_cannot_be_stored_falls_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    writer = Writer(tmp_path / "a.tape", META)
    writer.append(step_record(0, None, loss=1.0))
    writer.append(step_record(1, None, loss="not a number"))  # type: ignore[arg-type]
    writer.append(step_record(2, None, **{"half \ud800": 2.0}))
    writer.append(EventRecord("odd", 3, 2**70, {}))
    writer.append(step_record(3, None, loss=3.0))
    writer.close("closed")
    with Tape(tmp_path / "a.tape") as tape:
        assert tape.series("loss")[0].tolist() == [0, 3]
        assert tape.scalars == ["loss", r"half \ud800"]
        assert tape.gaps == [(1, 1, "it could not be stored")]
        with pytest.raises(Exception, match=r"Step 1 was not recorded \(it could not be stored\)\."):
            tape.steps[1]
    assert capsys.readouterr().err.count("tapescope: ") == 1


def test_closing_leaves_one_file_and_says_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tape(tmp_path / "a.tape")
    assert [path.name for path in tmp_path.iterdir()] == ["a.tape"]
    writer = Writer(tmp_path / "b.tape", META)
    with Tape(tmp_path / "b.tape") as tape:
        writer.append(step_record(0, structure_record()))
        writer.close("closed")
        tape.refresh()
        assert len(tape) == 1
    assert all(not path.stat().st_size for path in tmp_path.glob("b.tape-wal"))
    assert capsys.readouterr().err == ""


def test_a_graph_that_was_not_kept_says_why(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "a.tape", META)
    writer.append(step_record(0, None))
    writer.append(EventRecord("capture_failed", 1, 5, {"hook": "h", "traceback": "t"}))
    writer.append(step_record(1, None))
    writer.close("closed")
    with Tape(tmp_path / "a.tape") as tape:
        with pytest.raises(Exception, match=r"^The graph of step 0 was not recorded\.$"):
            tape.graph(0)
        with pytest.raises(
            Exception, match=r"^The graph of step 1 was not recorded, because capture had failed before"
        ):
            tape.graph(1)


def test_a_tape_never_replaces_what_is_no_tape(tmp_path: Path) -> None:
    (tmp_path / "weights.pt").write_bytes(b"precious")
    with (
        pytest.raises(UsageError, match=r"exists and is not a tape; it is left as it is"),
        record(tmp_path / "weights.pt"),
    ):
        pass
    assert (tmp_path / "weights.pt").read_bytes() == b"precious"
    with pytest.raises(UsageError, match="is not a file"):
        check(Path("/dev/null"))
    with pytest.raises(UsageError, match="is not a file"):
        check(tmp_path)
    check(write_tape(tmp_path / "old.tape"))
    check(tmp_path / "new.tape")
    prepare(tmp_path / "new.tape")
    assert not (tmp_path / "new.tape").exists()


def test_structures_of_the_samples_differ() -> None:
    assert structure(2) != structure(3)
