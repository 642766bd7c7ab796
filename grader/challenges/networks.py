"""What challenges judge with: two trained networks, and the masks that a network may wear."""

import torch
from torch import nn

from utils.adversarial import attacked
from utils.data import load
from utils.masking import JPEG, Averaged, Median, Noise, Quantize, ResizeAndPad, Saturate, Scramble, k_winners
from utils.models import small_cnn
from utils.training import fit

WRAPPERS = {
    "none": lambda network: network,
    "quantised": lambda network: nn.Sequential(Quantize(), network),
    "median": lambda network: nn.Sequential(Median(), network),
    "JPEG": lambda network: nn.Sequential(JPEG(), network),
    "noise": lambda network: nn.Sequential(Noise(0.15), network),
    "noise, averaged": lambda network: Averaged(nn.Sequential(Noise(0.15), network), 8),
    "resized": lambda network: nn.Sequential(ResizeAndPad(), network),
    "saturated": lambda network: nn.Sequential(network, Saturate()),
    "k winners": k_winners,
    "scrambled": lambda network: nn.Sequential(Scramble(), network),
}


def trained_networks(seed: int) -> tuple[nn.Module, nn.Module]:
    """A network trained as usual on the digits, and one on attacked images; on the CPU."""
    data = load("digits")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        usual = fit(small_cnn(data), data.train).cpu()
        return usual, fit(small_cnn(data), data.train, transform=attacked(data.eps)).cpu()
