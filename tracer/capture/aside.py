"""Computing beside the training: on its tensors, with operators that nothing of the training sees."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch._functorch.pyfunctorch import temporarily_clear_interpreter_stack
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

_peek_interpreter_stack = torch._C._functorch.peek_interpreter_stack
_is_cuda_used: Callable[[], bool] = torch.cuda.is_initialized
_NO_NUMBERS = ("meta", "lazy")
_LAYOUTS = (
    torch.strided,
    torch.sparse_coo,
    torch.sparse_csr,
    torch.sparse_csc,
    torch.sparse_bsr,
    torch.sparse_bsc,
)


@contextmanager
def aside() -> Iterator[None]:
    """Neither autograd nor a mode, a tensor subclass or a transform of `torch.func` takes part in what runs inside.

    Only for plain tensors: an operator on a wrapper subclass would find no memory behind it.
    """
    with torch._C.DisableTorchFunction(), torch.no_grad(), torch._C._DisableTorchDispatch():
        if _peek_interpreter_stack() is None:
            yield
        else:
            with temporarily_clear_interpreter_stack():
                yield


def is_recorded() -> bool:
    """Whether operators are not run but taken down, to be run later: by `torch.jit.trace`, or for a CUDA graph."""
    if torch._C._get_tracing_state() is not None:
        return True
    return _is_cuda_used() and torch.cuda.is_current_stream_capturing()


def numbers_of(tensor: torch.Tensor) -> Iterator[torch.Tensor]:
    """The floating or complex values of a tensor as plain tensors without graph: those of a nested tensor or of this
    process's part of a distributed one, of all examples under `vmap`; none of what has no values (fake tensors). To be
    called inside `aside`."""
    if not (tensor.is_floating_point() or tensor.is_complex()) or isinstance(tensor, FakeTensor):
        return
    if tensor.device.type in _NO_NUMBERS:
        return
    if torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        tensor = torch._C._functorch.get_unwrapped(tensor)
        yield from numbers_of(tensor)
    elif is_traceable_wrapper_subclass(tensor):
        for name in tensor.__tensor_flatten__()[0]:
            yield from numbers_of(getattr(tensor, name))
    elif torch._C._dispatch_keys(tensor).has(torch._C.DispatchKey.Python):
        return  # a wrapper that does not say what it wraps
    elif tensor.is_nested:
        yield tensor.detach().values()
    elif tensor.layout in _LAYOUTS:
        yield tensor.detach()
