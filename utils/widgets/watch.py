"""A defended model against a monitored one: what harm each lets through, for every incident and share of traffic."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

import ipywidgets as ui
import torch
from torch import Tensor

from utils.duel import ahead, points
from utils.evaluation import Rate
from utils.plots import BLUE, INK, LIGHT, RED, SOFT, Picture, house_style, percent_axis
from utils.records import ARROW
from utils.widgets.duel import NEITHER
from utils.widgets.explorer import Stage, choice
from utils.widgets.panel import Panel, picture_widget

SIDES = ("neither", "defended", "monitored")
SMOOTH = 50  # arrivals that one point of a timeline is the mean of


class Case(NamedTuple):
    """One incident at one share of traffic, in many streams.

    event  (runs, length) int64: which of the incident's examples each arrival is, -1 for a usual arrival
    harm   {side: (runs, length) bool}: which arrivals do harm, for each of `SIDES`
    """

    event: Tensor
    harm: dict[str, Tensor]

    def left(self, side: str) -> Rate:
        """Of all arrivals of the incident, how many do harm.

        Counted out of as many as there are *different* examples: one that arrives twice is no second measurement.
        """
        arrived = self.event >= 0
        n = len(self.event[arrived].unique())
        return Rate(round(float(self.harm[side].sum() / arrived.sum()) * n), n)


def less_harm(case: Case) -> str:
    """Which of the two lets less harm through, in words from the numbers."""
    defended, monitored = case.left("defended"), case.left("monitored")
    lead = ahead(monitored, defended)  # less harm is better
    if not lead:
        return f"no difference that {defended.n} examples can show"
    return f"{SIDES[1] if lead > 0 else SIDES[2]}, by at least {points(abs(lead))} less harm"


class Balance(Stage):
    """Left the harm that has added up so far; right what is left of it in the end, with its interval."""

    def __init__(self, change: int, length: int):
        super().__init__(7, 2.5)
        self.change, rows = change, range(len(SIDES))
        with house_style():
            course, end = self.figure.subplots(1, 2, width_ratios=(1.1, 1))
            course.set(xlim=(0, length - change), xlabel="arrivals after the change", ylabel="harm, of all that can be")
            percent_axis(course.yaxis)
            percent_axis(end.xaxis)
            end.set(ylim=(len(SIDES) - 0.4, -0.6), xlabel="arrivals of the incident that do harm")
            end.set_yticks(rows, SIDES)
            end.tick_params(axis="y", length=0)
            colors = (SOFT, BLUE, RED)
            self.lines = [
                course.plot([], [], color=c, marker="", label=s)[0] for c, s in zip(colors, SIDES, strict=True)
            ]
            course.legend(loc="upper left", fontsize=8)
            self.bars = [
                end.barh(row, 0.5, height=0.6, color=c, alpha=0.6)[0] for row, c in zip(rows, colors, strict=True)
            ]
            self.title = course.set_title("what happens", loc="left")
            self.count = end.set_title("n", loc="left")
            self.ends = [end.plot([0, 0], [row, row], color=INK, marker="|", linewidth=1.2)[0] for row in rows]
        self.moving = [*self.lines, *self.bars, *self.ends, self.title, self.count]
        self.settle()

    def show(self, case: Case, name: str) -> str:
        """Move every artist to one case; returns the verdict."""
        all_ = int((case.event >= 0).sum())
        for side, line, bar, end in zip(SIDES, self.lines, self.bars, self.ends, strict=True):
            rate = case.left(side)
            so_far = case.harm[side][:, self.change :].sum(0).cumsum(0) / all_
            line.set_data(range(1, len(so_far) + 1), so_far)
            bar.set_width(float(rate))
            end.set_xdata(rate.interval)
        self.title.set_text(name)
        self.count.set_text(f"of {case.left(SIDES[0]).n:,} different ones")
        said = less_harm(case)
        self.text = f"{name} {ARROW} {said}.\n" + "\n".join(f"harm, {side} {ARROW} {case.left(side)}" for side in SIDES)
        return said


class Watch(Panel):
    """Security against monitoring, head to head: incident and share of traffic to choose; a guess, then the verdict.

    cases   {incident: {share as shown: Case}}, all streams of one length, the same shares for each incident
    change  the time of the change

    Nothing is computed here but sums: a moved control looks up and draws. Nothing is shown until the learner has said
    which of the two lets less harm through; `still`, for pages without a kernel, shows the first case.
    """

    def __init__(self, cases: Mapping[str, Mapping[str, Case]], *, change: int):
        shapes = {tuple(case.event.shape) for row in cases.values() for case in row.values()}
        shares = {tuple(row) for row in cases.values()}
        if len(shapes) != 1 or len(shares) != 1 or not 0 < change < next(iter(shapes))[1]:
            raise ValueError(
                f"Watch needs streams of one shape, the same shares for each, a change within: got {shapes}"
            )
        self.cases, self.guess = cases, None
        ((_, length),), (shares,) = shapes, shares
        self.incident = choice("What happens", list(cases))
        self.share = ui.SelectionSlider(
            options=shares,
            index=len(shares) // 2,
            description="Share of traffic",
            layout=ui.Layout(width="380px"),
            style={"description_width": "110px"},
        )
        self.pick = choice("Less harm with", ["defended", "monitored", NEITHER])
        self.button = ui.Button(description="Lock", tooltip="Lock the guess: it cannot be changed afterwards")
        self.sentence = ui.HTML("<i>Choose an incident and a share, say who lets less harm through, and lock it.</i>")
        self.picture, wrap = picture_widget(), ui.Layout(flex_flow="row wrap")
        rows = [self.incident], [self.share], [self.pick, self.button]
        super().__init__(*(ui.HBox(row, layout=wrap) for row in rows), self.sentence)
        self.still = Balance(change, length)
        self.update()
        self.follow(self.incident, self.share)
        self.button.on_click(self.guarded(self.lock))

    def lock(self) -> None:
        """Keep the guess for good, for the case of now, and open the picture."""
        if self.guess is None:
            self.guess = self.pick.value
            self.pick.disabled = self.button.disabled = True
            self.button.description = "Locked"
            self.open(self.picture)
        self.update()
        self.sentence.value = f"You said “{escape(self.guess)}” for this case. {self.sentence.value}"

    def update(self) -> None:
        """Look up what the controls ask for, and draw it."""
        incident, share = self.incident.value, self.share.value
        said = self.still.show(self.cases[incident][share], f"{incident}, {share} of the traffic")
        if self.guess is not None:
            self.sentence.value = f"Measured: <b>{escape(said)}</b>."
            self.draw(self.still.shot)


def timeline(
    signals: Mapping[str, Tensor], alarms: Sequence[int], truth: Sequence[tuple[str, int, int]] = ()
) -> Picture:
    """One stream: each signal smoothed, in a row of its own; upright lines are alarms, grey ground is what happened.

    signals  {name: (length,)}
    alarms   their times
    truth    (name, begin, end) of each incident; without it nothing is told
    """
    length = len(next(iter(signals.values())))
    text = f"a stream of {length} arrivals" + "".join(f"; {name} from {begin} to {end}" for name, begin, end in truth)
    text += f"\nalarms at {ARROW} {', '.join(map(str, alarms)) or 'no time'}"
    picture = Picture(7, min(0.7 + 0.4 * len(signals), 3), text)
    with house_style():
        rows = picture.figure.subplots(len(signals), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (name, values) in zip(rows, signals.items(), strict=True):
            smooth = torch.as_tensor(values).double().unfold(0, SMOOTH, SMOOTH // 5).mean(1)
            for _, begin, end in truth:
                axes.axvspan(begin, end, color=LIGHT, linewidth=0)
            axes.plot(range(SMOOTH, length + 1, SMOOTH // 5), smooth, color=BLUE, marker="", linewidth=1)
            for time in alarms:
                axes.axvline(time, color=RED, linewidth=0.8)
            axes.set_ylabel(name, rotation=0, ha="right", va="center", labelpad=16)
            top = float(smooth.max())
            axes.set(xlim=(0, length), ylim=(-0.05 * top, 1.05 * top or 1))
            axes.set_yticks([0, top], ["0", f"{top:.2g}"], fontsize=7)
        for name, begin, end in truth:
            rows[0].text(
                (begin + end) / 2, 1.04, name, ha="center", transform=rows[0].get_xaxis_transform(), fontsize=8
            )
        rows[-1].set_xlabel("arrivals")
    return picture
