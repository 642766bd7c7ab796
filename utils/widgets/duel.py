"""Any two defenses under a threat model that the learner chooses."""

from html import escape

import ipywidgets as ui
from torch import nn

from utils.data import Dataset
from utils.duel import KNOWS, SHARES, Defense, Side, Threat, budgets, measure, who_is_ahead
from utils.plots import BLUE, INK, RED, SOFT, house_style, percent_axis, with_interval
from utils.records import ARROW
from utils.widgets.explorer import NORMS, Stage, choice
from utils.widgets.panel import Panel, picture_widget

NEITHER = "no clear difference"
AT_EPS = "at eps"  # the one of the dotted line
ROWS = ("unattacked", f"left {AT_EPS}", f"proved {AT_EPS}", "training", "one answer")


class Ring(Stage):
    """The duel's picture in one norm: accuracy against the budget for both sides, and a table of what each costs."""

    def __init__(self, names: tuple[str, str], norm: str, eps: list[float], images: int):
        super().__init__(7, 2.9)
        self.names, self.eps, places, empty = names, eps, range(len(eps)), [0.0] * len(eps)
        with house_style():
            curve, table = self.figure.subplots(1, 2, width_ratios=(1, 1))
            percent_axis(curve.yaxis)
            curve.set(
                xlim=(-0.15, len(eps) - 0.85), ylabel=f"accuracy, n = {images}", xlabel=f"budget eps ({NORMS[norm]})"
            )
            curve.set_xticks(places, [f"{e:.3g}" for e in eps])
            self.title = curve.set_title("-", loc="left", color=SOFT)
            self.bands = [curve.fill([0, 1, 2], [0, 0, 0], color=c, alpha=0.18, linewidth=0)[0] for c in (BLUE, RED)]
            marks = zip((BLUE, RED), "os", names, strict=True)
            self.lines = [curve.plot(places, empty, color=c, marker=m, label=name)[0] for c, m, name in marks]
            self.here = curve.axvline(0, color=SOFT, linewidth=0.8, linestyle=":")
            table.set_axis_off()
            for row, name in enumerate(ROWS):
                table.text(0, 0.72 - 0.18 * row, name, color=SOFT, va="center", transform=table.transAxes)
            columns = list(zip((0.62, 1.02), (BLUE, RED), names, strict=True))
            for place, color, name in columns:
                short = name.replace(" ", "\n", 1)
                table.text(place, 1.02, short, color=color, ha="right", va="top", transform=table.transAxes)
            self.cells = [
                [
                    table.text(x, 0.72 - 0.18 * row, "", color=INK, ha="right", va="center", transform=table.transAxes)
                    for x, *_ in columns
                ]
                for row in range(len(ROWS))
            ]
        follows = [AT_EPS in name for name in ROWS]
        self.moving = [self.here, *(cell for row, yes in zip(self.cells, follows, strict=True) if yes for cell in row)]
        self.held = [*self.bands, *self.lines, self.title]
        self.held += [cell for row, yes in zip(self.cells, follows, strict=True) if not yes for cell in row]
        self.shown: tuple[Threat, bool] | None = None
        self.settle()

    def show(self, sides: tuple[Side, Side], threat: Threat, certificate: bool, at: int) -> str:
        """Move every artist to one threat model; returns the verdict."""
        curves = [side.left(threat, certificate=certificate) for side in sides]
        for line, band, rates in zip(self.lines, self.bands, curves, strict=True):
            low, high = zip(*(rate.interval for rate in rates), strict=True)
            band.set_xy([*enumerate(low), *reversed([*enumerate(high)])])
            line.set_ydata([float(rate) for rate in rates])
        self.here.set_xdata([at, at])
        self.title.set_text("proved, whatever the attack" if certificate else f"left by {attacker_in_words(threat)}")
        table = [self.column(side, threat, at) for side in sides]
        for row, texts in zip(self.cells, zip(*table, strict=True), strict=True):
            for cell, text in zip(row, texts, strict=True):
                cell.set_text(text)
        if self.shown != (threat, certificate):
            self.hold()
            self.shown = threat, certificate
        said = who_is_ahead(self.names, *curves, self.eps, at)
        lines = (f"{name} {ARROW} {a} against {b}" for name, a, b in zip(ROWS, *table, strict=True))
        self.text = "\n".join(
            [f"{' against '.join(self.names)}, {NORMS[threat.norm]} eps {self.eps[at]:.2g} {ARROW} {said}", *lines]
        )
        return said

    def column(self, side: Side, threat: Threat, at: int) -> list[str]:
        """The table's texts for one side."""

        left, proved = side.left(threat), side.left(threat, certificate=True)
        training = side.defense.training
        return [
            with_interval(left[0]),
            with_interval(left[at]),
            with_interval(proved[at]) if side.defense.certified else "no proof",
            "not stated" if training is None else f"{training:.1f} s",
            f"{side.answer_ms:.2g} ms" if side.answer_ms < 100 else f"{side.answer_ms:.0f} ms",
        ]


def attacker_in_words(threat: Threat) -> str:
    """The attacker of a threat model, in three words."""
    if threat.knows == "weights":
        return "an adapted white-box attack" if threat.adapts else "PGD on the model as it is"
    return f"attacks that see {threat.knows} only"


class Duel(Panel):
    """Two defenses, head to head: norm, attacker, certificate and budget to choose; a guess to lock, then the verdict.

    a, b       the two `Defense`s (name, model, and optionally stand-in, certificate and seconds of training)
    data       where the images and the customary budget come from
    surrogate  a model of the attacker's own, for attacks that see labels only
    images     how many test images both are measured on
    queries    calls for each image of the attacks that see scores or labels only
    norms      the balls to measure

    Every attack at every budget is run here, once; a moved control only looks up and draws. Nothing is shown until the
    learner has said who is ahead; `still`, for pages without a kernel, shows the adapted white-box attack.
    """

    def __init__(
        self,
        a: Defense,
        b: Defense,
        data: Dataset,
        *,
        surrogate: nn.Module | None = None,
        images: int = 200,
        queries: int = 200,
        norms: tuple[str, ...] = ("linf", "l2"),
    ):
        sample, self.names = data.test.take(images), (a.name, b.name)
        how = {"eps": data.eps, "norms": norms, "surrogate": surrogate, "queries": queries}
        self.sides = tuple(measure(defense, sample, **how) for defense in (a, b))
        self.eps = budgets(data.eps, sample[0][0].numel())
        self.rings = {norm: Ring(self.names, norm, self.eps[norm], len(sample[1])) for norm in norms}
        self.guess: str | None = None

        self.norm = choice("Norm", [(NORMS[norm], norm) for norm in norms])
        knows = [name for name in KNOWS if name != "labels" or surrogate is not None or "linf" in norms]
        self.knows = choice("The attacker sees the", knows)
        self.adapts = choice("and adapts", [("yes", True), ("no", False)])
        self.certificate = choice("I need a proof", [("no", False), ("yes", True)])
        self.budget = ui.SelectionSlider(
            options=range(len(self.eps[norms[0]])),
            index=SHARES.index(1),
            description="Budget eps",
            layout=ui.Layout(width="340px"),
            style={"description_width": "75px"},
        )
        self.pick = choice("Who is ahead here?", [*self.names, NEITHER])
        self.button = ui.Button(description="Lock", tooltip="Lock the guess: it cannot be changed afterwards")
        self.sentence = ui.HTML("<i>Choose a threat model, say who is ahead, and lock it.</i>")
        self.picture = picture_widget()
        wrap = ui.Layout(flex_flow="row wrap")
        rows = [self.norm, self.knows, self.adapts], [self.certificate, self.budget], [self.pick, self.button]
        super().__init__(*(ui.HBox(row, layout=wrap) for row in rows), self.sentence)
        self.update()
        self.follow(self.norm, self.knows, self.adapts, self.certificate, self.budget)
        self.button.on_click(self.guarded(self.lock))

    @property
    def threat(self) -> Threat:
        """The threat model that the controls describe."""
        return Threat(self.norm.value, self.knows.value, self.adapts.value)

    def lock(self) -> None:
        """Keep the guess for good, for the threat model of now, and open the picture."""
        if self.guess is None:
            self.guess = self.pick.value
            self.pick.disabled = self.button.disabled = True
            self.button.description = "Locked"
            self.open(self.picture)
        self.update()
        self.said = f"You said “{self.guess}” for this threat model. "
        self.sentence.value = f"{escape(self.said)}{self.sentence.value}"

    def update(self) -> None:
        """Look up what the controls ask for, and draw it."""
        threat, at = self.threat, self.budget.index
        self.adapts.disabled = threat.knows != "weights" or self.certificate.value
        self.knows.disabled = self.certificate.value
        if threat.norm != self.shown_norm:
            with self.budget.hold_sync():
                self.budget.options, self.budget.index = [f"{e:.2g}" for e in self.eps[threat.norm]], at
        self.still, self.shown_norm = self.rings[threat.norm], threat.norm
        said = self.still.show(self.sides, threat, self.certificate.value, at)
        if self.guess is not None:
            self.sentence.value = f"Measured: <b>{escape(said)}</b>."
            self.draw(self.still.shot)

    shown_norm: str | None = None
