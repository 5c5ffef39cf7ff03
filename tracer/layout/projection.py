"""Wishes made possible: the closest positions in a row that keep their distances."""

from collections.abc import Sequence


def project(wanted: Sequence[float], weights: Sequence[float], gaps: Sequence[float]) -> list[float]:
    """The x that minimise the sum of weight · (x - wanted)², with x[i + 1] - x[i] at least gaps[i].

    Exact, by pooling adjacent violators: what would overlap moves as one block.
    """
    total = 0.0
    offsets: list[float] = []
    blocks: list[tuple[float, float, int]] = []  # where it would like to be, its weight, how many it holds
    for index, wish in enumerate(wanted):
        if index:
            total += gaps[index - 1]
        offsets.append(total)
        place, weight, held = wish - total, weights[index], 1
        while blocks and blocks[-1][0] > place:
            before, before_weight, before_held = blocks.pop()
            place = (place * weight + before * before_weight) / (weight + before_weight)
            weight += before_weight
            held += before_held
        blocks.append((place, weight, held))
    places = [place for place, _, held in blocks for _ in range(held)]
    return [place + offset for place, offset in zip(places, offsets, strict=True)]
