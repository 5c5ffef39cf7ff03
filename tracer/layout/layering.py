"""Which layer each node stands in: data flows from layer 0 down, everything close to where it is used."""

from collections import Counter
from collections.abc import Sequence

Neighbours = list[list[int]]

MOST_ABREAST = 8  # tall nodes moved into one layer


def assign_layers(
    count: int, edges: Sequence[tuple[int, int]], entries: range, exits: range, tall: frozenset[int] = frozenset()
) -> list[int]:
    """A layer for each node of a connected acyclic graph, every edge running to a later layer.

    What leads to the main sink (the exits; without any, the sink with the longest way to it) stands as late as
    possible, so a parameter is right above its consumer; dead ends hang right below what they come from. `tall`
    nodes stand abreast where they can, as a layer is as high as its highest. `entries` have layer 0 and `exits` the
    last layer for themselves.
    """
    above, below = neighbours(count, edges)
    order = topological_order(above, below)
    layers = _as_late_as_possible(order, above, below, list(exits) or [_deepest_sink(order, above, below)])
    _hang_dead_ends(layers, order, above, below)
    placed = [layer if layer is not None else 0 for layer in layers]
    _stand_abreast(placed, order, above, below, tall)
    return _with_ports(placed, entries, exits)


def neighbours(count: int, edges: Sequence[tuple[int, int]]) -> tuple[Neighbours, Neighbours]:
    """Sources and targets of each node."""
    above: Neighbours = [[] for _ in range(count)]
    below: Neighbours = [[] for _ in range(count)]
    for source, target in edges:
        above[target].append(source)
        below[source].append(target)
    return above, below


def topological_order(above: Neighbours, below: Neighbours) -> list[int]:
    missing = [len(sources) for sources in above]
    order = [node for node, count in enumerate(missing) if not count]
    for node in order:  # grows while it is read
        for target in below[node]:
            missing[target] -= 1
            if not missing[target]:
                order.append(target)
    return order


def depths(order: list[int], above: Neighbours, entries: range = range(0), start: int = 0) -> list[int]:
    """The length of the longest way to each node; the ways from `entries` are longer by `start`."""
    depth = [0] * len(order)
    for node in order:
        depth[node] = max((depth[source] + 1 for source in above[node]), default=start if node in entries else 0)
    return depth


def _deepest_sink(order: list[int], above: Neighbours, below: Neighbours) -> int:
    depth = depths(order, above)
    return max((node for node in range(len(order)) if not below[node]), key=depth.__getitem__)


def _as_late_as_possible(order: list[int], above: Neighbours, below: Neighbours, sinks: list[int]) -> list[int | None]:
    """Layers from 0 at the sinks to negative numbers; None for what leads to none of them."""
    layers: list[int | None] = [None] * len(order)
    for sink in sinks:
        layers[sink] = 0
    for node in reversed(order):
        if layers[node] is None:
            layers[node] = min((layer - 1 for t in below[node] if (layer := layers[t]) is not None), default=None)
    return layers


def _hang_dead_ends(layers: list[int | None], order: list[int], above: Neighbours, below: Neighbours) -> None:
    """Fills in the rest, in turns: below what is placed already, then above.

    After a downward turn no missing node has a placed source, after an upward turn none has a placed target: so
    every new layer respects all the old ones.
    """
    missing = [node for node in order if layers[node] is None]
    while missing:
        for node in missing:
            layers[node] = max((layer + 1 for s in above[node] if (layer := layers[s]) is not None), default=None)
        missing = [node for node in missing if layers[node] is None]
        for node in reversed(missing):
            layers[node] = min((layer - 1 for t in below[node] if (layer := layers[t]) is not None), default=None)
        missing = [node for node in missing if layers[node] is None]


def _stand_abreast(
    layers: list[int], order: list[int], above: Neighbours, below: Neighbours, tall: frozenset[int]
) -> None:
    """Moves tall nodes up to the first layer that has one already, and what leads to them with them.

    Tall nodes above stay, and so does what more than one way begins at.
    """
    abreast = Counter(layers[node] for node in tall)
    highest: list[int | None] = [None] * len(layers)  # None: as high as it is taken
    for node in order:
        reached = [layer + 1 for source in above[node] if (layer := highest[source]) is not None]
        if not reached:
            highest[node] = layers[node] if node in tall or len(below[node]) > 1 else None
            continue
        highest[node] = max(reached)
        if node in tall:
            for layer in range(max(reached), layers[node]):
                if 0 < abreast[layer] < MOST_ABREAST:
                    abreast[layers[node]] -= 1
                    abreast[layer] += 1
                    _raise_with_sources(node, layer, layers, above)
                    break
            highest[node] = layers[node]


def _raise_with_sources(node: int, layer: int, layers: list[int], above: Neighbours) -> None:
    layers[node] = layer
    waiting = [node]
    while waiting:
        lower = waiting.pop()
        for source in above[lower]:
            if layers[source] >= layers[lower]:
                layers[source] = layers[lower] - 1
                waiting.append(source)


def _with_ports(layers: list[int], entries: range, exits: range) -> list[int]:
    """Moves the ports to layers of their own and lets the first layer be 0."""
    inner = [layer for node, layer in enumerate(layers) if node not in entries and node not in exits]
    first = min(inner) - (1 if entries else 0)
    last = max(inner) + 1
    return [0 if node in entries else (last if node in exits else layer) - first for node, layer in enumerate(layers)]
