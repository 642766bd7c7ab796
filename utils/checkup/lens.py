"""Any classifier, made fit for attacks: logits out, whatever the model returns."""

from contextlib import suppress

import torch
from torch import Tensor, nn

from utils.asking import FULL, Asked, NoGradient, check_answer, gradient_of
from utils.guard import own_numbers
from utils.models import logits, looks_like_probabilities


class Raw(nn.Module):
    """The model with whatever it returns turned into a table of numbers (N, classes); its gradients are as they are.

    Takes the logits out of tuples and objects (`asking.table_of`), makes two columns of one (the logit of class 1,
    or its probability if all lie in [0, 1]), and ties an answer that autograd knows nothing of to the input by 0 * x.
    """

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model, self.ask = model, Asked(model, strict=False)
        self.columns, self.probability = 0, False  # as last seen; what one column means
        self.cut_off = None  # why its answers have no gradient; None: they have one

    def forward(self, x):
        answer = self.ask(x if self.cut_off is None else x.detach())
        if isinstance(answer, Tensor):
            if answer.is_inference() or answer.dtype not in FULL:
                answer = answer.clone().to(x.dtype if x.is_floating_point() else torch.float32)
            self.columns = answer.shape[1] if answer.dim() == 2 else 1
            if tuple(answer.shape) in ((len(x),), (len(x), 1)):
                one = answer.view(-1, 1)
                answer = torch.cat([1 - one, one] if self.probability else [-one / 2, one / 2], 1)
        check_answer(answer, len(x))
        if x.requires_grad and not answer.requires_grad:
            answer = answer + 0 * x.flatten(1).sum(1, keepdim=True).to(answer.dtype)
        return answer

    def train(self, mode: bool = True):
        with suppress(NotImplementedError):  # an exported program keeps the mode that it was exported in
            super().train(mode)
        return self

    def look_for_gradient(self, x: Tensor) -> None:
        """Find out whether its answers have a gradient, from a few inputs; its random numbers stay where they are."""
        try:
            with own_numbers(list(self.modules()), 0, x.device):
                gradient_of(self.ask, x[:8], lambda answer, _: answer.float().reshape(len(answer), -1).sum(1), None)
        except NoGradient as problem:
            self.cut_off = problem.why


class Lens(nn.Module):
    """The model as the attacks of the check-up see it: always logits, the largest of each row 0.

    log  whether the model returns probabilities: their logarithm is taken
    """

    def __init__(self, raw: Raw, log: bool):
        super().__init__()
        self.raw, self.log = raw, log

    def forward(self, x):
        answer = self.raw(x)
        answer = answer.clamp_min(torch.finfo(answer.dtype).tiny).log() if self.log else answer
        answer = answer.clamp(-1e30, 1e30)
        return answer - answer.detach().amax(1, keepdim=True)


def mixes(model: nn.Module, x: Tensor) -> str | None:
    """Why the answers are none of single inputs, in a sentence; None if each depends on its own input alone.

    Asks about the first 16 inputs together, twice, and two at a time: an answer that stays in the one case and moves in
    the other by 5 % of the span of its logits depends on what else is in the batch. More than half must: rounding
    differs between batches too. Random numbers stay where they are.
    """
    x = x[: min(len(x), 16) // 2 * 2]
    if len(x) < 4:
        return None
    with own_numbers(list(model.modules()), 0, x.device):
        together, again = logits(model, x), logits(model, x)
        pairs = torch.cat([logits(model, two) for two in x.split(2)])
    small = 0.05 * (together.amax(1) - together.amin(1))
    moved = ((pairs - together).abs().amax(1) > small) & ((again - together).abs().amax(1) <= small)
    if int(moved.sum()) <= len(x) // 2:
        return None
    return (
        f"{int(moved.sum())} of {len(x)} answers change with what else is in the batch: let the model use fixed "
        "statistics, as BatchNorm does in evaluation mode"
    )


def fitted(model: nn.Module, x: Tensor) -> tuple[Lens, Tensor]:
    """The lens through which attacks see the model, chosen by its answers to `x`; and these, before any logarithm.

    One column of numbers between 0 and 1 is taken for the probability of class 1, and rows that look like
    probabilities for probabilities.
    """
    raw = Raw(model)
    answer = logits(raw, x)
    if raw.columns == 1 and bool(((answer[:, 1] >= 0) & (answer[:, 1] <= 0.5)).all()):  # z / 2, z in [0, 1]
        raw.probability, answer = True, torch.stack([1 - 2 * answer[:, 1], 2 * answer[:, 1]], 1)
    raw.look_for_gradient(x)
    return Lens(raw, looks_like_probabilities(answer)).eval(), answer
