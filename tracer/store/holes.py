"""Where a sparse file has something: one of ten gigabytes may hold nothing at all."""

import os


def next_data(file: int, at: int, size: int) -> int:
    """From byte `at` of an open file of `size` bytes the next one that is stored, `size` where there is none."""
    if not hasattr(os, "SEEK_DATA"):  # not on every system
        return at
    try:
        return os.lseek(file, at, os.SEEK_DATA)
    except OSError:  # beyond the last
        return size
