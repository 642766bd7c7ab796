"""Verification: is this the person that it claims to be? Built in lesson 11b."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from utils.models import logits


class Verifier(nn.Module):
    """How near each image is to each enrolled person: cosines (N, people), from a classifier's last hidden layer.

    classifier  an nn.Sequential whose last layer gives logits
    enrolled    (x, y): images of the people, and who they are, 0 ... people - 1
    """

    def __init__(self, classifier, enrolled):
        super().__init__()
        self.embed, (x, y) = classifier[:-1], enrolled
        directions = F.normalize(logits(self.embed, x), dim=1)
        people = torch.stack([directions[y == k].mean(0) for k in range(int(y.max()) + 1)])
        self.register_buffer("people", F.normalize(people, dim=1))

    def forward(self, x):
        return F.normalize(self.embed(x), dim=1) @ self.people.T


def nearness(cosines: Tensor, claimed: Tensor) -> Tensor:
    """How near each image is to the person that it claims to be, (N,)."""
    return cosines.gather(1, claimed[:, None])[:, 0]
