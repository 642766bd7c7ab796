"""The grader's end of a model that stays here: it answers, counts, and hears what a challenge's entry reaches for."""

import torch
from torch import Tensor, nn

from grader.result import text_for_file

MOST_AT_ONCE = 20_000  # images of one question
MOST_NOTES = 20


class Oracle:
    """Answers the questions of one call. Whatever a hostile child asks, it gets a sentence or plain numbers.

    model   the hidden model; None: there is none, and questions are refused
    shape   of one input; None: any
    budget  queries: each image of an answer, and each image of a gradient, is one
    seed    where a model that draws random numbers begins: an entry that is judged again meets the same draws
    """

    def __init__(
        self, model: nn.Module | None = None, shape: tuple[int, ...] | None = (), budget: int = 0, seed: int = 0
    ):
        self.model, self.shape, self.left, self.seed = model, shape, budget, seed
        self.budget, self.draws = budget, 0
        self.notes: list[str] = []

    @property
    def asked(self) -> int:
        """Queries so far."""
        return self.budget - self.left

    def __call__(self, question: object) -> dict:
        about = question if isinstance(question, dict) else {}
        do = about.get("do")
        if do == "note":
            if len(self.notes) < MOST_NOTES:
                self.notes.append(text_for_file(about.get("what", ""), 300))
            return {}
        if do == "logits" and self.fits(about.get("x")):
            return self.spend(len(about["x"])) or self.logits(about["x"])
        if do == "gradient" and self.fits(about.get("x")) and self.fits_answer(about):
            return self.spend(len(about["x"])) or self.gradient(about["x"], about["by"], about["draw"])
        shape = "…" if self.shape is None else ", ".join(map(str, self.shape))
        return self.refused(f"the model takes float32 inputs (N, {shape})")

    def fits(self, x: object) -> bool:
        return (
            self.model is not None
            and isinstance(x, Tensor)
            and x.dtype == torch.float32
            and x.dim() > 0
            and self.shape in (None, tuple(x.shape[1:]))
            and 0 < len(x) <= MOST_AT_ONCE
        )

    def fits_answer(self, about: dict) -> bool:
        by, draw = about.get("by"), about.get("draw")
        fits = isinstance(by, Tensor) and by.dtype == torch.float32 and by.dim() == 2 and len(by) == len(about["x"])
        return fits and type(draw) is int and 0 <= draw < self.draws

    def spend(self, images: int) -> dict | None:
        """Take these images from the budget; what to reply if it does not hold so many."""
        if images > self.left:
            self.left = 0
            return self.refused(f"the budget of {self.budget:,} queries is used up")
        self.left -= images
        return None

    def refused(self, why: str) -> dict:
        return {"refused": why, "left": self.left}

    def logits(self, x: Tensor) -> dict:
        draw, self.draws = self.draws, self.draws + 1
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(self.seed + draw)
            return {"logits": self.model(x), "left": self.left, "draw": draw}

    def gradient(self, x: Tensor, by: Tensor, draw: int) -> dict:
        """Of the answer that was given at that draw, times `by`, summed."""
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.manual_seed(self.seed + draw)
            answer, back = torch.func.vjp(self.model, x)  # which a rehearsal may call inside of another torch.func
            if answer.shape != by.shape:
                return self.refused(f"a gradient is asked by {tuple(answer.shape)} numbers")
            return {"gradient": back(by)[0].detach(), "left": self.left}
