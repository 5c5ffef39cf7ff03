"""How long a query takes: among 50,000 nodes of a graph, and among 100,000 steps of 20 structures.

    python -m benchmarks.find

The floor is what plain Python needs for the same answer, once the texts are at hand: a loop over the nodes' texts, or
over the steps' numbers. Each figure is the median of REPEATS, of one thread.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import networkx as nx

from tests.store.samples import META, step_record, structure_record
from tracer import Tape
from tracer.model.query import parse
from tracer.model.search import SearchIndex
from tracer.model.step_search import StepSearch
from tracer.store.writer import Writer

NODES, STEPS, STRUCTURES, OPS = 50_000, 100_000, 20, 200
REPEATS = 7
FLUSH_EVERY = 2_000
NODE_QUERIES = ("addmm", "op:addmm module:layers.7*", "shape:[64,*] -op:relu", "source:model.py:7 or param:weight")
STEP_QUERIES = ("op:mul module:fc", "module:fc did not run", "loss > 0.5", "changed", "step % 10 = 0 loss < 0.001")


def main() -> int:
    graph = big_graph()
    index, secs = timed(lambda: SearchIndex(graph))
    _, finishing = timed(lambda: index.find(parse("a")))
    print(f"index of {len(graph):,} nodes: {(secs + finishing) * 1e3:.0f} ms, once for each graph")
    texts = [(node["op"].lower(), (node["module"] or "").lower()) for node in graph.nodes.values()]
    floor = median_secs(lambda: [i for i, (op, path) in enumerate(texts) if "addmm" in op and "layers.7" in path])
    report("floor: a loop over the texts of all nodes", floor, floor)
    for text in NODE_QUERIES:
        index.find(parse(text))  # columns that are made when first asked for
        report(text, median_secs(lambda text=text: index.find(parse(text))), floor)
    with tempfile.TemporaryDirectory() as folder:
        measure_steps(write_steps(Path(folder) / "long.tape"))
    return 0


def measure_steps(path: Path) -> None:
    with Tape(path) as tape:
        steps, secs = timed(lambda: tape.table)
        n_graphs = int((steps.column("structures") >= 0).sum())
        print(f"columns of {len(steps):,} steps, {n_graphs:,} with graphs: {secs * 1e3:.0f} ms, once for each tape")
        losses = tape.series("loss")[1].tolist()
        floor = median_secs(lambda: [step for step, loss in enumerate(losses) if loss > 0.5])
        report("floor: a loop over one scalar of all steps", floor, floor)
        for text in STEP_QUERIES:
            query, search = parse(text, is_about_steps=True), StepSearch(tape)
            report(f"{text}, first", timed(lambda query=query, search=search: search.find(query))[1], floor)
            report(f"{text}, again", median_secs(lambda query=query, search=search: search.find(query)), floor)


def report(what: str, secs: float, floor_secs: float) -> None:
    print(f"  {what:<52} {secs * 1e3:8.2f} ms   ×{secs / floor_secs:.1f} of the floor")


def timed(work: Callable[[], object]) -> tuple:  # type: ignore[type-arg]
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started


def median_secs(work: Callable[[], object]) -> float:
    return statistics.median(timed(work)[1] for _ in range(REPEATS))


def big_graph() -> nx.MultiDiGraph:
    """Layers of OPS ops in ten modules each, with parameters and source lines."""
    graph = nx.MultiDiGraph(module_calls=[], unreached=[])
    kinds = ("AddmmBackward0", "ReluBackward0", "MulBackward0", "NativeLayerNormBackward0")
    calls = graph.graph["module_calls"]
    for layer in range(NODES // OPS):
        add_call(calls, f"layers.{layer}", "Block", None)
        parent = len(calls) - 1
        for part in range(10):
            add_call(calls, f"layers.{layer}.part{part}", "Linear", parent)
        for number in range(OPS):
            path, op = f"layers.{layer}.part{number % 10}", kinds[number % 4]
            is_parameter = number % 20 == 0
            name = f"{path}.weight{number}" if is_parameter else None
            graph.add_node(
                name or f"{path}#0/{op}:{number}",
                kind="parameter" if is_parameter else "op",
                op=op,
                module=path,
                call_key=None if is_parameter else f"{path}#0",
                shapes=[[64, 128 + number % 3]],
                parameter=name,
                pass_index=0,
                dtype="float32",
                device="cpu",
                opaque=False,
                source={"file": "/home/me/model.py", "line": number % 40, "function": "forward"},
            )
    return graph


def add_call(calls: list[dict[str, object]], path: str, class_name: str, parent: int | None) -> None:
    record: dict[str, object] = {"path": path, "class": class_name, "call": 0, "key": f"{path}#0", "training": True}
    calls.append({**record, "parent": parent, "grad_enabled": True})


def write_steps(path: Path) -> Path:
    """Slowly enough that no graph is dropped."""
    writer = Writer(path, META)
    records = [structure_record(50 + number, "fc" if number % 2 else "head") for number in range(STRUCTURES)]
    for step in range(STEPS):
        writer.append(step_record(step, records[step // 7 % STRUCTURES], loss=1 / (step + 1)))
        if step % FLUSH_EVERY == 0:
            writer.flush(60.0)
    writer.close("closed")
    return path


if __name__ == "__main__":
    sys.exit(main())
