"""Plain values over a pipe: JSON and raw arrays, never pickle. Both ends use it, and neither
believes the sizes that the other states.

A frame is b"MD01", the lengths of header (4 bytes) and body (8 bytes), the header (JSON) and the body (arrays, one
after another). A tensor in the header is {"tensor": [dtype, shape]}, and its numbers are next in the body; a list of
numbers of one type, nested or not, is {"numbers": [dtype, shape]}. None of them is rounded.
Of a student's answer all is plain that `torch.as_tensor(np.asarray(answer))` takes, and what `float` makes of a number.
Down to the child go models and functions too: {"module": …} from torch or utils, and {"import": "package:name"}.
What the child cannot send stays there, and {"handle": number} stands for it.
"""

import contextlib
import importlib
import json
import math
import os
import select
import struct
import time
from collections.abc import Callable, Sequence
from itertools import accumulate, chain
from numbers import Integral, Number
from operator import mul

import numpy as np
import torch
from torch import Tensor, nn

MAGIC, HEAD = b"MD01", struct.Struct(">4sIQ")
HEADER_LIMIT, BODY_LIMIT, DEPTH = 4_000_000, 100_000_000, 60  # a module in a module is six deeper
MOST_OBJECTS = 5_000_000  # numbers and lists that the lists of numbers of a frame become; 72 bytes each, at most
DTYPES = (
    "bool",
    "uint8",
    "int8",
    "int16",
    "int32",
    "int64",
    "float16",
    "float32",
    "float64",
    "complex64",
    "complex128",
)
OWN_OF_MODULES = frozenset(vars(nn.Module()))  # what every module has, and its constructor makes


class Garbled(Exception):
    """A frame that is too large, or not what a frame should be."""


class TimedOut(Exception):
    """Nothing came, or was taken, in time."""


class Closed(Exception):
    """The other end is gone."""


def pack(message: object, foreign: Callable[[object], dict] | None = None) -> bytes:
    """A frame. `foreign(value)` may describe a value that is not plain; without it, it is a TypeError."""
    arrays: list[bytes] = []
    header = json.dumps(_encode(message, arrays, foreign, 0)).encode()
    body = b"".join(arrays)
    if len(header) > HEADER_LIMIT or len(body) > BODY_LIMIT:
        raise Garbled(f"the value is too large: {len(header) + len(body):,} bytes")
    return HEAD.pack(MAGIC, len(header), len(body)) + header + body


def unpack(header: bytes, body: bytes, foreign: Callable[[str, object], object] | None = None) -> object:
    """The value of a frame; arrays become tensors. `foreign(kind, description)` makes what is not plain."""
    try:
        left = Left(memoryview(body))
        value = _decode(json.loads(header), left, foreign, 0)
    except Garbled:
        raise
    except Exception as problem:  # whatever hostile bytes can cause
        raise Garbled(f"the answer is not in the format: {type(problem).__name__}") from None
    if left.body:
        raise Garbled("the answer is longer than it says")
    return value


def carried(value: object, down: Callable | None = None, up: Callable | None = None) -> object:
    """A value as the other end gets it: arrays and lists of numbers are tensors there.

    down, up  the `foreign` of `pack` and of `unpack`
    """
    frame = pack(value, down)
    _, header, _ = HEAD.unpack(frame[: HEAD.size])
    return unpack(frame[HEAD.size : HEAD.size + header], frame[HEAD.size + header :], up)


def _encode(value, arrays, foreign, depth):
    if depth > DEPTH:
        raise Garbled(f"the value is nested more than {DEPTH} deep")
    if value is None or isinstance(value, (bool, int, float, str)):
        return value if type(value) in (type(None), bool, int, float, str) else _plain(value)
    if isinstance(value, list):
        numbers = _numbers(value)
        if numbers is not None:
            return {"numbers": _array(numbers, arrays)["tensor"]}
        return [_encode(item, arrays, foreign, depth + 1) for item in value]
    if isinstance(value, tuple):
        return {"tuple": _encode(list(value), arrays, foreign, depth + 1)}
    if isinstance(value, (set, frozenset)):
        return {"set": [_encode(item, arrays, foreign, depth + 1) for item in value]}
    if isinstance(value, dict):
        pairs = [[_encode(part, arrays, foreign, depth + 1) for part in pair] for pair in value.items()]
        return {"dict": pairs}
    if isinstance(value, np.generic) and not isinstance(value, np.longdouble):
        return _encode(value.item(), arrays, foreign, depth + 1)
    if isinstance(value, Number) and not isinstance(value, complex):  # a fraction, a decimal
        return int(value) if isinstance(value, Integral) else float(value)
    if isinstance(value, Tensor) and not value.is_sparse:
        plain = value.detach().cpu()
        plain = plain.float() if plain.dtype == torch.bfloat16 else plain
        return _encode_array(plain.resolve_neg().resolve_conj().numpy(), arrays, foreign, depth)
    array_like = any(hasattr(type(value), name) for name in ("__array__", "__array_interface__"))
    if array_like and not isinstance(value, Tensor):
        return _encode_array(np.asarray(value), arrays, foreign, depth)
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return _encode(list(value), arrays, foreign, depth + 1)
    if foreign is None:
        raise TypeError(f"{type(value).__name__} cannot be sent")
    return _encode_parts(foreign(value), arrays, foreign, depth + 1)


def _encode_parts(description, arrays, foreign, depth):
    """{kind: details} of what is not plain; the details are encoded, the kind is kept."""
    ((kind, details),) = description.items()
    return {kind: _encode(details, arrays, foreign, depth)}


def _plain(value):
    """The value of a subclass, as its base class has it."""
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind.__str__(value) if kind is str else kind(value)


def _numbers(value):
    """A list of numbers of one type as an array, also if it is nested; None if it is another list."""
    shape, items = [len(value)], value
    while items and type(items[0]) is list:
        widths = {len(item) if type(item) is list else -1 for item in items}
        if len(widths) > 1 or len(shape) == 8:
            return None
        shape += widths
        items = list(chain.from_iterable(items))
    kinds = set(map(type, items))
    if len(kinds) != 1 or _objects(shape) > MOST_OBJECTS or str(np.dtype(kind := kinds.pop())) not in DTYPES:
        return None
    try:
        return np.array(items, kind).reshape(shape)
    except OverflowError:  # an integer of more than 64 bits
        return None


def _objects(shape):
    """How many numbers and lists a list of this shape is made of."""
    return sum(accumulate(shape, mul))


def _encode_array(value, arrays, foreign, depth):
    """An array of any type: as the nearest that a tensor has, or else as a list."""
    if value.dtype == np.longdouble:
        value = value.astype(np.float64)
    elif value.dtype.kind == "u" and value.dtype.itemsize > 1 and (value <= np.iinfo(np.int64).max).all():
        value = value.astype(np.int64)  # torch computes little with wider unsigned integers
    value = value.astype(value.dtype.newbyteorder("="), copy=False)
    return _array(value, arrays) if str(value.dtype) in DTYPES else _encode(value.tolist(), arrays, foreign, depth + 1)


def _array(value, arrays):
    if value.nbytes + sum(map(len, arrays)) > BODY_LIMIT:  # before anything is copied
        raise Garbled(f"the value is too large: an array of {value.nbytes:,} bytes")
    arrays.append(value.tobytes())
    return {"tensor": [str(value.dtype), [int(n) for n in value.shape]]}


class Left:
    """What is left of a frame while it is read: of its body, and of the objects that lists of numbers may become."""

    def __init__(self, body: memoryview):
        self.body, self.objects = body, MOST_OBJECTS


def _decode(node, left, foreign, depth):
    if depth > DEPTH:
        raise Garbled(f"nested more than {DEPTH} deep")
    if node is None or isinstance(node, (bool, int, float, str)):
        return node
    if isinstance(node, list):
        return [_decode(item, left, foreign, depth + 1) for item in node]
    ((kind, details),) = node.items()
    if kind == "tensor":
        return _tensor(*details, left)
    if kind == "numbers":
        return _list(*details, left)
    value = _decode(details, left, foreign, depth + 1)
    if kind in ("tuple", "dict", "set"):
        return {"tuple": tuple, "dict": dict, "set": set}[kind](value)
    if foreign is None:
        raise Garbled(f"an unknown kind of value: {kind!r:.20}")
    return foreign(kind, value)


def _tensor(dtype, shape, left):
    if dtype not in DTYPES or len(shape) > 8 or not all(type(n) is int and 0 <= n < 2**40 for n in shape):
        raise Garbled("an impossible array")
    count, kind = math.prod(shape), getattr(torch, dtype)
    size = count * kind.itemsize
    if size > len(left.body):
        raise Garbled("an array that is longer than the answer")
    raw, left.body = bytearray(left.body[:size]), left.body[size:]
    if dtype == "bool":  # torch trusts each byte to be 0 or 1
        raw = bytearray(np.frombuffer(raw, np.uint8).astype(bool).tobytes())
    flat = torch.frombuffer(raw, dtype=kind) if count else torch.empty(0, dtype=kind)
    return flat.reshape(shape)


def _list(dtype, shape, left):
    array = _tensor(dtype, shape, left)
    left.objects -= _objects(shape)
    if left.objects < 0:
        raise Garbled("too many numbers in lists")
    return array.tolist()


# Pipes: whoever waits, waits until a deadline.


def send(pipe: int, frame: bytes, deadline: float = math.inf) -> None:
    """Write a frame to a non-blocking (or any) file descriptor until the deadline, a time of `time.monotonic`."""
    view = memoryview(frame)
    while view:
        _wait(pipe, deadline, write=True)
        try:
            view = view[os.write(pipe, view[:65536]) :]
        except BlockingIOError:
            continue
        except OSError:
            raise Closed from None


def receive(pipe: int, deadline: float = math.inf) -> tuple[bytes, bytes]:
    """Header and body of the next frame, as they came."""
    magic, header, body = HEAD.unpack(_read(pipe, HEAD.size, deadline))
    if magic != MAGIC or header > HEADER_LIMIT or body > BODY_LIMIT:
        raise Garbled("the answer is too large, or not in the format")
    return _read(pipe, header, deadline), _read(pipe, body, deadline)


def _read(pipe: int, size: int, deadline: float) -> bytes:
    data = bytearray()
    while len(data) < size:
        _wait(pipe, deadline)
        try:
            piece = os.read(pipe, min(size - len(data), 1 << 20))
        except BlockingIOError:
            continue
        except OSError:
            piece = b""
        if not piece:
            raise Closed
        data += piece
    return bytes(data)


def _wait(pipe: int, deadline: float, write: bool = False) -> None:
    timeout = None if deadline == math.inf else max(deadline - time.monotonic(), 0)
    poll = select.poll()  # select.select ends at descriptor 1024
    poll.register(pipe, select.POLLOUT if write else select.POLLIN)
    if not poll.poll(None if timeout is None else 1000 * timeout):
        raise TimedOut


# Models and functions, down only.


def describe(value: object) -> dict:
    """A model as {"module": …}, an importable function of torch or utils as {"import": …}; else TypeError."""
    if isinstance(value, nn.Module):
        return {
            "module": {
                "class": _address(type(value)),
                "training": value.training,
                "plain": {name: item for name, item in vars(value).items() if name not in OWN_OF_MODULES},
                "parameters": dict(value._parameters),
                "buffers": dict(value._buffers),
                "modules": dict(value._modules),
            }
        }
    if callable(value) and hasattr(value, "__qualname__"):
        return {"import": _address(value)}
    raise TypeError(f"{type(value).__name__} cannot be sent to a student's function")


def _address(thing) -> str:
    """Where the child finds the same thing. Some builtins of torch have an address that leads nowhere."""
    package, name = getattr(thing, "__module__", None) or "", thing.__qualname__
    if package.split(".")[0] in ("torch", "utils"):
        with contextlib.suppress(ImportError, AttributeError):
            if _imported(f"{package}:{name}") is thing:
                return f"{package}:{name}"
    raise TypeError(f"{name} cannot be sent: it must be importable from torch or utils")


def rebuild(kind: str, details) -> object:
    """The model or function that `describe` described. For the child: it trusts the parent."""
    if kind == "import":
        return _imported(details)
    model = _imported(details["class"]).__new__(_imported(details["class"]))
    nn.Module.__init__(model)
    vars(model).update(details["plain"])
    for name, value in details["parameters"].items():
        model.register_parameter(name, None if value is None else nn.Parameter(value, value.is_floating_point()))
    for name, value in details["buffers"].items():
        model.register_buffer(name, value)
    for name, value in details["modules"].items():
        model.add_module(name, value)
    model.training = details["training"]
    return model


def _imported(address: str):
    module, _, name = address.partition(":")
    value = importlib.import_module(module)
    for part in name.split("."):
        value = getattr(value, part)
    return value
