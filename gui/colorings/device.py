"""Colour by the device that a box's tensors are on; a closed module with tensors on several is "Mixed"."""

import networkx as nx

from gui.coloring import Coloration, Subject, by_label
from gui.theme import Swatch, Theme
from tracer.model.view import Box

NAME = "device"
TITLE = "Device"
GROUP, ORDER, LEVEL = "structure", 4, "structure"

UNKNOWN, MIXED = "Unknown", "Mixed"


def colored(subject: Subject, theme: Theme) -> Coloration:
    return by_label(subject, NAME, label_of, swatch_of, theme)


def label_of(box: Box, graph: nx.MultiDiGraph) -> str:
    return common(box, graph, "device")


def swatch_of(label: str, order: int, theme: Theme) -> Swatch:
    return theme.neutral if label == UNKNOWN else theme.categories[order % len(theme.categories)]


def common(box: Box, graph: nx.MultiDiGraph, attribute: str) -> str:
    """What all members of a box have in common; those that have none do not count."""
    found = {str(graph.nodes[member].get(attribute) or "") for member in box.members if member in graph} - {""}
    return MIXED if len(found) > 1 else next(iter(found), UNKNOWN)
