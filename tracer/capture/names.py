"""What modules and parameters are called: as `named_modules()` and `named_parameters()` of the model name them.

Hooks see bare objects. The first time an unknown module is called, the model it belongs to is looked for once among the
living modules: the smallest one around it that owns everything its optimizer trains. That model's names are then a
dictionary lookup. The first model has no prefix, every further one (a discriminator, a loss module) its class name.
"""

import gc
import weakref
from collections.abc import Callable, Collection, Iterator
from typing import TypeVar

import torch
from torch import nn
from torch.nn.parameter import is_lazy

_T = TypeVar("_T")

_tracing_state: Callable[[], object] = torch._C._get_tracing_state
_MAX_SCANS = 16  # a scan of the living objects takes tens of milliseconds
_MAX_SECOND_LOOKS = 64  # at a model whose parameters stood in for by other tensors

LEAF_CODES = -10
"""Codes from here downwards stand for leaves without a name, numbered within the step."""


class Names:
    """Tokens and names of the modules and parameters seen; holds none of them alive."""

    def __init__(self) -> None:
        self.tokens: dict[int, int] = {}  # id of a living module -> what stands for its path and class
        self.codes: dict[int, int] = {}  # id of a living parameter -> code of its name
        self._parameters: dict[int, weakref.ref[torch.Tensor]] = {}  # those in codes
        self._orphans: dict[int, int] = {}  # ids of living parameters that were searched for in vain
        self._references: dict[int, weakref.ref[object]] = {}
        self._module_names: list[tuple[str, str]] = []
        self._token_of_name: dict[tuple[str, str], int] = {}
        self._parameter_names: list[str] = []
        # by name, sizes, dtype and device: one that is replaced by another size makes another graph
        self._code_of_name: dict[tuple[str, object], int] = {}
        self._roots: dict[str, weakref.ref[nn.Module]] = {}
        self._anonymous: dict[int, tuple[weakref.ref[torch.Tensor], int]] = {}
        self._scans_left = _MAX_SCANS
        self._second_looks_left = _MAX_SECOND_LOOKS
        self._is_outdated = False
        self.version = 0  # grows with every name that is learnt

    def note_registration(self, module: nn.Module, name: str, thing: object) -> None:
        """Global registration hook: a module gets a parameter or a module of its own, perhaps in place of another."""
        self._is_outdated |= id(module) in self.tokens

    def refresh(self) -> None:
        """Read the names anew if a known model has changed: replaced weights, pruning, parametrizations, a new head."""
        if self._is_outdated:
            self._is_outdated = False
            self.tokens.clear()
            self.codes.clear()
            self._parameters.clear()
            self._orphans.clear()
            for root in self._living_roots():
                self._register(root)

    def module_token(self, module: nn.Module) -> int:
        """A small integer that stands for the module's path and class."""
        token = self.tokens.get(id(module))
        return self._learn(module) if token is None else token

    def module_name(self, token: int) -> tuple[str, str]:
        """(path, class name). The path of the first model itself is ""."""
        return self._module_names[token]

    def leaf_code(self, leaf: torch.Tensor) -> int:
        """A small integer for a leaf tensor: of its name where it has one, else `LEAF_CODES` and below, for this step
        only."""
        code = self.codes.get(id(leaf))
        if code is not None:
            return code
        is_new = isinstance(leaf, nn.Parameter) and id(leaf) not in self._orphans
        if is_new and self._learn_owner_of(leaf):  # type: ignore[arg-type]
            return self.codes[id(leaf)]
        return self._anonymous_code(leaf)

    def parameter_name(self, code: int) -> str | None:
        """The qualified name, None for a leaf that is no module's parameter."""
        return self._parameter_names[code] if code >= 0 else None

    def leaves(self, codes: set[int]) -> set[int]:
        """Ids of the living leaves with these codes."""
        anonymous = {key for key, (_, code) in self._anonymous.items() if code in codes}
        return anonymous | {key for key, code in self.codes.items() if code in codes}

    def trainable(self) -> set[str]:
        """Names of the living parameters that require grad."""
        return {name for name, parameter in self.living_parameters() if parameter.requires_grad}

    def living_parameters(self) -> Iterator[tuple[str, torch.Tensor]]:
        """(qualified name, parameter) of those that are known."""
        for key, reference in list(self._parameters.items()):
            parameter = reference()
            if parameter is not None:
                yield self._parameter_names[self.codes[key]], parameter

    def others(self, reached: Collection[str | None]) -> tuple["weakref.ref[torch.Tensor]", ...]:
        """The living parameters whose names are not in `reached`."""
        return tuple(
            reference
            for key, reference in self._parameters.items()
            if key in self.codes and self._parameter_names[self.codes[key]] not in reached
        )

    def forget_anonymous(self) -> None:
        """Begin the next step's numbering of leaves without a name."""
        self._anonymous.clear()

    def _anonymous_code(self, leaf: torch.Tensor) -> int:
        known = self._anonymous.get(id(leaf))
        if known is not None and known[0]() is leaf:
            return known[1]
        code = LEAF_CODES - len(self._anonymous)
        self._anonymous[id(leaf)] = weakref.ref(leaf), code
        return code

    def _learn(self, module: nn.Module) -> int:
        self.refresh()
        inner = getattr(module, "_orig_mod", None)  # what torch.compile wraps: one call on the tape
        named = inner if isinstance(inner, nn.Module) else module
        if id(named) not in self.tokens:
            self._register(self._root_around(named))
        if id(named) not in self.tokens:  # called, yet not in its model's named_modules()
            self._register(named)
        self._remember(module, self.tokens[id(named)], self.tokens)
        return self.tokens[id(module)]

    def _learn_owner_of(self, parameter: nn.Parameter) -> bool:
        """Find the model of a parameter that no call has led to (`module.forward(x)`, a parameter replaced since)."""
        self._is_outdated = True
        self.refresh()
        if id(parameter) not in self.codes and self._scans_left:
            for module in _living(nn.Module, self._take_scan()):
                if any(own is parameter for own in module._parameters.values()):
                    self._register(self._root_around(module))
                    break
        if id(parameter) not in self.codes:
            self._remember(parameter, 0, self._orphans)
        return id(parameter) in self.codes

    def _root_around(self, module: nn.Module) -> nn.Module:
        if next(module.parameters(), None) is None or self._scans_left == 0:
            return module
        objects = self._take_scan()
        parents: dict[int, list[nn.Module]] = {}
        for candidate in _living(nn.Module, objects):
            for child in candidate._modules.values():
                parents.setdefault(id(child), []).append(candidate)
        trained = [_parameter_ids(optimizer) for optimizer in _living(torch.optim.Optimizer, objects)]
        return _smallest_owner(module, parents, trained)

    def _take_scan(self) -> list[object]:
        self._scans_left -= 1
        return gc.get_objects()

    def _register(self, root: nn.Module) -> None:
        self.version += 1
        prefix = self._prefix(root)
        dot = prefix and prefix + "."
        for path, module in root.named_modules():
            name = (dot + path if path else prefix, type(module).__name__)
            token = self._token_of_name.setdefault(name, len(self._module_names))
            if token == len(self._module_names):
                self._module_names.append(name)
            self._remember(module, token, self.tokens)
        for path, parameter in root.named_parameters():
            if not isinstance(parameter, nn.Parameter):  # stands in for one, within a functional_call
                self._look_again()
                continue
            code = self._code_of_name.setdefault((dot + path, _looks(parameter)), len(self._parameter_names))
            if code == len(self._parameter_names):
                self._parameter_names.append(dot + path)
            self._remember(parameter, code, self.codes)
            self._parameters.setdefault(id(parameter), weakref.ref(parameter))

    def _remember(self, thing: object, number: int, numbers: dict[int, int]) -> None:
        key = id(thing)
        if key in numbers:
            return
        numbers[key] = number
        if key in self._references:
            return

        def forget(_: object) -> None:
            for by_id in (self.tokens, self.codes, self._parameters, self._orphans, self._references):
                by_id.pop(key, None)

        self._references[key] = weakref.ref(thing, forget)

    def _look_again(self) -> None:
        if self._second_looks_left:
            self._second_looks_left -= 1
            self._is_outdated = True

    def _prefix(self, root: nn.Module) -> str:
        for prefix, reference in self._roots.items():
            if reference() is root:
                return prefix
        has_parameters = next(root.parameters(), None) is not None
        prefix = next(prefix for prefix in _prefixes(root, has_parameters) if self._is_free(prefix))
        self._roots[prefix] = weakref.ref(root)
        return prefix

    def _is_free(self, prefix: str) -> bool:
        return prefix not in self._roots or self._roots[prefix]() is None

    def _living_roots(self) -> list[nn.Module]:
        return [root for reference in self._roots.values() if (root := reference()) is not None]


def _looks(parameter: torch.Tensor) -> object:
    """What of a parameter changes the graph that it is in; None where it has no sizes yet, or asking for them would be
    traced."""
    if is_lazy(parameter) or _tracing_state() is not None:
        return None
    return parameter.shape, parameter.dtype, parameter.device


def is_optimized(leaves: set[int] | None) -> bool:
    """Whether any optimizer holds one of these leaf tensors (ids; None: any at all). A scan of all objects, tens of
    milliseconds."""
    optimizers = _living(torch.optim.Optimizer, gc.get_objects())
    return any(leaves is None or _parameter_ids(optimizer) & leaves for optimizer in optimizers)


def _living(cls: type[_T], objects: list[object]) -> Iterator[_T]:
    # issubclass of the type, not isinstance: the latter asks objects for __class__, which runs code of lazy ones
    return (thing for thing in objects if issubclass(type(thing), cls))  # type: ignore[misc]


def _parameter_ids(optimizer: torch.optim.Optimizer) -> set[int]:
    return {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}


def _smallest_owner(module: nn.Module, parents: dict[int, list[nn.Module]], trained: list[set[int]]) -> nn.Module:
    """The nearest of `module` and those around it that owns all parameters of the optimizer that trains it, else
    `module`."""
    own = {id(parameter) for parameter in module.parameters()}
    wanted = [ids for ids in trained if ids & own]
    level, seen = [module], {id(module)}
    while level:
        for candidate in level:
            owned = {id(parameter) for parameter in candidate.parameters()}
            if any(ids <= owned for ids in wanted):
                return candidate
        above = (parent for child in level for parent in parents.get(id(child), ()))
        level = [parent for parent in above if id(parent) not in seen and not seen.add(id(parent))]  # type: ignore[func-returns-value]
    return module


def _prefixes(root: nn.Module, has_parameters: bool) -> Iterator[str]:
    if has_parameters:
        yield ""
    name = type(root).__name__
    yield name
    number = 2
    while True:
        yield f"{name}_{number}"
        number += 1
