"""Which boxes the edges of a graph run between, where some of its ops are hidden."""

import numpy as np

from tracer.model.content import Bools, Ints, Spots


def linked_boxes(spots: Spots, is_hidden: Bools, boxes: Ints) -> tuple[Ints, Ints, Ints]:
    """Sources, targets and counts of the links between boxes, in the order of the edges; no box links to itself.

    `boxes` (m,) are the numbers of the boxes that the spots are drawn as or within, -1 for none. An edge from a hidden
    op comes from all that flows into it.
    """
    edges = np.flatnonzero(~is_hidden[spots.targets])
    sources, targets, counts = spots.sources[edges], boxes[spots.targets[edges]], spots.counts[edges]
    is_direct = ~is_hidden[sources]
    through = _through(spots, is_hidden, boxes, sources[~is_direct])
    far = [
        (edge, start, end, count)
        for edge, source, end, count in zip(
            edges[~is_direct].tolist(),
            sources[~is_direct].tolist(),
            targets[~is_direct].tolist(),
            counts[~is_direct].tolist(),
            strict=True,
        )
        for start in through[source]
    ]
    near = np.stack((edges, boxes[sources], targets, counts), axis=1)[is_direct]
    every = np.concatenate((near, np.array(far, dtype=np.int64).reshape(-1, 4)))
    every = every[np.argsort(every[:, 0], kind="stable")]
    _, starts, ends, numbers = every[(every[:, 1] != every[:, 2]) & (every[:, 1] >= 0)].T
    size = int(boxes.max(initial=0)) + 1
    codes, firsts, inverse = np.unique(starts * size + ends, return_index=True, return_inverse=True)
    sums = np.zeros(len(codes), dtype=np.int64)
    np.add.at(sums, inverse, numbers)
    order = np.argsort(firsts)
    return codes[order] // size, codes[order] % size, sums[order]


def _through(spots: Spots, is_hidden: Bools, boxes: Ints, wanted: Ints) -> dict[int, tuple[int, ...]]:
    """The boxes that flow into each of the wanted hidden ops, through hidden ops only."""
    if not len(wanted):
        return {}
    inputs: dict[int, list[int]] = {}
    into = np.flatnonzero(is_hidden[spots.targets])
    for source, target in zip(spots.sources[into].tolist(), spots.targets[into].tolist(), strict=True):
        inputs.setdefault(target, []).append(source)
    hidden, numbers = is_hidden.tolist(), boxes.tolist()
    through: dict[int, tuple[int, ...]] = {}
    for op in np.unique(wanted).tolist():
        found: dict[int, None] = {}
        # Never in circles: a union may have some.
        met, waiting = {op}, [op]
        while waiting:
            for above in inputs.get(waiting.pop(), ()):
                if not hidden[above]:
                    found[numbers[above]] = None
                elif above in through:
                    found.update(dict.fromkeys(through[above]))
                elif above not in met:
                    met.add(above)
                    waiting.append(above)
        through[op] = tuple(start for start in found if start >= 0)
    return through
