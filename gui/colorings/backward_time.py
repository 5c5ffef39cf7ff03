"""Colour by the time of the backward: an op's own, of a closed module the sum over its ops, of a fold that over all
copies. Accumulating a parameter's gradient is not measured.
"""

from gui import format as fmt
from gui.coloring import Coloration, Quantity, Subject, by_number, nowhere, unmeasured
from gui.theme import Theme

NAME = "backward_time"
TITLE = "Backward time"
GROUP, ORDER, LEVEL = "time", 1, "full"

QUANTITY = Quantity(fmt.duration, "sum")


def colored(subject: Subject, theme: Theme) -> Coloration:
    if not subject.is_measured("nodes", "backward_secs"):
        return unmeasured(subject, LEVEL, theme)
    secs = subject.index.nodes.sums(*subject.measured("nodes", "backward_secs"))
    return by_number(subject, QUANTITY, theme, secs, nowhere(subject))
