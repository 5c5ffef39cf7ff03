"""Colourings: one file each, and no other registration. The contract is `gui.coloring.Coloring`."""

from functools import cache
from typing import cast

from gui.coloring import Coloring
from tracer.plugins import load, names

DEFAULT = "kind"


@cache
def colorings() -> dict[str, Coloring]:
    """Every colouring by NAME, the default first, the rest by title."""
    found = [cast(Coloring, load(module)) for module in names(__name__).values()]
    found.sort(key=lambda coloring: (coloring.NAME != DEFAULT, coloring.TITLE))
    return {coloring.NAME: coloring for coloring in found}
