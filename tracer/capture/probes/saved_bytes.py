"""How many bytes each node keeps for its backward: those of the storages of what it saved. A storage that several nodes
keep, a weight's too, counts for each of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from tracer.capture.calls import CallLog
from tracer.capture.hooks import Undo
from tracer.capture.nested import storages_of, tensors_in
from tracer.capture.probe import Draft, Guard, Keys, Probe
from tracer.capture.walk import AccumulateGrad

LEVELS = ("full",)

_SAVED = "_raw_saved_"


class SavedBytes(Probe):
    """Reads before each backward what its nodes keep. What a hook has packed away is not unpacked: of a checkpoint
    nothing is kept, of what was moved to the CPU the copy there."""

    def __init__(self) -> None:
        self._bytes: dict[int, int] = {}  # by sequence number
        self._attributes: dict[type, tuple[str, ...]] = {}
        self._log: CallLog | None = None

    def attach(self, log: CallLog, guard: Guard) -> Undo:
        self._log = log
        self._bytes = {}
        return lambda: None

    def before_backward(self, nodes: Sequence[Any]) -> None:
        assert self._log is not None
        base = self._log.base
        for node in nodes:
            cls = type(node)
            if cls is AccumulateGrad:
                continue
            number = node._sequence_nr() - base
            if number in self._bytes:
                continue
            names = self._attributes.get(cls)
            if names is None:
                names = self._attributes[cls] = tuple(name for name in dir(cls) if name.startswith(_SAVED))
            self._bytes[number] = _kept_bytes(node, names) if names else 0

    def take(self, keys: Keys) -> Sequence[Draft]:
        rows = {key: size for number, size in self._bytes.items() if (key := keys.node(number)) is not None}
        self._bytes = {}
        values = np.array(list(rows.values()), dtype=np.float64).reshape(-1, 1)
        return (Draft("nodes", tuple(rows), ("saved_bytes",), torch.from_numpy(values)),)


def _kept_bytes(node: Any, names: tuple[str, ...]) -> int:
    storages: dict[int, int] = {}  # by address
    for name in names:
        try:
            saved = getattr(node, name)
        except RuntimeError:  # an earlier backward has freed it; this one is about to raise
            continue
        for each in saved if isinstance(saved, (tuple, list)) else (saved,):
            for tensor in tensors_in(each.data):
                for storage in storages_of(tensor):
                    storages[storage._cdata] = storage.nbytes()
    return sum(storages.values())
