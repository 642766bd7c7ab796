"""Attacks to play with: what they do to an image, to the logits and to the accuracy, at every budget."""

import inspect
import math
from collections import Counter
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import NamedTuple

import ipywidgets as ui
import numpy as np
import torch
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image
from torch import Tensor, nn

from utils.data import Dataset, Split
from utils.evaluation import Rate
from utils.models import logits
from utils.plots import (
    BLUE,
    INK,
    LIGHT,
    RED,
    SOFT,
    STYLE,
    Picture,
    change_pixels,
    house_style,
    percent,
    percent_axis,
    pixels,
    show_change,
    show_image,
)
from utils.records import ARROW
from utils.widgets.panel import Panel, picture_widget

NORMS = {"linf": "L\u221e", "l2": "L2"}


class Stage(Picture):
    """A picture that is drawn again and again: the artists in `moving` over all that stands still.

    What moves seldom is in `held`, and drawn by `hold`: text is slow to draw, and a slider should not wait for it.
    """

    def __init__(self, width: float, height: float):
        super().__init__(width, height)
        self.held: list[Artist] = []
        self.moving: list[Artist] = []

    def settle(self) -> None:
        """Draw what stands still and keep it. Needed once, and after a change to axes, ticks or titles."""
        with house_style():
            for artist in self.held + self.moving:
                artist.set_animated(True)  # matplotlib: leave it out on screen, draw it when saving
            self.figure.set_dpi(STYLE["savefig.dpi"])
            self.canvas = FigureCanvasAgg(self.figure)
            self.canvas.draw()
            self.figure.set_layout_engine("none")  # the axes stay where they are
            self.still = self.canvas.copy_from_bbox(self.figure.bbox)
        self.hold()

    def hold(self) -> None:
        """Draw what moves seldom, and keep it. Needed after a change to one of these."""
        self.draw(self.held, on=self.still)
        self.background = self.canvas.copy_from_bbox(self.figure.bbox)

    def draw(self, artists: list[Artist], on) -> None:
        """Draw artists over a kept picture."""
        self.canvas.restore_region(on)
        for artist in artists:
            self.figure.draw_artist(artist)

    def shot(self) -> bytes:
        """The picture of now as a PNG of 256 colours, quick to make."""
        self.draw(self.moving, on=self.background)
        image = Image.fromarray(np.asarray(self.canvas.buffer_rgba())).convert("RGB")
        image.quantize(256, method=Image.Quantize.FASTOCTREE).save(png := BytesIO(), format="png", compress_level=1)
        return png.getvalue()


class AttackRun(NamedTuple):
    """What one attack does at each budget: to the shown images, and to the accuracy on the sample."""

    eps: list[float]
    x_adv: Tensor  # (budgets, images, C, H, W)
    logits: Tensor  # (budgets, images, classes)
    rates: list[Rate]


def takes(attack: Callable, name: str) -> bool:
    """True if `attack` has an argument `name` that `functools.partial` has not already filled."""
    return name in inspect.signature(attack).parameters and name not in getattr(attack, "keywords", {})


def own_norm(attack: Callable) -> str:
    """The norm of an attack that takes none: set by `partial`, told by its name as in `cw_l2`, or else L-infinity."""
    name = getattr(getattr(attack, "func", attack), "__name__", "")
    return getattr(attack, "keywords", {}).get("norm", "l2" if name.endswith("l2") else "linf")


def run_attack(
    model: nn.Module, attack: Callable, sample: Split, eps: Sequence[float], images: int, **how
) -> AttackRun:
    """Run `attack` on the sample once for each budget, and keep what can be shown."""
    x, y = sample
    x_adv = [x if e == 0 else attack(model, x, y, eps=e, **how) for e in eps]
    answers = [logits(model, batch) for batch in x_adv]
    rates = [Rate(int((answer.argmax(1) == y).sum()), len(y)) for answer in answers]
    shown = [torch.stack([t[:images] for t in many]).cpu() for many in (x_adv, answers)]
    return AttackRun(list(eps), *shown, rates)


class Scene(Stage):
    """The explorer's picture: image, change, result, logits and accuracy curve."""

    def __init__(self, blank: Tensor, classes: Sequence[str], low: float, high: float):
        super().__init__(7, 2.2)
        self.classes, rows, empty = classes, range(len(classes)), [0.0] * len(classes)
        with house_style():
            image, change, result, bars, curve = self.figure.subplots(1, 5, width_ratios=(1, 1, 1, 1.2, 1.9))
            self.images = [show_image(image, blank), show_change(change, blank, 1), show_image(result, blank)]
            self.title, self.axes = change, curve
            image.set_title("image")
            result.set_title("result")
            center = {"ha": "center", "va": "top"}
            self.readings = [axes.text(0.5, -0.06, "", transform=axes.transAxes, **center) for axes in (image, result)]
            self.caption = image.text(0, -0.5, "", transform=image.transAxes, color=SOFT)

            self.bars = bars.barh(rows, empty)
            (self.before,) = bars.plot(empty, rows, color=INK, marker="|", markersize=7, linestyle="")
            bars.set(xlabel="logits (line: before)", xlim=(low, high), ylim=(len(classes) - 0.5, -0.5))
            bars.set_yticks(rows, classes)
            bars.tick_params(axis="y", length=0)

            percent_axis(curve.yaxis)
            curve.set(xlim=(-0.2, 6.2), ylabel="accuracy left")
            (self.band,) = curve.fill([0, 1, 2], [0, 0, 0], color=BLUE, alpha=0.18, linewidth=0)
            (self.line,) = curve.plot(range(7), [0.0] * 7, color=BLUE)
            (self.here,) = curve.plot(0, 0, color=RED, marker="o", markersize=8, clip_on=False)
            self.rate = curve.set_title("-", loc="right")
        self.moving = [*self.images, *self.readings, self.caption, *self.bars, self.before]
        self.moving += [self.band, self.line, self.here, self.rate]

    def set_norm(self, norm: str, eps: Sequence[float], scale: float) -> None:
        """Name the norm and its budgets, and amplify changes so that `scale` is the deepest colour."""
        self.scale = scale
        with house_style():
            self.axes.set_xticks(range(0, 7, 2), [f"{e:.2g}" for e in eps[::2]])
            self.axes.set_xlabel(f"budget eps ({NORMS[norm]})")
            self.title.set_title(f"change, \u00b1{scale:.2g}")
        self.settle()

    def show(self, now: AttackRun, budget: int, image: int, label: int, caption: str) -> None:
        """Move every artist to one image at one budget of an outcome."""
        x, x_adv = now.x_adv[[0, budget], image]
        before, after = now.logits[[0, budget], image]
        read = int(after.argmax())
        arrays = pixels(x), change_pixels(x_adv - x, self.scale), pixels(x_adv)
        for drawn, array in zip(self.images, arrays, strict=True):
            drawn.set_data(array)
        for reading, answer in zip(self.readings, (before, after), strict=True):
            confidence, k = answer.softmax(0).max(0)
            reading.set(text=f"{self.classes[k]}, {percent(confidence)}", color=INK if k == label else RED)
        self.caption.set_text(caption)

        for k, (bar, value) in enumerate(zip(self.bars, after.tolist(), strict=True)):
            bar.set(width=value, color=BLUE if k == label else RED if k == read else LIGHT)
        self.before.set_xdata(before)

        low, high = zip(*(rate.interval for rate in now.rates), strict=True)
        self.band.set_xy([*enumerate(low), *reversed([*enumerate(high)])])
        self.line.set_ydata([float(rate) for rate in now.rates])
        self.here.set_data([budget], [float(now.rates[budget])])
        self.rate.set_text(str(now.rates[budget]))
        self.text = f"{caption} {ARROW} on image {image + 1}; accuracy left: {now.rates[budget]}"


def choice(label: str, options: list, **value) -> ui.ToggleButtons:
    """Buttons of which one is pressed: JupyterLab takes the arrow keys that a drop-down list would need."""
    style = {"button_width": "auto", "description_width": "initial"}
    layout = ui.Layout(width="max-content", margin="2px 24px 2px 2px")
    return ui.ToggleButtons(options=options, description=label, style=style, layout=layout, **value)


class AttackExplorer(Panel):
    """Attack, norm, steps, budget and image to choose; picture, change, logits and accuracy curve move together.

    attacks  {name: attack}; a control that does not apply to the chosen one is off, to none of them left out
    eps      the highest L-infinity budget, None: twice the customary one; seven budgets from 0 up are computed.
             In L2 the highest is a third of the longest change that this one allows: eps * sqrt(pixels) / 3
    steps, norms  choices for attacks that take `steps` and `norm`
    images   how many test images can be looked at; the curve is measured on `sample` images, these among them

    All that needs the model is computed here, once: a moved control only looks up and draws.
    """

    def __init__(
        self,
        model: nn.Module,
        data: Dataset,
        attacks: dict[str, Callable],
        *,
        eps: float | None = None,
        steps: Sequence[int] = (1, 5, 20),
        norms: Sequence[str] = ("linf", "l2"),
        images: int = 12,
        sample: int = 100,
    ):
        if data.test.x.dim() != 4:
            raise ValueError(
                f"AttackExplorer shows images, and {data.name} is a table: use plots.accuracy_curve for it"
            )
        chosen, seen, order = data.test.take(sample), Counter(), []
        for i, label in enumerate(chosen.y.tolist()):
            order.append((seen[label], i))  # one image of each class first
            seen[label] += 1
        order = [i for _, i in sorted(order)]
        chosen, images = Split(chosen.x[order], chosen.y[order]), min(images, len(order))
        self.labels = chosen.y[:images].tolist()

        top = 2 * data.eps if eps is None else eps
        tops = {"linf": top, "l2": top * math.sqrt(chosen.x[0].numel()) / 3}
        self.grid: dict[tuple[str, str, int | None], AttackRun] = {}  # by attack, norm and steps
        for name, attack in attacks.items():
            for norm in norms if takes(attack, "norm") else [own_norm(attack)]:
                for count in steps if takes(attack, "steps") else [None]:
                    given = {"norm": norm, "steps": count}
                    how = {key: value for key, value in given.items() if takes(attack, key)}
                    budgets = torch.linspace(0, tops[norm], 7).tolist()
                    self.grid[name, norm, count] = run_attack(model, attack, chosen, budgets, images, **how)

        used = [(NORMS[norm], norm) for norm in NORMS if any(norm == key[1] for key in self.grid)]
        self.attack = choice("Attack", list(attacks))
        self.norm = choice("Norm", used)
        self.steps = choice("Steps", list(steps), value=max(steps))
        size = {"layout": ui.Layout(width="340px"), "style": {"description_width": "75px"}}
        self.budget = ui.SelectionSlider(options=range(7), index=3, description="Budget eps", **size)
        answers = next(iter(self.grid.values())).logits[0].argmax(1).cpu()  # to the images as they are
        right = answers == torch.tensor(self.labels)  # where it is wrong already an attack shows nothing
        first = 1 + int(right.int().argmax())
        self.image = ui.IntSlider(value=first, min=1, max=images, description="Image", **size)
        self.picture = picture_widget()
        asked = [self.attack] * (len(attacks) > 1) + [self.norm] * (len(used) > 1)  # one of a kind is no choice
        rows = [*asked, *[self.steps] * any(key[2] for key in self.grid)], [self.budget, self.image]
        super().__init__(*(ui.HBox(row, layout=ui.Layout(flex_flow="row wrap")) for row in rows if row), self.picture)

        every = torch.cat([one.logits.flatten() for one in self.grid.values()])
        self.still = Scene(torch.zeros_like(chosen.x[0]), data.classes, every.min().item(), every.max().item())
        self.norm_shown = None
        self.update()
        self.follow(self.attack, self.norm, self.steps, self.budget, self.image)

    def update(self) -> None:
        """Look up what the controls ask for, and draw it."""
        name = self.attack.value
        norms, counts = ({key[i] for key in self.grid if key[0] == name} for i in (1, 2))
        self.norm.disabled, self.steps.disabled = len(norms) == 1, counts == {None}
        if self.norm.value not in norms:
            (self.norm.value,) = norms
        norm, count = self.norm.value, None if self.steps.disabled else self.steps.value
        now, budget, image = self.grid[name, norm, count], self.budget.index, self.image.value - 1
        if norm != self.norm_shown:
            with self.budget.hold_sync():
                self.budget.options, self.budget.index = [f"{e:.2g}" for e in now.eps], budget
            of_norm = [one.x_adv for key, one in self.grid.items() if key[1] == norm]
            self.still.set_norm(norm, now.eps, max((x_adv - x_adv[:1]).abs().max().item() for x_adv in of_norm))
            self.norm_shown = norm
        caption = ", ".join([name, *([f"{count} steps"] if count else []), f"{NORMS[norm]} eps {now.eps[budget]:.2g}"])
        self.still.show(now, budget, image, self.labels[image], caption)
        self.draw(self.still.shot)
