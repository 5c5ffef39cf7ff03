"""Which module call's output came to which call as an input, in the forward-only passes, which have no graph.

Tensors are known again by identity, those that the user's code makes of them between two calls by watching operators.
That takes a dispatch mode, which is put in for a pass only where the last one like it was new; after a few passes
without news only the outcome of a pass is followed. Where neither sees anything (a compiled region, a detour over NumPy
or numbers) there is no link.
"""

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack
from torch.utils._pytree import tree_leaves

from tracer.capture import guard
from tracer.capture.hooks import Undo
from tracer.capture.mode_stack import QUESTIONS, Bystander, put_under
from tracer.capture.nested import storages_of, tensors_in

Signature = tuple[int, ...]
"""The tokens of a pass: two for each of its calls."""

_Source = tuple[int, int]
"""A call: number of its signature, place in it."""

_THIS = -1  # in place of the signature's number while the pass runs
_CALM = 3
_MAX_KNOWN_CALLS = 100_000
_NOTHING: frozenset[_Source] = frozenset()

_Storages: Any = torch.UntypedStorage  # its weak references have no types


class Flow:
    """Follows tensors through top-level calls without grad, one at a time; knows what it saw of each signature."""

    def __init__(self) -> None:
        self.is_running = False
        self._carriers = Carriers()
        self._fed: list[set[_Source]] = []
        self._open: list[tuple[int, int]] = []  # places, and when they began
        self._top = 0
        self._known: dict[Signature, tuple[set[_Source], ...]] = {}
        self._n_known_calls = 0
        self._numbers: dict[Signature, int] = {}
        self._calm: dict[int, int] = {}  # by top-level token: how many passes in a row told nothing new
        self._is_asleep = False
        self._guard: Callable[[Callable[..., None]], Callable[..., None]] | None = None
        self._take_out: Undo | None = None

    def attach(self, guard: Callable[[Callable[..., None]], Callable[..., None]]) -> None:
        """From now on operators may be watched, by a hook that `guard` wraps."""
        self._guard = guard

    def begin(self, top: int) -> None:
        """A top-level call without grad begins; `top` is its token."""
        self.end()
        self.is_running = True
        self._fed, self._open, self._top = [], [], top
        calm = self._calm.get(top, 0)
        self._is_asleep = calm >= _CALM
        if self._guard is not None and calm == 0 and not _is_traced():
            self._take_out = put_under(_Watch(self._guard(self._carriers.through)))

    def enter(self, inputs: Any) -> None:
        """A call begins, the top-level one or one within."""
        self._open.append((len(self._fed), self._carriers.time))
        self._fed.append(set() if self._is_asleep else self._carriers.sources(inputs))

    def leave(self, kwargs: Any, output: Any) -> None:
        """The innermost call has ended. What came to it by keyword is known only now: modules tell it to no hook
        before."""
        at, since = self._open.pop()
        if self._is_asleep and at > 0:
            return
        if kwargs:
            came = self._carriers.sources(kwargs)
            self._fed[at] |= {source for source in came if source[0] != _THIS or source[1] < at}
        self._carriers.give(output, frozenset({(_THIS, at)}), since)

    def end(self, signature: Signature | None = None) -> None:
        """The pass has ended; None for one that was none after all, or broke off."""
        if self._take_out is not None:
            self._take_out()
            self._take_out = None
        if self.is_running and signature is not None:
            self._learn(signature)
        elif self.is_running:
            self._carriers.clear()
        self.is_running = False

    def clear(self) -> None:
        """The next step begins: nothing flows over from this one."""
        self.end()
        self._carriers.clear()

    def fed_by(self, signatures: Sequence[Signature]) -> list[tuple[int, ...]]:
        """For every call of these passes, one after another, the calls that it was fed by, counted in the same way."""
        starts: dict[int, int] = {}
        n_calls = 0
        for signature in signatures:
            starts[self._numbers.get(signature, _THIS)] = n_calls
            n_calls += len(signature) // 2
        return [
            tuple(sorted(starts[number] + at for number, at in sources if number in starts))
            for signature in signatures
            for sources in self._known.get(signature) or [set()] * (len(signature) // 2)
        ]

    def _learn(self, signature: Signature) -> None:
        if self._n_known_calls > _MAX_KNOWN_CALLS:
            self._known.clear()
            self._numbers.clear()
            self._carriers.clear()
            self._n_known_calls = 0
        number = self._numbers.setdefault(signature, len(self._numbers))
        known = self._known.get(signature)
        if known is None:
            self._calm[self._top] = 0
            if not self._is_asleep:
                self._known[signature] = self._numbered(number)
                self._n_known_calls += len(self._fed)
        else:
            n_links = sum(map(len, known))
            for sources, more in zip(known, self._numbered(number), strict=True):
                sources |= more
            self._calm[self._top] = self._calm.get(self._top, 0) + 1 if n_links == sum(map(len, known)) else 1
        self._carriers.settle(number)

    def _numbered(self, number: int) -> tuple[set[_Source], ...]:
        return tuple({(number if n == _THIS else n, at) for n, at in sources} for sources in self._fed)


class Carriers:
    """The tensors in which outputs live on, and whose these are.

    Held by weak references: of a tensor, and of its storage for views of it. A weak reference keeps the address of a
    storage from being given to another, but not what is stored.
    """

    def __init__(self) -> None:
        self.time = 0
        self._tensors: dict[int, _Tensor] = {}
        self._storages: dict[int, _Storage] = {}

    def sources(self, value: Any) -> set[_Source]:
        """Of all tensors in a module's inputs."""
        return set().union(*map(self._of, tensors_in(value)))

    def give(self, output: Any, sources: frozenset[_Source], since: int) -> None:
        """The tensors in a module's output carry `sources`, and all other views of what was made after `since`."""
        for tensor in tensors_in(output):
            self._put(tensor, sources)
            for storage in storages_of(tensor):
                known = self._storages[storage._cdata]
                if known.made > since:
                    known.sources = sources

    def through(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        """An operator made `result` of its arguments."""
        arguments = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        sources = _NOTHING.union(*map(self._of, arguments))
        if not sources:
            return
        is_written = isinstance(func, torch._ops.OpOverload) and func._schema.is_mutable
        for tensor in tensors_in(arguments if result is None else result):
            self._put(tensor, sources)
            for storage in storages_of(tensor) if is_written else ():
                known = self._storages[storage._cdata]
                known.sources |= sources
                known.written = self.time

    def settle(self, number: int) -> None:
        """The pass has ended, and its signature has this number. Only what is still alive can come to another."""
        self._tensors = {key: known for key, known in self._tensors.items() if known.reference() is not None}
        self._storages = {key: known for key, known in self._storages.items() if not known.is_gone}
        carriers: list[_Tensor | _Storage] = [*self._tensors.values(), *self._storages.values()]
        for known in carriers:
            known.sources = frozenset((number if n == _THIS else n, at) for n, at in known.sources)

    def clear(self) -> None:
        self._tensors.clear()
        self._storages.clear()

    def _of(self, tensor: torch.Tensor) -> frozenset[_Source]:
        storages = [known for each in storages_of(tensor) if (known := self._storages.get(each._cdata)) is not None]
        own = self._tensors.get(id(tensor))
        if own is not None and own.reference() is tensor and all(own.time >= known.written for known in storages):
            return own.sources
        return _NOTHING.union(*(known.sources for known in storages))

    def _put(self, tensor: torch.Tensor, sources: frozenset[_Source]) -> None:
        self.time += 1
        self._tensors[id(tensor)] = _Tensor(tensor, sources, self.time)
        for storage in storages_of(tensor):
            if storage._cdata not in self._storages:
                self._storages[storage._cdata] = _Storage(storage, sources, self.time)


class _Tensor:
    __slots__ = ("reference", "sources", "time")

    def __init__(self, tensor: torch.Tensor, sources: frozenset[_Source], time: int) -> None:
        self.reference = weakref.ref(tensor)
        self.sources = sources
        self.time = time


class _Storage:
    __slots__ = ("_weak", "made", "sources", "written")

    def __init__(self, storage: torch.UntypedStorage, sources: frozenset[_Source], time: int) -> None:
        self._weak = storage._weak_ref()
        self.sources = sources
        self.made = time
        self.written = 0

    @property
    def is_gone(self) -> bool:
        return bool(_Storages._expired(self._weak))

    def __del__(self, free: Any = _Storages._free_weak_ref) -> None:
        free(self._weak)


class _Watch(Bystander):  # type: ignore[no-untyped-call]
    def __init__(self, note: Callable[..., None]) -> None:
        super().__init__()
        self._note = note

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in QUESTIONS:
            return NotImplemented
        result = func(*args, **kwargs) if kwargs else func(*args)
        if not guard.is_busy:
            self._note(func, args, kwargs, result)
        return result


def _is_traced() -> bool:
    """Whether torch itself follows the operators, for a graph to export or with tensors without data."""
    return torch._C._is_tracing() or any(mode.is_infra_mode() for mode in _get_current_dispatch_mode_stack())
