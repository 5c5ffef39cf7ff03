"""Colour by the number of trainable numbers: a parameter's own, and of a closed module those of all parameters that its
ops use, each once. A fold has those of all its copies; a weight that they share counts once. Other boxes have none.
"""

from gui import format as fmt
from gui.coloring import Coloration, Quantity, Subject, by_number, nowhere
from gui.theme import Theme

NAME = "parameter_count"
TITLE = "Parameter count"
GROUP, ORDER, LEVEL = "size", 0, "structure"

QUANTITY = Quantity(fmt.magnitude, "sum", lacking="No parameters")


def colored(subject: Subject, theme: Theme) -> Coloration:
    return by_number(subject, QUANTITY, theme, subject.index.parameter_counts, nowhere(subject))
