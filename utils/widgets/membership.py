"""What a likelihood-ratio attack sees of one example: networks that were trained on it, others, and the one asked."""

import math

import ipywidgets as ui
import numpy as np
from torch import Tensor

from utils.plots import BLUE, RED, house_style, pixels, show_image
from utils.records import ARROW
from utils.widgets.explorer import Stage
from utils.widgets.panel import Panel, picture_widget

BINS = 30


class ShadowExplorer(Panel):
    """Example and target to choose; histograms and the target's place in them move along. Nothing is trained here.

    examples     images (M, C, H, W) in [0, 1], the most exposed first; labels (M,)
    confidences  of K networks in the examples, (K, M), as log-odds; inside, (K, M) bool: which were trained on which
    scores       of the first T networks, the targets, by all others, (T, M)
    threshold    the attack accuses above it
    """

    def __init__(
        self, examples: Tensor, labels: Tensor, confidences: Tensor, inside: Tensor, scores: Tensor, threshold: float
    ):
        self.examples, self.labels, self.scores, self.threshold = examples, labels, scores, float(threshold)
        self.confidences, self.inside = confidences.double().cpu().numpy(), inside.cpu().numpy()
        look = {"layout": ui.Layout(width="340px"), "style": {"description_width": "110px"}}
        self.example = ui.SelectionSlider(options=range(1, len(labels) + 1), description="Image", **look)
        self.target = ui.SelectionSlider(options=range(1, len(scores) + 1), description="Network", **look)
        self.picture, self.sentence = picture_widget(), ui.HTML()
        rows = ui.HBox([self.example, self.target], layout=ui.Layout(flex_flow="row wrap"))
        super().__init__(rows, self.picture, self.sentence)

        low, high = self.confidences.min(), self.confidences.max()
        self.edges = np.linspace(low, high, BINS + 1)
        self.fine = np.linspace(low, high, 200)
        self.still = stage = Stage(7, 2.2)
        with house_style():
            image, axes = stage.figure.subplots(1, 2, width_ratios=(1, 3.6))
            self.image = show_image(image, examples[0])
            self.shares, self.normals = {}, {}
            for saw, (name, color) in {True: ("trained on it", RED), False: ("not trained on it", BLUE)}.items():
                self.shares[saw] = axes.stairs([0.0] * BINS, self.edges, fill=True, color=color, alpha=0.35)
                (self.normals[saw],) = axes.plot([], [], color=color, marker="", label=name)
            self.here = axes.axvline(low, color="black", label="the network that is asked")
            axes.legend(loc="upper left")
            axes.set(xlim=(low, high), ylim=(0, 1), yticks=[], xlabel="confidence in the label (log-odds)")
            axes.spines["left"].set_visible(False)
        stage.moving = [self.image, *self.shares.values(), *self.normals.values(), self.here]
        stage.settle()
        self.update()
        self.follow(self.example, self.target)

    def update(self) -> None:
        """Show what the target's score is made of."""
        i, k = self.example.value - 1, self.target.value - 1
        others = np.arange(len(self.confidences)) != k
        self.image.set_data(pixels(self.examples[i]))
        for saw in (True, False):
            seen = self.confidences[others & (self.inside[:, i] == saw), i]
            self.shares[saw].set_data(np.histogram(seen, self.edges)[0] / len(seen))
            mean, deviation = seen.mean(), seen.std(ddof=1)
            density = np.exp(-(((self.fine - mean) / deviation) ** 2) / 2) / (deviation * math.sqrt(2 * math.pi))
            self.normals[saw].set_data(self.fine, density * (self.edges[1] - self.edges[0]))
        self.here.set_xdata([self.confidences[k, i]] * 2)
        score, was = float(self.scores[k, i]), "trained on it" if self.inside[k, i] else "not trained on it"
        says = "accused" if score > self.threshold else "not accused"
        self.still.text = (
            f"image {i + 1}, class {int(self.labels[i])}, network {k + 1}: {was} {ARROW} score {score:.1f}, {says} "
            f"(above {self.threshold:.1f})"
        )
        self.sentence.value = self.still.text
        self.draw(self.still.shot)
