"""A tape as a pandas data frame."""

import importlib
from typing import TYPE_CHECKING, Any

import numpy as np

from tracer.errors import UsageError

if TYPE_CHECKING:
    from tracer.store.reader import Tape

_TEXTS = {
    "phase": "phases",
    "optimizer": "optimizers",
    "level": "levels",
    "topology_id": "topologies",
    "shape_id": "shapes",
}


def to_frame(tape: "Tape") -> Any:
    """A `pandas.DataFrame`, see `Tape.to_pandas`. Raises UsageError where pandas is not installed."""
    try:
        pandas = importlib.import_module("pandas")
    except ImportError:
        raise UsageError("to_pandas needs pandas, which is not installed; `pip install pandas` installs it.") from None
    table = tape.table
    steps = table.column("steps").copy()
    columns = {
        name: pandas.Categorical.from_codes(table.column(column).astype(np.int32), table.names[column].texts)
        for name, column in _TEXTS.items()
    }
    columns["duration_secs"] = table.durations.copy()
    columns["started"] = pandas.to_datetime(tape.started_ns, unit="ns", utc=True)
    for name in tape.scalars:
        at, values = tape.series(name)
        places = np.searchsorted(steps, at)
        is_known = np.append(steps, -1)[places] == at
        column = np.full(len(steps), np.nan)
        column[places[is_known]] = values[is_known]
        columns[f"{name} (scalar)" if name in columns else name] = column
    return pandas.DataFrame(columns, index=pandas.Index(steps, name="step"))
