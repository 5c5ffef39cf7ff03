"""The pages of a tape as they lie on the disk, without SQLite: whatever is destroyed, the rest can be read.

https://sqlite.org/fileformat2.html says what is where.
"""

import contextlib
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from tracer.store import schema
from tracer.store.holes import next_data

_MAGIC = b"SQLite format 3\0"
_LOG_MAGIC = (0x377F0682, 0x377F0683)
_LOG_HEADER_BYTES, _FRAME_HEADER_BYTES = 32, 24
_SIZES = [1 << power for power in range(9, 17)]


class Pages:
    """Numbered from 1, the file's with those of the log in their place. Raises OSError where it cannot be read."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self._log = None
        with contextlib.suppress(OSError):
            self._log = path.with_name(path.name + "-wal").open("rb", buffering=0)
        self._n_bytes = os.fstat(self._file.fileno()).st_size
        self._frames: dict[int, int] = {}
        head = self._read_at(0, 100)
        self.has_header = head[:16] == _MAGIC
        self.page_bytes = _page_bytes(head)
        self.usable_bytes = self.page_bytes - (head[20] if self.has_header and head[20] <= 64 else 0)
        self.log_is_damaged = self._log is not None and self._read_log()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if self._log is not None:
            self._log.close()

    def __len__(self) -> int:
        return max(self._n_bytes // self.page_bytes, max(self._frames, default=0))

    def __getitem__(self, number: int) -> bytes:
        """Empty where there is none."""
        place = self._frames.get(number)
        if place is not None and self._log is not None:
            self._log.seek(place)
            return self._log.read(self.page_bytes) or b""
        data = self._read_at((number - 1) * self.page_bytes, self.page_bytes) if 0 < number <= len(self) else b""
        return data if len(data) == self.page_bytes else b""

    def stored(self) -> Iterator[int]:
        """The numbers of the pages that take room on the disk."""
        inside, at = set(self._frames), 0
        while (at := next_data(self._file.fileno(), at, self._n_bytes)) < self._n_bytes:
            inside.discard(at // self.page_bytes + 1)
            yield at // self.page_bytes + 1
            at = (at // self.page_bytes + 1) * self.page_bytes
        yield from sorted(inside)

    @property
    def head(self) -> bytes:
        """The first 100 bytes, where they are those of a tape or look like it; else empty."""
        return self[1][:100] if self.has_header else b""

    def _read_at(self, place: int, n: int) -> bytes:
        self._file.seek(place)
        return self._file.read(n) or b""

    def _read_log(self) -> bool:
        """Whether something in it is damaged. A frame is as good as its checksum, which goes on from that of the frame
        before; those after the last commit never happened."""
        assert self._log is not None
        size = os.fstat(self._log.fileno()).st_size
        head = self._log.read(_LOG_HEADER_BYTES) or b""
        if len(head) < _LOG_HEADER_BYTES:
            return bool(head)
        magic, _, page_bytes, _, *salts, first, second = struct.unpack(">8I", head)
        order = ">" if magic == _LOG_MAGIC[1] else "<"
        if magic not in _LOG_MAGIC or _summed(order, head[:24], (0, 0)) != (first, second):
            return True
        if page_bytes in _SIZES:  # as SQLite does: the log's has a checksum, the file's has none
            self.usable_bytes += page_bytes - self.page_bytes
            self.page_bytes = page_bytes
        sums, is_damaged, was_bad, open_frames = (first, second), False, False, {}
        n_pages = 0
        for place in range(_LOG_HEADER_BYTES, size - _FRAME_HEADER_BYTES - page_bytes + 1, 24 + page_bytes):
            self._log.seek(place)
            frame = self._log.read(24 + page_bytes) or b""
            number, n_pages, *own_salts, first, second = struct.unpack(">6I", frame[:24])
            if own_salts != salts:  # of an earlier use of the log, or destroyed
                was_bad, n_pages = True, 0
                continue
            is_damaged = is_damaged or was_bad  # something good comes after it
            is_right = _summed(order, frame[24:], _summed(order, frame[:8], sums)) == (first, second)
            sums = first, second
            was_bad = not is_right or page_bytes != self.page_bytes
            if not was_bad:
                open_frames[number] = place + 24
            if n_pages:
                self._frames |= open_frames
                open_frames = {}
        return is_damaged or (was_bad and n_pages > 0)  # one at the end that commits nothing was not written wholly


def _page_bytes(head: bytes) -> int:
    claimed = int.from_bytes(head[16:18], "big")
    claimed = 1 << 16 if claimed == 1 else claimed
    return claimed if head[:16] == _MAGIC and claimed in _SIZES else schema.PAGE_BYTES


def _summed(order: str, data: bytes, sums: tuple[int, int]) -> tuple[int, int]:
    first, second = sums
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for at in range(0, len(words), 2):
        first = (first + words[at] + second) & 0xFFFFFFFF
        second = (second + words[at + 1] + first) & 0xFFFFFFFF
    return first, second
