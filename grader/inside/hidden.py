"""A challenge as a student's code sees it: a model that stays with the grader, and what an entry may not do.

The model's weights are never in this process. Each answer and each gradient is asked for over the pipe; the grader
counts them. What stands here only makes that look like a module, and tells the grader what the entry's own cells reach
for. A student could get around it, and would find nothing: the walls are those of the sandbox.
"""

import os
import sys
from collections.abc import Callable

import torch
from torch import Tensor, nn

CLOCKS = ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time")
CLOCKS += (
    "process_time_ns",
    "thread_time",
    "thread_time_ns",
    "clock_gettime",
    "clock_gettime_ns",
    "localtime",
    "gmtime",
)
OPENS = ("open", "os.listdir", "os.scandir", "glob.glob", "os.chdir")
REACHES = {  # Python's audit events, and what the grader is told
    "gc.get_objects": "looks through the objects of its process",
    "gc.get_referrers": "looks through the objects of its process",
    "ctypes.dlopen": "loads a library of the system",
    "socket.connect": "uses the network",
    "subprocess.Popen": "starts a program",
    "os.system": "starts a program",
    "os.exec": "starts a program",
}
HARMLESS = ("/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/dev/")


class BudgetSpent(RuntimeError):
    """The model answers no more: the entry has asked all that it may."""


class HiddenModel(nn.Module):
    """A model that is asked and never seen: `model(x)` gives logits (N, classes), and autograd its gradient.

    Each image of an answer, and each image of a gradient, is a query. `left` says how many there are still; beyond
    these the call raises `BudgetSpent`. It has no parameters here, and no other methods that ask.
    """

    def __init__(self, ask: Callable[[dict], dict], left: int, number: int = 0):
        """number: of this model among those of the call"""
        super().__init__()
        self.ask, self.left, self.number = ask, left, number
        self.draw = 0  # the number of the last answer

    def forward(self, x):
        return AskedOf.apply(x, self)

    def told(self, question: dict) -> dict:
        """The grader's reply to a question."""
        reply = self.ask(question | {"model": self.number})
        self.left = reply.get("left", self.left)
        if "refused" in reply:
            raise BudgetSpent(reply["refused"]) if self.left == 0 else ValueError(reply["refused"])
        return reply


class AskedOf(torch.autograd.Function):
    """Forward asks for logits, backward for the gradient of the same draw, if the model draws random numbers.

    What is kept for backward is apart from `forward`, so that `torch.func` takes it too.
    """

    @staticmethod
    def forward(x: Tensor, model: HiddenModel):
        reply = model.told({"do": "logits", "x": x.detach().float()})
        model.draw = reply["draw"]
        return reply["logits"].to(x.dtype)

    @staticmethod
    def setup_context(ctx, inputs: tuple[Tensor, HiddenModel], output: Tensor):
        x, ctx.model = inputs
        ctx.draw = ctx.model.draw
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx, by: Tensor):
        return GradientOf.apply(*ctx.saved_tensors, by, ctx.model, ctx.draw), None


class GradientOf(torch.autograd.Function):
    """Asks for a gradient. A function of its own, since only its `forward` meets plain tensors below `torch.func`."""

    @staticmethod
    def forward(x: Tensor, by: Tensor, model: HiddenModel, draw: int):
        question = {"do": "gradient", "x": x.detach().float(), "by": by.detach().float(), "draw": draw}
        return model.told(question)["gradient"].to(x.dtype)

    @staticmethod
    def setup_context(ctx, inputs: tuple, output: Tensor):
        pass

    @staticmethod
    def backward(ctx, by: Tensor):
        raise RuntimeError("a hidden model tells its gradient, and not the gradient of that")


class Reaching:
    """Tells the grader once of each thing that the entry's own code reaches for while it is judged."""

    def __init__(self):
        self.tell: Callable[[dict], dict] | None = None
        self.said: set[str] = set()
        self.shown: tuple[str, ...] = ()

    def install(self) -> None:
        """Before the entry's cells run: they may take hold of a clock."""
        self.watch_clocks()
        sys.addaudithook(self.hear)

    def begin(self, tell: Callable[[dict], dict], shown: list[str]) -> None:
        """From here on. shown: folders that it may look into."""
        self.tell, self.shown = tell, (*(place for place in shown if not place.startswith("/proc")), os.getcwd())

    def end(self) -> None:
        self.tell = None

    def note(self, what: str) -> None:
        if self.tell and what not in self.said:
            self.said.add(what)
            tell, self.tell = self.tell, None  # telling is none of the entry's doing
            try:
                tell({"do": "note", "what": what})
            finally:
                self.tell = tell

    def hear(self, event: str, arguments: tuple) -> None:
        """What Python says before it does something."""
        if self.tell is None or not (event in REACHES or event in OPENS):
            return
        if event in OPENS:
            place = arguments[0] if arguments else None
            if not isinstance(place, (str, bytes, os.PathLike)):
                return  # a descriptor that is open already
            place = os.path.abspath(os.fsdecode(place))
            inside = any(place == part or place.startswith(f"{part.rstrip('/')}/") for part in self.shown)
            if inside or place.startswith(HARMLESS):
                return
            what = f"reads outside of its folder: {place[:200]}"
        else:
            what = REACHES[event]
        if of_a_cell(sys._getframe(1)):
            self.note(what)

    def watch_clocks(self) -> None:
        import datetime
        import time

        def watched(name: str, clock: Callable) -> Callable:
            def read(*args, **kwargs):
                if self.tell and sys._getframe(1).f_code.co_filename.startswith("cell "):
                    self.note(f"reads the clock ({name})")
                return clock(*args, **kwargs)

            return read

        for name in CLOCKS:
            if hasattr(time, name):
                setattr(time, name, watched(name, getattr(time, name)))

        class Datetime(datetime.datetime):
            now = staticmethod(watched("datetime.now", datetime.datetime.now))
            utcnow = staticmethod(watched("datetime.utcnow", datetime.datetime.utcnow))

        datetime.datetime = Datetime


def of_a_cell(frame) -> bool:
    """Whether a frame is of the entry's own cells, or was called from there; an import's files are the import's."""
    while frame:
        name = frame.f_code.co_filename
        if name.startswith("cell "):
            return True
        if name.startswith("<frozen importlib") or name.endswith(("/linecache.py", "/tokenize.py")):
            return False
        frame = frame.f_back
    return False
