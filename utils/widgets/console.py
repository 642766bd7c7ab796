"""A monitor's console: what changes, how fast and who watches; alarms, delay and false alarms move."""

from collections.abc import Callable, Mapping

import ipywidgets as ui
import torch
from torch import Tensor

from utils.evaluation import Rate
from utils.plots import BLUE, INK, RED, SOFT, house_style
from utils.records import ARROW
from utils.widgets.explorer import Stage, choice
from utils.widgets.panel import Panel, picture_widget

SMOOTH = 25  # arrivals that one point of the curve is the mean of


class Timeline(Stage):
    """Left one stream, smoothed, and its alarm; right the first alarm of every stream."""

    def __init__(self, length: int, runs: int, change: int, watched: str):
        super().__init__(7, 2.6)
        self.change, self.watched = change, watched
        with house_style():
            one, all_ = self.figure.subplots(1, 2)
            one.set(xlim=(0, length), ylim=(-0.02, 1.02), xlabel="arrivals", ylabel=f"{watched}, smoothed")
            all_.set(xlim=(0, length), ylim=(0, runs + 1), xlabel="first alarm after", ylabel="stream")
            for axes in (one, all_):
                axes.axvline(change, color=SOFT, linewidth=0.8, linestyle=":")
            (self.curve,) = one.plot([], [], color=INK, marker="")
            self.alarm = one.axvline(0, color=RED)
            self.title = one.set_title("-", loc="left", color=SOFT)
            (self.false,) = all_.plot([], [], color=RED, marker="o", markersize=3, linestyle="")
            (self.true,) = all_.plot([], [], color=BLUE, marker="o", markersize=3, linestyle="")
            all_.set_title("orange: before the change, blue: after it", loc="left", color=SOFT)
        self.moving = [self.curve, self.alarm, self.title, self.false, self.true]
        self.settle()

    def show(self, x: Tensor, alarms: Tensor, run: int, name: str) -> str:
        """Move every artist to one grid place and stream; returns what is to be said of all streams."""
        runs, length = x.shape
        smooth = x[run].unfold(0, SMOOTH, 1).mean(1)
        self.curve.set_data(range(SMOOTH, length + 1), smooth)
        self.alarm.set_xdata([alarms[run]] * 2)
        self.alarm.set_visible(bool(alarms[run] < length))
        self.title.set_text(f"stream {run + 1}" + ("" if alarms[run] < length else ": no alarm"))
        number, false, true = torch.arange(runs) + 1, alarms < self.change, (alarms >= self.change) & (alarms < length)
        for dots, which in ((self.false, false), (self.true, true)):
            dots.set_data(alarms[which], number[which])
        said = f"False alarms before the change: {Rate(int(false.sum()), runs)}. "
        said += f"Alarms after it: {Rate(int(true.sum()), runs)}"
        if true.any():
            said += f", median delay {float((alarms[true] - self.change).double().median()):.0f} arrivals"
        self.text = f"{name} {ARROW} {said}."
        return said + "."


class MonitorConsole(Panel):
    """Drift, speed, detector and stream to choose; the stream, its alarm, and the first alarm of every stream.

    streams    {drift: {speed: values}}, values (runs, length) in [0, 1], all of one shape
    detectors  {name: detect}, detect(values) -> each stream's first alarm, (runs,) int64; length where there is none
    change     the time of the change
    watched    what the values are, in words

    All alarms are found here, once: a moved control only looks up and draws.
    """

    def __init__(
        self,
        streams: Mapping[str, Mapping[str, Tensor]],
        detectors: Mapping[str, Callable[[Tensor], Tensor]],
        *,
        change: int,
        watched: str,
    ):
        shapes = {tuple(x.shape) for speeds in streams.values() for x in speeds.values()}
        if len(shapes) != 1 or not 0 < change < next(iter(shapes))[1]:
            raise ValueError(f"streams need one shape (runs, length) and a change within it, got {shapes} and {change}")
        ((runs, length),) = shapes
        self.streams = {(d, s): x.detach().cpu() for d, speeds in streams.items() for s, x in speeds.items()}
        self.alarms = {
            (drift, speed, name): detect(x).cpu()
            for drift, speeds in streams.items()
            for speed, x in speeds.items()
            for name, detect in detectors.items()
        }
        self.drift, self.detector = choice("What changes", list(streams)), choice("Who watches", list(detectors))
        self.drift.value = list(streams)[-1]
        self.speed = choice("How fast", list(next(iter(streams.values()))))
        size = {"layout": ui.Layout(width="340px"), "style": {"description_width": "75px"}}
        self.run = ui.IntSlider(value=1, min=1, max=runs, description="Stream", **size)
        self.sentence, self.picture = ui.HTML(), picture_widget()
        rows = [self.drift], [self.speed, self.detector], [self.run]
        wrap = ui.Layout(flex_flow="row wrap")
        super().__init__(*(ui.HBox(row, layout=wrap) for row in rows), self.picture, self.sentence)
        self.still = Timeline(length, runs, change, watched)
        self.update()
        self.follow(self.drift, self.speed, self.detector, self.run)

    def update(self) -> None:
        """Look up what the controls ask for, and draw it."""
        drift, speed, name = self.drift.value, self.speed.value, self.detector.value
        about = f"{drift}, {speed}, watched by {name}"
        said = self.still.show(self.streams[drift, speed], self.alarms[drift, speed, name], self.run.value - 1, about)
        self.sentence.value = said
        self.draw(self.still.shot)
