"""The steps of a tape by column, as a follower of it has them, without a tape."""

from collections.abc import Iterable

import numpy as np

from tracer.model.step_table import NONE, StepTable

Row = tuple[int, str, str, str]
"""Index, topology id ("" for a step without a graph), shape id and level."""


class GrowingTable:
    """What `add` gives are batches of one tape."""

    def __init__(self) -> None:
        self._table = StepTable()

    def add(self, rows: Iterable[Row]) -> StepTable:
        rows, known, names = list(rows), len(self._table), self._table.names
        columns = {name: np.full(len(rows), NONE) for name in StepTable.DTYPES}
        for place, (index, topology, shape, level) in enumerate(rows):
            columns["steps"][place] = index
            if topology:
                columns["topologies"][place] = names["topologies"].number(topology)
                columns["shapes"][place] = names["shapes"].number(shape)
            columns["levels"][place] = names["levels"].number(level)
        self._table.extend(columns, np.zeros(len(rows)))
        return self._table.since(known)


def table_of(topologies: Iterable[str], first: int = 0) -> StepTable:
    """Consecutive steps with these structures."""
    rows = ((index, name, name, "structure") for index, name in enumerate(topologies, first))
    return GrowingTable().add(rows)


NO_STEPS = StepTable()
