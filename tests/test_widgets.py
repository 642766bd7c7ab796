"""The widgets by setting `.value`, as a browser would, and as a notebook's file keeps them.

`tests/test_widgets_colab.py` runs this file again on Colab's versions of ipywidgets and IPython.
"""

import inspect
import io
import itertools
import math
import statistics
import sys
import time
from base64 import b64decode
from functools import partial

import nbformat
import numpy as np
import pytest
import torch
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from matplotlib.colors import to_hex
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from PIL import Image
from torch import nn

from utils.attacks import fgsm, pgd
from utils.data import Dataset, Split
from utils.duel import Defense, who_is_ahead
from utils.evaluation import Rate, robust_accuracy
from utils.plots import BLUE, LIGHT, RED, with_interval
from utils.widgets import AttackExplorer, Duel, ask
from utils.widgets.budget import PrivacyBudget
from utils.widgets.console import MonitorConsole
from utils.widgets.explorer import own_norm, takes
from utils.widgets.grid import LONG_NUMBER, grid, label_of, set_to, shorter
from utils.widgets.watch import Case, Watch, less_harm, timeline

pytestmark = pytest.mark.filterwarnings("error")

VIEW = "application/vnd.jupyter.widget-view+json"
TOP = 0.3


def tiny(n=60, channels=1):
    """Images whose class is the brightest row, more or less, and a linear model that sees it."""
    draw = torch.Generator().manual_seed(0)
    x = torch.rand(n, channels, 8, 8, generator=draw) * 0.6
    y = torch.randint(0, 8, (n,), generator=draw)
    x[torch.arange(n), :, y] += 0.3
    model = nn.Sequential(nn.Flatten(), nn.Linear(64 * channels, 8))
    with torch.no_grad():
        model[1].weight.copy_(torch.eye(8).repeat_interleave(8, 1).repeat(1, channels))
        model[1].bias.zero_()
    return model, Dataset("tiny", Split(x, y), Split(x, y), tuple("abcdefgh"), TOP / 2)


def cw_l2(model, x, y, *, eps):
    return pgd(model, x, y, eps=eps, norm="l2", steps=2)


@pytest.fixture(scope="module")
def made():
    model, data = tiny()
    attacks = {"FGSM": fgsm, "PGD": pgd, "short PGD": partial(pgd, steps=2), "PGD in L2": partial(pgd, norm="l2")}
    return AttackExplorer(model, data, attacks | {"CW": cw_l2}, steps=(1, 3), sample=40)


@pytest.fixture
def explorer(made):
    """One explorer for all tests, as it was at the start."""
    made.attack.value, made.steps.value, made.budget.index, made.image.value = "PGD", 3, 3, 1
    made.norm.value, made.attack.value = "linf", "FGSM"
    return made


def test_every_control_moves_the_picture(explorer):
    explorer.attack.value = "PGD"
    for control, values in (
        (explorer.budget, explorer.budget.options[::-1]),
        (explorer.image, (2, 12, 1)),
        (explorer.norm, ("l2", "linf")),
        (explorer.steps, (1, 3)),
        (explorer.attack, ("FGSM", "PGD in L2", "CW", "short PGD")),
    ):
        for value in values:
            if control.value != value:
                before = explorer.picture.value
                control.value = value
                assert explorer.picture.value != before, f"{control.description} = {value} changed nothing"
    assert explorer.error.value == ""


def test_moving_and_returning_gives_the_picture_of_the_start(explorer):
    start = explorer.picture.value
    for attack, norm, image, budget in (("PGD", "l2", 4, 6), ("CW", "l2", 2, 1), ("FGSM", "linf", 1, 3)):
        explorer.attack.value, explorer.image.value = attack, image
        if not explorer.norm.disabled:
            explorer.norm.value = norm
        explorer.budget.index = budget
    assert explorer.picture.value == start


def test_the_quick_picture_is_the_whole_figure(explorer):
    """What is drawn over the saved background equals what matplotlib draws from nothing."""
    explorer.attack.value, explorer.norm.value, explorer.image.value = "PGD", "l2", 3
    figure = explorer.still.figure
    figure.savefig(whole := io.BytesIO(), format="png", dpi=figure.dpi, facecolor="white")
    quick, whole = (np.asarray(Image.open(png).convert("RGB")) for png in (io.BytesIO(explorer.picture.value), whole))
    assert quick.shape == whole.shape
    differs = abs(quick.astype(int) - whole).max(axis=2) > 40  # beyond what 256 colours cost
    assert differs.mean() < 0.02  # axes are drawn above or below the moving parts


def test_what_is_shown_was_measured(explorer):
    model, data = tiny()
    explorer.attack.value, explorer.steps.value, explorer.budget.index = "PGD", 3, 2
    rate = robust_accuracy(model, data.test.take(40), partial(pgd, steps=3), eps=TOP / 3)
    assert 0 < rate < 1, "choose another budget: nothing to compare here"
    scene, now = explorer.still, explorer.grid["PGD", "linf", 3]
    assert scene.rate.get_text() == str(rate) and now.eps[2] == pytest.approx(TOP / 3)
    assert scene.here.get_ydata()[0] == float(rate) and list(scene.line.get_ydata()) == [float(r) for r in now.rates]
    image, change, result = (np.asarray(drawn.get_array()) for drawn in scene.images)
    assert np.allclose(result - image, change * scene.scale, atol=1e-6)
    assert abs(result - image).max() <= TOP / 3 + 1e-6
    logits = model(torch.tensor(result)[None, None]).detach()[0]
    assert np.allclose([bar.get_width() for bar in scene.bars], logits, atol=1e-5)
    assert np.allclose(scene.before.get_xdata(), model(torch.tensor(image)[None, None]).detach()[0], atol=1e-5)
    label, read = explorer.labels[0], int(logits.argmax())
    colors = {k: to_hex(bar.get_facecolor()) for k, bar in enumerate(scene.bars)}
    assert read != label and (colors.pop(label), colors.pop(read)) == (BLUE, RED) and set(colors.values()) == {LIGHT}
    assert scene.readings[1].get_text().startswith(data.classes[logits.argmax()])
    assert str(rate) in scene.text and "PGD, 3 steps" in scene.text


def test_the_shown_images_are_of_all_classes_and_part_of_the_curve(explorer):
    assert set(explorer.labels[:8]) == set(range(8)) and len(explorer.labels) == 12
    assert all(rate.n == 40 for one in explorer.grid.values() for rate in one.rates)
    assert all(len(one.x_adv[0]) == 12 for one in explorer.grid.values())


def test_controls_that_do_not_apply_are_switched_off(explorer):
    for attack, norm_off, steps_off, norm in (
        ("FGSM", True, True, "linf"),
        ("PGD", False, False, None),
        ("short PGD", False, True, None),
        ("PGD in L2", True, False, "l2"),
        ("CW", True, True, "l2"),
    ):
        explorer.attack.value = attack
        assert (explorer.norm.disabled, explorer.steps.disabled) == (norm_off, steps_off), attack
        assert norm in (None, explorer.norm.value)


def test_controls_that_apply_to_no_attack_are_left_out(explorer):
    def described(panel):
        rows = [row for row in panel.view.children if hasattr(row, "children")]
        return {control.description for row in rows for control in row.children}

    model, data = tiny()
    always = {"Budget eps", "Image"}
    assert described(AttackExplorer(model, data, {"FGSM": fgsm}, sample=20)) == always
    assert described(AttackExplorer(model, data, {"PGD": pgd}, norms=["l2"], steps=[2], sample=20)) == always | {
        "Steps"
    }
    assert described(explorer) == always | {"Attack", "Norm", "Steps"}


def test_attacks_are_asked_for_what_they_take():
    assert takes(pgd, "steps") and not takes(partial(pgd, steps=1), "steps") and not takes(fgsm, "norm")
    assert [own_norm(a) for a in (fgsm, cw_l2, partial(pgd, norm="l2"), partial(cw_l2))] == ["linf", "l2", "l2", "l2"]


def test_budgets_are_those_of_the_norm_and_the_place_on_the_scale_stays(explorer):
    explorer.attack.value, explorer.budget.index = "PGD", 5
    assert explorer.budget.options[-1] == "0.3"
    explorer.norm.value = "l2"
    assert explorer.budget.options[-1] == f"{TOP * 8 / 3:.2g}" and explorer.budget.index == 5
    sizes = (explorer.grid["PGD", "l2", 3].x_adv - explorer.grid["PGD", "l2", 3].x_adv[:1]).flatten(2).norm(dim=2)
    assert (sizes <= torch.tensor(explorer.grid["PGD", "l2", 3].eps)[:, None] + 1e-5).all()


def test_one_move_draws_one_picture(explorer, monkeypatch):
    drawn, shot = [], explorer.still.shot
    monkeypatch.setattr(explorer.still, "shot", lambda: drawn.append(1) or shot())
    explorer.attack.value = "PGD"
    explorer.norm.value = "l2"  # sets the budget slider anew
    explorer.attack.value = "FGSM"  # sets the norm back
    assert len(drawn) == 3


def test_a_moved_control_does_not_ask_the_model():
    model, data = tiny()
    calls = []
    model.register_forward_hook(lambda *_: calls.append(1))
    explorer = AttackExplorer(model, data, {"PGD": pgd}, steps=(1, 2), sample=20)
    made = len(calls)
    assert made > 0
    for index in range(7):
        explorer.budget.index = index
    explorer.norm.value, explorer.steps.value = "l2", 1
    assert len(calls) == made


def test_images_in_colour():
    model, data = tiny(channels=3)
    explorer = AttackExplorer(model, data, {"FGSM": fgsm}, sample=20)
    start = explorer.picture.value
    explorer.budget.index = 6
    assert explorer.picture.value != start and explorer.error.value == ""


def test_tables_are_turned_away_in_one_sentence():
    model, data = tiny()
    table = data._replace(test=Split(data.test.x.flatten(1), data.test.y))
    with pytest.raises(ValueError, match="tiny is a table"):
        AttackExplorer(model, table, {"FGSM": fgsm})


@pytest.mark.parametrize("says", range(8))
def test_the_first_image_is_one_that_the_model_gets_right(says):
    _, data = tiny()
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 8))
    with torch.no_grad():
        model[1].weight.zero_()
        model[1].bias.copy_(2 * torch.eye(8)[says])
    explorer = AttackExplorer(model, data, {"FGSM": fgsm}, sample=40)
    assert explorer.image.value == 1 + explorer.labels.index(says)


def test_an_error_appears_inside_the_widget_and_goes_when_it_is_over(explorer, monkeypatch):
    def fail(*_):
        raise RuntimeError("no <b>ink</b> left")

    monkeypatch.setattr(explorer.still, "show", fail)
    explorer.budget.index = 4
    assert "RuntimeError: no &lt;b&gt;ink&lt;/b&gt; left" in explorer.error.value
    assert "<b>ink" not in explorer.error.value
    assert explorer.error in explorer.view.children and "in fail" in explorer.error.value
    monkeypatch.undo()
    explorer.budget.index = 5
    assert explorer.error.value == ""


def test_a_move_takes_at_most_50_ms(explorer):
    explorer.attack.value = "PGD"
    taken = []
    for i in range(40):
        start = time.process_time()
        explorer.budget.index = (3 * i + 1) % 7
        taken.append(time.process_time() - start)
    assert statistics.median(taken) < 0.05, f"median {1000 * statistics.median(taken):.0f} ms of processor time"


def test_a_guess_is_locked_for_good_and_opens_what_waits_for_it():
    guess = ask("What accuracy is left?")
    early = guess.reveal(Rate(103, 397))
    assert "Lock a prediction" in early.sentence.value and early.picture.value == b""
    assert early.picture not in early.view.children
    guess.slider.value = 60
    assert guess.guess is None and "Lock a prediction" in early.sentence.value
    guess.button.click()
    assert guess.guess == 60 and guess.slider.disabled and guess.button.disabled
    said = "You said 60 %; measured 103/397 = 26 % [22, 30]: 34 points too high."
    assert early.sentence.value == said and early.picture in early.view.children
    assert Image.open(io.BytesIO(early.picture.value)).width == 1050
    guess.slider.value = 26  # a page that was open twice
    guess.button.click()
    assert guess.guess == 60 and early.sentence.value == said
    assert guess.reveal(Rate(397, 397)).sentence.value.endswith("397/397 = 100 % [99, 100]: 40 points too low.")
    assert guess.error.value == early.error.value == ""


@pytest.mark.parametrize(
    ("question", "guess", "measured", "sentence"),
    [
        ({}, 24, Rate(103, 397), "You said 24 %; measured 103/397 = 26 % [22, 30]: right, as far as this measurement "),
        ({}, 50, 0.25, "You said 50 %; measured 25 %: 25 points too high."),
        ({"unit": "queries", "high": 500}, 100, 1234, "You said 100 queries; measured 1234 queries: 1.13e+03 queries"),
        ({"unit": "s", "high": 2}, 0.5, 0.75, "You said 0.5 s; measured 0.75 s: 0.25 s too low."),
    ],
)
def test_verdicts(question, guess, measured, sentence):
    asked = ask("How much?", **question)
    asked.slider.value = guess
    asked.button.click()
    shown = asked.reveal(measured)
    assert shown.sentence.value.startswith(sentence)
    (axes,) = shown.still.figure.axes
    factor = 100 if not question else 1
    assert axes.get_xlim()[1] == max(question.get("high", 100), factor * float(measured))
    assert {factor * float(measured), guess} <= {x for line in axes.lines for x in line.get_xdata()}


def test_a_files_picture_gives_the_measured_value_but_no_guess():
    shown = ask("How much?").reveal(Rate(103, 397))
    data, metadata = shown._repr_mimebundle_()
    assert data["text/plain"] == "measured → 103/397 = 26 % [22, 30]" == metadata["image/png"]["alt"]
    assert {text.get_text() for text in shown.still.figure.axes[0].texts} == {"measured: 103/397 = 26 % [22, 30]"}


def test_an_error_in_a_lock_appears_inside_the_widget():
    guess = ask("How much?")
    guess.reveals.append(None)
    guess.button.click()
    assert "AttributeError" in guess.error.value


class Rounded(nn.Module):
    def forward(self, x):
        return (4 * x).round() / 4


def made_duel():
    model, data = tiny(40)
    masked = nn.Sequential(Rounded(), model)
    proved = Defense("the <plain> one", model, certified=lambda x, y: torch.full((len(x),), 0.05), training=1.5)
    return Duel(proved, Defense("the mask", masked, stand_in=model), data, surrogate=model, images=40, queries=10)


duel = pytest.fixture(made_duel)


def test_a_duel_shows_nothing_before_a_guess_is_locked(duel):
    assert duel.picture.value == b"" and duel.picture not in duel.view.children and "points" not in duel.sentence.value
    duel.budget.index = 2
    assert duel.picture.value == b"" and "points" not in duel.sentence.value
    duel.pick.value = "the mask"
    duel.button.click()
    duel.pick.value = "the <plain> one"  # too late
    duel.button.click()
    assert duel.guess == "the mask" and duel.pick.disabled and duel.picture in duel.view.children
    assert "You said “the mask”" in duel.sentence.value and duel.picture.value


def test_a_duel_says_how_many_images_there_were_and_which_budgets():
    model, data = tiny(40)
    shown = Duel(Defense("a", model), Defense("b", model), data, images=100, queries=0)
    for norm, ring in shown.rings.items():
        curve = ring.figure.axes[0]
        assert curve.get_ylabel() == "accuracy, n = 40"
        told = [float(label.get_text()) for label in curve.get_xticklabels()]
        assert told == pytest.approx(shown.eps[norm], rel=5e-3)


@pytest.mark.slow
def test_every_control_of_a_duel_moves_its_picture(duel):
    duel.lock()
    for control, values in (
        (duel.adapts, (False, True)),
        (duel.knows, ("scores", "labels", "weights")),
        (duel.norm, ("l2", "linf")),
        (duel.certificate, (True, False)),
    ):
        for value in values:
            before = duel.picture.value, duel.still.text
            control.value = value
            assert (duel.picture.value, duel.still.text) != before, (control.description, value)
    before, duel.budget.index = duel.picture.value, 1
    assert duel.picture.value != before and not duel.error.value


@pytest.mark.slow
def test_what_a_duel_holds_back_is_drawn_anew_when_it_changes(duel):
    """After each moved control the quick picture is the one that is drawn from nothing."""
    duel.lock()
    moves = [(duel.certificate, "value", True), (duel.certificate, "value", False), (duel.budget, "index", 3)]
    moves += [(duel.adapts, "value", False), (duel.knows, "value", "labels"), (duel.norm, "value", "l2")]
    for control, name, value in moves:
        setattr(control, name, value)
        quick = duel.picture.value
        duel.still.settle()
        assert quick == duel.still.shot(), (control.description, value)


def test_a_duel_says_what_was_measured(duel):
    duel.lock()
    curves = [side.left(duel.threat) for side in duel.sides]
    said = who_is_ahead(duel.names, *curves, duel.eps["linf"], 3)
    assert (
        said.replace("<", "&lt;").replace(">", "&gt;") in duel.sentence.value and "<plain>" not in duel.sentence.value
    )
    assert said in duel.still.text and "training → 1.5 s against not stated" in duel.still.text
    duel.certificate.value = True
    assert duel.adapts.disabled and duel.knows.disabled
    duel.budget.index = 0
    assert "the &lt;plain&gt; one, by at least" in duel.sentence.value  # the mask proves nothing


@pytest.mark.slow
def test_a_moved_control_of_a_duel_asks_no_model_and_takes_at_most_50_ms(duel, monkeypatch):
    duel.lock()
    for side in duel.sides:
        monkeypatch.setattr(side.defense.model, "forward", None)
    times = []
    for norm in ("l2", "linf") * 5:
        for i in range(len(duel.budget.options)):
            begin = time.process_time()
            duel.norm.value, duel.budget.index = norm, i
            times.append(time.process_time() - begin)
    assert not duel.error.value
    assert statistics.median(times) < 0.05


def made_console():
    calm = torch.rand(8, 60, generator=torch.Generator().manual_seed(0)).double()
    moved = torch.cat([calm[:, :30], calm[:, 30:] / 4], 1)
    streams = {"none": {"at once": calm, "slowly": calm.flip(0, 1)}, "fall": {"at once": moved, "slowly": moved.sqrt()}}
    quiet = lambda x: torch.full((len(x),), x.shape[1])  # noqa: E731
    low = lambda x: torch.where((x < 0.02).any(1), (x < 0.02).int().argmax(1), x.shape[1])  # noqa: E731
    return MonitorConsole(streams, {"never": quiet, "low": low}, change=30, watched="values")


console = pytest.fixture(made_console)


def test_every_control_of_a_console_moves_its_picture(console):
    for control, values in (
        (console.detector, ("low", "never")),
        (console.speed, ("slowly", "at once")),
        (console.drift, ("none", "fall")),
        (console.run, (3, 1)),
    ):
        for value in values:
            before, control.value = console.picture.value, value
            assert console.picture.value != before and not console.error.value, (control.description, value)


def test_a_console_counts_false_and_true_alarms(console):
    console.detector.value = "low"
    x = console.streams["fall", "at once"]
    first = [next((t for t, value in enumerate(row) if value < 0.02), 60) for row in x.tolist()]
    false, true = sum(t < 30 for t in first), sum(30 <= t < 60 for t in first)
    assert false and true
    assert f"before the change: {false}/8" in console.sentence.value and f"after it: {true}/8" in console.still.text
    console.detector.value = "never"
    assert "after it: 0/8" in console.sentence.value and "delay" not in console.sentence.value


def test_streams_of_several_shapes_are_turned_away():
    one, other = torch.rand(2, 50), torch.rand(2, 40)
    with pytest.raises(ValueError, match="one shape"):
        MonitorConsole({"a": {"x": one, "y": other}}, {}, change=10, watched="values")


def case(defended, monitored, n=40, runs=10, length=60, change=20):
    """An incident whose every arrival does harm; the sides stop a share of them."""
    event = torch.arange(runs * length).view(runs, length) % n
    event[:, :change] = -1
    there = event >= 0
    harm = {"neither": there, "defended": there & (event < defended * n), "monitored": there & (event < monitored * n)}
    return Case(event, harm)


def made_watch():
    shares = {"1 %": case(0.2, 0.9), "100 %": case(0.9, 0.2)}
    return Watch({"evasion": shares, "<drift>": dict(zip(shares, [case(0.5, 0.5)] * 2, strict=True))}, change=20)


watch = pytest.fixture(made_watch)


def test_a_watch_shows_nothing_before_a_guess_is_locked(watch):
    assert watch.picture.value == b"" and watch.picture not in watch.view.children
    watch.share.value = "1 %"
    assert watch.picture.value == b"" and "harm." not in watch.sentence.value
    watch.pick.value = "monitored"
    watch.button.click()
    watch.pick.value = "defended"  # too late
    watch.button.click()
    assert watch.guess == "monitored" and watch.pick.disabled and watch.picture in watch.view.children
    assert "You said “monitored”" in watch.sentence.value and "defended, by at least" in watch.sentence.value


def test_every_control_of_a_watch_moves_its_picture(watch):
    watch.lock()
    for control, values in ((watch.share, ("1 %", "100 %")), (watch.incident, ("<drift>", "evasion"))):
        for value in values:
            before, control.value = watch.picture.value, value
            assert watch.picture.value != before and not watch.error.value, value


def test_a_watch_names_the_side_that_lets_less_harm_through(watch):
    assert less_harm(case(0.2, 0.9)).startswith("defended, by at least")
    assert less_harm(case(0.9, 0.2)).startswith("monitored, by at least")
    assert less_harm(case(0.5, 0.55)) == "no difference that 40 examples can show"
    watch.lock()
    watch.incident.value = "<drift>"
    assert "no difference" in watch.sentence.value and "harm, neither → 40/40" in watch.still.text
    assert [watch.still.title.get_text(), watch.still.count.get_text()] == [
        "<drift>, 100 % of the traffic",
        "of 40 different ones",
    ]


def test_a_watch_draws_what_it_says(watch):
    watch.lock()
    now = watch.cases["evasion"]["100 %"]
    for side, line, bar in zip(("neither", "defended", "monitored"), watch.still.lines, watch.still.bars, strict=True):
        assert bar.get_width() == float(now.left(side))
        assert abs(line.get_ydata()[-1] - float(now.left(side))) < 0.02 and len(line.get_xdata()) == 40


def test_an_example_that_arrives_twice_counts_once():
    assert case(0.25, 0.5).left("defended").n == 40 and case(0.25, 0.5).left("defended").k == 10
    assert case(1, 0.5, n=7).left("monitored").n == 7


def test_a_watch_turns_away_what_it_cannot_compare():
    one, short = case(0.5, 0.5), case(0.5, 0.5, length=50)
    for cases, change in (
        ({"a": {"x": one, "y": short}}, 20),
        ({"a": {"x": one}, "b": {"y": one}}, 20),
        ({"a": {"x": one}}, 60),
    ):
        with pytest.raises(ValueError, match="one shape"):
            Watch(cases, change=change)


def test_a_timeline_tells_nothing_that_was_not_asked_for():
    rows = {"ink": torch.rand(300), "doubt": torch.rand(300)}
    secret, told = timeline(rows, [120]), timeline(rows, [120], [("fault", 100, 200)])
    assert "fault" not in secret.text and "fault from 100 to 200" in told.text and "120" in secret.text
    assert secret.png() != told.png()
    flat = timeline({"ink": torch.full((300,), 0.5), "doubt": torch.zeros(300)}, [])
    assert [tick.get_text() for axes in flat.figure.axes for tick in axes.get_yticklabels()] == ["0", "0.5", "0", "0"]


def test_only_widgets_that_colab_and_a_code_host_can_show(explorer):
    """No `Output`, whose content strict nbval cannot compare, and nothing beyond core ipywidgets."""

    def all_of(widget):
        return [widget, *(part for child in getattr(widget, "children", ()) for part in all_of(child))]

    guess = ask("How much?")
    for panel in (explorer, guess, guess.reveal(0.5)):
        parts = all_of(panel.view)
        assert {part._model_module for part in parts} == {"@jupyter-widgets/controls"}
        assert not {"OutputModel"} & {part._model_name for part in parts}


NOTEBOOK = """
import torch
from utils import plots
from utils.attacks import fgsm, pgd
from utils.evaluation import Rate
from utils.plots import BLUE, LIGHT, RED
from utils.widgets import AttackExplorer, Duel, ask
from test_widgets import tiny
model, data = tiny()
# ---
guess = ask("What accuracy is left?")
guess
# ---
guess.reveal(Rate(103, 397))
# ---
AttackExplorer(model, data, {"FGSM": fgsm, "PGD": pgd}, steps=(1, 2), sample=20)
# ---
plots.rates({"FGSM": Rate(103, 397)})
# ---
%matplotlib inline
from matplotlib import pyplot
# ---
plots.rates({"FGSM": Rate(103, 397)})
"""


class OwnKernel(AsyncKernelManager):
    """A kernel of the environment that runs this test, whatever else is installed on the machine."""

    kernel_spec = KernelSpec(argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"])


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """NOTEBOOK, run in a fresh kernel of this environment, each of its showing cells twice."""
    first, *cells = [cell.strip() for cell in NOTEBOOK.split("# ---")]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in [first, *cells, *cells]])
    folder = inspect.getfile(tiny).rpartition("/")[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COURSE_RECORD", raising=False)
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        patch.setenv("PYTHONPATH", f"{folder}:{folder}/..")
        NotebookClient(notebook, kernel_manager_class=OwnKernel, store_widget_state=False).execute()
    return notebook


@pytest.mark.slow
def test_a_notebook_shows_each_once_alive_and_as_a_picture_without_a_warning(executed):
    shown = [cell.outputs for cell in executed.cells]
    assert shown[0] == [] and [len(outputs) for outputs in shown[1:]] == [1, 1, 1, 1, 0, 1] * 2
    for outputs, alive in zip(shown[1:7], (True, True, True, False, None, False), strict=True):
        for output in outputs:
            kinds = {"image/png", "text/plain", "text/html"} | ({VIEW} if alive else set())
            assert output.output_type in ("execute_result", "display_data") and set(output.data) == kinds
            assert Image.open(io.BytesIO(b64decode(output.data["image/png"]))).width == 1050
            assert output.metadata["image/png"]["width"] == 700


@pytest.mark.slow
def test_what_nbval_compares_is_the_same_each_time(executed):
    first, second = (
        [(o.output_type, o.data["text/plain"]) for cell in executed.cells[part] for o in cell.outputs]
        for part in (slice(1, 7), slice(7, 13))
    )
    assert first == second
    assert not any("0x" in text or "<" in text for _, text in first)


@pytest.mark.slow
def test_without_its_view_a_code_host_shows_the_picture(executed):
    """The build takes the views out of the file, and keeps PNG alone: nbconvert shows it, like a code host."""
    notebook = nbformat.from_dict(executed)
    notebook.cells = notebook.cells[1:4]
    for cell in notebook.cells:
        del cell.outputs[0].data[VIEW], cell.outputs[0].data["text/html"]
    html, _ = HTMLExporter(template_name="lab").from_notebook_node(notebook)
    for cell in notebook.cells:
        output = cell.outputs[0]
        assert f"data:image/png;base64,{output.data['image/png']}".replace("\n", "") in html.replace("\n", "")
    assert "model_id" not in html


# The privacy budget.


def paid(noise, clip, epochs, batch):
    """An invented outcome that differs for every setting."""
    eps = math.inf if noise == 0 else epochs * batch / (100 * noise)
    right = round(900 - 100 * noise - 30 * clip + epochs - batch / 32)
    return eps, Rate(right, 1000), Rate(round(200 / (1 + 5 * noise) + 9 * clip + epochs + batch / 32), 1000)


GRID = {s: paid(*s) for s in itertools.product((0.0, 0.5, 2.0), (0.1, 1.0), (10, 40), (64, 128))}


def made_budget():
    return PrivacyBudget(GRID, privacy_delta=1e-5)


budget = pytest.fixture(made_budget)


def test_every_slider_of_the_budget_moves_the_picture_and_says_what_was_measured(budget):
    for name, slider in budget.sliders.items():
        for _, value in slider.options:
            if slider.value != value:
                before = budget.picture.value
                slider.value = value
                assert budget.picture.value != before, f"{name} = {value} changed nothing"
            eps, right, found = GRID[budget.setting]
            assert getattr(budget.setting, name) == value
            assert [title.get_text() for title in budget.still.titles] == [with_interval(right), with_interval(found)]
            assert ("infinite" if eps == math.inf else f"{eps:.2f}") in budget.sentence.value
            assert str(right) in budget.still.text and str(found) in budget.still.text
            at = min(eps, budget.still.none)
            places = [(mark.get_xdata()[0], mark.get_ydata()[0]) for mark in budget.still.here]
            assert places == [(at, float(right)), (at, float(found))]
    assert budget.error.value == ""


def test_the_budgets_line_is_that_of_the_noises(budget):
    budget.sliders["epochs"].value, budget.sliders["clip"].value = 10, 0.1
    _, clip, epochs, batch = budget.setting
    wanted = sorted((min(paid(s, clip, epochs, batch)[0], budget.still.none), s) for s in (0.0, 0.5, 2.0))
    assert list(budget.still.lines[0].get_xdata()) == [at for at, _ in wanted]
    assert list(budget.still.lines[0].get_ydata()) == [float(paid(s, clip, epochs, batch)[1]) for _, s in wanted]


def test_moving_and_returning_gives_the_budgets_first_picture(budget):
    start, where = budget.picture.value, {name: slider.value for name, slider in budget.sliders.items()}
    for slider in budget.sliders.values():
        slider.value = slider.options[0][1]
    assert budget.picture.value != start
    for name, value in where.items():
        budget.sliders[name].value = value
    assert budget.picture.value == start


def test_a_budget_with_a_hole_is_refused():
    with pytest.raises(ValueError, match="23 of 24 combinations"):
        PrivacyBudget(dict(list(GRID.items())[1:]), privacy_delta=1e-5)


def test_the_budget_is_quick_and_a_small_picture(budget):
    times = []
    for value in (0.5, 2.0, 0.0) * 5:
        begin = time.process_time()
        budget.sliders["noise_multiplier"].value = value
        times.append(time.process_time() - begin)
    assert statistics.median(times) < 0.1
    data, _ = budget._repr_mimebundle_()
    assert VIEW in data and len(b64decode(data["image/png"])) < 60_000
    width, height = budget.still.figure.get_size_inches()
    assert width <= 7 and height <= 3


# For pages without a kernel.


@pytest.mark.slow
@pytest.mark.parametrize("made", [made_duel, made_console, made_watch, made_budget])
def test_a_grid_says_at_each_setting_what_the_widget_says(made):
    """Also where a control is off; asked for twice it is the same, and the widget is where it was."""
    panel = made()
    before = panel.still.text, panel.still.png()
    kept = grid(panel)
    assert [c["options"][c["start"]] for c in kept["controls"]] == [label_of(control) for control in panel.controls]
    assert (panel.still.text, panel.still.png()) == before and panel.error.value == ""
    assert grid(panel) == kept
    places = itertools.product(*(range(len(control["options"])) for control in kept["controls"]))
    for at, where in zip(kept["at"], places, strict=True):
        for control, index in zip(panel.controls, where, strict=True):
            set_to(control, index)
        state = kept["states"][at]
        assert state["words"] == panel.still.text
        assert state["off"] == [i for i, control in enumerate(panel.controls) if control.disabled]
    assert len({tuple(state["parts"]) for state in kept["states"]}) > 1


def test_numbers_of_a_drawing_are_as_short_as_can_be_seen():
    found = [
        LONG_NUMBER.sub(shorter, text) for text in ("123.456789", "12.05", "0.123456", "-3.00049", "M 1.00001 20.98765")
    ]
    assert found == ["123.5", "12.05", "0.123", "-3.000", "M 1.000 21.0"]


def test_a_prediction_keeps_what_it_says_to_each_guess():
    asked = ask("How many?")
    kept, said = asked.every(), asked.reveal(Rate(60, 100)).every()
    assert kept["guess"]["options"] == [str(i) for i in range(101)]
    for at in (0, 60, 100):
        assert said["said"][at].startswith(f"You said {at} %; measured 60/100")
    assert "right, as far as" in said["said"][60] and "60 points too low" in said["said"][0]
