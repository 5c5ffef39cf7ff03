"""Colour by NaN and Inf: how many a closed module's outputs have, or those of the call in it that has most; of a fold
the most over all copies; of an op that alone makes its module's output those in it. Each is an alarm. So is a parameter
whose values, gradient or update are not finite, and a closed module with such a parameter; how many is not measured.
"""

import numpy as np

from gui import format as fmt
from gui.coloring import Bools, Coloration, Quantity, Subject, by_number, unmeasured
from gui.theme import Theme

NAME = "not_finite"
TITLE = "NaN and Inf"
GROUP, ORDER, LEVEL = "activations", 3, "statistics"

QUANTITY = Quantity(fmt.magnitude, "greatest", "alarm", zero="All finite", spoilt="Parameters not finite")


def colored(subject: Subject, theme: Theme) -> Coloration:
    if not subject.is_measured("calls", "nans") and not subject.is_measured("parameters", "value_norm"):
        return unmeasured(subject, LEVEL, theme)
    keys, nans = subject.measured("calls", "nans")
    bad = nans + subject.measured("calls", "infs")[1]
    counts = np.fmax(subject.index.inner_calls.greatest(keys, bad), subject.index.outputs.greatest(keys, bad))
    names, is_spoilt = _spoilt_parameters(subject)
    held = subject.index.parameters
    spoilt = held.any(names, is_spoilt) & ~(counts > 0)
    is_sound = held.any(names, ~is_spoilt) & ~spoilt
    return by_number(subject, QUANTITY, theme, np.where(np.isnan(counts) & is_sound, 0.0, counts), spoilt, counts > 0)


def _spoilt_parameters(subject: Subject) -> tuple[tuple[str, ...], Bools]:
    """The measured parameters, and of each whether something is wrong with it."""
    keys, values = subject.measured("parameters", "value_norm")
    gradients = subject.measured("parameters", "grad_norm")[1]
    has_grad = subject.measured("parameters", "has_grad")[1] == 1
    updates = subject.measured("parameters", "update_norm")[1]
    return keys, ~np.isfinite(values) | ~np.isfinite(updates) | (has_grad & ~np.isfinite(gradients))
