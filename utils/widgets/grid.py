"""What a widget shows at each of its settings, as drawings: a page without a kernel looks them up (`make site`)."""

import io
import itertools
import re
from collections.abc import Callable
from typing import Any, NotRequired, TypedDict

import ipywidgets as ui
from matplotlib import rc_context
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.image import AxesImage

from utils.plots import house_style

INCH = 72  # in points, which SVG and matplotlib's letters are counted in
TAG, DEFINED = re.compile(r"<[^>]+>"), re.compile(r"(?s)<defs>.*?</defs>\n?")
NAME, LONG_NUMBER = re.compile(r' id="[^"]*"'), re.compile(r"-?\d+\.\d{4,}")


class Control(TypedDict):
    """What a reader moves: a list of labels to choose from, or a slider where they stand in order."""

    label: str
    kind: str  # "choice" or "slider"
    options: list[str]
    start: int  # index of the option at first


class State(TypedDict):
    """What is shown at one setting."""

    parts: list[int]  # indices of the grid's parts, from the ground up
    words: str
    off: list[int]  # the controls that do not apply
    labels: list[str]  # each control's value, as the widget shows it


class Grid(TypedDict):
    """A widget at every setting. Setting (i, j, k) of controls with (I, J, K) options is number (i * J + j) * K + k."""

    controls: list[Control]
    guess: NotRequired[Control]  # to be locked before anything is shown
    thinned: bool  # some sliders have fewer steps than the widget
    size: list[float]  # width and height of the drawing
    shared: str  # SVG that the parts refer to
    parts: list[str]  # SVG
    states: list[State]
    at: list[int]  # for each setting, the index of its state


class Pen:
    """Draws stages as SVG, in parts: what stands still, and each artist that moves. Equal parts are kept once."""

    def __init__(self, width: float, height: float):
        self.out = io.StringIO()
        self.shared, self.parts, self.grounds = set(), {}, {}
        self.renderer = RendererSVG(INCH * width, INCH * height, self.out, image_dpi=INCH)
        self.out.seek(0)
        self.out.truncate()  # a file's head

    def written(self, draw: Callable, *what) -> str:
        """The SVG that a call adds, with short numbers and no names, which would differ from part to part.

        Definitions are taken out and collected, for other parts refer to them.
        """
        draw(*what)
        text = self.out.getvalue()
        self.out.seek(0)
        self.out.truncate()
        self.shared.update(DEFINED.findall(text))
        text = re.sub(r"<!--.*?-->", "", DEFINED.sub("", text))
        text = TAG.sub(lambda tag: LONG_NUMBER.sub(shorter, NAME.sub("", tag[0])), text)
        return re.sub(r"\s*\n\s*", "\n", text).strip()

    def part(self, artist) -> int:
        """The index of the part that an artist, or a whole figure, is now."""
        return self.parts.setdefault(self.written(artist.draw, self.renderer), len(self.parts))

    def drawn(self, stage) -> list[int]:
        """The parts of a stage as it is now."""
        dpi, stage.figure.dpi = stage.figure.dpi, INCH
        images = [artist for artist in stage.moving if isinstance(artist, AxesImage)]
        for image in images:
            image.set_interpolation("none")  # or it is enlarged before it is written
        if stage.still not in self.grounds:  # a new one whenever axes, ticks or titles have changed
            self.grounds[stage.still] = self.part(stage.figure)
        parts = [self.grounds[stage.still], *map(self.part, stage.held + stage.moving)]
        for image in images:
            image.set_interpolation("nearest")
        stage.figure.dpi = dpi
        return parts

    def definitions(self) -> str:
        """What the parts refer to. No more can be drawn then."""
        self.written(self.renderer.finalize)
        return "".join(sorted(self.shared))


def shorter(number: re.Match) -> str:
    """A number of an SVG with as many decimals as can be seen: one of a coordinate, three of what is small."""
    value = float(number[0])
    return f"{value:.1f}" if value > 10 else f"{value:.3f}"


def options(control: ui.Widget) -> list[tuple[str, Any]]:
    """A control's (label, value) pairs."""
    if isinstance(control, ui.IntSlider):
        return [(str(value), value) for value in range(control.min, control.max + 1)]
    return [(str(o[0]), o[1]) if isinstance(o, tuple) else (str(o), o) for o in control.options]


def place_chosen(control: ui.Widget) -> int:
    """Of the option that is chosen."""
    return [value for _, value in options(control)].index(control.value)


def as_control(control: ui.Widget, kept: list[int]) -> Control:
    pairs = options(control)
    return {
        "label": control.description,
        "kind": "slider" if isinstance(control, (ui.IntSlider, ui.SelectionSlider)) else "choice",
        "options": [pairs[i][0] for i in kept],
        "start": kept.index(place_chosen(control)),
    }


def label_of(control: ui.Widget) -> str:
    return options(control)[place_chosen(control)][0]


def set_to(control: ui.Widget, index: int) -> None:
    """Choose an option by its place: its label may differ from setting to setting."""
    if isinstance(control, ui.IntSlider):
        control.value = control.min + index
    else:
        control.index = index


def grid(panel) -> Grid:
    """Ask a panel for all that it shows: its controls are moved to every setting, and put back.

    panel.controls  {widget: which of its options a page offers, None: all}; one that switches others off comes first
    """
    kept = {c: list(range(len(options(c)))) if some is None else some for c, some in panel.controls.items()}
    start = list(map(place_chosen, kept))
    found: Grid = {
        "controls": [as_control(control, some) for control, some in kept.items()],
        "thinned": any(some is not None for some in panel.controls.values()),
        "size": [INCH * float(inches) for inches in panel.still.figure.get_size_inches()],
        "states": [],
        "at": [],
    }
    if pick := getattr(panel, "pick", None):
        found["guess"] = as_control(pick, list(range(len(options(pick)))))
    pen, seen = Pen(*panel.still.figure.get_size_inches()), {}
    draw, panel.draw, panel.busy = panel.draw, lambda png: None, True  # the words and drawings are enough
    with house_style(), rc_context({"svg.fonttype": "none", "svg.hashsalt": "grid"}):
        for places in itertools.product(*map(range, map(len, kept.values()))):
            for control, some, place in zip(kept, kept.values(), places, strict=True):
                set_to(control, some[place])
            panel.update()
            off = [i for i, control in enumerate(kept) if control.disabled]
            labels, words = [label_of(control) for control in kept], panel.still.text
            state = {"parts": pen.drawn(panel.still), "words": words, "off": off, "labels": labels}
            key = repr(state)  # one that is off may still count: a duel's table keeps its attacker beside a proof
            if key not in seen:
                seen[key] = len(seen)
                found["states"].append(state)
            found["at"].append(seen[key])
        for control, place in zip(kept, start, strict=True):
            set_to(control, place)
        panel.update()
        found["shared"] = pen.definitions()
    panel.draw, panel.busy = draw, False
    return found | {"parts": list(pen.parts)}
