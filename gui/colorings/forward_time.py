"""Colour by the time of the forward pass: of a closed module that of its call, inner calls included; of a fold the sum
over all copies; of an op that of the operator that made it, which is known at the level "full" (`gui.op_times`).
"""

import numpy as np

from gui import format as fmt
from gui.coloring import Coloration, Quantity, Subject, by_number, nowhere, unmeasured
from gui.op_times import forward_secs
from gui.theme import Theme

NAME = "forward_time"
TITLE = "Forward time"
GROUP, ORDER, LEVEL = "time", 0, "statistics"

QUANTITY = Quantity(fmt.duration, "sum")


def colored(subject: Subject, theme: Theme) -> Coloration:
    if subject.statistics is None or not subject.is_measured("calls", "forward_secs"):
        return unmeasured(subject, LEVEL, theme)
    secs = subject.index.calls.sums(*subject.measured("calls", "forward_secs"))
    of_ops = subject.index.ops.sums(*forward_secs(subject.statistics, subject.graph))
    return by_number(subject, QUANTITY, theme, np.where(np.isnan(secs), of_ops, secs), nowhere(subject))
