"""What is left of a model's accuracy: rates with intervals, before and after an attack."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from utils.asking import predicted
from utils.attacks.parts import check_labels
from utils.guard import check_one_label_each
from utils.models import logits
from utils.rate import Rate, Trainings

__all__ = ["Rate", "Sweep", "Trainings", "accuracy", "robust_accuracy", "sweep"]


def accuracy(model: nn.Module, data: tuple[Tensor, Tensor]) -> Rate:
    """The rate of right predictions on `data`, a pair (x, y): inputs (N, ...) and labels (N,), whole numbers.

    Raises ValueError where y cannot be the labels of x, or names a class that the model does not have.
    """
    x, y = data
    check_one_label_each(x, y)
    answers = logits(model, x)
    check_labels(answers, y)
    return Rate(int((predicted(answers) == y.long()).sum()), len(y))


def robust_accuracy(model: nn.Module, data: tuple[Tensor, Tensor], attack: Callable, *, eps: float) -> Rate:
    """The rate of right predictions after `attack(model, x, y, eps=eps)`: an upper bound on the true robustness."""
    x, y = data
    return accuracy(model, (attack(model, x, y, eps=eps), y))


@dataclass(frozen=True)
class Sweep:
    """Accuracies `rates[i]` at the budgets `eps[i]`."""

    eps: tuple[float, ...]
    rates: tuple[Rate, ...]

    def at(self, eps: float) -> Rate:
        """The rate at the measured budget nearest to `eps`."""
        return min(zip(self.eps, self.rates, strict=True), key=lambda pair: abs(pair[0] - eps))[1]


def sweep(model: nn.Module, attack: Callable, data: tuple[Tensor, Tensor], *, eps: Sequence[float]) -> Sweep:
    """`robust_accuracy` for each budget in `eps`, from one attack."""
    budgets = tuple(float(e) for e in eps)
    return Sweep(budgets, tuple(robust_accuracy(model, data, attack, eps=e) for e in budgets))
