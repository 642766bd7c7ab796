"""Attacks on texts that replace words, and a certificate against them. Built in lesson 11b.

Texts are the numbers of their words (N, length) int64, 0 where there is none; `choices` (words, choices) int64 says
which words may stand in for each, as `Texts.substitutes` does. `model` is in evaluation mode, and so it stays.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from utils.attacks import margin
from utils.domains.texts import Reader
from utils.models import logits


def swap_by_gradient(model: Reader, x: Tensor, y: Tensor, choices: Tensor, *, changes: int) -> Tensor:
    """Replace `changes` words of each text, one at a time, as the gradient says.

    Ebrahimi et al. 2018 (arXiv:1712.06751).

    model  has `vectors`, an embedding of the words, and `read(vectors, x)`, which gives logits: as `texts.Reader`

    Guarantee: at most `changes` words differ from `x`, each replaced by one of its `choices`.
    """
    each, now, allowed = torch.arange(len(x)), x.clone(), choices[x]  # allowed: (N, length, choices)
    others = model.vectors(allowed).detach()
    for _ in range(changes):
        vectors = model.vectors(now).detach().requires_grad_()
        (gradient,) = torch.autograd.grad(margin(model.read(vectors, now), y).sum(), vectors)
        gain = ((others - vectors[:, :, None]) * gradient[:, :, None]).sum(-1)
        taken = (allowed == x[..., None]) | (now != x)[..., None]  # no change, or changed before
        best = gain.masked_fill(taken, -math.inf).flatten(1).argmax(1)
        place, which = best // choices.shape[1], best % choices.shape[1]
        now[each, place] = allowed[each, place, which]
    return now


def swap_by_search(model: nn.Module, x: Tensor, y: Tensor, choices: Tensor, *, changes: int) -> Tensor:
    """Replace up to `changes` words of each text, one at a time, by trying all; scores are enough.

    model  from texts to logits

    Guarantee: that of `swap_by_gradient`.
    """
    each, now, length = torch.arange(len(x)), x, x.shape[1]
    for _ in range(changes):
        tries = now[:, None, None].repeat(1, length, choices.shape[1], 1)
        tries[:, range(length), :, range(length)] = choices[x].transpose(0, 1)
        tries = tries.flatten(1, 2)  # each place, each choice; also another one where a word has changed before
        value = margin(logits(model, now), y)[:, None].repeat(1, tries.shape[1])
        other = (tries != now[:, None]).any(-1)  # many are the text as it is: asked once
        value[other] = margin(logits(model, tries[other]), y.repeat_interleave(other.sum(1)))
        now = tries[each, value.argmax(1)]
    return now


def all_swaps(x: Tensor, choices: Tensor, changes: int) -> Tensor:
    """Every text that one text (length,) can become by at most `changes` words; x first, none twice, (n, length).

    Their number grows as the power `changes` of the text's length times its words' substitutes.
    """
    made, last = [x[None]], x.new_full((1,), -1)  # last: the last place that was changed
    for _ in range(changes):
        texts, places = [made[0][:0]], [last[:0]]
        for place, word in enumerate(x.tolist()):
            before = made[-1][last < place]
            for other in dict.fromkeys(choices[word].tolist()):
                if other != word:
                    texts.append(before.index_fill(1, x.new_tensor(place), other))
                    places.append(x.new_full((len(before),), place))
        made.append(torch.cat(texts))
        last = torch.cat(places)
    return torch.cat(made)


def swap_by_trying_all(model: nn.Module, x: Tensor, y: Tensor, choices: Tensor, *, changes: int) -> Tensor:
    """Of all that each text can become by at most `changes` words, the one that the model minds most.

    Guarantee: that of `swap_by_gradient`; and if the model is right about the result, it is right about every text
    that `choices` and `changes` allow: a proof for this threat, and for these substitutes alone. One text at least.
    """
    worst = []
    for text, label in zip(x, y, strict=True):
        tries = all_swaps(text, choices, changes)
        worst.append(tries[margin(logits(model, tries), label.expand(len(tries))).argmax()])
    return torch.stack(worst)


def keep_some(x: Tensor, keep: int) -> Tensor:
    """Each text with `keep` of its words, drawn anew at each call; the others are absent (0). At most x.shape[1]."""
    draw = torch.rand(x.shape, device=x.device) * (x != 0)
    last = draw.topk(keep, dim=1).values[:, -1:]
    return torch.where((draw >= last) & (x != 0), x, 0)


def seen(length: int, keep: int, changes: int) -> float:
    """The probability that one of `changes` words is among `keep` of `length`, all choices being alike.

    If a class has a share above 1/2 + `seen` of the texts with `keep` words left, it keeps the majority whatever
    `changes` words become. Levine & Feizi 2020 (arXiv:1911.09272).
    """
    hidden = math.comb(max(length - changes, 0), keep)
    return 1 - hidden / math.comb(length, keep) if length > keep else float(changes > 0)


class Hidden(nn.Module):
    """A vote of (n of) all texts with `keep` of the words: the logarithm of a model's mean probabilities, (N, classes).

    hard  instead, how many of these texts the model reads as each class
    """

    def __init__(self, model, keep, n=500, hard=False):
        super().__init__()
        self.model, self.keep, self.n, self.hard = model, keep, n, hard

    def vote(self, x):
        answers = self.model(x)
        return F.one_hot(answers.argmax(1), answers.shape[1]).float() if self.hard else answers.softmax(1)

    def forward(self, x):
        votes, length = self.vote(x[:, : self.keep]), (x != 0).sum(1).clamp_min(1)
        for words in length.unique().tolist():
            which = torch.combinations(torch.arange(words), min(self.keep, words))  # words stand at the left
            which = which[torch.randperm(len(which), generator=torch.Generator().manual_seed(0))[: self.n]]
            copies = x[length == words][:, which.to(x.device)]  # (texts, copies, keep): for all texts the same places
            each = self.vote(copies.flatten(0, 1)).unflatten(0, copies.shape[:2])
            votes[length == words] = each.sum(1) if self.hard else each.mean(1)
        return votes if self.hard else votes.log()
