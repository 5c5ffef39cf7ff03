"""Colour by the norm of gradients as the optimizer found them: a parameter's own; of a closed module the greatest of
its parameters', of a fold that over all copies, as one exploding layer must not drown among calm ones. A gradient of
NaN or Inf anywhere in it is an alarm; a parameter without a gradient has no number.
"""

import numpy as np

from gui.coloring import Coloration, Quantity, Subject, by_number, unmeasured
from gui.scales import plain
from gui.theme import Theme

NAME = "gradient_norm"
TITLE = "Gradient norm"
GROUP, ORDER, LEVEL = "learning", 0, "statistics"

QUANTITY = Quantity(plain, "greatest", "cividis", lacking="No gradient")


def colored(subject: Subject, theme: Theme) -> Coloration:
    if not subject.is_measured("parameters", "grad_norm"):
        return unmeasured(subject, LEVEL, theme)
    keys, norms = subject.measured("parameters", "grad_norm")
    _, has_grad = subject.measured("parameters", "has_grad")
    norms = np.where(has_grad == 1, norms, np.nan)
    spoilt = (has_grad == 1) & ~np.isfinite(norms)
    held = subject.index.parameters
    return by_number(subject, QUANTITY, theme, held.greatest(keys, norms), held.any(keys, spoilt))
