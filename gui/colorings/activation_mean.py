"""Colour by the mean of a module's outputs, negative and positive: a closed module's own, of a fold the mean over all
copies. An op that alone leads out of its module has the number of the module's whole output; other ops are not
measured. Outputs with NaN or Inf among them are an alarm.
"""

from gui.coloring import Coloration, Quantity, Subject, by_number, unmeasured
from gui.scales import plain
from gui.theme import Theme

NAME = "activation_mean"
TITLE = "Activation mean"
GROUP, ORDER, LEVEL = "activations", 0, "statistics"

QUANTITY = Quantity(plain, "mean", "signed", is_log=False, is_signed=True)


def colored(subject: Subject, theme: Theme) -> Coloration:
    return by_output(subject, theme, "mean", QUANTITY)


def by_output(subject: Subject, theme: Theme, column: str, quantity: Quantity) -> Coloration:
    """A quantity of the outputs of module calls, and of the ops that made them."""
    if not subject.is_measured("calls", column):
        return unmeasured(subject, LEVEL, theme)
    held = subject.index.outputs
    keys, values = subject.measured("calls", column)
    spoilt = subject.measured("calls", "nans")[1] + subject.measured("calls", "infs")[1] > 0
    return by_number(subject, quantity, theme, held.means(keys, values), held.any(keys, spoilt))
