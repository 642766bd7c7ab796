"""Secure aggregation: a server learns the sum of its clients' updates and nothing else. Built in lesson 08.

Each pair of clients shares secret random numbers, which one adds and the other subtracts: in the sum they cancel. What
is left out: agreeing on the secrets, and clients that drop out (Bonawitz et al. 2017, "Practical Secure Aggregation").
"""

import torch
from torch import Tensor

FIELD = 2**31 - 1  # a prime; whole numbers are added modulo it
SCALE = 2**16  # steps to a unit, when real numbers become whole ones


def to_field(update: Tensor) -> Tensor:
    """Real numbers as elements of the field, int64: rounded to 1 / 65,536, negative ones from the top downwards."""
    if update.isnan().any() or update.abs().max() * SCALE >= FIELD / 2:
        raise ValueError(f"update must be finite and below {FIELD // 2 // SCALE} in size: clip it first")
    return (update.double() * SCALE).round().long() % FIELD


def from_field(total: Tensor) -> Tensor:
    """The real numbers, float64, whose sum this is: right as long as the sum itself is below 16,383 in size."""
    return torch.where(total > FIELD // 2, total - FIELD, total).double() / SCALE


def masks(secrets: Tensor, field: int = FIELD) -> Tensor:
    """What each of n clients adds to its update, (n, size): the secrets that it shares with those after it, less those
    that it shares with those before it.

    secrets  (n, n, size) int64 in 0..field-1, of which [i, j] with i < j is used: client i and client j know it

    All n sum to 0 modulo `field`; if the secrets are uniform, any n - 1 of them are uniform and independent.
    """
    shared = secrets * torch.ones(secrets.shape[:2], dtype=torch.int64, device=secrets.device).triu(1)[..., None]
    return (shared.sum(1) - shared.sum(0)) % field


def uploads(updates: Tensor, seed: int = 0) -> Tensor:
    """What n clients send to the server in place of their updates (n, size): elements of the field, (n, size) int64.

    Each row on its own, and any n - 1 together, are uniform random numbers.
    `from_field(uploads.sum(0) % FIELD)` is the sum of the updates, rounded. The secrets come from torch's generator,
    which is for lessons, not for secrets.
    """
    secrets = torch.randint(FIELD, (len(updates), *updates.shape), generator=torch.Generator().manual_seed(seed))
    return (to_field(updates) + masks(secrets).to(updates.device)) % FIELD
