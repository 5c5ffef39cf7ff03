"""Colour by the standard deviation of a module's outputs: a closed module's own, of a fold the mean over all copies.
Of ops, and of NaN and Inf, the same holds as for the mean.
"""

from gui.coloring import Coloration, Quantity, Subject
from gui.colorings.activation_mean import by_output
from gui.scales import plain
from gui.theme import Theme

NAME = "activation_std"
TITLE = "Activation std"
GROUP, ORDER, LEVEL = "activations", 1, "statistics"

QUANTITY = Quantity(plain, "mean", zero="Zero: all alike")


def colored(subject: Subject, theme: Theme) -> Coloration:
    return by_output(subject, theme, "std", QUANTITY)
