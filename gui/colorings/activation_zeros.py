"""Colour by the share of zeros in a module's outputs: a closed module's own, of a fold the mean over all copies. Where
all are zero, as after dead activations, nothing is learnt. Of ops, and of NaN and Inf, the same holds as for the mean.
"""

from gui import format as fmt
from gui.coloring import Coloration, Quantity, Subject
from gui.colorings.activation_mean import by_output
from gui.scales import Scale
from gui.theme import Theme

NAME = "activation_zeros"
TITLE = "Activation zeros"
GROUP, ORDER, LEVEL = "activations", 2, "statistics"

QUANTITY = Quantity(fmt.share, "mean", is_log=False, scale=Scale(0.0, 1.0), zero="No zeros")


def colored(subject: Subject, theme: Theme) -> Coloration:
    return by_output(subject, theme, "zeros", QUANTITY)
