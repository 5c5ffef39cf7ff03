"""A step of the tape as a light row, and some two thousand of them as one block of columns."""

import json
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracer.model.records import Pass
from tracer.store import columns
from tracer.store.blobs import checksum
from tracer.store.damage import DamageError

Row = tuple[Any, ...]

STEP_ROWS = (
    "SELECT id, structure, evaluation, phase, optimizer, started_ns, duration_ns, level, passes, scalars, crc FROM step"
)
BLOCK_ROWS = "SELECT first, last, n, size, crc, data FROM block"
MOST_STEPS = 1 << 16
_MOST_CHARS = 1 << 20
_NAMES = ("phases", "optimizers", "levels", "passes")

Shape = tuple[tuple[str, int, bool], ...]
"""Of each pass its kind, its count and whether it has a loss."""


class StepRow(NamedTuple):
    """What the tape holds of a step beside its scalars. `structure` and `evaluation` are ids in the tables of these
    names."""

    step: int
    structure: int | None
    evaluation: int | None
    phase: str
    optimizer: str | None
    started_ns: int
    duration_ns: int
    level: str
    passes: tuple[Pass, ...]


def pack_step(step: StepRow, scalars: bytes) -> Row:
    """The row of table `step`: of its passes first their shape, as JSON, then the losses, before the scalars."""
    *facts, passes = step
    losses = [one.loss for one in passes if one.loss is not None]
    shape = _shape_text(tuple((one.kind, one.count, one.loss is not None) for one in passes))
    row = (*facts, shape, struct.pack(f"<{len(losses)}d", *losses) + scalars)
    return (*row, _crc(row))


def unpack_step(row: Row) -> tuple[StepRow, bytes]:
    """The step and the bytes of its scalars. Raises DamageError where the row is damaged."""
    *fields, crc = row
    if _crc(tuple(fields)) != crc:
        raise DamageError(f"step {row[0]} does not match its checksum")
    *facts, text, numbers = fields
    if len(text) > _MOST_CHARS:
        raise DamageError(f"step {row[0]} has more passes than there can be")
    shape = _shape(text)
    n_losses = sum(has_loss for *_, has_loss in shape)
    losses = iter(struct.unpack_from(f"<{n_losses}d", numbers))
    made = tuple(Pass(kind, next(losses) if has_loss else None, count) for kind, count, has_loss in shape)
    return StepRow._make((*facts, made)), numbers[8 * n_losses :]


def pack_scalars(ids: bytes, values: Iterable[float]) -> bytes:
    """The ids of n scalars as `pack_ids` gives them, then n float64."""
    return ids + struct.pack(f"<{len(ids) // 4}d", *values)


def pack_ids(ids: Sequence[int]) -> bytes:
    """Numbers in table `scalar`, int32."""
    return struct.pack(f"<{len(ids)}i", *ids)


def unpack_scalars(data: bytes) -> dict[int, float]:
    """Values by the id of their scalar."""
    n = len(data) // 12
    numbers = struct.unpack(f"<{n}i{n}d", data)
    return dict(zip(numbers[:n], numbers[n:], strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Consecutive steps by column, (n,) each; -1 in `structures` and `evaluations` for none. `phases`, `optimizers`,
    `levels` and `passes` are numbers in `texts` (the shapes of passes as JSON); `losses` are those of all passes that
    have one, in order."""

    indices: NDArray[np.int64]
    structures: NDArray[np.int64]
    evaluations: NDArray[np.int64]
    phases: NDArray[np.int64]
    optimizers: NDArray[np.int64]
    levels: NDArray[np.int64]
    passes: NDArray[np.int64]
    started_ns: NDArray[np.int64]
    durations_ns: NDArray[np.int64]
    losses: NDArray[np.float64]
    texts: Mapping[str, tuple[str | None, ...]]

    def __len__(self) -> int:
        return len(self.indices)

    def place(self, index: int) -> int | None:
        """Where a step stands, None where it does not."""
        at = int(np.searchsorted(self.indices, index))
        return at if at < len(self) and self.indices[at] == index else None

    def step(self, at: int) -> StepRow:
        shapes = [_shape(text or "") for text in self.texts["passes"]]
        n_losses = np.array([sum(has_loss for *_, has_loss in shape) for shape in shapes], np.int64)
        first = int(n_losses[self.passes[:at]].sum())
        losses = iter(self.losses[first:].tolist())
        return StepRow(
            int(self.indices[at]),
            _or_none(self.structures[at]),
            _or_none(self.evaluations[at]),
            str(self.texts["phases"][self.phases[at]]),
            self.texts["optimizers"][self.optimizers[at]],
            int(self.started_ns[at]),
            int(self.durations_ns[at]),
            str(self.texts["levels"][self.levels[at]]),
            tuple(
                Pass(kind, next(losses) if has_loss else None, count)
                for kind, count, has_loss in shapes[self.passes[at]]
            ),
        )


def pack_block(steps: Sequence[StepRow]) -> Row:
    """The row of table `block`."""
    texts: dict[str, dict[str | None, int]] = {name: {} for name in _NAMES}

    def numbers(name: str, values: Sequence[str | None]) -> NDArray[np.int64]:
        known = texts[name]
        return np.array([known.setdefault(value, len(known)) for value in values], np.int64)

    parts = [
        np.array([step.step for step in steps], np.int64),
        np.array([-1 if step.structure is None else step.structure for step in steps], np.int64),
        np.array([-1 if step.evaluation is None else step.evaluation for step in steps], np.int64),
        numbers("phases", [step.phase for step in steps]),
        numbers("optimizers", [step.optimizer for step in steps]),
        numbers("levels", [step.level for step in steps]),
        numbers(
            "passes",
            [_shape_text(tuple((one.kind, one.count, one.loss is not None) for one in step.passes)) for step in steps],
        ),
        np.array([step.started_ns for step in steps], np.int64),
        np.array([step.duration_ns for step in steps], np.int64),
        np.array([one.loss for step in steps for one in step.passes if one.loss is not None], np.float64),
    ]
    size, data = columns.pack({name: list(known) for name, known in texts.items()}, parts)
    head = steps[0].step, steps[-1].step, len(steps), size
    return (*head, checksum(*head, data), data)


def unpack_block(row: Row) -> Block:
    """Raises DamageError, ValueError and their like where the row is damaged."""
    first, last, n, size, crc, data = row
    if checksum(first, last, n, size, data) != crc:
        raise DamageError(f"the block of steps from {first} on does not match its checksum")
    header, arrays = columns.unpack(size, data, "iiiiiiiiid")
    fields: list[Any] = [*arrays, {name: tuple(header[name]) for name in _NAMES}]
    block = Block(*fields)
    if not 0 < n <= MOST_STEPS or any(len(array) != n for array in arrays[:-1]):
        raise DamageError(f"the block of steps from {first} on has columns of different lengths")
    indices = block.indices
    if (indices[0], indices[-1]) != (first, last) or (indices[1:] <= indices[:-1]).any():
        raise DamageError(f"the block of steps from {first} on holds others")
    return block


def _crc(row: Row) -> int:
    """As `checksum`, in a third of the time: of each step there is one."""
    return zlib.crc32(row[-1], zlib.crc32(ascii(row[:-1]).encode()))


@lru_cache(maxsize=256)
def _shape_text(shape: Shape) -> str:
    return json.dumps(shape)


@lru_cache(maxsize=256)
def _shape(text: str) -> Shape:
    return tuple((kind, count, has_loss) for kind, count, has_loss in json.loads(text))


def _or_none(number: np.int64) -> int | None:
    return None if number < 0 else int(number)
