"""The numbers of a step's measurements as bytes: by column, float32 where that is exact."""

import numpy as np
from numpy.typing import NDArray

from tracer.model.statistics import Statistics, Table
from tracer.store.blobs import deflated, inflated
from tracer.store.columns import narrowest, shuffled, unshuffled
from tracer.store.damage import DamageError
from tracer.store.encoding import TABLES, decode_layout

_PLAIN = 0  # as size: the bytes are not deflated
_LETTERS = {4: b"f", 8: b"d"}

Floats = NDArray[np.float64]


def pack(statistics: Statistics, *, is_deflated: bool) -> tuple[int, bytes]:
    """(size, data): a letter for each column (f: float32, d: float64), then the columns of the tables and the seconds
    of the operators, little endian. Deflated, `size` is that of the unpacked bytes and columns are shuffled."""
    matrices = _matrices(statistics)
    if not is_deflated:
        return _PLAIN, _plain(matrices)
    columns = [narrowest(column) for matrix in matrices for column in matrix]
    letters = b"".join(_LETTERS[column.itemsize] for column in columns)
    content = b"".join((letters, *map(shuffled, columns)))
    return len(content), deflated(content, level=1)


def unpack(layout: bytes, size: int, data: bytes) -> Statistics:
    """Statistics of one layout share their keys, columns and operators. Raises DamageError, ValueError and their like
    where the bytes are not what the layout says."""
    heads, operators = decode_layout(layout)
    content = data if size == _PLAIN else inflated(size, data)
    n_columns = sum(len(columns) for _, _, columns in heads) + 1
    lengths = [len(keys) for _, keys, columns in heads for _ in columns] + [len(operators)]
    columns = _Columns(content, n_columns, size != _PLAIN)
    numbers = [columns.next(length) for length in lengths]
    columns.check_end()
    tables, start = {}, 0
    for name, keys, names in heads:
        end = start + len(names)
        values = np.stack(numbers[start:end], axis=1) if names else np.empty((len(keys), 0))
        tables[name], start = Table(keys, names, values), end
    return Statistics(**tables, operators=operators, operator_secs=numbers[-1])


class _Columns:
    """Takes one column after the other from the bytes."""

    def __init__(self, content: bytes, n: int, is_shuffled: bool) -> None:
        if len(content) < n:
            raise DamageError("measurements in it are shorter than they claim")
        self._letters = iter(content[:n].decode("ascii"))
        self._content = content
        self._start = n
        self._is_shuffled = is_shuffled

    def next(self, length: int) -> Floats:
        dtype = np.dtype({"f": "<f4", "d": "<f8"}[next(self._letters)])
        end = self._start + length * dtype.itemsize
        part, self._start = self._content[self._start : end], end
        if len(part) != length * dtype.itemsize:
            raise DamageError("measurements in it are shorter than they claim")
        values = unshuffled(part, dtype) if self._is_shuffled else np.frombuffer(part, dtype)
        return values.astype(np.float64)

    def check_end(self) -> None:
        if self._start != len(self._content):
            raise DamageError("measurements in it are longer than they claim")


def _matrices(statistics: Statistics) -> list[Floats]:
    """(columns, rows) each."""
    tables = [getattr(statistics, name).values.T for name in TABLES]
    return [*tables, statistics.operator_secs.reshape(1, -1)]


def _plain(matrices: list[Floats]) -> bytes:
    """As a rule all of it is float32, which is found out at once: of each step there may be some."""
    together = narrowest(np.concatenate([matrix.ravel() for matrix in matrices]))
    n_columns = sum(len(matrix) for matrix in matrices)
    if together.itemsize == 4:
        return _LETTERS[4] * n_columns + together.tobytes()
    columns = [narrowest(column) for matrix in matrices for column in matrix]
    return b"".join((*(_LETTERS[column.itemsize] for column in columns), *(column.tobytes() for column in columns)))
