"""Starting Tapescope's own commands in another process."""

import sys
from pathlib import Path

_MAIN = Path(__file__).parents[1] / "main.py"


def command(*words: str) -> list[str]:
    """The command line that runs `tapescope words…` with this Python, from a checkout and from an installation
    alike."""
    return [sys.executable, str(_MAIN), *words]
