"""Where everything stands: the pure result of a layout, ready for any painter."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracer.model.view import View


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Layout:
    """Positions of a view, in scene units (one unit is one pixel at 100 %), y downwards, data flowing downwards.

    `boxes` (n, 4) and `groups` (m, 4) are float64 rows x, y, width, height (x, y the top left corner), in the order of
    `view.boxes` and `view.groups`. Link k of `view.links` runs along `points[starts[k]:starts[k + 1]]`, float64 (p, 2),
    from the bottom of its source box to the top of its target box. `size` is width and height; the top left is 0, 0.
    """

    view: View
    boxes: NDArray[np.float64]
    groups: NDArray[np.float64]
    points: NDArray[np.float64]
    starts: NDArray[np.int64]
    size: tuple[float, float]
