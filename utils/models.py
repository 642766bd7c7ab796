"""Networks from images in [0, 1] to logits. Normalisation is their first layer, so a radius always means pixels.

Also how any model is asked (`logits`, `predict`), and classifiers that are no networks (`black_box`).
"""

from collections.abc import Callable
from pathlib import Path

import torch
from numpy import ndarray
from torch import Tensor, nn

from utils.asking import FULL, predicted, table_of
from utils.classifiers import ONNX_TYPES, of_two_classes, onnx_session, scorer, session_asker
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


class Residual(nn.Module):
    """Two convolutions and the way around them: ReLU(body(x) + shortcut(x)). He et al. 2016, figure 2."""

    def __init__(self, channels, width, stride):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, width, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )
        same = stride == 1 and channels == width
        around = () if same else (nn.Conv2d(channels, width, 1, stride, bias=False), nn.BatchNorm2d(width))
        self.shortcut = nn.Sequential(*around)
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(self.body(x) + self.shortcut(x))


def resnet(data: Dataset, width: int = 64, blocks: tuple[int, ...] = (2, 2, 2, 2)) -> nn.Module:
    """The residual network for images of 32 x 32, on the device of `data`. He et al. 2016 (arXiv:1512.03385).

    As it is: ResNet-18 with a first convolution of 3 x 3 in place of 7 x 7 and pooling, 11.17 million parameters for
    CIFAR-10. With one block a stage, (1, 1, 1, 1), widths of 16 and 32 give 0.31 and 1.23 million, for CPUs.

    width   channels of the first stage; each stage has twice those of the one before, and from the second on it halves
            the image
    blocks  residual blocks of each stage

    Raises ValueError for data that are not images.
    """
    if data.train.x.dim() != 4:
        raise ValueError(f"resnet needs images (N, C, H, W), and {data.name} is a table: use mlp(data)")
    body = [nn.Conv2d(data.train.x.shape[1], width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    channels = width
    for stage, count in enumerate(blocks):
        for block in range(count):
            stride = 2 if stage and not block else 1
            body.append(Residual(channels, width * 2**stage, stride))
            channels = width * 2**stage
    body += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, len(data.classes))]
    return nn.Sequential(normalize(data), *body).to(data.train.x.device)


def network(data: Dataset) -> nn.Module:
    """The customary network for `data`: `mlp` for tables, `small_cnn` for grey images, `resnet` for colour photographs.

    On a CPU the latter has 32 channels and one block a stage, a ninth of ResNet-18's weights.
    """
    if data.train.x.dim() != 4:
        return mlp(data)
    if not of_photographs(data):
        return small_cnn(data)
    return resnet(data, 32, (1, 1, 1, 1)) if data.train.x.device.type == "cpu" else resnet(data)


def of_photographs(data: Dataset) -> bool:
    """Whether the examples are colour images, (N, 3, H, W)."""
    return data.train.x.dim() == 4 and data.train.x.shape[1] == 3


def logits(model: nn.Module, x: Tensor) -> Tensor:
    """The model's answer to each image, (N, classes). It is asked in evaluation mode and left as it was.

    A model that draws random numbers draws the caller's. Raises ValueError if the answer cannot be logits.
    """
    with lent(model) as asked, torch.no_grad():
        answers = []
        for (piece,) in chunks(x):
            answers.append(asked(piece).clone())  # a model may write its next answer in the same place
            asked.settle()
        return torch.cat(answers)


def predict(model: nn.Module, x: Tensor) -> Tensor:
    """The predicted class of each image, (N,) int64, and -1, no answer, where the model gives NaN (with a warning).

    The model is asked in evaluation mode and left as it was.
    """
    return predicted(logits(model, x))


class BlackBox(nn.Module):
    """A classifier that is only asked: no weights here, no gradient. Made by `black_box`.

    answers        (N, ...) array -> (N, classes) array, or a dictionary of arrays that holds one
    probabilities  whether these are probabilities, whose logarithm is taken; None: the first answer tells
    """

    def __init__(self, answers: Callable[[ndarray], ndarray | dict[str, ndarray]], probabilities: bool | None):
        super().__init__()
        self.answers, self.probabilities = answers, probabilities

    def forward(self, x):
        answer = self.asked(x.detach().cpu())
        if not (isinstance(answer, Tensor) and answer.is_floating_point() and answer.dim() in (1, 2)):
            return answer  # whoever asks will say what is wrong with it
        answer = answer.to(x.device, torch.float64)  # the same class as the classifier's own, however close the second
        if one := answer.numel() == len(x):
            answer = answer.view(-1, 1)
        if self.probabilities is None:
            self.probabilities = self.says_probabilities(answer, x) if one else looks_like_probabilities(answer)
        if one:
            answer = torch.from_numpy(of_two_classes(answer.cpu().numpy(), self.probabilities)).to(x.device)
        return answer.clamp_min(torch.finfo(answer.dtype).tiny).log() if self.probabilities else answer

    def asked(self, x: Tensor):
        """The one table in what it answers, if there is one; else the answer."""
        answer = self.answers((x if x.dtype in FULL else x.float()).numpy())
        if isinstance(answer, dict):
            return table_of({name: torch.from_numpy(part) for name, part in answer.items()}, x)
        return torch.as_tensor(answer)

    def says_probabilities(self, answer: Tensor, x: Tensor) -> bool:
        """Whether one number for each input lies in [0, 1], also for inputs at random: few logits do by chance."""
        draw = torch.Generator().manual_seed(0)
        more = self.asked(torch.rand(64, *x.shape[1:], generator=draw)).double().view(-1, 1)
        return all(bool(((t >= 0) & (t <= 1)).all()) for t in (answer.cpu(), more))


def looks_like_probabilities(answer: Tensor) -> bool:
    """Whether every row is at least 0 and adds up to 1, up to rounding: that of 16 bits if the numbers hold no more."""
    if not bool((answer >= 0).all()):
        return False
    rough = any(torch.equal(answer.to(kind).to(answer.dtype), answer) for kind in (torch.float16, torch.bfloat16))
    sums = answer.sum(1)
    return torch.allclose(sums, torch.ones_like(sums), atol=1e-2 if rough else 1e-3)


def black_box(classifier) -> BlackBox:
    """A classifier of scikit-learn, or of its manners, or an ONNX file, as a model without gradients.

    classifier  what has `predict_proba`, or else `decision_function`, and was fitted on rows of features in [0, 1]
                (put a scaler into its pipeline; images reach it as rows); or the path of a file.onnx with one input
                (needs the extra `onnx`: pip install onnxruntime), or an onnxruntime session

    Its logits are the logarithms of its probabilities, or its scores; one number for each input is that of class 1 of
    two. Columns are in the order of `classes_`, so labels count from 0: `np.searchsorted(classifier.classes_, labels)`.
    Attack it by square, rays or worst_case, look at it by the check-up, certify it. Files with code in them, pickles
    and joblib's, are yours to load. Raises TypeError, ValueError, FileNotFoundError or ImportError in one sentence;
    so does the first question, if `predict` names other classes than the highest scores do, as by a threshold.
    """
    if isinstance(classifier, (str, Path)):
        return BlackBox(session_answers(onnx_session(Path(classifier)), str(classifier)), None)
    if hasattr(classifier, "get_inputs") and hasattr(classifier, "run"):
        return BlackBox(session_answers(classifier, "the session"), None)
    if asked := scorer(classifier):
        return BlackBox(*asked)
    raise TypeError(
        f"black_box needs a classifier with predict_proba or decision_function, or the path of a file.onnx, got "
        f"{f'the class {classifier.__name__}: make one' if isinstance(classifier, type) else type(classifier).__name__}"
    )


def session_answers(session, name: str) -> Callable[[ndarray], dict[str, ndarray]]:
    """How an onnxruntime session is asked: (N, ...) array -> its outputs by name. `name` is what errors call it."""
    if len(session.get_inputs()) != 1 or session.get_inputs()[0].type not in ONNX_TYPES:
        takes = ", ".join(f"{one.name}: {one.type}" for one in session.get_inputs())
        raise ValueError(f"{name} must take one input of floats in [0, 1], and takes {takes}")
    [entry], asked = session.get_inputs(), session_asker(session)

    def answers(x: ndarray) -> dict[str, ndarray]:
        x = x.reshape(len(x), -1) if len(entry.shape) == 2 else x
        fits = x.ndim == len(entry.shape) or not entry.shape  # a file may leave its shape open
        sides = zip(entry.shape[1:], x.shape[1:], strict=False)
        if not (fits and all(a == b for a, b in sides if isinstance(a, int))):
            raise ValueError(f"{name} takes inputs of shape {tuple(entry.shape)}, got {x.shape}")
        return asked(x)

    return answers
