"""Networks from images in [0, 1] to logits. Normalisation is their first layer, so a radius always means pixels."""

import torch
from torch import Tensor, nn

from utils.asking import predicted
from utils.data import Dataset, chunks
from utils.guard import lent


class Normalize(nn.Module):
    """Subtract `mean` and divide by `std`, channel by channel (or feature by feature)."""

    def __init__(self, mean, std):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def forward(self, x):
        return (x - self.mean) / self.std


def normalize(data: Dataset) -> Normalize:
    """The layer that gives the training inputs of `data` mean 0 and variance 1 in each channel or feature."""
    x = data.train.x
    over = [0, *range(2, x.dim())]  # everything but channels (images) or features (tables)
    return Normalize(x.mean(over, keepdim=True)[0], x.std(over, keepdim=True)[0].clamp_min(1e-6))


def small_cnn(data: Dataset) -> nn.Module:
    """conv16 - conv32 - fc100, on the device of `data`: the MNIST network of Wong et al. 2020 (arXiv:2001.03994).

    It halves an image twice; images up to 16 pixels wide are halved once, by kernels of 3 pixels. Weights come from
    torch's global seed.
    Raises ValueError for data that are not images.
    """
    if data.train.x.dim() != 4:
        raise ValueError(f"small_cnn needs images (N, C, H, W), and {data.name} is a table: use mlp(data)")
    channels, height, width = data.train.x.shape[1:]
    small = width <= 16
    halving = {"kernel_size": 3 if small else 4, "stride": 2, "padding": 1}
    then = {"kernel_size": 3, "padding": 1} if small else halving
    body = [nn.Conv2d(channels, 16, **halving), nn.ReLU(), nn.Conv2d(16, 32, **then), nn.ReLU(), nn.Flatten()]
    with torch.no_grad():
        features = nn.Sequential(*body)(torch.zeros(1, channels, height, width)).shape[1]
    body += [nn.Linear(features, 100), nn.ReLU(), nn.Linear(100, len(data.classes))]
    return nn.Sequential(normalize(data), *body).to(data.train.x.device)


def mlp(data: Dataset, width: int = 200) -> nn.Module:
    """Two hidden layers of `width` units, on the device of `data`. For images and tables alike."""
    inputs = data.train.x[0].numel()
    return nn.Sequential(
        normalize(data),
        nn.Flatten(),
        nn.Linear(inputs, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, len(data.classes)),
    ).to(data.train.x.device)


def logits(model: nn.Module, x: Tensor) -> Tensor:
    """The model's answer to each image, (N, classes). It is asked in evaluation mode and left as it was.

    A model that draws random numbers draws the caller's. Raises ValueError if the answer cannot be logits.
    """
    with lent(model) as asked, torch.no_grad():
        answers = []
        for (piece,) in chunks(x):
            answers.append(asked(piece))
            asked.settle()
        return torch.cat(answers)


def predict(model: nn.Module, x: Tensor) -> Tensor:
    """The predicted class of each image, (N,) int64, and -1, no answer, where the model gives NaN (with a warning).

    The model is asked in evaluation mode and left as it was.
    """
    return predicted(logits(model, x))
