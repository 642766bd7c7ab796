"""Any classifier, made fit for attacks: logits out, and gradients that are numbers."""

import torch
from torch import Tensor, nn

from utils.guard import check_answer
from utils.models import logits


class Finite(torch.autograd.Function):
    """Forward: nothing. Backward: NaN becomes 0 and infinity the largest number, so that an attack can go on."""

    @staticmethod
    def forward(ctx, x):
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        return gradient.nan_to_num()


class Raw(nn.Module):
    """The model with whatever it returns turned into a table of numbers (N, classes); its gradients are as they are.

    Takes the logits out of tuples and of objects that have `.logits`, makes two columns of one (the logit of class 1,
    or its probability if all lie in [0, 1]), and ties an answer that autograd knows nothing of to the input by 0 * x.
    """

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model
        weight = next((p for p in model.parameters() if p.dtype in (torch.float32, torch.float64)), None)
        self.dtype = None if weight is None else weight.dtype
        self.columns, self.probability = 0, False  # as last seen; what one column means

    def forward(self, x):
        if not len(x):  # some layers take no empty batch
            return x.flatten(1)[:, :1].expand(0, max(self.columns, 2))
        answer = self.model(x if self.dtype is None else x.to(self.dtype))
        answer = getattr(answer, "logits", answer)
        answer = answer[0] if isinstance(answer, (tuple, list)) else answer
        if isinstance(answer, Tensor):
            if answer.is_inference() or answer.dtype not in (torch.float32, torch.float64):
                answer = answer.clone().to(x.dtype if x.is_floating_point() else torch.float32)
            self.columns = answer.shape[1] if answer.dim() == 2 else 1
            if tuple(answer.shape) in ((len(x),), (len(x), 1)):
                one = answer.view(-1, 1)
                answer = torch.cat([1 - one, one] if self.probability else [-one / 2, one / 2], 1)
        check_answer(answer, len(x))
        if x.requires_grad and not answer.requires_grad:
            answer = answer + 0 * x.flatten(1).sum(1, keepdim=True).to(answer.dtype)
        return answer


class Lens(nn.Module):
    """The model as the attacks of the check-up see it: always logits, the largest of each row 0, never NaN.

    log  whether the model returns probabilities: their logarithm is taken
    """

    def __init__(self, raw: Raw, log: bool):
        super().__init__()
        self.raw, self.log = raw, log

    def forward(self, x, clean=True):
        answer = self.raw(Finite.apply(x) if clean else x)
        answer = answer.clamp_min(torch.finfo(answer.dtype).tiny).log() if self.log else answer
        answer = answer.nan_to_num(nan=0.0, posinf=1e30, neginf=-1e30)
        return answer - answer.detach().amax(1, keepdim=True)


def looks_like_probabilities(answer: Tensor) -> bool:
    """Whether every row is at least 0 and adds up to 1."""
    sums = answer.sum(1)
    return bool((answer >= 0).all()) and torch.allclose(sums, torch.ones_like(sums), atol=1e-3)


def fitted(model: nn.Module, x: Tensor) -> tuple[Lens, Tensor]:
    """The lens through which attacks see the model, chosen by its answers to `x`; and these, before any logarithm.

    One column of numbers between 0 and 1 is taken for the probability of class 1, and rows that look like
    probabilities for probabilities.
    """
    raw = Raw(model)
    answer = logits(raw, x)
    if raw.columns == 1 and bool(((answer[:, 1] >= 0) & (answer[:, 1] <= 0.5)).all()):  # z / 2, z in [0, 1]
        raw.probability, answer = True, torch.stack([1 - 2 * answer[:, 1], 2 * answer[:, 1]], 1)
    return Lens(raw, looks_like_probabilities(answer)).eval(), answer
