"""Tapes to be damaged, ways to damage them, and what a damaged tape may still say: the truth, or less."""

import random
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import networkx as nx
import numpy as np

from tests.store.samples import (
    META,
    compiled_record,
    statistics,
    step_record,
    structure_record,
)
from tracer import Tape, TapeError
from tracer.model.structure import ModuleCall, SourceLine
from tracer.store.records import EventRecord, ScalarRecord, SourceRecord, StatisticsRecord
from tracer.store.writer import Writer

GOLDEN = Path(__file__).resolve().parents[1] / "data"
N_STEPS = 90
Files = dict[str, bytes]
"""Contents by what the name ends with: "" and perhaps "-wal"."""


@contextmanager
def small_blocks(n_steps: int = 16) -> Iterator[None]:
    """Steps are folded so early that a short tape holds blocks."""
    with patch("tracer.store.schema.BLOCK_STEPS", n_steps), patch("tracer.store.schema.YOUNG_STEPS", n_steps // 4):
        yield


def fill(writer: Writer, n_steps: int = N_STEPS) -> None:
    """Of everything something: structures that lean on others, values that come late, measurements, events."""
    graphs = [structure_record(n) for n in (30, 31, 32, 33)] + [compiled_record()]
    calls = ModuleCall("fc", "Linear", 0, None, False, False), ModuleCall("act", "ReLU", 0, None, False, False, 1, (0,))
    for index in range(n_steps):
        record = step_record(index, graphs[index % 5], loss=1 / (index + 1), lr=0.1)
        record = replace(record, evaluated=calls if index % 7 == 0 else ())
        writer.append(replace(record, level="statistics" if index % 3 == 0 else "structure"))
        if index % 3 == 0:
            writer.append(StatisticsRecord(index, statistics(index / 7)))
        if index % 11 == 0:
            writer.append(ScalarRecord(index, "accuracy", index / 90))
        if index % 20 == 0:
            writer.append(EventRecord("stopped", index, 5_000 + index, {"reason": "pause"}))
            plain = graphs[index // 20 % 4]
            lines = [SourceLine("train.py", 7, "f") if node.kind == "op" else None for node in plain.structure.nodes]
            writer.append(SourceRecord(plain, tuple(lines)))
        if index % 16 == 15:
            writer.flush(20)


def closed_tape(path: Path) -> Files:
    with small_blocks(), patch("tracer.store.appender.DEFLATING_SHARE", 1e9):
        writer = Writer(path, META)
        fill(writer)
        writer.close("closed")
    return {"": path.read_bytes()}


def killed_tape(path: Path) -> Files:
    """As it lies there after a kill, its log full."""
    with small_blocks():
        writer = Writer(path, {**META, "pid": "2147483647"})
        fill(writer)
        writer.flush(20)
        files = {suffix: path.with_name(path.name + suffix).read_bytes() for suffix in ("", "-wal")}
        writer.close("closed")
    return files


def all_tapes(folder: Path) -> dict[str, Files]:
    old = {f"format {version}": {"": (GOLDEN / f"format-{version}.tape").read_bytes()} for version in (1, 2)}
    return {"closed": closed_tape(folder / "c.tape"), "killed": killed_tape(folder / "k.tape"), **old}


def tempfile_folder() -> str:
    return tempfile.gettempdir()


def write(path: Path, files: Files) -> None:
    for suffix in ("", "-wal", "-shm"):
        beside = path.with_name(path.name + suffix)
        beside.unlink(missing_ok=True)
        if suffix in files:
            beside.write_bytes(files[suffix])


@dataclass(slots=True)
class Contents:
    """What a tape says. Of each step the record but for its ids and scalars, its values, and what of its graph and its
    measurements can be had; None where it is refused."""

    n_steps: int
    steps: dict[int, Any]
    ids: dict[int, tuple[str, str]]
    values: dict[str, dict[int, float]]
    graphs: dict[int, Any]
    sources: dict[int, Any]
    statistics: dict[int, Any]
    events: dict[int, Any]
    meta: dict[str, str]


def contents(path: Path) -> Contents:
    """Raises TapeError where the tape cannot be opened; a part that is refused is not there."""
    with Tape(path) as tape:
        found = Contents(len(tape), {}, {}, {}, {}, {}, {}, {}, {})
        found.meta = _or(dict, lambda: tape.meta)
        found.events = _or(dict, lambda: {event.id: event for event in tape.events()})
        for name in _or(list, lambda: tape.scalars):
            for step, value in _or(
                list, lambda name=name: list(zip(*map(np.ndarray.tolist, tape.series(name)), strict=True))
            ):  # type: ignore[misc]
                found.values.setdefault(name, {})[step] = value
        for index in range(len(tape)):
            step = _or(lambda: None, lambda index=index: tape.step(index))  # type: ignore[misc]
            if step is not None:
                found.steps[index] = replace(step, topology_id="", shape_id="", scalars={})
                found.ids[index] = step.topology_id, step.shape_id
                for name, value in step.scalars.items():
                    assert same(found.values.get(name, {}).get(index, value), value)
            graph = _or(lambda: None, lambda index=index: tape.graph(index))  # type: ignore[misc]
            if graph is not None:
                found.graphs[index], found.sources[index] = _graph(graph)
            measured = _or(lambda: None, lambda index=index: tape.statistics(index))  # type: ignore[misc]
            if measured is not None:
                tables = measured.calls, measured.parameters, measured.nodes
                found.statistics[index] = repr(
                    [(one.keys, one.columns, one.values.tolist()) for one in tables]
                    + [measured.operators, measured.operator_secs.tolist()]
                )
    return found


def _or(default: Callable[[], Any], ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except TapeError as error:
        assert "\n" not in str(error)
        return default()


def _graph(graph: nx.MultiDiGraph) -> tuple[Any, Any]:
    """The graph but for what comes from other rows than its own; the source lines."""
    sources = {key: node.pop("source") for key, node in graph.nodes(data=True)}
    for node in graph.nodes.values():
        node["inside"] = None if node["inside"] is None else nx.node_link_data(node["inside"], edges="edges")
    calls = [call for call in graph.graph["module_calls"] if call["grad_enabled"]]
    return repr((dict(graph.nodes), list(graph.edges(keys=True, data=True)), calls, graph.graph["unreached"])), sources


def same(one: float, other: float) -> bool:
    return np.float64(one).tobytes() == np.float64(other).tobytes()


def assert_true(found: Contents, whole: Contents) -> None:
    """It may hold less than the whole tape, never anything else."""
    for name in ("steps", "graphs", "statistics", "events"):
        right, held = getattr(whole, name), getattr(found, name)
        wrong = {key: (value, right.get(key)) for key, value in held.items() if value != right.get(key)}
        assert not wrong, f"{name}: {next(iter(wrong.items()))}"
    for name, values in found.values.items():
        if "whose name was lost" not in name:
            right = whole.values[name]
            assert all(step in right and same(value, right[step]) for step, value in values.items()), name
    for step, ids in found.ids.items():  # those of the samples are made up; of a graph that came back they are real
        assert ids in (whole.ids[step], ("", "")) or all(re.fullmatch("[0-9a-f]{24}", one) for one in ids), ids
    for step, sources in found.sources.items():
        right = whole.sources[step]
        assert all(source in (None, right[key]) for key, source in sources.items())


def damaged(files: Files, chance: random.Random) -> tuple[str, Files]:
    """What was done, and the files after it."""
    suffix = chance.choice([suffix for suffix, data in files.items() if data])
    kind = chance.choice(list(KINDS))
    data = bytearray(files[suffix])
    for _ in range(1 if kind in ("cut", "header") else chance.choice([1, 1, 1, 2, 5, 20])):
        KINDS[kind](data, chance)
    return f"{kind} of {suffix or 'the tape'}", {**files, suffix: bytes(data)}


def _cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data)) :]


def _flip(data: bytearray, chance: random.Random) -> None:
    """Where something is: most of a small tape is empty."""
    for _ in range(50):
        at = chance.randrange(len(data))
        if any(data[max(0, at - 4) : at + 4]):
            break
    data[at] ^= 1 << chance.randrange(8)


def _overwrite(data: bytearray, chance: random.Random) -> None:
    at, n = chance.randrange(len(data)), chance.choice([1, 2, 4, 40, 700, 5000])
    data[at : at + n] = chance.randbytes(len(data[at : at + n]))


def _page(data: bytearray, chance: random.Random) -> int:
    return chance.randrange(max(len(data) // 16384, 1)) * 16384


def _zero_page(data: bytearray, chance: random.Random) -> None:
    at = _page(data, chance)
    data[at : at + 16384] = bytes(len(data[at : at + 16384]))


def _swap_pages(data: bytearray, chance: random.Random) -> None:
    one, other = _page(data, chance), _page(data, chance)
    data[one : one + 16384], data[other : other + 16384] = data[other : other + 16384], data[one : one + 16384]


def _copy_page(data: bytearray, chance: random.Random) -> None:
    one, other = _page(data, chance), _page(data, chance)
    data[one : one + 16384] = data[other : other + 16384]


def _header(data: bytearray, chance: random.Random) -> None:
    n = chance.choice([4, 16, 100, 100, 16384])
    data[:n] = chance.randbytes(min(n, len(data)))


def _header_field(data: bytearray, chance: random.Random) -> None:
    if len(data) > 100:
        data[chance.randrange(16, 100)] = chance.randrange(256)


def _page_head(data: bytearray, chance: random.Random) -> None:
    """The type, the number of cells, where they are."""
    at = _page(data, chance) + chance.randrange(24)
    if at < len(data):
        data[at] = chance.choice([0, 1, 2, 5, 10, 13, 255, chance.randrange(256)])


KINDS: dict[str, Callable[[bytearray, random.Random], None]] = {
    "cut": _cut,
    "flip": _flip,
    "overwriting": _overwrite,
    "zeroed page": _zero_page,
    "swapped pages": _swap_pages,
    "copied page": _copy_page,
    "header": _header,
    "header field": _header_field,
    "page head": _page_head,
}
