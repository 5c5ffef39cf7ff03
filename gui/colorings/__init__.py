"""Colourings: one file each. Being in this folder is all the registration there is; `Coloring` is the contract."""

import importlib
import pkgutil
from functools import cache
from typing import Protocol, cast

import networkx as nx

from gui.theme import Swatch, Theme
from tracer.model.view import Box

DEFAULT = "kind"


class Coloring(Protocol):
    """Sorts the boxes of a step into labelled categories, and gives each category its look."""

    NAME: str
    TITLE: str

    def label_of(self, box: Box, graph: nx.MultiDiGraph) -> str:
        """The category, as the legend names it. At least one member of the box is in the graph."""

    def swatch_of(self, label: str, order: int, theme: Theme) -> Swatch:
        """The look of a category; `order` counts the categories in order of first appearance."""


@cache
def colorings() -> dict[str, Coloring]:
    """Every colouring by NAME, the default first, the rest by title."""
    names = [info.name for info in pkgutil.iter_modules(__path__)]
    found = [cast(Coloring, importlib.import_module(f"{__name__}.{name}")) for name in names]
    found.sort(key=lambda coloring: (coloring.NAME != DEFAULT, coloring.TITLE))
    return {coloring.NAME: coloring for coloring in found}
