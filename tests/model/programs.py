"""Random step graphs with loops in them, as training scripts make them."""

from typing import Any

import networkx as nx
from hypothesis import strategies as st

from tests.model.graph_maker import GraphMaker

Statement = tuple[Any, ...]

OPS = ("AddBackward0", "MulBackward0", "TBackward0", "ReluBackward0")


def _bodies(inner: st.SearchStrategy[Statement]) -> st.SearchStrategy[list[Statement]]:
    return st.lists(inner, min_size=1, max_size=4)


def statements() -> st.SearchStrategy[Statement]:
    """An op with how far back its inputs lie and the parameter it takes; a call; a loop with its turns."""
    op = st.tuples(
        st.just("op"),
        st.sampled_from(OPS),
        st.lists(st.integers(1, 4), max_size=2),
        st.sampled_from([None, None, "weight", "shared"]),
    )
    return st.recursive(
        op,
        lambda inner: st.one_of(
            st.tuples(st.just("call"), st.sampled_from(["block", "cell", "head"]), _bodies(inner)),
            st.tuples(st.just("loop"), st.integers(1, 6), st.booleans(), _bodies(inner)),
        ),
        max_leaves=8,
    )


def programs() -> st.SearchStrategy[nx.MultiDiGraph]:
    return _bodies(statements()).map(graph_of_program)


def graph_of_program(body: list[Statement]) -> nx.MultiDiGraph:
    return _Run(body).graph


class _Run:
    def __init__(self, body: list[Statement]) -> None:
        self.maker = GraphMaker()
        self.made: list[str] = []
        self.numbers: dict[str, int] = {}
        self.run(body, self.maker.call("", "Net"), "", "")
        self.graph = self.maker.graph

    def run(self, body: list[Statement], call: str, path: str, turn: str) -> None:
        for statement in body:
            if statement[0] == "op":
                self.op(statement, call, path)
            elif statement[0] == "call":
                _, name, inner = statement
                inside = ".".join(word for word in (path, name + turn) if word)
                number = self.numbers.setdefault(inside, 0)
                self.numbers[inside] += 1
                self.run(inner, self.maker.call(inside, name.capitalize(), call, number), inside, "")
            else:
                _, turns, has_own_modules, inner = statement
                for number in range(turns):
                    self.run(inner, call, path, f".{number}" if has_own_modules else turn)

    def op(self, statement: Statement, call: str, path: str) -> None:
        _, name, back, parameter = statement
        inputs = [self.made[-steps] for steps in back if steps <= len(self.made)]
        if parameter is not None:
            name_of = f"{path}.{parameter}".strip(".") if parameter != "shared" else "shared"
            inputs.append(self.maker.parameter(name_of))
        self.made.append(self.maker.op(name, inputs, call))
