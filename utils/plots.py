"""The course's figures, in one style. Each function returns a `Picture`, which a notebook shows once."""

import math
import os
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from html import escape
from io import BytesIO
from textwrap import shorten

import numpy as np
import torch
from cycler import cycler
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from PIL import Image
from torch import Tensor, nn

from utils.attacks import cross_entropy, fgsm, margin
from utils.attacks.gradient import loss_gradient
from utils.evaluation import Rate, Sweep, Trainings
from utils.guard import guard
from utils.models import logits
from utils.records import ARROW, enter_table

INK, SOFT, LIGHT = "#222222", "#767676", "#dddddd"
BLUE, RED = "#0072b2", "#d55e00"  # the two that carry a meaning: right and wrong, or before and after
COLORS = (BLUE, RED, "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe & Ito 2008: told apart by colour-blind readers
STYLE = {
    "font.size": 9,
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same letters on every machine
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": SOFT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.prop_cycle": cycler(color=COLORS, marker=("o", "s", "^", "D", "v", "P")),  # markers: nor by colour alone
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "lines.linewidth": 1.5,
    "lines.markersize": 4,
    "legend.frameon": False,
    "image.interpolation": "nearest",
    "savefig.dpi": 150,
}
CHANGE = LinearSegmentedColormap.from_list("change", (BLUE, "white", RED))
UNSEEN = 20  # of 255: by so much the colour of an area of 6 by 6 points may be off
SHOWN = 100  # pixels an inch on the page; fewer than are saved, so that dense screens show sharp letters


def house_style() -> AbstractContextManager:
    """A context in which matplotlib draws in the course's style, whatever the user has set; it leaves no trace."""
    return style.context(STYLE, after_reset=True)


class Picture:
    """A figure that a notebook shows once, as PNG, as text, and in a learner's run as HTML with both. pyplot does not
    know it: nothing has to be closed.

    figure  the matplotlib figure, for a last touch or `figure.savefig`
    text    what the figure says, for those who cannot see it
    """

    def __init__(self, width: float, height: float, text: str = ""):
        with house_style():
            self.figure = Figure(figsize=(width, height), layout="constrained")
        self.text = text

    def png(self) -> bytes:
        """The figure as a PNG of as few colours as the eye takes for all, at most 256: half of the size or less."""
        with house_style():
            self.figure.savefig(raw := BytesIO(), format="png")
        whole, inch = Image.open(raw).convert("RGB"), STYLE["savefig.dpi"]
        for colours in (32, 48, 64, 128, 256):
            image = whole.quantize(colours, kmeans=colours > 64)  # seeks better ones, which takes longer
            # Small areas, one by one: over the whole picture, its white outweighs a pixel that gets another's colour.
            off = torch.from_numpy(np.subtract(image.convert("RGB"), whole, dtype=np.float32)).permute(2, 0, 1)
            if nn.functional.avg_pool2d(off, 6).abs().max() < UNSEEN:
                break
        image.save(small := BytesIO(), format="png", optimize=True, dpi=(inch, inch))
        return small.getvalue()

    def _repr_mimebundle_(self, include=None, exclude=None):
        width = round(SHOWN * self.figure.get_figwidth())
        png = b64encode(self.png()).decode()
        data = {"image/png": png, "text/plain": self.text}
        if not os.environ.get("COURSE_RECORD"):  # a kept file stays small; its pages take the words from the metadata
            # JupyterLab shows no words with a PNG, so a learner's own run has an element that carries them.
            data["text/html"] = (
                f'<img alt="{escape(self.text)}" width="{width}" style="max-width: 100%; height: auto; '
                f'background: white" src="data:image/png;base64,{png}">'
            )
        return data, {"image/png": {"width": width, "alt": self.text}}


def percent(rate: Rate | float) -> str:
    return f"{100 * float(rate):.0f} %"


def with_interval(rate: Rate | float) -> str:
    """`59 % [55, 64]`: a rate where its n is stated beside it."""
    return str(rate).split(" = ")[1] if isinstance(rate, Rate) else percent(rate)


def sample(rates: Iterable[Rate]) -> str:
    """What such rates were measured on, "n = 200" or "n = 200, 3 trainings", if it is the same for all; else ""."""
    kinds = {(r.rates[0].n, len(r.rates)) if isinstance(r, Trainings) else (r.n, 1) for r in rates}
    if len(kinds) != 1:
        return ""
    ((n, trainings),) = kinds
    return f"n = {n:,}" + (f", {trainings} trainings" if trainings > 1 else "")


def percent_axis(axis, step: float = 0.2) -> None:
    """Five steps from 0 % on, for shares between 0 and 5 `step`."""
    ticks = [i * step for i in range(6)]
    axis.set_ticks(ticks, [f"{100 * tick:.0f} %" for tick in ticks])
    axis.axes.set(**{f"{axis.axis_name}lim": (-step / 10, 5.1 * step)})


def zoom_step(rates: Iterable[Rate]) -> float:
    """The least step of `percent_axis` with which all intervals are seen."""
    highest = max(rate.interval[1] for rate in rates)
    return next(step for step in (0.02, 0.05, 0.1, 0.2) if highest <= 5 * step)


# Rates: accuracy left, with 95 % intervals.


def rates(measured: Mapping[str, Rate], *, x: str = "accuracy left", zoom: bool = False) -> Picture:
    """A bar, a 95 % interval and the printed rate for each name, in the order given: a table to be seen at a glance.

    Where there were several trainings, a dot stands for each. With `zoom` the axis ends above the highest interval.
    """
    picture = Picture(
        7, min(0.75 + 0.27 * len(measured), 3), "\n".join(f"{name} {ARROW} {rate}" for name, rate in measured.items())
    )
    enter_table(measured)
    step = zoom_step(measured.values()) if zoom else 0.2
    of_all = sample(measured.values()) if any(len(getattr(r, "rates", ())) > 5 for r in measured.values()) else ""
    with house_style():
        axes = picture.figure.subplots()
        for row, rate in enumerate(measured.values()):
            low, high = rate.interval
            axes.barh(row, float(rate), height=0.62, color=BLUE, alpha=0.55)
            axes.plot([low, high], [row, row], color=INK, marker="|", markersize=6, linewidth=1.2)
            if isinstance(rate, Trainings):
                each = [float(one) for one in rate.rates]
                axes.plot(each, [row] * len(each), "o", color=INK, markersize=2.5)
            said = with_interval(rate) if of_all else str(rate)  # so many counts would leave no room for the bars
            axes.text(5.2 * step, row, said, va="center")
        percent_axis(axes.xaxis, step)
        axes.set_yticks(range(len(measured)), measured)
        axes.set(xlabel=f"{x}, {of_all}".rstrip(", "), ylim=(len(measured) - 0.4, -0.6))
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
    return picture


def dots(
    measured: Mapping[str, Mapping[str, Rate]], *, beside: Mapping[str, Mapping[str, Rate]] | None = None
) -> Picture:
    """A dot for each training, and a stroke for their mean: {panel: {row: Rate}}, panels side by side, at most five.

    beside  rates to compare with, {panel: {row: Rate}} of the same names: their means as grey rings

    Trainings are not their interval: five dots of which two lie far from the rest say what a mean hides.
    """
    beside = beside or {}
    rows = list(dict.fromkeys(row for panel in measured.values() for row in panel))
    said = {name: ", ".join(f"{row} {rate}" for row, rate in panel.items()) for name, panel in measured.items()}
    picture = Picture(
        7,
        min(0.75 + 0.2 * len(rows), 3),
        "\n".join(f"{name} {ARROW} {text}" for name, text in said.items()),
    )
    enter_table(measured)
    with house_style():
        panels = picture.figure.subplots(1, len(measured), sharey=True, squeeze=False)[0]
        for axes, (name, panel) in zip(panels, measured.items(), strict=True):
            for row, rate in panel.items():
                height = rows.index(row)
                each = rate.rates if isinstance(rate, Trainings) else (rate,)
                axes.plot([float(one) for one in each], [height] * len(each), "o", color=BLUE, alpha=0.5)
                axes.plot(float(rate), height, "|", color=INK, markersize=9, markeredgewidth=1.5)
                if other := beside.get(name, {}).get(row):
                    axes.plot(float(other), height, "o", color=SOFT, markersize=7, fillstyle="none")
            axes.set_title("\n".join(filter(None, (name, sample(panel.values())))), fontsize=8)
            axes.set(xlim=(-0.04, 1.04), ylim=(len(rows) - 0.5, -0.5))
            axes.set_xticks([0, 0.5, 1], ["0 %", "50 %", "100 %"], fontsize=7)
            axes.set_yticks(range(len(rows)), rows)
            axes.tick_params(axis="y", length=0)
            axes.grid(axis="y", color=LIGHT, linewidth=0.6)
            axes.set_axisbelow(True)
    return picture


def table(measured: Mapping[str, Mapping[str, Rate]]) -> Picture:
    """Rates in rows and columns, {row: {column: Rate}}: `59 % [55, 64]` on a ground that darkens with the share.

    n stands below the table, or below a column's name, or behind a row's, by where it is the same; else in the cells.
    """
    columns = list(dict.fromkeys(column for row in measured.values() for column in row))
    shown = {name: ", ".join(f"{c} {rate}" for c, rate in row.items()) for name, row in measured.items()}
    text = "\n".join(f"{name} {ARROW} {rates_of_row}" for name, rates_of_row in shown.items())
    enter_table(measured)
    by_column = {c: sample(row[c] for row in measured.values() if c in row) for c in columns}
    of_all = sample(rate for row in measured.values() for rate in row.values())
    mixed = [c for c, n in by_column.items() if not n]
    by_row = [sample(row[c] for c in mixed if c in row) if mixed else "" for row in measured.values()]
    by_row = by_row if all(by_row) else [""] * len(by_row)
    of_row = "n of the row" if any(by_row) else ""
    heads = (
        [c + f"\n{n or of_row}" * (not of_all) for c, n in by_column.items()] if any(by_column.values()) else columns
    )
    names = [f"{name}, {n}" if n else name for name, n in zip(measured, by_row, strict=True)]
    picture = Picture(7, min(0.45 + 0.15 * any(by_column.values()) + 0.255 * len(measured), 3), text)
    shares = [[float(row[c]) if c in row else math.nan for c in columns] for row in measured.values()]
    with house_style():
        axes = picture.figure.subplots()
        ground = LinearSegmentedColormap.from_list("ground", ("white", BLUE))
        axes.imshow(shares, cmap=ground, vmin=0, vmax=1.6, aspect="auto")
        small = 9 if len(columns) < 4 else 7.5
        for row, rates_of_row in enumerate(measured.values()):
            for column, rate in rates_of_row.items():
                said = with_interval(rate) if by_column[column] or by_row[row] else str(rate)
                axes.text(columns.index(column), row, said, ha="center", va="center", fontsize=small)
        axes.set_xticks(range(len(columns)), heads, fontsize=9 if len(columns) < 5 else 7.5)
        axes.set_xlabel(of_all, color=SOFT)
        axes.set_yticks(range(len(measured)), names)
        axes.tick_params(length=0, labeltop=True, labelbottom=False)
        axes.spines[:].set_visible(False)
    return picture


def lines(
    series: Mapping[str, Mapping[float, Rate]] | Mapping[float, Rate],
    *,
    x: str,
    y: str = "accuracy left",
    log: bool = False,
    mark: float | None = None,
    mark_label: str = "",
    zoom: bool = False,
) -> Picture:
    """A rate against some number, with its 95 % interval as a band: one line for each name.

    series  {name: {number: Rate}}, or {number: Rate} for a single line without a name
    x, y    what the axes show
    log     spread the numbers (all > 0) by their logarithm
    mark    a number to point out by an upright line, with `mark_label` written beside it
    zoom    let the axis of rates end above the highest interval
    """
    if not isinstance(next(iter(series.values())), Mapping):
        series = {"": series}
    numbers = sorted({number for line in series.values() for number in line})
    if log and numbers[0] <= 0:
        raise ValueError(f"a logarithmic axis has no place for {x} = {numbers[0]:g}: leave it out or set log=False")
    text = f"{y} against {x}"
    for name, line in series.items():
        text += f"\n{name or y} {ARROW} " + ", ".join(f"{percent(rate)} at {number:g}" for number, rate in line.items())
        enter_table({name or y: {f"at {number:g}": rate for number, rate in line.items()}})
    picture = Picture(7, 2.5, text)
    with house_style():
        axes = picture.figure.subplots()
        for name, line in series.items():
            (drawn,) = axes.plot(line.keys(), [float(rate) for rate in line.values()], label=name)
            low, high = zip(*(rate.interval for rate in line.values()), strict=True)
            axes.fill_between(list(line), low, high, color=drawn.get_color(), alpha=0.18, linewidth=0)
        if log:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter("{x:g}")
        if len(numbers) <= 8:
            axes.set_xticks(numbers, [f"{number:g}" for number in numbers])
            axes.set_xticks([], minor=True)
        shown = [rate for line in series.values() for rate in line.values()]
        step = zoom_step(shown) if zoom else 0.2
        percent_axis(axes.yaxis, step)
        of_all = sample(shown)
        apart = ",\n" if len(y) + len(of_all) > 30 else ", "  # a longer label would be cut
        axes.set(xlabel=x, ylabel=apart.join(filter(None, (y, of_all))))
        if mark is not None:
            axes.axvline(mark, color=SOFT, linestyle=":", zorder=0)
            axes.annotate(mark_label, (mark, 5 * step), (4, -2), color=SOFT, textcoords="offset points", va="top")
        if any(series):
            picture.figure.legend(loc="outside right upper")
    return picture


def curves(
    series: Mapping[str, Mapping[float, float]], *, x: str, y: str, log: tuple[bool, bool] = (False, False)
) -> Picture:
    """Numbers that are computed, not sampled, against a number: {name: {number: value}}, one line for each name.

    x, y  what the axes show
    log   which of the two axes are logarithmic
    """
    text = f"{y} against {x}"
    for name, line in series.items():
        text += f"\n{name} {ARROW} " + ", ".join(f"{value:.3g} at {number:g}" for number, value in line.items())
        enter_table({name: {f"at {number:g}": value for number, value in line.items()}})
    picture = Picture(7, 2.5, text)
    with house_style():
        axes = picture.figure.subplots()
        for name, line in series.items():
            axes.plot(line.keys(), line.values(), label=name)
        axes.set(xlabel=x, ylabel=y, **{f"{axis}scale": "log" for axis, yes in zip("xy", log, strict=True) if yes})
        for axis, yes in zip((axes.xaxis, axes.yaxis), log, strict=True):
            if yes:
                axis.set_major_formatter("{x:g}")
        numbers = sorted({number for line in series.values() for number in line})
        if len(numbers) <= 8:
            axes.set_xticks(numbers, [f"{number:g}" for number in numbers])
            axes.set_xticks([], minor=True)
        picture.figure.legend(loc="outside right upper")
    return picture


def accuracy_curve(sweep: Sweep | Mapping[str, Sweep], *, mark: float | None = None, x: str = "budget eps") -> Picture:
    """Accuracy left against the budget, with 95 % bands; `mark` points out the customary budget."""
    several = sweep if isinstance(sweep, Mapping) else {"": sweep}
    series = {name: dict(zip(one.eps, one.rates, strict=True)) for name, one in several.items()}
    return lines(series, x=x, mark=mark, mark_label=f"eps = {mark}")


def roc(curves: Mapping[str, tuple[Tensor, Tensor]], *, mark: float = 0.01) -> Picture:
    """Members found against others accused, on logarithmic scales: what an area under the curve averages away.

    curves  {name: (fpr, tpr)}, as `leakage.roc_curve` returns them
    mark    the share of false accusations to point out
    """
    found = {name: float(tpr[(fpr <= mark + 1e-12).nonzero()[-1]].item()) for name, (fpr, tpr) in curves.items()}
    text = "\n".join(f"{name} {ARROW} {percent(share)}" for name, share in found.items())
    picture = Picture(7, 2.8, f"members found where {percent(mark)} of the others are accused\n{text}")
    enter_table({name: {f"found where {percent(mark)} are accused": share} for name, share in found.items()})
    with house_style():
        axes = picture.figure.subplots()
        axes.plot([1e-3, 1], [1e-3, 1], color=SOFT, marker="", linestyle=":", label="guessing")
        for color, (name, (fpr, tpr)) in zip(COLORS, curves.items(), strict=False):
            axes.step(fpr.cpu(), tpr.cpu(), where="post", color=color, marker="", label=name)
        axes.axvline(mark, color=SOFT, linewidth=0.8, zorder=0)
        axes.set(xscale="log", yscale="log", xlim=(1e-3, 1), ylim=(1e-3, 1))
        ticks = [0.001, 0.01, 0.1, 1]
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_ticks(ticks, [f"{100 * tick:g} %" for tick in ticks])
        axes.set(xlabel="non-members accused", ylabel="members found")
        picture.figure.legend(loc="outside right upper")
    return picture


def passages(pairs: Sequence[tuple[str, str]], *, names: tuple[str, str] = ("as it was", "changed")) -> Picture:
    """Short texts before and after a change, under each other: at most four pairs of up to 32 words."""
    said = "; ".join(f"{names[0]}: {before}, {names[1]}: {after}" for before, after in pairs)
    picture = Picture(7, min(0.62 * len(pairs) + 0.1, 3), f"{len(pairs)} texts {ARROW} {said}")
    with house_style():
        axes = picture.figure.subplots()
        axes.set(xlim=(0, 1), ylim=(2 * len(pairs), 0))
        axes.set_axis_off()
        for row, (text, color) in enumerate((t, c) for pair in pairs for t, c in zip(pair, (INK, RED), strict=True)):
            axes.text(0, row + 0.5, names[row % 2], color=SOFT, va="center")
            axes.text(0.12, row + 0.5, shorten(text, 105, placeholder=" …"), color=color, va="center", fontsize=8)
    return picture


# Images.


def frame(axes: Axes) -> None:
    """No ticks, and a thin line around: an image's own edge may be as white as the paper."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(visible=True, color=LIGHT)


def pixels(image: Tensor) -> np.ndarray:
    """One image (C, H, W) as matplotlib takes it: (H, W), or (H, W, 3) in colour."""
    array = image.detach().cpu().permute(1, 2, 0).numpy()
    return array if len(image) == 3 else array[..., 0]


def change_pixels(delta: Tensor, scale: float) -> np.ndarray:
    """A perturbation (C, H, W), amplified: +-scale becomes [-1, 1], or in colour [0, 1] with no change at 0.5."""
    amplified = pixels(delta) / (scale or 1)  # 0 if nothing changed anywhere, as where all gradients are 0
    return amplified if len(delta) == 1 else (0.5 + amplified / 2).clip(0, 1)


def show_image(axes: Axes, image: Tensor) -> AxesImage:
    """Draw one image (C, H, W) in [0, 1]: a single channel as ink on paper, three as colour."""
    frame(axes)
    return axes.imshow(pixels(image), cmap="gray_r", vmin=0, vmax=1)


def show_change(axes: Axes, delta: Tensor, scale: float) -> AxesImage:
    """Draw one perturbation (C, H, W): a single channel from blue (less) over white to red (more)."""
    frame(axes)
    return axes.imshow(change_pixels(delta, scale), cmap=CHANGE, vmin=-1, vmax=1)


def gallery(
    rows: Mapping[str, Tensor],
    captions: Mapping[str, Sequence[str]] | None = None,
    *,
    photos: bool | None = None,
    largest: float = 0.8,
) -> Picture:
    """Rows of images under each other, each with its name on the left: {name: (N, C, H, W)} in [0, 1].

    captions  {name: N short texts}, written over a row's images
    photos    show a single channel as light, not as ink; None: if images are larger than 32 pixels
    largest   inches that an image may be wide
    """
    captions, count = captions or {}, max(map(len, rows.values()))
    width = max(images.shape[-1] for images in rows.values())
    over = 0.17 * len(captions)
    side = min(5.6 / count, (2.85 - over) / len(rows), largest)
    names = max(map(len, rows)) * 0.068 + 0.1  # inches for the names
    text = "\n".join(name + (f" {ARROW} {', '.join(captions[name])}" if name in captions else "") for name in rows)
    picture = Picture(min(side * count + names + 0.1, 7), side * len(rows) + over + 0.1, text)
    with house_style():
        grid = picture.figure.subplots(len(rows), count, squeeze=False)
        picture.figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
        for line, (name, images) in zip(grid, rows.items(), strict=True):
            for axes in line[len(images) :]:
                axes.set_axis_off()
            for i, (axes, image) in enumerate(zip(line, images, strict=False)):
                drawn = show_image(axes, image)
                if len(image) == 1 and (width > 32 if photos is None else photos):
                    drawn.set_cmap("gray")
                if name in captions:
                    axes.set_title(captions[name][i], fontsize=7, pad=2)
            line[0].set_ylabel(name, rotation=0, ha="right", va="center")
    return picture


def informative(before: Tensor, after: Tensor, right: Tensor, count: int) -> list[int]:
    """Which examples to show: right before and different after, one of each class first; then whatever comes first."""
    seen, order = Counter(), []
    for i, (b, a, r) in enumerate(zip(before.tolist(), after.tolist(), right.tolist(), strict=True)):
        fallen = r and a != b
        order.append((not fallen, seen[b, fallen], i))
        seen[b, fallen] += 1
    return [i for *_, i in sorted(order)[:count]]


def triptych(
    x: Tensor,
    x_adv: Tensor,
    model: nn.Module,
    *,
    y: Tensor | None = None,
    target: Tensor | None = None,
    rows: int = 3,
    classes: Sequence[str] | None = None,
) -> Picture:
    """Digit, change and result side by side, with what the model reads and how sure it is.

    x, x_adv  images before and after the attack, (N, C, H, W) in [0, 1], one or three channels
    y         true labels (N,); with them, examples that were right before come first
    target    the classes that the attacker wanted (N,), to be written beside each result
    rows      examples to show, at most 4: those whose prediction changed, of different classes, in the order of x
    classes   their names; None: their numbers
    """
    x, x_adv = x[:1000], x_adv[:1000]  # enough to choose from
    before, after = logits(model, x).softmax(1), logits(model, x_adv).softmax(1)
    right = before.argmax(1) == (before.argmax(1) if y is None else y[: len(x)])
    shown = informative(before.argmax(1), after.argmax(1), right, min(rows, 4))
    scale = (x_adv - x)[shown].abs().max().item()

    def name(k):
        return classes[k] if classes else str(int(k))

    def reading(axes, probability, color):
        sure, k = probability.max(0)
        axes.text(-0.1, 0.56, name(k), va="bottom", color=color, fontsize=11)
        axes.text(-0.1, 0.46, percent(sure), va="top", color=SOFT)

    side = min(0.9, 2.6 / len(shown))  # of an image, in inches
    widths = (side, 0.9, side, 0.65, side, 0.9)
    picture = Picture(sum(widths) + 0.3, side * len(shown) + 0.35, f"{len(shown)} examples: image, change, result")
    with house_style():
        grid = picture.figure.subplots(len(shown), 6, width_ratios=widths, squeeze=False)
        for axes in grid[:, [1, 3, 5]].flat:
            axes.set_axis_off()
        for i, (left, before_text, middle, _, result, after_text) in zip(shown, grid, strict=True):
            show_image(left, x[i])
            change = show_change(middle, x_adv[i] - x[i], scale)
            show_image(result, x_adv[i])
            reading(before_text, before[i], INK)
            reading(after_text, after[i], INK if before[i].argmax() == after[i].argmax() else RED)
            if target is not None:
                after_text.text(-0.1, 0.2, f"wanted: {name(target[i])}", va="top", color=SOFT)
        if x.shape[1] == 1:
            bar = picture.figure.colorbar(change, cax=grid[0, 3].inset_axes((0, 0.05, 0.12, 0.9)))
            bar.set_ticks([-1, 0, 1], labels=[f"\u2212{scale:.2g}", "0", f"+{scale:.2g}"])
        for column, title in ((0, "image"), (2, f"change, \u00b1{scale:.2g}"), (4, "result")):
            grid[0, column].set_title(title)
    return picture


# The loss around an image.


def line_of_loss(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    eps: float,
    images: int = 4,
    loss: Callable[[Tensor, Tensor], Tensor] = margin,
) -> Picture:
    """A loss on the way from an image to its FGSM image (solid) beside what the slope at the start foretells (dashed).

    x, y   images (N, ...) in [0, 1] and labels (N,); the first `images` that the model gets right are shown
    loss   (logits, labels) -> (N,). The margin shows the network itself; cross-entropy bends it through a logarithm
    """
    chosen = (logits(model, x).argmax(1) == y).nonzero()[:images, 0]
    x, y, share = x[chosen], y[chosen], torch.linspace(0, 1, 41)
    way = fgsm(model, x, y, eps=eps) - x
    with guard(model, x, y, eps=eps) as (asked, x, y, eps):
        _, values, slope = loss_gradient(asked, x, loss, y)
    rise = (slope * way).flatten(1).sum(1)
    measured = [loss(logits(model, x + s * way), y) for s in share.tolist()]
    measured, foretold = torch.stack(measured).cpu(), values.cpu() + share[:, None] * rise.cpu()

    name = loss.__name__.replace("_", "-")
    picture = Picture(
        7, 2.7, f"{name} against step size up to eps = {eps:g}, measured and foretold, for {len(x)} images"
    )
    with house_style():
        axes = picture.figure.subplots()
        for color, curve, line in zip(COLORS * images, measured.T, foretold.T, strict=False):
            axes.plot(eps * share, curve, color=color, marker="")
            axes.plot(eps * share, line, color=color, marker="", linestyle=(0, (3, 3)), linewidth=1)
        axes.set(xlabel="step along the sign of the gradient, eps", ylabel=name, xlim=(0, eps))
        handles = [axes.plot([], [], color=INK, marker="", linestyle=s)[0] for s in ("-", "--")]
        axes.legend(handles, ["measured", "foretold by the slope at 0"])
        if loss is margin:
            axes.axhline(0, color=SOFT, linewidth=0.8, zorder=0)
            axes.annotate("wrong above", (0, 0), (4, 3), color=SOFT, textcoords="offset points")
    return picture


def hill(
    model: nn.Module,
    stand_in: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    eps: float,
    measured: Mapping[str, Rate] | None = None,
    loss: Callable[[Tensor, Tensor], Tensor] = margin,
    draws: int = 1,
) -> Picture:
    """The ground a model stands on and the slopes it tells, along the sign of a stand-in's gradient, for two images.

    model, stand_in  the model, and the one whose gradient gives the direction
    x, y             images (N, ...) in [0, 1] and labels (N,); the first two that the model gets right are shown
    measured         rates to be shown beside it as bars, such as what is left before and after; at most five
    loss             (logits, labels) -> (N,): of the model (solid), and its slope in the middle as the model tells it
                     (red, dashed) and as the stand-in does (blue, dashed)
    draws            of a random model: each point is the mean over so many, the slope that it tells is of one
    """
    chosen = (logits(model, x).argmax(1) == y).nonzero()[:2, 0]
    x, y, share, measured = x[chosen], y[chosen], torch.linspace(-1, 1, 61), measured or {}
    slopes = []
    for one in (model, stand_in):
        with guard(one, x, y, eps=eps) as (asked, images, labels, _):
            slopes.append(loss_gradient(asked, images, loss, labels)[2])
    way = slopes[1].sign()
    told = [(slope * way).flatten(1).sum(1).cpu() for slope in slopes]
    points = [(x + s * eps * way).clamp(0, 1) for s in share.tolist()]
    ground = torch.stack([sum(loss(logits(model, at), y) for _ in range(draws)) / draws for at in points]).cpu()
    name = loss.__name__.replace("_", "-")
    lines_of_text = [f"{name} along a stand-in's gradient up to eps = {eps:g}, for {len(x)} images"]
    text = "\n".join(lines_of_text + [f"{row} {ARROW} {rate}" for row, rate in measured.items()])
    enter_table(measured)
    picture = Picture(7, 1.9, text)
    with house_style():
        widths = [1.3] * len(x) + ([1.2] if measured else [])
        grid = picture.figure.subplots(1, len(widths), width_ratios=widths, squeeze=False)[0]
        for i, axes in enumerate(grid[: len(x)]):
            here, low, high = float(ground[30, i]), float(ground[:, i].min()), float(ground[:, i].max())
            axes.plot(eps * share, ground[:, i], color=INK, marker="", label="the model")
            tells = (("slope it tells", RED, told[0]), ("the stand-in's", BLUE, told[1]))
            for who, color, slope in tells[: 1 if stand_in is model else 2]:
                line = here + slope[i] * eps * share
                axes.plot(eps * share, line, color=color, marker="", linestyle=(0, (3, 2)), label=who)
            axes.plot(0, here, "o", color=INK)
            room = 0.1 * max(high - low, 1e-6)
            axes.set(xlabel="along the stand-in's signs, eps", xticks=(-eps, 0, eps), ylim=(low - room, high + room))
            axes.locator_params(axis="y", nbins=4)
            if loss is margin:
                axes.axhline(0, color=SOFT, linewidth=0.8, zorder=0)
        grid[0].set_ylabel(name)
        if len(x):
            over = {"frameon": True, "facecolor": "white", "edgecolor": "none", "framealpha": 1}  # the line of 0
            grid[0].legend(loc="upper left", fontsize=7, handlelength=1.5, **over)
        if measured:
            axes = grid[-1]
            for row, (who, rate) in enumerate(measured.items()):
                axes.barh(row, float(rate), height=0.36, color=BLUE, alpha=0.55)
                axes.plot(rate.interval, [row, row], color=INK, marker="|", markersize=5, linewidth=1.2)
                axes.text(0, row - 0.22, f"{who}: {with_interval(rate)}", va="bottom", fontsize=7.5)
            axes.set(xlim=(0, 1.02), ylim=(len(measured) - 0.6, -0.75), yticks=[])
            axes.set_xticks([0, 0.5, 1], ["0 %", "50 %", "100 %"])
            axes.spines["left"].set_visible(False)
            axes.set_xlabel(f"accuracy left, {sample(measured.values())}".rstrip(", "))
    return picture


def loss_surface(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    eps: float,
    loss: Callable[[Tensor, Tensor], Tensor] = cross_entropy,
    seed: int = 0,
    scale: tuple[float, float] | None = None,
) -> Picture:
    """The loss around one image, along the sign of its gradient and a random sign direction.

    x, y   one image (1, ...) in [0, 1] and its label (1,); of more, the first is taken
    scale  the losses of the darkest and the lightest colour, to compare pictures by; None: the lowest and highest here

    The circle is the image. The dashed diamond is the L-infinity ball: two such directions u and v add up to |u| + |v|
    in some pixel.
    """
    x, y, side = x[:1], y[:1], 41
    with guard(model, x, y, eps=eps, seed=seed) as (asked, x, y, eps):
        _, _, slope = loss_gradient(asked, x, loss, y)
        random = torch.randint(0, 2, x.shape).to(x) * 2 - 1
    steps = torch.linspace(-eps, eps, side).to(x)
    u, v = (t.reshape(-1, *[1] * (x.dim() - 1)) for t in torch.meshgrid(steps, steps, indexing="xy"))
    around = (x + u * slope.sign() + v * random).clamp(0, 1)
    values = loss(logits(model, around), y.expand(len(around))).reshape(side, side).cpu()

    picture = Picture(3.6, 2.8, f"{loss.__name__.replace('_', '-')} around an image")
    with house_style():
        axes = picture.figure.subplots()
        levels = torch.linspace(*(scale or (float(values.min()), float(values.max()) + 1e-6)), 25)
        filled = axes.contourf(steps.cpu(), steps.cpu(), values, levels=levels, cmap="cividis", extend="both")
        axes.plot([0, eps, 0, -eps, 0], [eps, 0, -eps, 0, eps], color="white", marker="", linestyle="--", linewidth=1)
        axes.plot(0, 0, color="white", marker="o")
        axes.annotate("x", (0, 0), (4, 4), color="white", textcoords="offset points")
        axes.set(xlabel="along the gradient's sign, eps", ylabel="along random signs, eps", aspect="equal")
        picture.figure.colorbar(filled, label=loss.__name__.replace("_", "-"))
    return picture
