"""What waits to be written: the training thread appends to it and never waits itself, so it is bounded.

Where the disk is slower than the training, graphs and measurements are dropped first (the step and its scalars stay),
then steps, and events only where nothing else is left to drop.
"""

from collections import deque
from dataclasses import replace

from tracer.store.losses import Losses
from tracer.store.records import (
    EventRecord,
    Record,
    SourceRecord,
    StatisticsRecord,
    StepRecord,
    StructureRecord,
)

MAX_BYTES = 64_000_000
MAX_GRAPHS = 5_000
MAX_RECORDS = 100_000
MAX_EVENTS = 200_000
BATCH_RECORDS = 2_000
BATCH_BYTES = 4_000_000
# What keeps a node, an operator, a source line in memory: measured, roughly.
_NODE_BYTES = 1_000
_OPERATOR_BYTES = 300
_LINE_BYTES = 100
_SLOW = "the disk was slower than the training"
_NO_GRAPH = f"without graph: {_SLOW}"
_NO_STATISTICS = f"without statistics: {_SLOW}"


class Backlog:
    """`append` is called by the training thread, everything else by the writer's."""

    def __init__(self) -> None:
        self.losses = Losses()
        self.batch: list[Record] = []
        """What is being written."""
        self.was_full = False
        """Whether the last batch was as large as one may be."""
        self.last_step = 0
        """The newest that was appended, dropped or not."""
        self._waiting: deque[tuple[Record, int]] = deque()
        self._is_open = True
        # Two counters, each changed by one thread alone; their difference waits or is being written.
        self._appended_bytes = self._written_bytes = 0
        self._batch_bytes = 0
        self._weighed: set[StructureRecord] = set()

    def append(self, record: Record) -> None:
        """A microsecond or two; never blocks, never raises."""
        if not self._is_open:
            return
        if isinstance(record, StepRecord):
            self.last_step = record.index
        n_waiting = len(self._waiting)
        weight = self._weight(record)
        if n_waiting > MAX_GRAPHS or weight > MAX_BYTES - self._appended_bytes + self._written_bytes:
            lighter = self._lightened(record, weight, n_waiting)
            if lighter is None:
                return
            if lighter is not record:
                record, weight = lighter, 0
        self._appended_bytes += weight
        self._waiting.append((record, weight))

    def _lightened(self, record: Record, weight: int, n_waiting: int) -> Record | None:
        """What is left of a record where too much waits."""
        if isinstance(record, EventRecord):
            return record if n_waiting <= MAX_EVENTS else None
        if isinstance(record, StatisticsRecord):
            self.losses.add(record.step, _NO_STATISTICS)
            return None
        if n_waiting > MAX_RECORDS:
            if isinstance(record, StepRecord):
                self.losses.add(record.index, _SLOW)
            return None
        if isinstance(record, StepRecord) and record.structure is not None:
            self.losses.add(record.index, _NO_GRAPH)
            return replace(record, structure=None, evaluated=())
        return None if isinstance(record, SourceRecord) and weight else record

    def _weight(self, record: Record) -> int:
        """About how many bytes it keeps in memory beyond a few hundred. A structure is many steps', and counts once."""
        if isinstance(record, StatisticsRecord):
            measured = record.statistics
            tables = measured.calls.values.nbytes + measured.parameters.values.nbytes + measured.nodes.values.nbytes
            return tables + _OPERATOR_BYTES * len(measured.operators)
        if isinstance(record, StepRecord):
            weight = 0
        elif isinstance(record, SourceRecord):
            weight = _LINE_BYTES * len(record.lines)
        else:
            return 0
        if record.structure is not None and record.structure not in self._weighed:
            self._weighed.add(record.structure)
            weight += _NODE_BYTES * len(record.structure.structure.nodes)
        return weight

    @property
    def is_empty(self) -> bool:
        return not self._waiting and not self.batch

    @property
    def has_work(self) -> bool:
        return not self.is_empty or bool(self.losses)

    def fill_batch(self) -> None:
        """Move records to `batch`, up to its bounds."""
        while self._waiting and not self._is_full:
            record, weight = self._waiting[0]
            self.batch.append(record)  # before it leaves the queue: `is_empty` must find it in one of the two
            self._batch_bytes += weight
            self._waiting.popleft()
        self.was_full = self._is_full

    @property
    def _is_full(self) -> bool:
        return len(self.batch) >= BATCH_RECORDS or self._batch_bytes >= BATCH_BYTES

    def batch_written(self) -> None:
        """All of `batch` is on the tape, or given up."""
        self.batch = []
        self._written_bytes += self._batch_bytes
        self._batch_bytes = 0
        self._weighed = set()

    def stop(self) -> None:
        """From here on nothing is kept, and what waited is let go."""
        self._is_open = False
        self.batch = []
        self._waiting.clear()

    def give_up(self) -> None:
        """What waits will not be written: its steps are lost."""
        while not self.is_empty:
            self.fill_batch()
            for record in self.batch:
                if isinstance(record, StepRecord):
                    self.losses.add(record.index, _SLOW)
            self.batch_written()
