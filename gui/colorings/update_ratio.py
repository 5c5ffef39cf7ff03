"""Colour by how much the optimizer changed: the norm of the update over that of the values. A parameter has its own; a
closed module the greatest of its parameters', a fold that over all copies. An update or values of NaN or Inf are an
alarm; an update of values that were all zero has no ratio.
"""

import numpy as np

from gui.coloring import Coloration, Quantity, Subject, by_number, unmeasured
from gui.scales import plain
from gui.theme import Theme

NAME = "update_ratio"
TITLE = "Update / weight"
GROUP, ORDER, LEVEL = "learning", 1, "statistics"

QUANTITY = Quantity(plain, "greatest", "cividis", lacking="No ratio", zero="Not changed")


def colored(subject: Subject, theme: Theme) -> Coloration:
    if not subject.is_measured("parameters", "update_ratio"):
        return unmeasured(subject, LEVEL, theme)
    keys, ratios = subject.measured("parameters", "update_ratio")
    _, values = subject.measured("parameters", "value_norm")
    _, updates = subject.measured("parameters", "update_norm")
    ratios = np.where(np.isfinite(ratios), ratios, np.nan)
    spoilt = ~(np.isfinite(values) & np.isfinite(updates))
    held = subject.index.parameters
    return by_number(subject, QUANTITY, theme, held.greatest(keys, ratios), held.any(keys, spoilt))
