"""What privacy costs and what it buys, on a grid that was trained before."""

from collections.abc import Mapping
from typing import NamedTuple

import ipywidgets as ui

from utils.evaluation import Rate
from utils.plots import BLUE, INK, LIGHT, RED, SOFT, house_style, percent_axis, with_interval
from utils.records import ARROW
from utils.widgets.explorer import Stage
from utils.widgets.panel import Panel, picture_widget

NAMES = {"noise_multiplier": "Noise", "clip": "Clip", "epochs": "Epochs", "batch": "Batch"}


class Setting(NamedTuple):
    """One way to train: what the sliders choose."""

    noise_multiplier: float
    clip: float
    epochs: int
    batch: int


class Outcome(NamedTuple):
    """What came of it: epsilon (infinite without noise), right answers on test images, members that an attack found."""

    privacy_eps: float
    accuracy: Rate
    found: Rate


class Plane(Stage):
    """Accuracy and members found against epsilon: all settings in grey, the chosen one and its noises in colour."""

    def __init__(self, grid: Mapping[Setting, Outcome], fpr: float):
        super().__init__(7, 2.7)
        finite = [o.privacy_eps for o in grid.values() if o.privacy_eps < float("inf")]
        self.none = 6 * max(finite)  # where "no noise" stands on a logarithmic axis
        most = max(float(o.found.interval[1]) for o in grid.values())
        with house_style():
            panels = self.figure.subplots(1, 2)
            self.lines, self.here, self.bars = [], [], []
            for axes, name, color in zip(panels, ("accuracy", "found"), (BLUE, RED), strict=True):
                xs, ys = ([self.at(o) for o in grid.values()], [float(getattr(o, name)) for o in grid.values()])
                axes.plot(xs, ys, color=LIGHT, marker="o", markersize=3, linestyle="")
                self.lines += axes.plot([1, 2], [0, 0], color=color, marker="o")
                self.bars += axes.plot([1, 1], [0, 0], color=INK, marker="_", linewidth=1.2)
                self.here += axes.plot(1, 0, color=color, marker="o", markersize=9, clip_on=False)
                axes.set(xscale="log", xlabel="epsilon", xlim=(min(finite) / 1.5, 1.5 * self.none))
                places = [p for p in (0.1, 1, 10, 100, 1000) if min(finite) / 2 < p < max(finite) * 2]
                axes.set_xticks([*places, self.none], [*(f"{p:g}" for p in places), "no\nnoise"])
                axes.set_xticks([], minor=True)
            percent_axis(panels[0].yaxis)
            panels[0].set(ylabel="accuracy")
            top = max(1.1 * most, 3 * fpr)
            panels[1].set(ylabel="members found", ylim=(0, top))
            panels[1].yaxis.set_major_formatter(lambda share, _: f"{100 * share:g} %")
            panels[1].axhline(fpr, color=SOFT, linestyle=":")
            panels[1].annotate("guessing", (self.none, fpr), (2, 2), color=SOFT, textcoords="offset points", ha="right")
            self.titles = [axes.set_title("-", loc="left") for axes in panels]
        self.moving = [*self.lines, *self.bars, *self.here, *self.titles]
        self.settle()

    def at(self, outcome: Outcome) -> float:
        return min(outcome.privacy_eps, self.none)

    def show(self, outcome: Outcome, noises: list[Outcome]) -> None:
        """Mark one outcome, and draw the line through those that differ in noise only."""
        noises = sorted(noises, key=self.at)
        for i, name in enumerate(("accuracy", "found")):
            rate = getattr(outcome, name)
            self.lines[i].set_data([self.at(o) for o in noises], [float(getattr(o, name)) for o in noises])
            self.here[i].set_data([self.at(outcome)], [float(rate)])
            self.bars[i].set_data([self.at(outcome)] * 2, rate.interval)
            self.titles[i].set_text(with_interval(rate))


class PrivacyBudget(Panel):
    """Sliders for noise, clip, epochs and batch; epsilon, accuracy and what a membership attack finds, at once.

    grid           {(noise_multiplier, clip, epochs, batch): (privacy_eps, accuracy, found)}, every combination
    privacy_delta  that of the epsilons
    fpr            the share of false accusations at which members were counted

    Everything was trained before: a moved slider only looks up. Raises ValueError if the grid has a hole.
    """

    def __init__(self, grid: Mapping, *, privacy_delta: float, fpr: float = 0.01):
        self.grid = {Setting(*where): Outcome(*what) for where, what in grid.items()}
        values = {name: sorted({getattr(s, name) for s in self.grid}) for name in Setting._fields}
        holes = 1
        for several in values.values():
            holes *= len(several)
        if holes != len(self.grid):
            raise ValueError(f"the grid has {len(self.grid)} of {holes} combinations: measure the others, too")
        self.privacy_delta = privacy_delta
        self.sliders = {
            name: ui.SelectionSlider(
                options=[(f"{value:g}", value) for value in several],
                value=several[len(several) // 2],
                description=NAMES[name],
                layout=ui.Layout(width="330px"),
                style={"description_width": "60px"},
            )
            for name, several in values.items()
        }
        self.sentence, self.picture = ui.HTML(), picture_widget()
        first, second = list(self.sliders.values())[:2], list(self.sliders.values())[2:]
        wrap = ui.Layout(flex_flow="row wrap")
        super().__init__(ui.HBox(first, layout=wrap), ui.HBox(second, layout=wrap), self.sentence, self.picture)
        self.still = Plane(self.grid, fpr)
        self.update()
        self.follow(*self.sliders.values())

    @property
    def setting(self) -> Setting:
        """The setting that the sliders describe."""
        return Setting(*(slider.value for slider in self.sliders.values()))

    def update(self) -> None:
        """Look up what the sliders ask for, and draw it."""
        setting = self.setting
        outcome = self.grid[setting]
        noises = [o for s, o in self.grid.items() if s[1:] == setting[1:]]
        self.still.show(outcome, noises)
        eps = f"{outcome.privacy_eps:.2f}" if outcome.privacy_eps < float("inf") else "infinite"
        chosen = ", ".join(
            f"{NAMES[name].lower()} {value:g}" for name, value in zip(Setting._fields, setting, strict=True)
        )
        self.still.text = (
            f"{chosen} {ARROW} epsilon {eps} at delta {self.privacy_delta:g}, accuracy {outcome.accuracy}, "
            f"members found {outcome.found}"
        )
        self.sentence.value = f"Epsilon <b>{eps}</b> at delta {self.privacy_delta:g}."
        self.draw(self.still.shot)
