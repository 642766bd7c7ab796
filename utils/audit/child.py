"""The process that a model runs in: its owner's folder, its owner's imports. It needs torch, and nothing of the course.

`python child.py` answers requests on its standard input, as `remote.Link` sends them. What the model prints goes to
standard error. The same frames come and go: the length of a header, the header as JSON, and the tensors that it
names, one after another. Nothing is unpickled on either side.
"""

import ast
import base64
import contextlib
import importlib
import importlib.util
import json
import os
import random
import struct
import sys
import sysconfig
import threading
import time
import traceback
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import NamedTuple

import torch
from torch import Tensor, nn

HEAD = struct.Struct(">I")
MOST_HEADER, MOST_BYTES = 1 << 24, 1 << 33  # of one frame
COURSE = Path(__file__).resolve().parents[2]
LIBRARIES = [Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")]
OTHERS = [*LIBRARIES, Path(torch.__file__).resolve().parent, Path(__file__).resolve().parents[1]]  # and the course
WRAPPERS = ("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")  # DataParallel, compile, ...


# Errors in words.


class Told(ValueError):
    """An error in words that need no more: what failed in the model's own code, and where."""


def place(problem: BaseException) -> str:
    """The last line of the model's own code that was at work, "model.py:12"; "" if there were only libraries and us."""
    lines = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(problem.__traceback__)]
    for file, line in reversed(lines):
        if not file.startswith("<frozen") and not any(Path(file).resolve().is_relative_to(other) for other in OTHERS):
            return f"{Path(file).name}:{line}"
    return ""


def told(problem: BaseException) -> str:
    """An error's kind, its words on one line and, in brackets, its place: "KeyError: 'layer7' (model.py:12)"."""
    if isinstance(problem, Told):
        return str(problem)
    words = ": ".join(filter(None, (type(problem).__name__, " ".join(str(problem).split())[:300])))
    return f"{words} ({where})" if (where := place(problem)) else words


@contextlib.contextmanager
def blame(what: str) -> Iterator[None]:
    """Whatever the model's own code raises, or ends the program with, becomes a `Told` that begins with `what`."""
    try:
        yield
    except (Exception, SystemExit) as problem:
        raise Told(f"{what}: {told(problem)}") from problem


# Frames.


def tell(pipe: int, message: dict, tensors: list[Tensor]) -> None:
    """Write a frame. The tensors may lie on any device."""
    tensors = [t.detach().cpu().contiguous() for t in tensors]
    shapes = [[str(t.dtype)[6:], list(t.shape)] for t in tensors]
    header = json.dumps(message | {"tensors": shapes}).encode()
    parts = [HEAD.pack(len(header)) + header, *(t.reshape(-1).view(torch.uint8).numpy() for t in tensors)]
    views = [memoryview(part) for part in parts if len(part)]
    sent = os.writev(pipe, views) if hasattr(os, "writev") and len(views) < 100 else 0  # all in one, if it fits
    for view in views:
        done, sent = min(sent, len(view)), max(sent - len(view), 0)
        while done < len(view):
            done += os.write(pipe, view[done:])


def hear(pipe: int, wait: Callable[[], None] = lambda: None) -> tuple[dict, list[Tensor]]:
    """Read a frame, once `wait()` is over. Raises EOFError if the other side is gone, ValueError for what is none."""
    wait()
    (length,) = HEAD.unpack(fill(pipe, HEAD.size))
    if length > MOST_HEADER:
        raise ValueError("not a frame")
    message = json.loads(bytes(fill(pipe, length)))
    tensors = []
    for name, shape in message.pop("tensors"):
        dtype, count = getattr(torch, name), 1
        for n in shape:
            count *= n
        if not (isinstance(dtype, torch.dtype) and min(shape, default=0) >= 0 and count * dtype.itemsize <= MOST_BYTES):
            raise ValueError(f"an impossible tensor: {name} {shape}")
        raw = fill(pipe, count * dtype.itemsize)
        if dtype == torch.bool:  # torch trusts each byte to be 0 or 1
            flat = torch.frombuffer(raw, dtype=torch.uint8) != 0 if count else torch.empty(0, dtype=dtype)
        else:
            flat = torch.frombuffer(raw, dtype=dtype) if count else torch.empty(0, dtype=dtype)
        tensors.append(flat.reshape(shape))
    return message, tensors


def fill(pipe: int, size: int) -> bytearray:
    data = bytearray(size)
    view = memoryview(data)
    while view:
        if not (got := os.readv(pipe, [view]) if hasattr(os, "readv") else take(pipe, view)):
            raise EOFError
        view = view[got:]
    return data


def take(pipe: int, view: memoryview) -> int:
    """`os.readv` for systems without it."""
    piece = os.read(pipe, len(view))
    view[: len(piece)] = piece
    return len(piece)


def spell(value: object, tensors: list[Tensor]) -> object:
    """A model's answer as JSON; its tensors are appended to the list, and named by their places."""
    if isinstance(value, Tensor):
        tensors.append(value if value.layout == torch.strided else value.to_dense())
        return {"tensor": len(tensors) - 1}
    if type(value).__module__ == "numpy" and hasattr(value, "__array__"):
        if value.dtype.kind not in "biufc":
            raise Told(f"it returned an array of {value.dtype}, no numbers: let it return the logits")
        return spell(torch.as_tensor(value), tensors)
    if value is None or isinstance(value, (bool, int, float, str)):
        return {"plain": value}
    if hasattr(value, "_fields"):
        return {"named": list(value._fields), "parts": [spell(part, tensors) for part in value]}
    if isinstance(value, (tuple, list)):
        return {"tuple": [spell(part, tensors) for part in value]}
    if isinstance(value, Mapping) and not hasattr(value, "logits"):
        return {"dict": {str(name): spell(part, tensors) for name, part in value.items()}}
    parts = dict(value) if isinstance(value, Mapping) else getattr(value, "__dict__", {})
    if isinstance(getattr(value, "logits", None), Tensor):  # a property, or what lies in a slot
        parts = parts | {"logits": value.logits}
    parts = {str(name): spell(part, tensors) for name, part in parts.items() if isinstance(part, Tensor)}
    if not parts:
        raise Told(f"it returned {type(value).__name__}, which holds no tensor: let it return the logits")
    return {"object": parts}


def rebuilt(told: dict, tensors: list[Tensor]) -> object:
    """What `spell` spelled: the same kind of tuple, dictionary or object, of plain values and tensors."""
    ((kind, parts),) = [(kind, parts) for kind, parts in told.items() if kind != "parts"]
    if kind == "tensor":
        return tensors[parts]
    if kind == "plain":
        return parts
    if kind == "named":
        return namedtuple("Answer", parts)(*(rebuilt(part, tensors) for part in told["parts"]))
    if kind == "tuple":
        return tuple(rebuilt(part, tensors) for part in parts)
    values = {name: rebuilt(part, tensors) for name, part in parts.items()}
    return values if kind == "dict" else SimpleNamespace(**values)


# The owner's file.


class OwnersFirst:
    """What the owner calls `utils` is theirs, also a folder without `__init__.py`. Else the course's is found."""

    def find_spec(self, name, path=None, target=None):
        if path is None and name in ("utils", "grader"):
            return PathFinder.find_spec(name, [p for p in sys.path if Path(p).resolve() != COURSE])
        return None


def run_file(file: str) -> ModuleType:
    """The module of a file, run as if it were imported from its own folder, where its neighbours are found.

    It may say `from .layers import …`: then its folder is its package, or is taken for one if it has no `__init__.py`.
    """
    path = Path(file).resolve()
    dots = [node.level for node in ast.walk(ast.parse(path.read_bytes(), file)) if isinstance(node, ast.ImportFrom)]
    package = package_of(path.parent, max(dots)) if max(dots, default=0) else ""
    name = f"{package}.{path.stem}" if package else path.stem
    if name in sys.modules and package:  # its package has imported it
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    for alias in {name, path.stem}:  # dataclasses and torch.compile look there, and neighbours that import it
        sys.modules.setdefault(alias, module)
    spec.loader.exec_module(module)
    return module


def package_of(folder: Path, levels: int) -> str:
    """The name of the package that a folder is, imported; of a made one, `levels` deep, if it has no `__init__.py`."""
    names, top = [], folder
    while (top / "__init__.py").exists():
        names, top = [top.name, *names], top.parent
    if names:
        sys.path.append(str(top))
        return importlib.import_module(".".join(names)).__name__
    name = ""
    for place in [folder, *folder.parents][levels - 1 :: -1]:
        name = f"{name}.{place.name.replace('.', '_')}" if name else f"given_{place.name.replace('.', '_')}"
        sys.modules[name] = ModuleType(name)
        sys.modules[name].__path__ = [str(place)]
    return name


@cache
def classifiers() -> ModuleType:
    """`utils/classifiers.py`, the course's own, whatever `utils` is here."""
    spec = importlib.util.spec_from_file_location("measured_classifiers", Path(__file__).parents[1] / "classifiers.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def as_model(value: object, said: str) -> Callable:
    """What a `build()` returned, as a function of a batch; else `Told`."""
    if isinstance(value, nn.Module):
        return value
    try:
        asked = classifiers().scorer(value)
    except ValueError as problem:
        raise Told(f"{said}: {problem}") from None
    if asked:
        classes = getattr(value, "classes_", [])
        classes = classes.tolist() if hasattr(classes, "tolist") else list(classes)
        if classes and classes != list(range(len(classes))):
            raise Told(f"{said} returned a classifier of the labels {str(classes)[:60]}: train it on labels from 0")
        return lambda x: torch.as_tensor(asked[0](x.detach().cpu().numpy())).to(x.dtype)
    if hasattr(value, "get_inputs") and hasattr(value, "run"):  # an onnxruntime session
        asker = classifiers().session_asker(value)
        return lambda x: run_session(asker, x.detach().cpu())
    if callable(value) and not isinstance(value, type):
        return value
    raise Told(
        f"{said} returned {type(value).__name__}, not an nn.Module from inputs in [0, 1] to logits, nor another model "
        "that can be asked: one with predict_proba, or an onnxruntime session"
    )


def run_session(asker: Callable, x: Tensor) -> Tensor | dict:
    """What an onnxruntime session answers: its one output, or all by name; who asked picks the logits among them."""
    outputs = {name: torch.as_tensor(output) for name, output in asker(x.numpy()).items()}
    return outputs if len(outputs) > 1 else next(iter(outputs.values()))


def put_weights(model: nn.Module, given: dict[str, Tensor]) -> None:
    """Load weights by their names, also those that DataParallel or torch.compile have put more before. Else `Told`."""
    own = model.state_dict()
    strip = bare if len({bare(name) for name in own}) == len(own) else str  # a part of the model may be named so
    homes = {strip(name): name for name in own}
    given = {name: value for name, value in given.items() if bare(name) != "n_averaged" or "n_averaged" in own}
    names = {name: strip(name) for name in given}
    while not homes.keys() & set(names.values()):  # a Lightning module holds the network as "model"
        first = {name.partition(".")[0] for name in names.values()}
        if len(first) != 1 or not all("." in name for name in names.values()):
            break
        names = {full: name.partition(".")[2] for full, name in names.items()}
    found = {homes[name]: given[full] for full, name in names.items() if name in homes}
    unknown = [full for full, name in names.items() if name not in homes]
    there = {place_of(own[name]) for name in found}
    missing = [
        name
        for name, value in own.items()
        if name not in found and place_of(value) not in there and not name.endswith("num_batches_tracked")
    ]
    other = [name for name, value in found.items() if value.shape != own[name].shape]
    faults = []
    if missing:
        faults.append(f"{len(missing)} of the model's {len(own)} tensors are not in it, such as {missing[0]}")
    if unknown:
        faults.append(f"{len(unknown)} of its {len(given)} are unknown to the model, such as {unknown[0]}")
    if other:
        shapes = tuple(found[other[0]].shape), tuple(own[other[0]].shape)
        faults.append(f"{len(other)} have another shape, such as {other[0]}: {shapes[0]}, in the model {shapes[1]}")
    if faults:
        raise Told("; ".join(faults))
    model.load_state_dict(found, strict=False)


def bare(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in WRAPPERS)


def place_of(value: Tensor) -> tuple:
    """Where a tensor lies: tied weights lie in one place, and are saved once."""
    return value.data_ptr(), value.shape, value.dtype


# Random numbers: the model draws the caller's, wherever the caller is.


class Numbers(NamedTuple):
    """A state that random numbers come from: as it is, cheap to compare; as JSON; and how to set it from JSON."""

    now: Callable[[], object]
    text: Callable[[], object]
    put: Callable[[object], None]


def numbers(generators: list[torch.Generator]) -> dict[str, Numbers]:
    """The states of torch, Python, NumPy and these generators, by name."""
    found = {
        "python": Numbers(random.getstate, random.getstate, lambda s: random.setstate((s[0], tuple(s[1]), s[2]))),
    }
    named = {"torch": torch.default_generator, **{f"generator {i}": one for i, one in enumerate(generators)}}
    for name, one in named.items():
        found[name] = Numbers(
            lambda one=one: one.get_state().numpy().tobytes(),
            lambda one=one: text(one.get_state()),
            lambda state, one=one: one.set_state(untext(state)),
        )
    if numpy := sys.modules.get("numpy"):
        found["numpy"] = Numbers(
            lambda: numpy_state(numpy), lambda: numpy_state(numpy), lambda state: numpy.random.set_state(tuple(state))
        )
    return found


def text(state: Tensor) -> str:
    return base64.b64encode(state.numpy().tobytes()).decode()


def untext(state: str) -> Tensor:
    return torch.frombuffer(bytearray(base64.b64decode(state)), dtype=torch.uint8)


def numpy_state(numpy: ModuleType) -> list:
    kind, key, *rest = numpy.random.get_state()
    return [kind, key.tolist(), *rest]


def held_generators(model: object) -> list[torch.Generator]:
    """Torch's generators that its modules hold, as they are or in a list, tuple or dictionary."""
    modules = model.modules() if isinstance(model, nn.Module) else ()
    values = [value for module in modules for value in vars(module).values()]
    for value in tuple(values):
        values += value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return list({id(value): value for value in values if isinstance(value, torch.Generator)}.values())


# Requests.


class Kept:
    """A model in this process: what is asked, its precision, and what its buffers were."""

    def __init__(self, value: object, said: str, device: str):
        self.value, self.ask = value, as_model(value, said)
        self.device, self.buffers, self.dtype = torch.device(device), [], None
        if isinstance(value, nn.Module):
            try:
                value.to(self.device)
            except (RuntimeError, NotImplementedError):  # a quantized model runs on the CPU only
                self.device = torch.device("cpu")
            with contextlib.suppress(NotImplementedError):  # an exported program keeps the mode it was exported in
                value.eval()
            for parameter in value.parameters():
                if not parameter.is_inference():
                    parameter.requires_grad_(False)
            self.dtype = next((p.dtype for p in value.parameters() if p.is_floating_point()), None)
            for owner in value.modules():
                named = owner.named_buffers(recurse=False)
                self.buffers += [(owner, name, b, b.detach().clone(), b._version) for name, b in named]

    def as_it_was(self) -> None:
        """Buffers become what they were: each time that the model is lent, it begins anew."""
        for owner, name, buffer, was, version in self.buffers:
            if getattr(owner, name) is not buffer:
                setattr(owner, name, buffer)
            if buffer._version != version and not torch.equal(buffer, was):
                with torch.no_grad():
                    buffer.copy_(was)


class Host:
    """All that requests can do. `models` by number, and `graphs` of answers whose gradient may be asked for."""

    def __init__(self):
        self.models: dict[int, Kept] = {}
        self.graphs: dict[int, tuple] = {}
        self.numbers: dict[str, Numbers] = {}
        self.last: dict[str, object] = {}
        self.made = 0

    def keep(self, kept: Kept) -> int:
        self.made += 1
        self.models[self.made] = kept
        return self.made

    def build(self, request: dict, tensors: list[Tensor]) -> tuple[dict, list]:
        file, function = request["file"], request["function"]
        torch.set_num_threads(request["threads"])
        os.chdir(Path(file).parent)
        sys.path[0], sys.argv = str(Path(file).parent), [file]
        said = f"{file}:{function}" if function else file
        torch.manual_seed(0)  # weights that are drawn, and not read, are the same each time
        random.seed(0)
        if function:
            with blame(f"{file} failed when it was run"):
                module = run_file(file)
            make = getattr(module, function, None)
            if make is None:
                raise Told(f"{file} has no function {function!r}")
            with blame(f"{function}() of {file} failed"):
                model = make if isinstance(make, nn.Module) or not callable(make) else make()  # or the model itself
        else:
            try:
                model = classifiers().onnx_session(Path(file))
            except (ImportError, OSError, ValueError) as problem:
                raise Told(str(problem)) from None
        kept = Kept(model, said, "cpu")
        if request["names"]:
            if not isinstance(model, nn.Module):
                raise Told(f"{said} returned {type(model).__name__}, which takes no weights: let it load its own")
            try:
                put_weights(model, dict(zip(request["names"], tensors, strict=True)))
            except Told as problem:
                raise Told(f"the weights in {request['weights']} do not fit {said}: {problem}") from None
        kept = Kept(model, said, request["device"])
        held = held_generators(model)
        self.numbers = numbers(held)
        torch.manual_seed(0)
        random.seed(0)
        if "numpy" in self.numbers:
            sys.modules["numpy"].random.seed(0)
        self.last = {kind: one.now() for kind, one in self.numbers.items()}
        size = sum(p.numel() for p in model.parameters()) if isinstance(model, nn.Module) else 0
        return {"model": self.keep(kept), "parameters": size, "generators": [text(g.get_state()) for g in held]}, []

    def copy(self, request: dict, tensors: list[Tensor]) -> tuple[dict, list]:
        import copy

        one = self.models[request["model"]]
        return {"model": self.keep(Kept(copy.deepcopy(one.value), "a copy", str(one.device)))}, []

    def to(self, request: dict, tensors: list[Tensor]) -> tuple[dict, list]:
        """Change precision, in place."""
        one = self.models[request["model"]]
        one.value.to(getattr(torch, request["dtype"]))
        self.models[request["model"]] = Kept(one.value, "it", str(one.device))
        return {}, []

    def forward(self, request: dict, tensors: list[Tensor]) -> tuple[dict, list]:
        one = self.models[request["model"]]
        if request["anew"]:
            one.as_it_was()
        for kind, state in request["numbers"].items():
            self.numbers[kind].put(state)
            self.last[kind] = self.numbers[kind].now()
        (x,) = tensors
        x = x.to(one.device)
        with torch.set_grad_enabled(request["enabled"]):
            if request["track"]:
                x.requires_grad_(True)
            given = x.to(one.dtype) if one.dtype is not None and x.is_floating_point() else x
            try:
                answer = one.ask(given)
            except RuntimeError as problem:
                if not (request["track"] and "Can't call numpy()" in str(problem)):
                    raise
                answer = one.ask(given.detach())  # it leaves torch: no gradient, and no fault
        parts: list[Tensor] = []
        spelled = spell(answer, parts)
        tracked = [i for i, part in enumerate(parts) if request["track"] and part.requires_grad]
        if tracked:
            self.graphs[request["id"]] = x, [parts[i] for i in tracked]
        drawn = {}
        for kind in self.numbers if request["anew"] else {"torch", *request["numbers"]}:  # some states take long to get
            if (now := self.numbers[kind].now()) != self.last[kind]:
                self.last[kind], drawn[kind] = now, self.numbers[kind].text()
        return {"answer": spelled, "tracked": tracked, "drawn": drawn}, parts

    def backward(self, request: dict, tensors: list[Tensor]) -> tuple[dict, list]:
        x, answers = self.graphs[request["id"]]
        given = [g.to(a.device) for g, a in zip(tensors, answers, strict=True)]
        (gradient,) = torch.autograd.grad(answers, x, given, retain_graph=True, allow_unused=True)
        return {}, [] if gradient is None else [gradient]

    def answer(self, request: dict, tensors: list[Tensor]) -> tuple[dict, list]:
        for graph in request.pop("dropped"):
            self.graphs.pop(graph, None)
        for model in request.pop("given_back"):
            self.models.pop(model, None)
        return getattr(self, request.pop("do"))(request, tensors)


def watch(parent: int) -> None:
    """End with the parent, also in the middle of work."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def main() -> None:
    down, up = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # what the model prints
    threading.Thread(target=watch, args=(os.getppid(),), daemon=True).start()
    here = os.getcwd()
    sys.path = ["", *(os.path.abspath(path) for path in sys.path), here]  # the first is for the folder of the model
    sys.meta_path.insert(0, OwnersFirst())
    host = Host()
    while True:
        try:
            request, tensors = hear(down)
        except EOFError:
            os._exit(0)
        try:
            reply, parts = host.answer(request, tensors)
        except BaseException as problem:  # also SystemExit and KeyboardInterrupt of the model's own
            reply, parts = {"error": told(problem)}, []
        if os.fstat(2).st_size > 1_000_000:  # of what it prints, the last is enough
            os.ftruncate(2, 0)
            os.lseek(2, 0, os.SEEK_SET)
        try:
            tell(up, reply, parts)
        except OSError:
            raise
        except Exception as problem:  # an answer that is no plain tensor; nothing of it was sent
            tell(up, {"error": told(problem)}, [])


if __name__ == "__main__":
    main()
