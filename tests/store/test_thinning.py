"""A tape that may not grow: details of older steps go, in order; scalars, ids of structures and events never."""

import random
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.store.samples import META, statistics, step_record, structure_record
from tracer import Tape, TapeError
from tracer.model.keep import Keep
from tracer.model.statistics import Statistics, Table
from tracer.model.structure import SourceLine
from tracer.store.records import EventRecord, SourceRecord, StatisticsRecord, StructureRecord
from tracer.store.writer import Writer

N_STEPS = 700


def measured_tape(path: Path, keep: Keep | None, n_structures: int, n_steps: int = N_STEPS, batch: int = 25) -> Path:
    """A tape whose steps take turns in blocks of 100 among so many structures; of 0, each step has one of its own."""
    writer = Writer(path, META, keep)
    graphs: dict[int, StructureRecord] = {}
    for index in range(n_steps):
        which = index if n_structures == 0 else index // 100 % n_structures
        if which not in graphs:
            graphs[which] = unlike(which)
            writer.append(step_record(index, graphs[which], loss=float(index)))
            lines = tuple(SourceLine("net.py", 3, "f") for _ in graphs[which].structure.nodes)
            writer.append(SourceRecord(graphs[which], lines))
        else:
            writer.append(replace(step_record(index, graphs[which], loss=float(index)), level="statistics"))
            writer.append(StatisticsRecord(index, measured(float(index))))
        if index % 50 == 0:
            writer.append(EventRecord("note", index, 1, {"n": index}))
        if index % batch == 0:
            assert writer.flush(30)
    writer.close("closed")
    return path


def measured(scale: float) -> Statistics:
    keys = tuple(f"net.layers.{row}#0" for row in range(60))
    values = np.random.default_rng(int(scale)).normal(size=(60, 2))
    values[0, 0] = scale
    return replace(statistics(), calls=Table(keys, ("mean", "std"), values))


def unlike(seed: int) -> StructureRecord:
    """A structure that deflates badly and has little in common with others."""
    rng = random.Random(seed)
    graph = structure_record(20, f"net{seed}")
    nodes = tuple(
        replace(node, key=f"{rng.getrandbits(4000):x}", shapes=((rng.getrandbits(60),),))
        for node in graph.structure.nodes
    )
    return replace(graph, structure=replace(graph.structure, nodes=nodes))


def kept(tape: Tape) -> tuple[set[int], set[int]]:
    """The steps whose measurements, and those whose graphs are there."""
    numbers, drawn = set(), set()
    for step in tape.steps:
        try:
            if tape.statistics(step.index) is not None:
                assert tape.statistics(step.index).calls.values[0, 0] == step.index
                numbers.add(step.index)
        except TapeError as error:
            assert "thinned" in str(error)
        try:
            graph = tape.graph(step.index)
            assert len(graph) == 22
            assert sum(node["source"] is not None for node in graph.nodes.values()) == 22
            drawn.add(step.index)
        except TapeError as error:
            assert "thinned" in str(error)
    return numbers, drawn


def check_what_is_never_thinned(tape: Tape, n_steps: int = N_STEPS) -> None:
    assert len(tape) == n_steps
    assert tape.series("loss")[1].tolist() == [float(index) for index in range(n_steps)]
    assert len(tape.events("note")) == len(range(0, n_steps, 50))
    assert all(step.topology_id and step.shape_id for step in tape.steps)


def test_the_details_of_every_kth_and_of_the_last_steps_stay(tmp_path: Path) -> None:
    with Tape(measured_tape(tmp_path / "a.tape", Keep(every=40, last=30), 0)) as tape:
        check_what_is_never_thinned(tape)
        _, drawn = kept(tape)
        wanted = {*range(0, N_STEPS, 40), *range(N_STEPS - 30, N_STEPS)}
        assert wanted <= drawn
        # what went out of the last 30 since the last sweep may still be there, and a base stays while others lean on it
        assert len(drawn - wanted) <= 100
        assert any("graphs are kept of every 40th step" in reason for _, _, reason in tape.gaps)


def test_the_steps_that_changed_the_structure_stay(tmp_path: Path) -> None:
    with Tape(measured_tape(tmp_path / "a.tape", Keep(last=30, changes=True), 3)) as tape:
        check_what_is_never_thinned(tape)
        numbers, drawn = kept(tape)
        assert drawn == set(range(N_STEPS))  # each structure has a step that changed to it
        changes = set(range(300, N_STEPS, 100))  # the first of each has no measurements
        assert changes <= numbers
        assert not {step for step in numbers if step < 500} - changes


def test_a_budget_thins_measurements_first_and_never_scalars(tmp_path: Path) -> None:
    whole = measured_tape(tmp_path / "whole.tape", None, 2, 4000)
    budget = whole.stat().st_size // 2
    with Tape(measured_tape(tmp_path / "a.tape", Keep(budget), 2, 4000)) as tape:
        check_what_is_never_thinned(tape, 4000)
        assert tape.path.stat().st_size <= budget
        steps = range(0, 4000, 97)
        assert all(len(tape.graph(index)) == 22 for index in steps)
        assert tape.statistics(3998) is not None
        assert any("measurements are kept of every" in reason for _, _, reason in tape.gaps)


def test_a_run_whose_every_step_is_new_stays_inside_its_budget(tmp_path: Path) -> None:
    with Tape(measured_tape(tmp_path / "a.tape", Keep(4_000_000, changes=True), 0, 1500)) as tape:
        check_what_is_never_thinned(tape, 1500)
        assert tape.path.stat().st_size <= 4_000_000
        last = range(1450, 1500)
        assert all(len(tape.graph(index)) == 22 for index in last)


def test_a_structure_that_was_thinned_and_comes_again_is_there_again(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "a.tape", META, Keep(last=10))
    first, second = unlike(1), unlike(2)
    for index in range(400):
        writer.append(step_record(index, first if index < 50 or index >= 390 else second, loss=1.0))
        assert index % 10 or writer.flush(30)
        if index == 385:
            writer.flush(30)
            with Tape(tmp_path / "a.tape") as tape, pytest.raises(TapeError, match="thinned"):
                tape.graph(3)
    writer.close("closed")
    with Tape(tmp_path / "a.tape") as tape:
        assert len(tape.graph(395)) == len(tape.graph(3)) == 22
        assert tape.table.column("structures")[395] == tape.table.column("structures")[3]


def test_a_tape_whose_scalars_alone_are_too_large_says_so_once(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "a.tape", META, Keep(1_000_000))
    rng = random.Random(0)
    for index in range(9000):
        writer.append(step_record(index, None, **{f"s{k}": rng.random() for k in range(20)}))
        assert index % 500 or writer.flush(30)
    writer.close("closed")
    with Tape(tmp_path / "a.tape") as tape:
        (event,) = tape.events("over_budget")
        assert event.data["max_bytes"] == 1_000_000
        assert len(tape.series("s19")[0]) == 9000


def test_what_a_rolled_back_transaction_took_out_is_taken_out_again(tmp_path: Path) -> None:
    """The disk fills up just as graphs are thinned."""
    writer = Writer(tmp_path / "a.tape", META, Keep(last=20))
    thin = writer._appender._thinner.thin
    failures = iter(range(3))

    def failing() -> None:
        thin()
        if next(failures, None) is not None:
            raise sqlite3.OperationalError("disk full")

    writer._appender._thinner.thin = failing
    for index in range(300):
        writer.append(step_record(index, unlike(index), loss=float(index)))
        writer.flush(30)
    writer.close("closed")
    with Tape(tmp_path / "a.tape") as tape:
        drawn = [index for index in range(len(tape)) if is_drawn(tape, index)]
        assert drawn[-20:] == list(range(len(tape) - 20, len(tape)))
        assert len(drawn) < 200


def is_drawn(tape: Tape, index: int) -> bool:
    try:
        tape.graph(index)
    except TapeError:
        return False
    return True


def test_structures_lean_on_one_another_where_that_pays(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "a.tape", META)
    for index in range(60):
        writer.append(step_record(index, structure_record(40 + index, "cell")))
    writer.close("closed")
    with Tape(tmp_path / "a.tape") as tape:
        sizes = [len(tape.graph(index)) for index in range(60)]
        assert sizes == [42 + index for index in range(60)]
        assert tape.path.stat().st_size < 450_000
