"""Colourings: one file each, and no other registration. The contract is `gui.coloring.Coloring`."""

from functools import cache
from typing import cast

from gui.coloring import Coloring
from tracer.plugins import load, names

DEFAULT = "op_type"
GROUPS = ("structure", "size", "time", "learning", "activations")
"""In the order of the menu, with a separator between two."""


@cache
def colorings() -> dict[str, Coloring]:
    """Every colouring by NAME, the default first, the rest by group and their order in it."""
    found = [cast(Coloring, load(module)) for module in names(__name__).values()]
    found.sort(key=lambda coloring: (coloring.NAME != DEFAULT, GROUPS.index(coloring.GROUP), coloring.ORDER))
    return {coloring.NAME: coloring for coloring in found}


def grouped() -> tuple[tuple[str, ...], ...]:
    """The names group by group, as `colorings` has them."""
    every = colorings()
    return tuple(
        listed for group in GROUPS if (listed := tuple(name for name, each in every.items() if group == each.GROUP))
    )
