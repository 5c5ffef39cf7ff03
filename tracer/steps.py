"""Step numbers as typed by a user."""

from tracer.errors import UsageError
from tracer.store.reader import Tape


def checked_step(tape: Tape, step: int) -> int:
    """The step's index, negative from the end. Raises UsageError where the tape has no such step."""
    if not -len(tape) <= step < len(tape):
        has = f"it has steps 0 to {len(tape) - 1}" if len(tape) else "it has no steps"
        raise UsageError(f"There is no step {step} in {tape.path}; {has}.")
    return step % len(tape)


def step_range(tape: Tape, text: str) -> range:
    """ "A:B" or "A:B:K", as in a Python slice. Raises UsageError where it is neither or holds no step."""
    parts = text.split(":")
    try:
        numbers = [int(part) if part else None for part in parts]
        found = range(*slice(*numbers).indices(len(tape)))
    except (ValueError, TypeError):
        raise UsageError(f"{text!r} is not a range of steps; write A:B or A:B:K, for example 0:100:10.") from None
    if len(parts) < 2 or not found:
        raise UsageError(f"{text!r} holds no step of {tape.path}, which has {len(tape)}; write A:B or A:B:K.")
    return found
