"""A poisoned training set to play with: how many poisons, how large a trigger, and who would have noticed."""

from collections.abc import Mapping

import ipywidgets as ui
from torch import Tensor

from utils.evaluation import Rate
from utils.plots import BLUE, house_style, percent_axis, pixels, show_image
from utils.records import ARROW
from utils.widgets.explorer import Stage
from utils.widgets.panel import Panel, picture_widget


class PoisonExplorer(Panel):
    """Rate and size to choose; the poison and the measured rates move along. Nothing is trained here.

    measured  {(size, rate): {name: Rate}}, the same names for all sizes and rates
    poisons   {size: image (C, H, W) in [0, 1]}, with a trigger of that size
    """

    def __init__(self, measured: Mapping[tuple[int, float], Mapping[str, Rate]], poisons: Mapping[int, Tensor]):
        self.measured, self.poisons = measured, poisons
        size, rate = (sorted(set(numbers)) for numbers in zip(*measured, strict=True))
        names = list(next(iter(measured.values())))
        look = {"layout": ui.Layout(width="340px"), "style": {"description_width": "110px"}}
        of_rate = [(f"{100 * r:g} %", r) for r in rate]
        self.rate = ui.SelectionSlider(options=of_rate, value=rate[-1], description="Rate of poisons", **look)
        self.size = ui.SelectionSlider(options=size, description="Size of trigger", **look)
        self.picture = picture_widget()
        rows = ui.HBox([self.rate, self.size], layout=ui.Layout(flex_flow="row wrap"))
        super().__init__(rows, self.picture)

        self.still = stage = Stage(7, 1.5)
        with house_style():
            image, bars = stage.figure.subplots(1, 2, width_ratios=(1, 4))
            self.image = show_image(image, poisons[size[0]])
            self.bars = bars.barh(range(len(names)), [0.0] * len(names), height=0.62, color=BLUE, alpha=0.55)
            self.texts = [bars.text(1.04, row, "", va="center") for row in range(len(names))]
            percent_axis(bars.xaxis)
            bars.set_yticks(range(len(names)), names)
            bars.set(ylim=(len(names) - 0.4, -0.6))
            bars.tick_params(axis="y", length=0)
            bars.spines["left"].set_visible(False)
            room = bars.text(1.04, 0, str(Rate(9999, 10_000)), alpha=0)  # the widest that a rate can be
        stage.moving = [self.image, *self.bars, *self.texts]
        stage.settle()
        room.remove()
        self.update()
        self.follow(self.rate, self.size)

    def update(self) -> None:
        """Look up what the controls ask for, and draw it."""
        now = self.measured[self.size.value, self.rate.value]
        self.image.set_data(pixels(self.poisons[self.size.value]))
        for bar, text, rate in zip(self.bars, self.texts, now.values(), strict=True):
            bar.set_width(float(rate))
            text.set_text(str(rate))
        told = ", ".join(f"{name} {rate}" for name, rate in now.items())
        self.still.text = f"rate {self.rate.value:g}, trigger {self.size.value} x {self.size.value} {ARROW} {told}"
        self.draw(self.still.shot)
