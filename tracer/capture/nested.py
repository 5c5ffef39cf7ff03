"""The tensors in what modules take and give, in lists, mappings and dataclasses however nested; and those that tensors
are made of."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

_PLAIN = frozenset({torch.Tensor, torch.nn.Parameter})
_PARTS = {
    torch.sparse_coo: ("_indices", "_values"),
    torch.sparse_csr: ("crow_indices", "col_indices", "values"),
    torch.sparse_bsr: ("crow_indices", "col_indices", "values"),
    torch.sparse_csc: ("ccol_indices", "row_indices", "values"),
    torch.sparse_bsc: ("ccol_indices", "row_indices", "values"),
}


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    """All tensors of a module's inputs or outputs."""
    waiting = [value]
    seen: set[int] = set()  # a container may contain itself
    while waiting:
        item = waiting.pop()
        if isinstance(item, torch.Tensor):
            yield item
        elif id(item) not in seen:
            items = _items(item)
            if items:
                seen.add(id(item))
                waiting += items


def _items(item: Any) -> list[Any]:
    if isinstance(item, Mapping):
        return list(item.values())
    if isinstance(item, (tuple, list, set, frozenset)):
        return list(item)
    if is_dataclass(item) and not isinstance(item, type):
        return [getattr(item, field.name, None) for field in fields(item)]
    return []


def storages_of(tensor: torch.Tensor) -> Iterator[torch.UntypedStorage]:
    """Where the numbers of a tensor lie. Of one without a storage of its own (sparse, nested, under a transform of
    `torch.func`) those of its parts."""
    waiting = [tensor]
    while waiting:
        item = waiting.pop()
        if type(item) in _PLAIN or not is_traceable_wrapper_subclass(item):
            try:
                yield item.untyped_storage()
            except NotImplementedError:
                waiting += _parts(item)
        else:
            waiting += (getattr(item, name) for name in item.__tensor_flatten__()[0])


def _parts(tensor: torch.Tensor) -> list[torch.Tensor]:
    if torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        return [torch._C._functorch.get_unwrapped(tensor)]
    plain = tensor.detach()
    return [getattr(plain, name)() for name in _PARTS.get(tensor.layout, ())]
