"""Predict, then look: a guess that is locked before the measurement and compared with it afterwards."""

import math
from html import escape

import ipywidgets as ui

from utils.evaluation import Rate
from utils.plots import BLUE, RED, SOFT, Picture, house_style
from utils.records import ARROW
from utils.widgets.curtain import Curtain
from utils.widgets.panel import Panel, picture_widget


def question_picture(
    question: str, unit: str, low: float, high: float, *, measured=None, guess: float | None = None
) -> Picture:
    """A question's scale from `low` to `high`, with the measured value and the guess where there are some."""
    picture = Picture(7, 0.95, question if measured is None else f"measured {ARROW} {in_words(measured, unit)}")
    with house_style():
        axes = picture.figure.subplots()
        axes.spines["left"].set_visible(False)
        axes.set(xlim=(low, high), ylim=(-1, 1), yticks=[], xlabel=f"{question} (in {unit})")
        if measured is None:
            hint = "to be guessed in a running notebook"
            axes.text(0.5, 0.5, hint, transform=axes.transAxes, color=SOFT, ha="center", va="center")
        else:
            value, bounds = in_unit(measured, unit)
            axes.set_xlim(min(low, bounds[0]), max(high, bounds[1]))
            axes.plot(bounds, [0, 0], color=BLUE, alpha=0.4, linewidth=7, marker="", solid_capstyle="butt")
            axes.plot(value, 0, color=BLUE, marker="o", markersize=7, clip_on=False)
            place = (value - low) / (high - low)
            side = "left" if place < 0.2 else "right" if place > 0.8 else "center"
            name = f"measured: {in_words(measured, unit)}"
            axes.annotate(name, (value, 0), (0, 7), color=BLUE, ha=side, textcoords="offset points")
        if guess is not None:
            axes.plot([guess, value], [0, 0], color=RED, marker="", linestyle=":", zorder=0)
            axes.plot(guess, 0, color=RED, marker="D", markersize=6, clip_on=False)
            axes.annotate("you", (guess, 0), (0, -14), color=RED, ha="center", textcoords="offset points")
    return picture


def in_unit(measured: Rate | float, unit: str) -> tuple[float, tuple[float, float]]:
    """A measured value and its interval, on the question's scale; without an interval, the value twice."""
    factor, value = (100 if unit == "%" else 1), float(measured)
    low, high = getattr(measured, "interval", (value, value))
    return factor * value, (factor * low, factor * high)


def in_words(measured: Rate | float, unit: str) -> str:
    """A Rate as it prints, or else a number with its unit."""
    return str(measured) if isinstance(measured, Rate) else f"{in_unit(measured, unit)[0]:.4g} {unit}"


def how_close(guess: float, measured: Rate | float, unit: str) -> str:
    """`You said 60 %; measured 103/397 = 26 % [22, 30]: 34 points too high.`"""
    value, (low, high) = in_unit(measured, unit)
    if low <= guess <= high:
        gap = "right, as far as this measurement can tell"
    else:
        size = f"{abs(guess - value):.0f} points" if unit == "%" else f"{abs(guess - value):.3g} {unit}"
        gap = f"{size} too {'high' if guess > value else 'low'}"
    return f"You said {guess:g} {unit}; measured {in_words(measured, unit)}: {gap}."


class Prediction(Panel):
    """A question, a slider and a lock; `guess` is None until the learner has locked it. Made by `ask`.

    Until then, or until the learner asks to see them without a guess, the outputs of the cells up to `reveal` are kept
    back, so that "Run All" gives nothing away.
    """

    def __init__(self, question: str, unit: str, low: float, high: float):
        self.question, self.unit, self.low, self.high = question, unit, low, high
        self.guess: float | None = None
        self.reveals: list[Reveal] = []
        step = (high - low) / 100
        self.slider = ui.FloatSlider(
            value=low + 50 * step,
            min=low,
            max=high,
            step=step,
            readout_format=".0f" if step >= 1 else f".{math.ceil(-math.log10(step))}f",
            description=f"Your guess, in {unit}",
            style={"description_width": "initial"},
            layout=ui.Layout(width="480px", max_width="100%"),
        )
        self.button = ui.Button(description="Lock", tooltip="Lock the guess: it cannot be changed afterwards")
        self.skip = ui.Button(description="Show without a guess", layout=ui.Layout(width="auto"))
        row = ui.HBox([self.slider, self.button, self.skip], layout=ui.Layout(flex_flow="row wrap"))
        super().__init__(ui.HTML(f"<b>{escape(question)}</b>"), row)
        self.button.on_click(self.guarded(self.lock))
        self.skip.on_click(self.guarded(self.show))
        self.curtain = Curtain()
        self.still = question_picture(question, unit, low, high)

    def guesses(self) -> list[float]:
        """All that the slider can say."""
        return [self.low + i * self.slider.step for i in range(101)]

    def every(self) -> dict:
        places = int(self.slider.readout_format[1:-1])
        options = [f"{guess:.{places}f}" for guess in self.guesses()]
        slider = {"label": self.slider.description, "kind": "slider", "options": options, "start": 50}
        return {"question": self.question, "guess": slider}

    def lock(self) -> None:
        """Keep the slider's value as the guess, for good, and show it in every `reveal`."""
        if self.guess is None:
            self.guess = self.slider.value
            self.slider.disabled = self.button.disabled = True
            self.button.description = "Locked"
        self.show()

    def show(self) -> None:
        """Show what was kept back, with a guess or without."""
        self.skip.disabled = True
        self.curtain.open()
        for reveal in self.reveals:
            reveal.update()

    def reveal(self, measured: Rate | float) -> "Reveal":
        """The guess beside the measured value: a Rate or a share for the unit "%", else a number in the unit.

        Until the guess is locked, nothing is given away; the panel opens by itself then.
        """
        self.reveals.append(Reveal(self, measured))
        self.curtain.last(self.reveals[-1].view.model_id)
        return self.reveals[-1]


class Reveal(Panel):
    """A guess against the measured value. Made by `Prediction.reveal`."""

    def __init__(self, prediction: Prediction, measured: Rate | float):
        self.prediction, self.measured = prediction, measured
        self.sentence = ui.HTML("<i>Lock a prediction above to compare.</i>")
        self.picture = picture_widget()
        super().__init__(self.sentence)
        self.update()

    def every(self) -> dict:
        p = self.prediction
        return {"said": [self.said(round(guess, 10)) for guess in p.guesses()], "unsaid": self.said(None)}

    def said(self, guess: float | None) -> str:
        """The sentence for a guess, or for a learner who made none."""
        unit = self.prediction.unit
        return f"Measured: {in_words(self.measured, unit)}." if guess is None else how_close(guess, self.measured, unit)

    def update(self) -> None:
        p = self.prediction
        self.still = question_picture(p.question, p.unit, p.low, p.high, measured=self.measured, guess=p.guess)
        if p.guess is not None or p.curtain.is_open:
            self.sentence.value = escape(self.said(p.guess))
            self.draw(self.still.png)
            self.open(self.picture)


def ask(question: str, unit: str = "%", low: float = 0, high: float = 100) -> Prediction:
    """Ask for a guess before the measurement, to be locked by the learner and compared later.

    guess = ask("What accuracy is left after one step?")   # as one cell's last line: the slider
    guess.reveal(rate)                                         # as a later cell's last line: the comparison
    """
    return Prediction(question, unit, low, high)
