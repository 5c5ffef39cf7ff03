"""What was added to a tape, in pieces that the window takes in without standing still."""

from collections.abc import Iterator

from tracer import Batch

MOST_VALUES, MOST_EVENTS = 1 << 17, 1_000
"""Of scalars, taken in within some 5 ms, and of events, each of which is put in words."""


def portions(batch: Batch) -> Iterator[Batch]:
    """All steps at once, then one scalar after another, then the events in their order; what is small comes whole."""
    n_values = sum(len(values) for _, values in batch.scalars.values())
    if n_values <= MOST_VALUES and len(batch.events) <= MOST_EVENTS:
        yield batch
        return
    nothing = batch.steps.since(len(batch.steps))
    yield Batch(batch.steps, (), {})
    for name, (steps, values) in batch.scalars.items():
        for first in range(0, len(values), MOST_VALUES):
            piece = slice(first, first + MOST_VALUES)
            yield Batch(nothing, (), {name: (steps[piece], values[piece])})
    for first in range(0, len(batch.events), MOST_EVENTS):
        yield Batch(nothing, batch.events[first : first + MOST_EVENTS], {})
