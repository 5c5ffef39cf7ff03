"""Small step graphs as `Tape.graph` gives them, made by hand."""

from collections import Counter
from collections.abc import Iterable

import networkx as nx


class GraphMaker:
    """Adds calls and nodes one by one; every method returns the key of what it added."""

    def __init__(self) -> None:
        self.graph = nx.MultiDiGraph(module_calls=[], unreached=[])
        self._positions: dict[str, int] = {}
        self._counts: Counter[str] = Counter()

    def call(
        self, path: str, class_name: str, parent: str | None = None, number: int = 0, grad_enabled: bool = True
    ) -> str:
        key = f"{path}#{number}"
        record = {"path": path, "class": class_name, "call": number, "key": key, "training": True}
        record["parent"] = None if parent is None else self._positions[parent]
        record["grad_enabled"] = grad_enabled
        if grad_enabled:
            self._positions[key] = len(self.graph.graph["module_calls"])
        self.graph.graph["module_calls"].append(record)
        return key

    def op(
        self, name: str, inputs: Iterable[str] = (), call: str | None = None, shape: tuple[int, ...] = (2, 3)
    ) -> str:
        stem = f"{call}/{name}" if call else name
        key = f"{stem}:{self._counts[stem]}"
        self._counts[stem] += 1
        self._add(key, "op", name, call, shape, None)
        for input_nr, source in enumerate(inputs):
            self.graph.add_edge(source, key, output_nr=0, input_nr=input_nr)
        return key

    def parameter(self, name: str, shape: tuple[int, ...] = (3, 3)) -> str:
        if name not in self.graph:
            self._add(name, "parameter", "torch::autograd::AccumulateGrad", None, shape, name)
        return name

    def loss(self, source: str) -> str:
        self._add("loss", "output", "", None, (), None)
        self.graph.add_edge(source, "loss", output_nr=0, input_nr=0)
        return "loss"

    def _add(
        self, key: str, kind: str, op: str, call: str | None, shape: tuple[int, ...], parameter: str | None
    ) -> None:
        self.graph.add_node(
            key, kind=kind, op=op, call_key=call, shapes=[list(shape)], parameter=parameter, pass_index=0, opaque=False
        )


def perceptron(layers: int = 3) -> nx.MultiDiGraph:
    """Linear layers, as torch's Sequential of them would leave."""
    maker = GraphMaker()
    root = maker.call("", "Perceptron")
    above: list[str] = []
    for number in range(layers):
        call = maker.call(f"fc{number}", "Linear", root)
        weight, bias = maker.parameter(f"fc{number}.weight", (4, 3)), maker.parameter(f"fc{number}.bias", (4,))
        above = [maker.op("AddmmBackward0", [bias, *above, maker.op("TBackward0", [weight], call)], call)]
    maker.loss(maker.op("NllLossBackward0", above))
    return maker.graph


def unrolled(turns: int) -> nx.MultiDiGraph:
    """A cell called once a turn, its hidden state going from call to call."""
    maker = GraphMaker()
    root = maker.call("", "Net")
    weight, bias = maker.parameter("cell.weight"), maker.parameter("cell.bias")
    state: list[str] = []
    for turn in range(turns):
        call = maker.call("cell", "RNNCell", root, turn)
        state = [maker.op("TanhBackward0", [maker.op("AddmmBackward0", [bias, *state, weight], call)], call)]
    head = maker.call("head", "Linear", root)
    maker.loss(maker.op("AddmmBackward0", [*state, maker.parameter("head.weight")], head))
    return maker.graph


def everything(graph: nx.MultiDiGraph) -> frozenset[str]:
    """All calls, to open them."""
    return frozenset(call["key"] for call in graph.graph["module_calls"])
