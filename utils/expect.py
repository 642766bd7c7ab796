"""What a lab's checks expect of an answer. A check that is not met says which property is missing, in one sentence.

Each function takes an answer, raises `Unmet` if something is wrong with it, and else returns what the next line needs.
The same lines run in the student's kernel on plain functions, and in the grader on answers from a sandbox.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from utils.unanswered import STUB

# what Python, NumPy and torch say of an empty list, a place that is not there, and a number that there is not
EDGES = ("empty", "numel() == 0", "zero-size", "out of bounds", "out of range", "ZeroDivisionError", "OverflowError")
EDGES += ("non-zero size", "math domain error", "expected a positive input")
done: set[str] = set()  # checks whose public part has passed in this kernel


class Unmet(AssertionError):
    """An expectation that an answer does not meet.

    message   what is wrong, and where to look
    expected  what was expected, in words
    got       the student's value, shortened
    """

    def __init__(self, message: str, *, expected: str = "", got: object = None):
        self.expected, self.got = expected, "" if got is None else short(got)
        super().__init__(message)

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows instead of a stack trace."""
        lines = [f"✗ {self}"]
        lines += [f"  expected: {self.expected}"] if self.expected else []
        return lines + ([f"  got: {self.got}"] if self.got else [])


def short(value: object, limit: int = 200) -> str:
    """A value in one line of at most `limit` characters. A tensor of more than ten numbers is described."""
    if isinstance(value, Tensor) and value.numel() > 10:
        numbers = value.detach().double()
        text = f"a tensor {tuple(value.shape)} from {numbers.min():.4g} to {numbers.max():.4g}"
    elif isinstance(value, Tensor):
        text = str(value.detach().cpu().tolist())
    elif isinstance(value, float):
        text = f"{value:.4g}"
    else:
        text = value if isinstance(value, str) else repr(value)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def that(condition: object, message: str, *, expected: str = "", got: object = None) -> None:
    """Raise `Unmet` unless the condition holds. A tensor with one element counts as its value; NaN comparisons fail."""
    if not bool(condition):
        raise Unmet(message, expected=expected, got=got)


def tensor(value: object, *, like: Tensor, what: str = "the result") -> Tensor:
    """The answer as a detached tensor with the shape, dtype and device of `like`.

    Another dtype will do, and all of which NumPy makes an array of numbers: a list of numbers or of arrays. They keep
    their precision until they take the dtype of `like`. NaN will not do; infinity will.
    """
    shape = tuple(like.shape)
    words = f"a tensor of shape {shape}, {str(like.dtype)[6:]}"
    if value is None:
        raise Unmet(f"{what} is None: is there a return?", expected=words)
    if not isinstance(value, Tensor):
        try:
            value = torch.as_tensor(np.array(value, order="C"))  # else a reversed array would be refused
        except Exception:  # whatever a list of anything can cause
            raise Unmet(f"{what} is no tensor", expected=words, got=value) from None
    value = value.detach()
    if tuple(value.shape) != shape:
        raise Unmet(f"{what} has another shape", expected=words, got=tuple(value.shape))
    if value.is_complex():
        raise Unmet(f"{what} is complex", expected=words, got=value.dtype)
    if value.is_floating_point() and value.isnan().any():
        raise Unmet(f"{what} holds NaN", expected=words, got=f"{int(value.isnan().sum())} of {value.numel()} are NaN")
    return value.to(like.device, like.dtype).contiguous()


def images(value: object, x: Tensor, eps: float) -> Tensor:
    """Adversarial images for `x`: within eps of it in L-infinity, and in [0, 1]; up to rounding (1e-5)."""
    x_adv = tensor(value, like=x, what="x_adv")
    words = f"|x_adv - x| <= {eps:g} in every pixel, and 0 <= x_adv <= 1"
    over = float((x_adv - x).abs().max()) - eps
    low, high = float(x_adv.min()), float(x_adv.max())
    up, down = float((x_adv - x).max()), float((x - x_adv).max())
    small = max(-low, high) <= eps + 1e-5 and float(x.max()) > 2 * eps
    that(
        not (small and (over > 1e-5 or low < -1e-5)),
        "this is a change of up to eps, and an image is asked: x and the change together",
        expected=words,
        got=f"{low:.4g} to {high:.4g}",
    )
    inside = low >= -1e-5 and high <= 1 + 1e-5
    for way, far, other in (("up", up, down), ("down", down, up)):
        that(
            not (inside and eps > 0 and far > eps + 1e-5 and abs(other - eps) <= 1e-5),
            f"pixels left the eps-ball, but only {way}: the change is bounded on both sides",
            expected=words,
            got=f"a pixel went {way} by {far:.4g}",
        )
    that(
        inside,
        "left [0, 1]: clamp the images after the step",
        expected=words,
        got=f"{low:.4g} to {high:.4g}",
    )
    that(
        over <= 1e-5,
        f"left the eps-ball by {over:.2g}: what is returned must be within eps of x, so project after the last step, "
        "by the eps that is given",
        expected=words,
        got=f"a pixel moved by {over + eps:.4g}",
    )
    return x_adv


def number(value: object, what: str = "the result") -> float:
    """The answer as a float: a number, or a tensor with one element."""
    try:
        result = value.item() if isinstance(value, Tensor) else float(value)
    except (TypeError, ValueError, RuntimeError):
        raise Unmet(f"{what} is no number", expected="a number", got=value) from None
    that(result == result, f"{what} is NaN", expected="a number")
    return result


def parts(value: object, count: int, words: str) -> list:
    """The answer as a list of `count` things, from a tuple, list or tensor; `words` say which."""
    if not (isinstance(value, (tuple, list, Tensor)) and len(value) == count):
        raise Unmet(f"the result is not {count} things", expected=words, got=value)
    return list(value)


def words(value: object, allowed: Sequence[str], what: str = "report", texts: str = "ABCDE") -> None:
    """The answer is a dictionary with one of the allowed words, as many as there are texts, for each text.

    Raises the stub's error where it has none yet.
    """
    if isinstance(value, dict) and value and all(word == "" for word in value.values()):
        raise NotImplementedError(*STUB)
    count = {5: "five", 6: "six"}[len(texts)]
    that(
        isinstance(value, dict) and set(value) == set(texts) and all(word in allowed for word in value.values()),
        f"{what}s needs one of the {count} words for each of {texts[0]} to {texts[-1]}",
        expected=f"one of {', '.join(allowed)}",
        got=value,
    )


def right_words(value: dict, wanted: dict[str, tuple[str, str]], what: str = "report") -> None:
    """Each text has its word; where it has not, a question points to the reason. `wanted`: {text: (word, question)}."""
    for text, (word, question) in wanted.items():
        that(value[text] == word, f"{what} {text}: {question}", got=value[text])


def apart(found: dict[str, object], looks: dict[str, str], allowed: Sequence[str]) -> None:
    """Each report has one of the allowed words, and no two have the same; `looks` asks about each report."""
    for name, word in found.items():
        that(word in allowed, f"report {name}: another word was asked", expected=", ".join(allowed), got=word)
    for word in found.values():
        alike = [name for name, other in found.items() if other == word]
        questions = " ".join(f"{name}: {looks[name]}" for name in alike)
        words = f"reports {' and '.join(alike)} get the same word, and deserve different ones. {questions}"
        that(len(alike) == 1, words, got=list(found.values()))


def equal(
    value: Tensor | float,
    wanted: Tensor | float,
    message: str,
    *,
    expected: str = "",
    atol: float = 1e-5,
    share: float = 1.0,
) -> None:
    """At least `share` of the numbers are within `atol` of the wanted; equal infinities are equal.

    Where they are not, the message also says how they come from the wanted ones, if that is plain.
    """
    value, wanted = torch.broadcast_tensors(*(torch.as_tensor(part, dtype=torch.float64) for part in (value, wanted)))
    agree = ((value == wanted) | ((value - wanted).abs() <= atol)).double()
    if float(agree.mean()) < share:
        known = relation(value, wanted, atol)
        first = int(agree.flatten().argmin())
        got, due = (float(part.flatten()[first]) for part in (value, wanted))
        place = f"{100 * float(agree.mean()):.1f} % of the numbers agree; number {first} is {got:.4g}, not {due:.4g}"
        raise Unmet(
            message + (f"; {known}" if known else ""),
            expected=expected,
            got=place if value.numel() > 1 else got,
        )


def relation(value: Tensor, wanted: Tensor, atol: float) -> str:
    """How other numbers come from the wanted ones, in words: a sign, a factor, an order; "" if that is not plain."""
    value, wanted = value.detach().double().flatten(), wanted.detach().double().flatten()
    if not (value.isfinite().all() and wanted.isfinite().all()) or float(wanted.abs().amax()) < 10 * atol:
        return ""
    each = "each number" if len(value) > 1 else "the number"
    known = {
        f"{each} has the other sign": -wanted,
        f"{each} has lost its sign": wanted.abs(),
        f"{each} is the square of the one that is asked": wanted.square(),
        f"{each} is the square root of the one that is asked": wanted.abs().sqrt(),
        f"{each} is the logarithm of the one that is asked": wanted.log(),
        f"{each} is e to the one that is asked": wanted.exp(),
        f"{each} is 1 over the one that is asked": 1 / wanted,
        f"{each} is 1 less the one that is asked": 1 - wanted,
        f"{each} is 1 too large": wanted + 1,
        f"{each} is 1 too small": wanted - 1,
        f"{each} is twice the one that is asked": 2 * wanted,
        f"{each} is half of the one that is asked": wanted / 2,
        f"{each} is 100 times the one that is asked, as in percent": 100 * wanted,
        f"{each} comes from a logarithm to the base 2, where the natural one is asked": wanted / math.log(2),
        f"{each} comes from a logarithm to the base 10, where the natural one is asked": wanted / math.log(10),
    }
    close = atol + 1e-6 * float(wanted.abs().amax())
    if bool(((value - wanted).abs() <= close).all()):
        return ""
    for words, other in known.items():
        if bool(((value - other).abs() <= close).all()):
            return words
    if float(wanted.max() - wanted.min()) < 100 * close:  # of equal numbers any two lists differ by a factor
        return ""
    factor = float((value @ wanted) / (wanted @ wanted))
    if factor and bool(((value - factor * wanted).abs() <= min(1, abs(factor)) * close).all()):
        return f"{each} is {factor:.4g} times the one that is asked"
    shift = float((value - wanted).mean())
    if bool((value - wanted - shift).abs().max() <= close):
        return f"{each} is off by {shift:.4g}"
    if value.min() == value.max():
        return "all numbers are the same, and those that are asked differ"
    scale, away = float(value.std() / wanted.std()), value - value.mean()
    if bool((away - scale * (wanted - wanted.mean())).abs().max() <= min(1, scale) * close) and len(value) > 3:
        return f"each number is {scale:.4g} times the one that is asked, and then moved: is it normalised, or centered?"
    if bool((value.sort().values - wanted.sort().values).abs().max() <= close):
        return "the right numbers are there, in another order"
    if len(value) > 8 and torch.equal(value.argsort(), wanted.argsort()):
        return "each number is another, and their order of size is right: what was made of them in the end?"
    return ""


def none_of(
    value: Tensor | float,
    wanted: Tensor | float,
    mistakes: dict[str, Tensor | float | tuple | list],
    *,
    expected: str = "",
    atol: float = 1e-5,
) -> None:
    """Raise `Unmet` with the name of the mistake whose result the answer is: `mistakes` holds {message: what it gives}.

    A list holds several results that get the same message; a result of several numbers is a tensor or a tuple.
    Only where the answer is not what is wanted: on some inputs a mistake changes nothing.
    """
    value, wanted = (torch.as_tensor(part, dtype=torch.float64) for part in (value, wanted))
    if not torch.allclose(value, wanted, rtol=0, atol=atol):
        far = {}
        for what, others in mistakes.items():
            for other in others if isinstance(others, list) else [others]:
                other = torch.as_tensor(other, dtype=torch.float64)
                if other.shape == value.shape and torch.allclose(value, other, rtol=0, atol=atol):
                    far[what] = min(far.get(what, math.inf), float((value - other).abs().max()))
        that(not far, min(far, key=far.get, default=""), expected=expected, got=value)


def few_left(
    left,
    most: float,
    attack,
    x: Tensor,
    otherwise: str,
    *,
    loud: float = 1.0,
    classes: int = 10,
    expected: str = "",
    quiet: tuple[str, Callable] | None = None,
) -> None:
    """At most `most` answers are left right by an attack in L-infinity; else what keeps it from being strong.

    left        its rate of right answers: anything with `k` and `n`
    attack      attack(model, x, y, eps) that gives images
    otherwise   what is said where `fault_of` finds nothing
    quiet       where the same network has small logits, in words; and a function that says what the attack leaves there
    """
    if left.k > most:
        expected = expected or f"at most {int(most)} of {left.n} right"
        if quiet and (there := quiet[1]()).k <= most:
            raise Unmet(
                f"the attack works on the same network {quiet[0]}: where a network is sure, has your loss a gradient?",
                expected=expected,
                got=f"{left.k} right, and {there.k} {quiet[0]}",
            )
        fault = fault_of(attack, x, loud=loud, classes=classes)
        raise Unmet(f"too many answers are still right: {fault or otherwise}", expected=expected, got=f"{left.k} right")


def fault_of(attack, x: Tensor, *, loud: float = 1.0, classes: int = 10) -> str:
    """What an attack in L-infinity does wrong on networks whose worst images are known, in words; "" if nothing.

    attack   attack(model, x, y, eps) that gives images; one that stops at a wrong answer has no fault
    x        images of the shape that it takes
    loud     how many times as large the logits may be that it must cope with
    """
    eps, pixels, random = 0.1, x[0].numel(), torch.Generator().manual_seed(0)
    way = 2.0 * torch.randint(0, 2, (pixels,), generator=random) - 1
    size = 10 ** (2 * torch.rand(pixels, generator=random))  # of slopes, the largest a hundred times the smallest
    size /= size.sum()
    labels = torch.tensor([0, 0, 1, 1, 0, 1])
    sides = 2.0 * labels - 1
    away = torch.linspace(0.2, 0.3, 6)[:, None]  # each from the border in its own way, and right in its whole ball
    images = (0.5 + away * sides[:, None] * way).view(6, *x.shape[1:])

    def moved(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """How far each pixel went up the loss, as a share of eps: (N, pixels)."""
        found = tensor(attack(network, images, labels, eps=eps), like=images, what="x_adv")
        return (found - images).flatten(1) * way * (1 - 2.0 * labels)[:, None] / eps

    def straight(factor: float) -> nn.Module:
        network = nn.Sequential(nn.Flatten(), nn.Linear(pixels, classes))
        network[1].weight.data = torch.zeros(classes, pixels)
        network[1].weight.data[:2] = factor * 4 * torch.stack([-way * size, way * size])
        network[1].bias.data = torch.full((classes,), -9.0 * factor)
        network[1].bias.data[:2] = network[1].weight.data[:2].sum(1) * -0.5
        return network.eval()

    up = moved(straight(1), images, labels)
    large, small = size > size.median(), size <= size.median()
    if not up.any():
        if moved(straight(1), images[:1], labels[:1]).any():
            return "an image that moves by itself stays where it is in a batch: each should follow its own loss"
        if moved(straight(1), torch.cat(50 * [images]), labels.repeat(50)).any():
            return "of six images none moves, of 300 some: does each batch take its steps, also a last, smaller one?"
        return "on a network with small logits no pixel moves: has your loss a gradient, and does the step follow it?"
    if not up.any(1).all():
        return "some images of a batch move, and others stay where they are: each should follow its own loss"
    if float(up.mean()) < -0.3:
        if float(up.mean()) < -0.9 * float(up.abs().mean()):
            return "the images go down the loss of y, where an attacker wants it up"
        return "on some images the loss of y falls: does each image climb the loss of its own label?"
    one, other = up[0] * way, -up[2] * way  # the changes of two images whose gradients are opposite
    if float((one * other).mean()) > 0.5 * float((one * one).mean()):
        return "all images of a batch move the same way: each should follow the gradient of its own loss"
    if float(up.mean()) < 0.4 * float(up.abs().mean()):
        return "on a network that is linear, pixels move against their gradient about as often as along it"
    if float(up[:, small].abs().mean()) < 0.5 * float(up[:, large].abs().mean()):
        return "pixels with a small gradient hardly move: let only its sign count, so that each can reach the edge"
    if float(up.amax()) < 0.9:
        return (
            f"all steps together lead only {100 * float(up.amax()):.0f} % of eps away from x: they do not use the ball"
        )
    if float(up.mean()) < 0.95:
        return (
            f"on a network that is linear each pixel should end at the edge of the ball, and they go "
            f"{100 * float(up.mean()):.0f} % of the way on the average: are there steps enough from where they begin, "
            "and are they all along the sign of the gradient?"
        )
    wrong = moved(straight(1), images, 1 - labels)
    if float(wrong.mean()) < -0.3:
        return (
            "images that are wrong go back towards y: let the loss of y go up there too, and not that of the prediction"
        )
    mixed = moved(straight(1), images, torch.tensor([0, 0, 1, 1, 1, 0]))
    if float(mixed[:4].mean()) < 0.5:
        return "images that are right stay behind where others of the batch are wrong: each goes on by itself"
    # those of the labs' networks are about ten
    if loud > 1 and float(moved(straight(10 * loud), images, labels).mean()) < 0.5:
        return f"with logits {loud:g} times as large no pixel moves: where a network is sure, has your loss a gradient?"
    corner = (0.5 - 0.5 * way).view(1, *x.shape[1:])  # black where brighter is up, and white where darker is
    if float(moved(straight(1), corner, labels[:1]).mean()) < 0.5:
        return (
            "pixels that are exactly 0 or 1 stay there, where others move: at its ends a clamp lets no gradient through"
        )
    bent = nn.Sequential(nn.Flatten(), nn.Linear(pixels, 2 * pixels), nn.ReLU(), nn.Linear(2 * pixels, classes))
    bent[1].weight.data = torch.cat([torch.diag(way), torch.diag(way)])
    bent[1].bias.data = torch.cat([-0.5 * way + 1, -0.5 * way - 0.4 * eps])  # the slope turns at 0.4 eps
    bent[3].weight.data = torch.zeros(classes, 2 * pixels)
    bent[3].weight.data[1] = 4 * torch.cat([size, -3 * size])
    bent[3].bias.data = torch.full((classes,), -9.0)
    bent[3].bias.data[:2] = torch.tensor([1.0, -4.0])
    middle = torch.full((2, *x.shape[1:]), 0.5)
    if float(moved(bent.eval(), middle, torch.zeros(2, dtype=torch.int64)).mean()) > 0.9:
        return (
            "where the loss falls again after a part of the way, the images go on to the edge: "
            "take several steps, shorter than eps, and look at the gradient anew where each of them has come to"
        )
    return ""


def why_late(times: Tensor, may: int, what: str) -> str:
    """Why a detector's alarms come late, in words, from `times` on streams without `what`: -1 where there is none.

    may  how many of these streams may have an alarm
    """
    false = int((times >= 0).sum())
    told = f"{false} of {len(times)} streams without {what} have an alarm"
    if 2 * false < may:
        return (
            f"{told}, and {may} may: the threshold is higher than need be, or what it is compared with rises without "
            f"{what}, too: is more than the usual rate taken off, and not so much that a change is lost, too?"
        )
    return (
        f"{told} already, so the threshold is not what keeps them late: does that which it is compared with forget "
        f"what is usual, wander far without {what}, or rise slowly with one?"
    )


def leaves_arguments(function, *args, **kwargs) -> object:
    """Call the function; its tensors and models must be afterwards as they were. Returns its result."""
    before = snapshot([args, kwargs])
    result = function(*args, **kwargs)
    # the grader's stand-in for a student's function is told by the sandbox whether the arguments there have changed
    changed = snapshot([args, kwargs]) != before or getattr(function, "changed", False)
    that(
        not changed,
        "changed its arguments: work on a copy, and leave the model's weights, their requires_grad and its mode alone; "
        "BatchNorm changes when it is asked in training mode",
        expected="tensors, lists and model as they were before the call",
    )
    return result


def at_edge(words: str, function, *args, **kwargs) -> object:
    """Call the function where a formula may have no value, or a list nothing in it; if it raises that, `words` say so.

    All other errors stay as they are: they have nothing to do with the edge. Of an answer in a sandbox only the error
    itself is read: its line may hold any word, `torch.empty` for one.
    """
    try:
        return function(*args, **kwargs)
    except Exception as problem:
        told = getattr(problem, "error", f"{type(problem).__name__}: {problem}")
        if isinstance(problem, Unmet) or not any(edge in told for edge in EDGES):
            raise
        raise Unmet(words, expected="a result, and no error", got=told) from None


def slope(function, x: Tensor, *args, **kwargs) -> Tensor | None:
    """The gradient of the sum of what a function returns with respect to its first argument; None if there is none."""
    if hasattr(function, "slope"):  # the grader's stand-in: the function runs in a sandbox, and so must autograd
        return function.slope(x, *args, **kwargs)
    x = x.detach().clone().requires_grad_()
    with torch.enable_grad():
        value = function(x, *args, **kwargs)
        if not (isinstance(value, Tensor) and value.requires_grad):
            return None
        return torch.autograd.grad(value.sum(), x, allow_unused=True)[0]


def snapshot(value: object) -> object:
    """What changes when a tensor, array, model, list or dictionary is changed in place, to be compared by `==`.

    What lists and dictionaries hold is looked at, too. Values of other kinds are not, but for numbers and text.
    """
    if isinstance(value, Tensor):
        return value.detach().cpu().clone().numpy().tobytes()
    if isinstance(value, np.ndarray):
        return value.tobytes()
    if isinstance(value, nn.Module):
        modes = [module.training for module in value.modules()] + [
            weight.requires_grad for weight in value.parameters()
        ]
        return modes, [snapshot(tensor) for tensor in value.state_dict().values()]
    if isinstance(value, (list, tuple)):
        return [snapshot(part) for part in value]
    if isinstance(value, dict):
        return [(snapshot(name), snapshot(part)) for name, part in value.items()]
    return repr(value) if isinstance(value, (bool, int, float, str)) else None


def passed(name: str, of: int) -> None:
    """Count a check whose public part has passed, and say how many of them have."""
    done.add(name)
    print(f"✓ {name} · public checks: {len(done)} of {of}; hidden checks decide the grade")
