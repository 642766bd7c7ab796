"""How any model is asked: what it is given, what is made of its answer, and what was no number on the way.

Asked         a model, ready to be asked by every attack, certificate and check-up
AsLogits      a model as a part of another: its logits, taken out of what it answers
check_answer  what is wrong with a model's answer, in a sentence that says what to do
predicted     the class that logits name, if they name one
NoGradient    raised where a gradient is needed and the model has none
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

FULL = (torch.float32, torch.float64)
FLOATS = (*FULL, torch.float16, torch.bfloat16)
NUDGE = 1e-3  # of the range of a pixel: how far from a point without a gradient the next is looked for
STEEPEST = 1e15  # beyond it, a gradient's length is no float32


class NoGradient(ValueError):
    """The model's answers cannot be followed back to its inputs. `why` says how that showed."""

    def __init__(self, why: str):
        super().__init__(f"model has no gradient, {why}: use attacks that need none, square, rays or worst_case")
        self.why = why


class Asked:
    """A model as attacks ask it: `asked(x)` are its logits (N, classes), float32 or float64.

    It is never asked about an empty batch. Where it does not take inputs of this type, it gets them in the type of its
    own weights, and half-precision answers come back as float32: so an attack works in float32 around any model, and
    gets its gradient in float32. A model that writes into its input is given a copy. The logits are taken out of
    dictionaries, tuples and objects where only one thing can be meant (`table_of`).

    What was no number is counted: the most inputs of one batch whose answer or gradient was not, piece by piece.

    strict  whether the answer must have the shape and type of logits; else any table will do
    """

    def __init__(self, model: nn.Module, *, strict: bool = True):
        self.model, self.strict = model, strict
        self.known, self.dtype, self.copies, self.classes = False, None, False, 0
        self.given, self.ball = torch.float32, (0.0, "linf")  # the type that an attack gives back, and its ball
        self.nudged = False  # whether gradients are looked for beside the points that have none
        self.notes = {"answers": [], "gradients": []}  # of this piece: answers, and sums of the rows of gradients
        self.worst = {"answers": 0, "gradients": 0, "inputs": 0}  # in one batch of this piece, up to the last fold
        self.lost = dict.fromkeys(self.worst, 0)  # of the pieces before it

    def __call__(self, x: Tensor, note: bool = True) -> Tensor:
        if not len(x):
            return x.new_zeros(0, self.classes or self.count_classes(x))
        if not self.known:
            answer, given = self.first(x)
        else:
            given = x.to(self.dtype) if x.dtype != self.dtype else x.clone() if self.copies else x
            answer = self.model(given)
        shape = answer.shape if type(answer) is Tensor and answer.dtype in FULL else ()
        if not (len(shape) == 2 and shape[0] == len(x) and shape[1] > 1):  # all else takes more looking
            answer = table_of(answer, given)
            answer = check_answer(answer, len(x)) if self.strict else answer
            if isinstance(answer, Tensor):
                answer = answer.float() if answer.is_floating_point() and answer.dtype not in FULL else answer
                shape = answer.shape
        self.classes = shape[1] if len(shape) == 2 else 0
        if note and self.strict:
            self.note("answers", answer.detach().clone())  # a model may write its next answer in the same place
        return answer

    def first(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The first answer, and what was given for it: finds out which type the model takes, and whether it writes."""
        weights = (*self.model.parameters(), *self.model.buffers())
        problem = None
        for dtype in dict.fromkeys((x.dtype, *(w.dtype for w in weights if w.dtype in FLOATS))):
            given = x.clone() if dtype == x.dtype else x.to(dtype)
            tracked = not given.is_inference()
            before = given._version if tracked else 0
            try:
                answer = self.model(given)
            except Exception as failure:  # it may be the type, or anything else
                problem = problem or failure
                continue
            written = not tracked or given._version != before or (dtype == x.dtype and not torch.equal(given, x))
            self.known, self.dtype, self.copies = True, dtype, written  # past torch, by `.data` or NumPy, too
            return answer, given
        raise with_advice(problem, x)

    def count_classes(self, x: Tensor) -> int:
        """The number of classes, from one blank input: nobody is asked about nothing."""
        with torch.no_grad():
            answer = self(x.new_zeros(1, *x.shape[1:]), note=False)
        return answer.shape[1] if answer.dim() == 2 else 2

    def gradient(
        self, x: Tensor, loss, labels: Tensor, look=None, first: bool = False
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As `gradient_of`. An element that is no number counts as 0, so it moves no pixel.

        first  whether a search begins here. If it meets elements that are no numbers, they are from here on taken from
               a point a little further inside [0, 1], where many a model has some
        """
        if not len(x):
            return self(x), x.new_zeros(0), torch.zeros_like(x)
        logits, values, gradient = gradient_of(self, x, loss, labels, look)
        self.worst["inputs"] = max(self.worst["inputs"], len(x))
        if x.device.type == "cpu" and abs(float(gradient.sum())) < STEEPEST and abs(float(values.sum())) < math.inf:
            return logits, values, gradient  # elsewhere such a look would wait for the device
        sums = gradient.flatten(1).sum(1)
        self.note("answers", logits)
        self.note("gradients", sums)
        finite = numbers_of(gradient)
        if first and not self.nudged:
            self.nudged = not bool(sums.isfinite().all())
        if self.nudged:
            x, bad = x.detach(), ~gradient.isfinite()
            amount = NUDGE * torch.linspace(0.5, 1, x[0].numel(), dtype=x.dtype, device=x.device).view(x.shape[1:])
            beside = torch.where(bad, x + torch.where(x < 0.5, amount, -amount), x)
            finite = torch.where(bad, numbers_of(gradient_of(self, beside, loss, labels)[2]), finite)
        return logits, values, finite

    def note(self, kind: str, what: Tensor) -> None:
        """Keep what tells of a batch whether it had parts that are no numbers, to be looked at many at a time."""
        self.notes[kind].append(what)
        self.worst["inputs"] = max(self.worst["inputs"], len(what))
        if len(self.notes[kind]) == 64 or what.numel() > 2**18:
            self.fold(kind)

    def fold(self, kind: str) -> None:
        """Count the inputs of each batch that met what is no number: a gradient that is not finite, or a NaN."""
        notes, self.notes[kind] = self.notes[kind], []
        if not notes:
            return
        bad = torch.cat(notes)
        bad = bad.isnan().any(1) if kind == "answers" else ~bad.isfinite()  # a logit may be infinite
        if bad.any():
            self.worst[kind] = max(self.worst[kind], *(int(part.sum()) for part in bad.split([len(t) for t in notes])))

    def settle(self) -> bool:
        """End a piece: add up its inputs that met what is no number, and say whether there were any."""
        for kind in self.notes:
            self.fold(kind)
        met = bool(self.worst["answers"] or self.worst["gradients"])
        self.lost = {kind: count + self.worst[kind] for kind, count in self.lost.items()}
        self.worst = dict.fromkeys(self.worst, 0)
        return met


def with_advice(problem: Exception, x: Tensor) -> Exception:
    """What a model says of the first inputs, with a line of what may be meant, once."""
    notes = []
    if x.dim() == 4 and x.shape[-1] in (1, 3) and x.shape[1] not in (1, 3):
        notes.append(
            f"x has the shape {tuple(x.shape)}: if its channels come last, give x.permute(0, 3, 1, 2), (N, C, H, W)"
        )
    if isinstance(problem, AssertionError) and str(problem).startswith("Guard failed"):
        notes.append(
            "an exported program takes batches of the one size that it was exported with: export it with "
            'dynamic_shapes=({0: torch.export.Dim("n")},)'
        )
    for note in notes:
        if note not in getattr(problem, "__notes__", ()):  # one model may lie in another
            problem.add_note(note)
    return problem


def predicted(logits: Tensor) -> Tensor:
    """The class of the largest logit, (N,) int64; -1, no answer, where a logit is NaN."""
    best, answer = logits.max(1)
    return torch.where(best == best, answer, -1)


def numbers_of(gradient: Tensor) -> Tensor:
    """The gradient, 0 where it is no number, and no steeper than that its length is one."""
    return gradient.nan_to_num(0.0, 0.0, 0.0).clamp_(-STEEPEST, STEEPEST)


def gradient_of(model, x: Tensor, loss, labels: Tensor, look=None) -> tuple[Tensor, Tensor, Tensor]:
    """Logits (N, classes), loss (N,) and the loss's gradient with respect to `x`, each image on its own.

    look  look(logits, labels), called before the loss

    Raises NoGradient if the logits do not depend on `x`, or the model leaves torch on the way to them; ValueError if
    the loss is not one number for each image.
    """
    x = x.detach().requires_grad_()
    try:
        logits = model(x, note=False) if isinstance(model, Asked) else model(x)
    except RuntimeError as problem:
        if "Can't call numpy()" not in str(problem):
            raise
        raise NoGradient("for it leaves torch, by numpy()") from problem
    if look is not None:
        look(logits, labels)
    values = loss(logits, labels)
    if values.shape != (len(x),):
        raise ValueError(
            f"loss must return one number for each of {len(x)} images, got {tuple(values.shape)}: take no mean, as "
            'F.cross_entropy(logits, y, reduction="none")'
        )
    if not values.requires_grad:
        raise NoGradient("for its answers are cut off from its inputs")
    try:
        (gradient,) = torch.autograd.grad(values.sum(), x)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as problem:
        raise NoGradient(f"as torch says ({str(problem).strip().split(chr(10))[0]})") from problem
    return logits.detach(), values.detach().to(x.dtype), gradient


# Answers.


def table_of(answer, given: Tensor):
    """The table of logits in what a model returned for `given`, if only one thing can be meant; else the answer itself.

    `logits` of a dictionary, a named tuple or an object; of other dictionaries and tuples the only part that has a row
    of numbers for each input, or one number: features beside the one number of a binary model could be taken for
    logits. What does not count is whole numbers beside floats, a scalar beside a table, and the logits' own softmax. Of
    one input, a row without its batch dimension, as `.squeeze()` leaves it.
    """
    parts = named_parts(answer)
    if parts and "logits" in parts:
        answer = parts["logits"]
    elif parts:
        tensors = [part for part in parts.values() if isinstance(part, Tensor) and part is not given]
        tensors = [t for t in tensors if t.is_floating_point()] or tensors
        tables = [t for t in tensors if t.dim() == 2 and len(t) == len(given) and t.shape[1] > 1]
        tables = tables or [t for t in tensors if t.dim() == 1 and len(t) > 1 and len(given) == 1]
        fit = without_softmax(*tables) if len(tables) == 2 else tables
        if len(fit) == len(tables):  # else its softmax beside it says that it is the logits
            numbers = [t for t in tensors if t.numel() == len(given)]
            fit = fit + [t for t in numbers if t.dim() or not tables]  # a scalar beside a table is a loss
        if len(fit) == 1:
            answer = fit[0]
    if isinstance(answer, Tensor) and answer.dim() == 1 and len(given) == 1 and len(answer) > 1:
        answer = answer[None]
    return answer


def logits_in(answer, given: Tensor) -> Tensor:
    """The logits in what a model returned for `given`, (N, classes), as they are. Else ValueError: what to do."""
    return check_answer(table_of(answer, given), len(given))


class AsLogits(nn.Module):
    """A model of which only the logits are wanted, (N, classes): `logits_in` of what it answers, in its own type."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, x):
        return logits_in(self.model(x), x)


def without_softmax(a: Tensor, b: Tensor) -> list[Tensor]:
    """Of two tables, (N, classes) each: the logits, if the other holds their softmax; else both."""
    if a.shape == b.shape and a.dim() == 2 and a.is_floating_point() and b.is_floating_point():
        for logits, other in (a, b), (b, a):
            if torch.allclose(logits.detach().double().softmax(1), other.detach().double(), atol=1e-2):
                return [logits]
    return [a, b]


def named_parts(answer) -> dict:
    """What a dictionary, a tuple or an object with `.logits` is made of; nothing else is looked into."""
    if isinstance(answer, Tensor):
        return {}
    if isinstance(answer, Mapping):
        return dict(answer)
    if hasattr(answer, "logits"):
        return {"logits": answer.logits}
    return dict(enumerate(answer)) if isinstance(answer, (tuple, list)) else {}


def check_answer(answer: Tensor, n: int) -> Tensor:
    """Return the model's answer to `n` inputs if it has the shape and type of logits, else raise ValueError."""
    if (
        isinstance(answer, Tensor)
        and answer.is_floating_point()
        and answer.dim() == 2
        and len(answer) == n
        and answer.shape[1] >= 2
    ):
        return answer
    if not isinstance(answer, Tensor):
        advice = "let its forward return the logits alone"
    elif not answer.is_floating_point():
        advice = "let its forward return scores of each class, as floats"
    elif answer.numel() == n:
        join = "cat" if answer.dim() == 2 else "stack"
        advice = f"for two classes turn its one number z into two, torch.{join}([-z / 2, z / 2], 1)"
        if bool(((answer >= 0) & (answer <= 1)).all()):
            advice += "; it may be a probability: take the logit before the sigmoid for z"
    elif answer.dim() > 2 and len(answer) == n and answer[0].numel() == answer.shape[1]:
        advice = "append nn.Flatten()"
    else:
        advice = "let its forward return one row of scores for each input"
    asked = f"model must return logits of shape ({n}, classes), float, for {n} inputs, got {described(answer)}"
    raise ValueError(f"{asked}: {advice}")


def described(answer) -> str:
    """A tensor as its type and shape, a dictionary or tuple as those of its parts, anything else as its type."""
    if isinstance(answer, Tensor):
        return f"{str(answer.dtype)[6:]} {tuple(answer.shape)}"
    parts = {} if hasattr(answer, "logits") else named_parts(answer)
    named = isinstance(answer, Mapping)
    inside = ", ".join((f"{name}: " if named else "") + described(part) for name, part in list(parts.items())[:6])
    return type(answer).__name__ + (f" of {inside}" if inside else "")
