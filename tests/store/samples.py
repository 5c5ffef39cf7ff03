"""Records to write in tests: small structures, steps with scalars, tapes of them."""

from pathlib import Path

from tracer.model.records import Pass
from tracer.model.structure import Edge, ModuleCall, Node, Structure
from tracer.store.writer import EventRecord, StepRecord, StructureRecord, Writer

META = {"state": "live", "pid": "0", "process_start": "", "command": "train.py", "control": ""}


def structure(n_ops: int = 2, name: str = "fc") -> Structure:
    """A chain of ops in one module call, from one parameter to one output."""
    nodes = [
        Node(
            f"{name}.weight",
            "parameter",
            "torch::autograd::AccumulateGrad",
            None,
            name,
            0,
            ((2, 2),),
            "float32",
            "cpu",
            False,
            f"{name}.weight",
        )
    ]
    nodes += [
        Node(f"{name}#0/MulBackward0:{k}", "op", "MulBackward0", 0, name, 0, ((2, 2),), "float32", "cpu")
        for k in range(n_ops)
    ]
    nodes.append(Node("output:0", "output", "output", None, None, 0, ((),), "float32", "cpu"))
    edges = tuple(Edge(at, at + 1, 0, 0) for at in range(len(nodes) - 1))
    return Structure(tuple(nodes), edges, (ModuleCall(name, "Linear", 0, None, True, True),), ("unused",))


def structure_record(n_ops: int = 2, name: str = "fc") -> StructureRecord:
    return StructureRecord(structure(n_ops, name), f"topology-{n_ops}-{name}", f"shape-{n_ops}-{name}")


def step_record(index: int, graph: StructureRecord | None = None, **scalars: float) -> StepRecord:
    return StepRecord(
        index, graph, (), "train", "SGD", 1_000 + index, 2_000_000, "structure", (Pass("backward", 0.5),), scalars
    )


def write_tape(path: Path, n_steps: int = 6) -> Path:
    """A closed tape: the graph grows by one op in the second half, one event, two scalars."""
    writer = Writer(path, META)
    early, late = structure_record(2), structure_record(3)
    for index in range(n_steps):
        writer.append(step_record(index, early if index < n_steps // 2 else late, loss=1 / (index + 1), lr=0.1))
    writer.append(EventRecord("stopped", n_steps, 5_000, {"reason": "pause"}))
    writer.close("closed")
    return path
