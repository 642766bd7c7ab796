"""A model that runs in a process of its own (`child.py`), as a module that any attack can ask.

One round trip for each forward pass, one for each backward pass. The child runs in the model's own folder, with the
model's own imports, and ends with this process.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
import tempfile
import weakref
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from utils.audit import child
from utils.audit.child import Told, hear, rebuilt, tell
from utils.data import device

LAST_WORDS = 1_000  # characters of what a model printed that an error shows


class Link:
    """A child, and what is said to it. `ask` raises `Told` for errors of the model's, and once the child has ended."""

    def __init__(self):
        self.printed = tempfile.TemporaryFile()  # noqa: SIM115 (it closes with this object)
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-u", child.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.printed,
            bufsize=0,
            start_new_session=os.name == "posix",
        )
        self.down, self.up = self.process.stdin.fileno(), self.process.stdout.fileno()
        self.heard = 0  # bytes that it had printed at its last answer
        self.dropped: list[int] = []  # graphs and models that nobody here needs any more
        self.given_back: list[int] = []
        self.ended = ""
        self.poll = select.poll() if hasattr(select, "poll") else None
        if self.poll:
            self.poll.register(self.up, select.POLLIN)
        weakref.finalize(self, end, self.process)

    def ask(self, do: str, tensors: list[Tensor] = (), **request) -> tuple[dict, list[Tensor]]:
        """The child's answer, and its tensors."""
        if self.ended:
            raise Told(self.ended)
        request |= {"do": do, "dropped": self.dropped[:], "given_back": self.given_back[:]}
        self.dropped.clear()
        self.given_back.clear()
        try:
            tell(self.down, request, list(tensors))
            reply, parts = hear(self.up, self.wait)
        except (EOFError, BrokenPipeError):
            self.ended = f"the model's process ended{how(self.process)}{self.last_words()}"
        except Exception:  # whatever it may send: it runs the model's own code
            self.ended = "the model's process sent what is no answer"
        except BaseException:  # what it would answer now is no answer to the next question
            self.ended = "the model's process was interrupted"
            end(self.process)
            raise
        if self.ended:
            end(self.process)
            raise Told(self.ended)
        if "error" in reply:
            raise Told(f"{reply['error']}{self.last_words()}")
        self.heard = os.fstat(self.printed.fileno()).st_size
        return reply, parts

    def wait(self) -> None:
        """Until there is something to read, or the child is gone; what it started may hold its pipe open."""
        while self.poll and not self.poll.poll(1000):
            if self.process.poll() is not None:
                raise EOFError

    def last_words(self) -> str:
        """What it has printed since its last answer, the end of it."""
        size = os.fstat(self.printed.fileno()).st_size
        since = self.heard if self.heard <= size else 0  # it begins anew when there is too much
        self.printed.seek(max(since, size - LAST_WORDS))
        said = self.printed.read().decode(errors="replace").strip("\0\n ")
        return f"; it had printed:\n{said}" if said else ""


def end(process: subprocess.Popen) -> None:
    """End a child and what it has started."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL) if os.name == "posix" else process.kill()
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            pipe.close()
    process.wait()


def how(process: subprocess.Popen) -> str:
    """How a child has ended, as far as its exit code tells."""
    try:
        code = process.wait(1)
    except subprocess.TimeoutExpired:
        return ""
    if code >= 0:
        return f" with exit code {code}"
    names = {signal.SIGKILL: "it was killed, perhaps for want of memory", signal.SIGSEGV: "a segmentation fault"}
    return f" ({names.get(-code, f'signal {-code}')})"


class Token:
    """Stands for a graph in the child; when nobody here holds it any more, the child may forget the graph."""

    made = 0

    def __init__(self, link: Link):
        self.link = link
        Token.made += 1
        self.number = Token.made

    def __del__(self):
        self.link.dropped.append(self.number)


class Through(torch.autograd.Function):
    """The answers that the child has given to x; backward asks it for the gradient."""

    @staticmethod
    def forward(ctx, x, token, *answers):
        ctx.token, ctx.like = token, x
        return tuple(answer.clone() for answer in answers)

    @staticmethod
    @once_differentiable
    def backward(ctx, *given):
        x = ctx.like
        with child.blame(f"the model failed in its backward pass, on inputs of shape {shape(x)}"):
            _, parts = ctx.token.link.ask("backward", given, id=ctx.token.number)
        if not parts:
            raise RuntimeError("the model's answers do not depend on its inputs, as far as gradients tell")
        if len(parts) != 1 or parts[0].shape != x.shape:
            raise Told("the model's process sent a gradient of another shape than its inputs")
        return (parts[0].to(x), None, *(None for _ in given))


class Remote(nn.Module):
    """A model in its process: `forward` is one round trip, and has a gradient if the model has one.

    It draws torch's, NumPy's and Python's random numbers where they stand here. A deep copy is one in the child, whose
    precision can be changed (`double()`).

    parameters_there  how many numbers it is made of
    """

    def __init__(self, link: Link, told: dict):
        super().__init__()
        self.link, self.number, self.parameters_there = link, told["model"], told.get("parameters", 0)
        for i, state in enumerate(told.get("generators", ())):  # `guard.lent` seeds what a module holds
            generator = torch.Generator()
            generator.set_state(child.untext(state))
            setattr(self, f"generator_{i}", generator)
        self.anew, self.drawn = True, ()  # the kinds of random numbers that it draws, once that is known
        weakref.finalize(self, link.given_back.append, self.number)

    def forward(self, x: Tensor):
        track = torch.is_grad_enabled() and x.requires_grad
        token = Token(self.link) if track else None
        request = {"model": self.number, "track": track, "id": token and token.number}
        request |= {"enabled": torch.is_grad_enabled(), "anew": self.anew}
        kinds = child.numbers(child.held_generators(self))
        while True:
            states = {kind: kinds[kind].text() for kind in self.drawn}
            reply, parts = self.link.ask("forward", [x], numbers=states, **request)
            if not (new := reply["drawn"].keys() & kinds.keys() - states.keys()):
                break
            self.drawn = (*self.drawn, *sorted(new))  # ask again, with the numbers of here
        self.anew = False
        for kind in states.keys() & reply["drawn"].keys():
            kinds[kind].put(reply["drawn"][kind])
        with child.blame("the model's process sent what is no answer"):
            parts = [part.to(x.device) for part in parts]
            tracked = reply["tracked"]
            if tracked:
                for i, part in zip(tracked, Through.apply(x, token, *(parts[i] for i in tracked)), strict=True):
                    parts[i] = part
            return rebuilt(reply["answer"], parts)

    def train(self, mode: bool = True):
        """The model stays in evaluation mode. Whoever borrows it asks for that mode, and finds its buffers as new."""
        self.anew = True
        return super().train(mode)

    def _apply(self, fn, recurse=True):
        dtype = fn(torch.empty(0)).dtype
        if dtype.is_floating_point and dtype != torch.float32:
            self.link.ask("to", model=self.number, dtype=str(dtype)[6:])
        return super()._apply(fn)

    def __deepcopy__(self, memo):
        reply, _ = self.link.ask("copy", model=self.number)
        return Remote(self.link, reply)


def shape(x: Tensor) -> str:
    return f"({', '.join(['N', *map(str, x.shape[1:])])})"


def run_model(file: str, function: str, weights: dict[str, Tensor], name: str = "") -> Remote:
    """The model that a function of a file makes, in a process of its own, with these weights if there are any.

    `name` is what errors call the weights. Raises `Told`.
    """
    link = Link()
    request = {"file": str(Path(file).resolve()), "function": function, "names": list(weights), "weights": name}
    request |= {"threads": torch.get_num_threads(), "device": str(device())}
    reply, _ = link.ask("build", list(weights.values()), **request)
    return Remote(link, reply).eval()
