"""Colour by the memory kept from forward to backward: an op's own, of a closed module the sum over its ops, of a fold
that over all copies. A storage that several ops keep counts for each of them, as it is measured.
"""

from gui import format as fmt
from gui.coloring import Coloration, Quantity, Subject, by_number, nowhere, unmeasured
from gui.theme import Theme

NAME = "saved_bytes"
TITLE = "Saved memory"
GROUP, ORDER, LEVEL = "size", 1, "full"

QUANTITY = Quantity(fmt.size, "sum", is_binary=True, zero="Nothing saved")


def colored(subject: Subject, theme: Theme) -> Coloration:
    if not subject.is_measured("nodes", "saved_bytes"):
        return unmeasured(subject, LEVEL, theme)
    sizes = subject.index.nodes.sums(*subject.measured("nodes", "saved_bytes"))
    return by_number(subject, QUANTITY, theme, sizes, nowhere(subject))
