"""JSON that somebody wrote: parsed only where that takes no more memory than an honest one of that size."""

import json
from typing import Any

from tracer.store.damage import DamageError

MOST_CONTAINERS = 1 << 21
"""Lists and objects, 64 bytes each when empty: three bytes of text are enough for one. The graph of a million nodes has
some hundred thousand, since each distinct value stands in it once."""


def parsed(text: bytes | str) -> Any:
    """Raises DamageError, ValueError, RecursionError on anything else."""
    opening = (b"[", b"{") if isinstance(text, bytes) else ("[", "{")
    if len(text) > MOST_CONTAINERS and sum(map(text.count, opening)) > MOST_CONTAINERS:  # type: ignore[arg-type]
        raise DamageError("a text in it has more lists than there can be")
    return json.loads(text)
