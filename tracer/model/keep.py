"""How large a tape may grow, and what of it is kept: `--max-size` and `--keep`."""

import re
from dataclasses import dataclass

from tracer.errors import UsageError

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
LEAST_BYTES = 10**6
RECENT_STEPS = 100
"""So many of the last steps keep everything where nothing else was asked for."""


@dataclass(frozen=True, slots=True)
class Keep:
    """Graphs and measurements, the details, are kept of all steps while there is room. Given `every`, `last` or
    `changes`, they are kept of every `every`-th step, of the `last` ones and of those whose structure differs from the
    one before; of these too not all where `max_bytes` asks for it. Scalars, the ids of structures and events are kept
    of all steps. Raises UsageError where a value makes no sense.
    """

    max_bytes: int | None = None
    every: int | None = None
    last: int | None = None
    changes: bool = False

    def __post_init__(self) -> None:
        if self.max_bytes is not None and self.max_bytes < LEAST_BYTES:
            raise UsageError(f"No tape fits in {self.max_bytes} bytes; give 1MB or more.")
        for name, number in (("every", self.every), ("last", self.last)):
            if number is not None and number < 1:
                raise UsageError(f"Keeping {name}={number} makes no sense; give a number from 1 on.")

    @property
    def is_selective(self) -> bool:
        """Whether the details of some steps go even while there is room."""
        return self.changes or self.every is not None or self.last is not None

    @property
    def n_recent(self) -> int:
        """So many of the last steps keep everything."""
        return RECENT_STEPS if self.last is None else self.last


def keep_of(max_size: str | int | None, keep: str | None) -> Keep:
    """From what a user writes: "2GB", "every=100,last=1000,changes". Raises UsageError."""
    parts: dict[str, int | bool] = {}
    for part in (keep or "").split(",") if keep is not None else ():
        name, has_number, text = part.strip().partition("=")
        if name == "changes" and not has_number:
            parts["changes"] = True
        elif name in ("every", "last") and text.strip().isdecimal() and len(text) < 16:
            parts[name] = int(text)
        else:
            raise UsageError(
                f"{part.strip()!r} says not what to keep; write every=K, last=N or changes, with commas between."
            )
    return Keep(_bytes_of(max_size), **parts)  # type: ignore[arg-type]


def _bytes_of(size: str | int | None) -> int | None:
    """500000, "500000", "500 MB", "2G": powers of ten, as disks are sold."""
    if size is None or isinstance(size, int):
        return size
    found = re.fullmatch(r"\s*(\d{1,15}(?:\.\d{1,9})?)\s*([KMGT]?)i?B?\s*", size, re.IGNORECASE)
    if found is None:
        raise UsageError(f"{size!r} is not a size; write for example 500MB or 2GB.")
    return int(float(found[1]) * _UNITS[found[2].upper()])
