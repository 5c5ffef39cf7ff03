"""Everything Tapescope raises on purpose.

TapescopeError          its text is one sentence for the user: what happened, to what, what to do
├── UsageError          a command or an argument that makes no sense (exit code 2)
│   └── QueryError      a query that cannot be understood, or asks for what was not recorded
├── TapeError           a file that is not a tape, of another format, or damaged; something that it does not hold
│   └── ThinnedError    what was taken out of a tape to keep it small
├── ExportError         a snapshot that cannot be written
├── SourceError         a file of the user's code that cannot be shown
└── ControlError        a training process that cannot be reached or refused
"""


class TapescopeError(Exception):
    """Base of all of them; `str(error)` is shown to the user as it is."""


class UsageError(TapescopeError):
    """A request that cannot be carried out as put."""


class QueryError(UsageError):
    """A query that cannot be answered. `position` counts its characters from 0, None where it is about the whole."""

    def __init__(self, text: str, position: int | None = None) -> None:
        text = " ".join(text.split())  # what is quoted of a query may go over lines
        super().__init__(text if position is None else f"Character {position + 1}: {text}")
        self.position = position


class TapeError(TapescopeError):
    """A file that cannot be read as a tape."""


class ThinnedError(TapeError):
    """Something that was recorded, but not kept."""


class ExportError(TapescopeError):
    """A snapshot that cannot be written."""


class SourceError(TapescopeError):
    """A file named by a tape that is not here, or is no Python text."""


class ControlError(TapescopeError):
    """The training process did not answer, or refused."""
