"""All defenses under a threat model and budgets of the learner's choice, and which one the numbers choose."""

import math
from collections.abc import Mapping
from html import escape

import ipywidgets as ui

from utils.choice import Needs, Offer, choose, over, reached
from utils.duel import KNOWS, SHARES, Threat
from utils.plots import BLUE, INK, LIGHT, RED, SOFT, house_style, percent_axis
from utils.records import ARROW
from utils.widgets.explorer import NORMS, Stage, choice
from utils.widgets.panel import Panel, picture_widget

GOALS = {"accuracy left": "left", "a proof": "proved", "nobody attacks": "accuracy"}
ANY = ("any", math.inf)
LONGEST = "an answer costs 1100 times as much"  # of what stands beside a bar: the picture leaves room for it


class Board(Stage):
    """A bar and an interval for each offer; grey where it breaks a budget, and red for the choice."""

    def __init__(self, names: list[str]):
        super().__init__(7, min(0.75 + 0.3 * len(names), 3))
        with house_style():
            axes = self.figure.subplots()
            percent_axis(axes.xaxis)
            axes.set_yticks(range(len(names)), names)
            axes.set(ylim=(len(names) - 0.4, -0.6), xlabel="of the images: left, proved or right, as the client wants")
            axes.tick_params(axis="y", length=0)
            axes.spines["left"].set_visible(False)
            self.bars = axes.barh(range(len(names)), [0] * len(names), height=0.62, alpha=0.55)
            self.spans = [axes.plot([0, 0], [row, row], color=INK, marker="|")[0] for row in range(len(names))]
            self.texts = [axes.text(1.04, row, LONGEST, va="center") for row in range(len(names))]
        self.moving = [*self.bars, *self.spans, *self.texts]
        self.settle()

    def show(self, offers: Mapping[str, Offer], needs: Needs) -> list[str]:
        """Move every artist to one client's needs; returns the names that are level, the choice first."""
        level = choose(offers, needs)
        for (name, offer), bar, span, text in zip(offers.items(), self.bars, self.spans, self.texts, strict=True):
            rate, why = reached(offer, needs), over(offer, needs)
            bar.set_width(float(rate))
            bar.set_color(LIGHT if why else RED if name in level[:1] else BLUE)
            span.set_xdata(rate.interval)
            text.set_text(why or str(rate))
            text.set_color(SOFT if why else INK)
        return level


class ChoiceBoard(Panel):
    """Attacker, goal and budgets to choose; every defense's result, those over budget in grey, and the choice in red.

    offers  {name: Offer}, all measured on the same inputs in both norms
    """

    def __init__(self, offers: Mapping[str, Offer]):
        self.offers = dict(offers)
        norms = list(dict.fromkeys(norm for offer in self.offers.values() for norm, _ in offer.side.stood))
        self.norm = choice("Norm", [(NORMS[norm], norm) for norm in norms])
        self.knows = choice("The attacker sees the", list(KNOWS))
        self.goal = choice("I want", list(GOALS.items()))
        self.budget = self.slider("Attack", [(f"{share:g} × usual", i) for i, share in enumerate(SHARES)], 2)
        self.accuracy = self.slider("Accuracy", [(f"≥ {a} %", a / 100) for a in (0, 80, 90, 95, 97)], 0)
        self.training = self.slider("Training", [(f"≤ {k} ×", k) for k in (1, 2, 5, 10)] + [ANY], 4)
        self.answer = self.slider("Answer", [(f"≤ {k} ×", k) for k in (1, 2, 10)] + [ANY], 3)
        self.privacy = self.slider("Epsilon", [(f"≤ {e}", e) for e in (1, 5, 10, 20)] + [ANY], 4)
        self.sentence, self.picture = ui.HTML(), picture_widget()
        sliders = [self.budget, self.accuracy, self.training, self.answer, self.privacy]
        wrap = ui.Layout(flex_flow="row wrap")
        rows = [self.goal, self.norm, self.knows], sliders[:2], sliders[2:4], sliders[4:]
        super().__init__(*(ui.HBox(row, layout=wrap) for row in rows), self.picture, self.sentence)
        self.still = Board(list(self.offers))
        self.update()
        self.follow(self.goal, self.norm, self.knows, *sliders)
        limits = {self.accuracy: [0, 3], self.training: [1, 4], self.answer: [1, 3], self.privacy: [2, 4]}
        self.controls |= limits  # every setting of all would be 36,000

    @staticmethod
    def slider(name: str, options: list, index: int) -> ui.SelectionSlider:
        size = {"layout": ui.Layout(width="330px"), "style": {"description_width": "75px"}}
        return ui.SelectionSlider(options=options, index=index, description=name, **size)

    @property
    def needs(self) -> Needs:
        """The needs that the controls describe."""
        return Needs(
            Threat(self.norm.value, self.knows.value),
            self.goal.value,
            self.budget.value,
            self.accuracy.value,
            self.training.value,
            self.answer.value,
            self.privacy.value,
        )

    def update(self) -> None:
        """Look up what the controls ask for, and draw it."""
        nobody = self.goal.value == "accuracy"
        self.knows.disabled = self.goal.value != "left"
        self.norm.disabled = self.budget.disabled = nobody
        level = self.still.show(self.offers, self.needs)
        if not level:
            said = "Nothing that was built fits these needs."
        else:
            best = reached(self.offers[level[0]], self.needs)
            said = f"{level[0]}: {best}."
            if len(level) > 1:
                said += f" Not clearly worse, and no cheaper: {', '.join(level[1:])}."
        self.still.text = f"fits {ARROW} {said}"
        self.sentence.value = escape(said)
        self.draw(self.still.shot)
