"""What of a fold feeds the next copy of itself: turns of a loop, layers in a row; not experts side by side."""

from collections.abc import Iterator

import numpy as np

from tracer.model.bookkeeping import BOOKKEEPING_OPS
from tracer.model.content import Content, Ints
from tracer.model.signature import Anatomy


def chained_keys(content: Content, anatomy: Anatomy, node_firsts: Ints, call_firsts: Ints) -> frozenset[str]:
    """Keys of the calls and ops that stand for several copies most of which are fed by another, directly or through
    bookkeeping ops only: what is drawn for them would be linked to itself.

    `node_firsts` (n,) and `call_firsts` (c,) are the numbers of the first copies.
    """
    owners, callers = content.owners.tolist(), content.callers.tolist()
    firsts, firsts_of_calls = node_firsts.tolist(), call_firsts.tolist()
    depths = [0] * (len(callers) + 1)  # of the top, number -1, too
    for call, caller in enumerate(callers):
        depths[call] = depths[caller] + 1
    fed: dict[int, set[int]] = {}
    for source, target in _between_copies(content, anatomy, node_firsts):
        from_items, to_items = {firsts[source]}, {firsts[target]: target}
        above, below = owners[source], owners[target]
        while above != below:
            if depths[above] >= depths[below]:
                from_items.add(~firsts_of_calls[above])
                above = callers[above]
            else:
                to_items[~firsts_of_calls[below]] = ~below
                below = callers[below]
        for item in from_items & to_items.keys():
            fed.setdefault(item, set()).add(to_items[item])
    copies, copies_of_calls = np.bincount(node_firsts).tolist(), np.bincount(call_firsts, minlength=1).tolist()
    return frozenset(
        content.keys[item] if item >= 0 else content.calls[~item].key
        for item, receivers in fed.items()
        if 2 * len(receivers) > (copies[item] if item >= 0 else copies_of_calls[~item])
    )


def _between_copies(content: Content, anatomy: Anatomy, firsts: Ints) -> Iterator[tuple[int, int]]:
    """The edges between ops that leave a copy: within one, both ends lie as far apart as in the first."""
    is_op = np.array([node["kind"] != "parameter" for node in content.nodes], dtype=np.bool_)
    sources, targets = _past_bookkeeping(content, is_op)
    moved = anatomy.places - anatomy.places[firsts]
    leaves = is_op[sources] & is_op[targets] & (moved[sources] != moved[targets])
    return zip(sources[leaves].tolist(), targets[leaves].tolist(), strict=True)


def _past_bookkeeping(content: Content, is_op: np.ndarray) -> tuple[Ints, Ints]:
    """Edges between the other ops, also those that lead through bookkeeping ops."""
    is_quiet = np.array([node["op"] in BOOKKEEPING_OPS for node in content.nodes], dtype=np.bool_) & is_op
    if not is_quiet.any():
        return content.sources, content.targets
    inputs: dict[int, list[int]] = {}
    into = is_quiet[content.targets]
    for source, target in zip(content.sources[into].tolist(), content.targets[into].tolist(), strict=True):
        inputs.setdefault(target, []).append(source)
    direct = ~into & ~is_quiet[content.sources]
    pairs = []
    onwards = ~into & is_quiet[content.sources]
    for quiet, target in zip(content.sources[onwards].tolist(), content.targets[onwards].tolist(), strict=True):
        waiting, met = [quiet], {quiet}
        while waiting:
            for source in inputs.get(waiting.pop(), ()):
                if source not in met:
                    met.add(source)
                    if is_quiet[source]:
                        waiting.append(source)
                    else:
                        pairs.append((source, target))
    far = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return (
        np.concatenate((content.sources[direct], far[:, 0])),
        np.concatenate((content.targets[direct], far[:, 1])),
    )
