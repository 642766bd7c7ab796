"""What the check-up measures on a model: each attack runs at most once, and only on what is still to be decided."""

from copy import deepcopy
from functools import cached_property, partial

import torch
from torch import Tensor, nn

from utils.asking import numbers_of
from utils.attacks import cross_entropy, margin, pgd, rays, square
from utils.attacks.gradient import loss_gradient, toward
from utils.attacks.parts import into_ball, wrong
from utils.checkup.lens import Lens, Raw, fitted
from utils.checkup.planting import plant
from utils.data import chunks
from utils.models import logits, predict

SCALES = (1e-6, 1e-4, 1e-3, 1e-2)  # steps of finite differences, beside half the budget
PATIENCE = 4.0  # searches give up an input that lacks more than four times what the last doubling of their work won


def cooled(answer: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy of logits that are divided by their own size, so that it cannot saturate."""
    return cross_entropy(answer / answer.detach().abs().amax(1, keepdim=True).clamp_min(1e-30), y)


class Measurements:
    """A model, the inputs that it gets right, and what brings them down. Boolean answers are (n,), one an input.

    model   the model as attacks see it
    answer  its answers to all inputs as it gives them, (N, classes): logits or probabilities
    x, y    the inputs that are classified right, and their labels
    """

    def __init__(self, model: nn.Module, x: Tensor, y: Tensor, *, eps: float, seed: int):
        self.eps, self.seed, self.total = eps, seed, len(y)
        self.model, self.answer = fitted(model, x)
        self.answered = (self.answer.isfinite() | self.answer.isneginf()).all(1) & self.answer.isfinite().any(1)
        self.right = (predict(self.model, x) == y) & self.answered
        self.x, self.y = x[self.right], y[self.right]

    # Tools.

    def random(self, salt: int) -> torch.Generator:
        """Random numbers of the check-up's own, the same whatever ran before."""
        return torch.Generator().manual_seed(1000 * self.seed + salt)

    def signs(self, x: Tensor, salt: int) -> Tensor:
        return (torch.randint(0, 2, x.shape, generator=self.random(salt)) * 2 - 1).to(x)

    def fallen(self, x_adv: Tensor, rows: Tensor) -> Tensor:
        """Which of the images (n,) are wrong at `x_adv`, their rows `rows` (n,) bool attacked."""
        down = torch.zeros_like(rows)
        if rows.any():
            down[rows] = wrong(logits(self.model, x_adv), self.y[rows])
        return down

    def by(self, attack, rows: Tensor | None = None, eps: float | None = None) -> Tensor:
        """Which of the images fall to `attack`, tried on `rows` only."""
        rows = torch.ones_like(self.y, dtype=torch.bool) if rows is None else rows
        if not rows.any():
            return torch.zeros_like(rows)
        x_adv = attack(self.model, self.x[rows], self.y[rows], eps=self.eps if eps is None else eps)
        return self.fallen(x_adv, rows)

    def ascend(self, x: Tensor, loss, labels: Tensor | None = None, model: nn.Module | None = None) -> Tensor:
        """The gradient of `loss` at each x, as autograd gives it: it may hold NaN or infinity."""
        model, labels = model or self.model, self.y if labels is None else labels
        return torch.cat([loss_gradient(model, a, loss, b)[2] for a, b in chunks(x, labels)])

    # White box.

    @cached_property
    def cross_entropy(self) -> Tensor:
        return self.by(partial(pgd, steps=40, seed=self.seed))

    @cached_property
    def margin(self) -> Tensor:
        return self.by(partial(pgd, steps=40, loss=margin, seed=self.seed), ~self.cross_entropy)

    @cached_property
    def cooled(self) -> Tensor:
        return self.by(partial(pgd, steps=40, loss=cooled, patience=PATIENCE, seed=self.seed), ~self.white)

    @property
    def white(self) -> Tensor:
        """What two ordinary gradient attacks bring down: 40 steps on the cross-entropy, then on the margin."""
        return self.cross_entropy | self.margin

    @cached_property
    def longer(self) -> Tensor:
        attack = partial(pgd, steps=100, restarts=4, loss=margin, patience=PATIENCE, at_once=4, seed=self.seed + 1)
        return self.by(attack, ~self.white)

    @cached_property
    def step(self) -> Tensor:
        """FGSM's images: one step of length eps along the sign of the cross-entropy's gradient."""
        uphill = numbers_of(self.ascend(self.x, cross_entropy)).sign()
        return into_ball(self.x + self.eps * uphill, self.x, self.eps, "linf")

    @cached_property
    def one_step(self) -> Tensor:
        return self.fallen(self.step, torch.ones_like(self.y, dtype=torch.bool))

    @cached_property
    def silent(self) -> Tensor:
        """Where all logits are equal at FGSM's image or at a random corner: a detector that withholds its answer."""
        corner = (self.x + self.eps * self.signs(self.x, 2)).clamp(0, 1)
        spread = [logits(self.model, x).std(1) for x in (self.step, corner)]
        return torch.stack([(s == 0) | s.isnan() for s in spread]).any(0)

    @cached_property
    def turned(self) -> Tensor:
        """Where one step fails, many succeed, and the gradient turns by over 45 degrees on the way of the one step."""
        rows = self.cross_entropy & ~self.one_step
        before, after = (numbers_of(g) for g in (self.gradient, self.ascend(self.step, toward, self.rivals)))
        return rows & (torch.cosine_similarity(before.flatten(1), after.flatten(1)) < 0.5**0.5)

    @cached_property
    def unbounded(self) -> Tensor:
        """Gradient attacks without a bound: everything may be changed, so everything should fall."""
        down = self.white.clone()
        for loss in (margin, cross_entropy):
            attack = partial(pgd, steps=100, loss=loss, patience=2 * PATIENCE, seed=self.seed)
            down |= self.by(attack, ~down, eps=1.0)
        return down

    @cached_property
    def missed(self) -> Tensor:
        """Which planted adversarial examples the two white-box attacks miss, one bool for each of those planted.

        Planted around the first 40 inputs at most. Empty if the model has no linear layer to plant them in, or a random
        model does not keep them.
        """
        try:
            twin, which, _ = plant(self.model.raw.model, self.x[:40], eps=self.eps, seed=self.seed)
            twin = Lens(Raw(twin), self.model.log).eval()
            x, y = self.x[:40][which], torch.zeros_like(which)
            missed = torch.ones_like(which, dtype=torch.bool)
            for loss in (cross_entropy, margin):
                if (rows := missed.nonzero()[:, 0]).numel():
                    x_adv = pgd(twin, x[rows], y[rows], eps=self.eps, steps=40, loss=loss, seed=self.seed)
                    missed[rows] = predict(twin, x_adv) == 0
        except Exception:  # whatever its last layers are, they cannot be taken apart
            return self.y.new_zeros(0, dtype=torch.bool)
        return missed

    # Without gradients.

    @cached_property
    def random_search(self) -> Tensor:
        """Corners of the box at random: up to 200 for each input, 50 where they come no nearer."""
        down, lead, drawn = torch.zeros_like(self.white), torch.full_like(self.answer[self.right, 0], -torch.inf), 0
        rows = (~self.white).nonzero()[:, 0]
        while len(rows) and drawn < 200:
            more, before = max(drawn, 25), lead.clone()
            corners = self.signs(self.x[rows].expand(more, *self.x[rows].shape), 100 + drawn)
            answer = logits(self.model, (self.x[rows] + self.eps * corners).clamp_(0, 1).flatten(0, 1))
            labels, drawn = self.y[rows].repeat(more), drawn + more
            down[rows] = wrong(answer, labels).view(more, -1).any(0)
            nearest = margin(answer, labels).nan_to_num(-torch.inf).view(more, -1).amax(0)
            lead[rows] = torch.maximum(lead[rows], nearest)
            rows = rows[~(down | (-lead > PATIENCE * (lead - before)))[rows]]
        return down

    @cached_property
    def black_box(self) -> Tensor:
        """Square and RayS on what the white box left standing."""
        attack = partial(square, queries=1500, patience=PATIENCE, at_once=8, seed=self.seed)
        down = self.by(attack, ~self.white)
        return down | self.by(partial(rays, queries=200, patience=PATIENCE, seed=self.seed), ~(self.white | down))

    @property
    def all(self) -> Tensor:
        """What any attack within eps brings down."""
        return self.white | self.longer | self.black_box | self.random_search

    # Gradients.

    @cached_property
    def rivals(self) -> Tensor:
        """(n, 2): the label and the best other class."""
        answer = logits(self.model, self.x)
        return torch.stack([self.y, answer.scatter(1, self.y[:, None], -torch.inf).argmax(1)], 1)

    @cached_property
    def gradient(self) -> Tensor:
        """The gradient of the best rival's lead at x."""
        return self.ascend(self.x, toward, self.rivals)

    @cached_property
    def nearby(self) -> Tensor:
        """A random image of the ball around each x."""
        noise = torch.rand(self.x.shape, generator=self.random(1)).to(self.x) * 2 - 1
        return (self.x + self.eps * noise).clamp(0, 1)

    @cached_property
    def dead(self) -> Tensor:
        """Where a gradient is zero, not finite, or too small to matter even across the whole box [0, 1]."""
        spread = self.answer.std(0).mean().double()
        down = torch.zeros_like(self.y, dtype=torch.bool)
        for x in (self.x, self.nearby):
            gradient_of_lead = self.gradient if x is self.x else self.ascend(x, toward, self.rivals)
            reach = gradient_of_lead.double().flatten(1).abs().sum(1)
            down |= ~gradient_of_lead.flatten(1).isfinite().all(1) | ~(reach > 1e-6 * spread)
            gradient_of_loss = self.ascend(x, cross_entropy).flatten(1)
            down |= ~gradient_of_loss.isfinite().all(1) | (gradient_of_loss == 0).all(1)
        return down

    @cached_property
    def changed(self) -> Tensor:
        """Where a second call, with the batch turned round, gives other logits or another gradient."""
        model, back = self.model, torch.arange(len(self.y) - 1, -1, -1, device=self.y.device)
        first, second = logits(model, self.x), logits(model, self.x[back])[back]
        apart = (first - second).abs().amax(1) > 1e-3 * first.std()
        gradient_1 = numbers_of(self.ascend(self.x, toward, self.rivals)).double().flatten(1)
        gradient_2 = numbers_of(self.ascend(self.x[back], toward, self.rivals[back])[back]).double().flatten(1)
        return apart | ((gradient_1 - gradient_2).norm(dim=1) > 1e-2 * gradient_1.norm(dim=1))

    @cached_property
    def lying(self) -> Tensor:
        """Where autograd's gradient differs from finite differences along four directions, whatever their step."""
        model, x, dtype = self.model, self.x, torch.float64
        try:  # in double precision, if the model can
            twin = deepcopy(self.model).double()
            twin.raw.ask.known = False  # which type it takes
            if not torch.allclose(logits(twin, x[:8].double()), logits(model, x[:8]).double(), rtol=1e-2, atol=1e-3):
                raise ValueError
            self.ascend(x[:2].double(), toward, self.rivals[:2], twin)
            model, x = twin, x.double()
        except Exception:  # it cannot: whatever the reason, single precision has to do
            dtype = x.dtype
        gradient = numbers_of(self.ascend(x, toward, self.rivals, model))
        along = [self.signs(x, 10 + i) for i in range(3)] + [gradient.sign()]
        claimed = torch.stack([(gradient * u).flatten(1).sum(1) for u in along], 1)  # (n, 4)
        down, smallest = torch.ones_like(self.y, dtype=torch.bool), 1e-6 if dtype == torch.float64 else 1e-3
        for h in [h for h in (*SCALES, self.eps / 2) if h >= smallest]:
            if not down.any():
                break
            near, rivals, told = x[down], self.rivals[down], claimed[down]
            seen = [
                toward(logits(model, near + h * u[down]), rivals) - toward(logits(model, near - h * u[down]), rivals)
                for u in along
            ]
            seen = torch.stack(seen, 1) / (2 * h)
            size = torch.maximum(told.norm(dim=1), seen.norm(dim=1))
            down[down.clone()] = (told - seen).norm(dim=1) > 0.3 * size
        return down

    @cached_property
    def blind(self) -> Tensor:
        """Where a step along the gradient raises the rivals' lead no more than the best of nine random steps."""
        uphill = numbers_of(self.gradient).sign()

        def raised(direction):
            return margin(logits(self.model, (self.x + self.eps * direction).clamp(0, 1)), self.y)

        chance = torch.stack([raised(self.signs(self.x, 50 + i)) for i in range(9)]).amax(0)
        return ~(raised(uphill) > chance)
