"""The figures say what was measured, in one style, and leave neither the model nor matplotlib changed."""

import io
from base64 import b64decode

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from PIL import Image
from scipy import ndimage
from torch import nn

from utils import plots
from utils.attacks import cross_entropy, fgsm, margin
from utils.evaluation import Rate, Sweep, Trainings
from utils.masking import Quantize

pytestmark = pytest.mark.filterwarnings("error")

EPS = 0.1
SWEEP = Sweep((0.0, 0.05, 0.1), (Rate(98, 100), Rate(60, 100), Rate(3, 100)))


def linear(shape=(1, 8, 8), classes=10):
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(torch.Size(shape).numel(), classes)).eval()


def images(shape=(1, 8, 8), n=40):
    return torch.rand(n, *shape, generator=torch.Generator().manual_seed(1))


def labelled(model, x):
    with torch.no_grad():
        return model(x).argmax(1)


MODEL, X = linear(), images()
Y = labelled(MODEL, X)
STAIRS = nn.Sequential(Quantize(), MODEL)
X_ADV = fgsm(MODEL, X, Y, eps=EPS)
COLOR_MODEL, COLOR_X = linear((3, 8, 8)), images((3, 8, 8))
ALL = {
    "triptych": lambda: plots.triptych(X, X_ADV, MODEL),
    "triptych of four in colour": lambda: plots.triptych(COLOR_X, COLOR_X * 0.98, COLOR_MODEL, rows=9),
    "accuracy_curve": lambda: plots.accuracy_curve(SWEEP, mark=EPS),
    "accuracy_curve of two": lambda: plots.accuracy_curve({"FGSM": SWEEP, "PGD": SWEEP}),
    "rates": lambda: plots.rates({"a rather long name, 40 steps": Rate(1, 3), "FGSM": Rate(397, 397)}),
    "rates of eight": lambda: plots.rates({f"attack {i}": Rate(i, 9) for i in range(8)}),
    "table": lambda: plots.table({f"row {i}": {"clean": Rate(9, 9), "PGD": Rate(i, 9)} for i in range(10)}),
    "lines": lambda: plots.lines({"margin": {1: Rate(5, 9), 20: Rate(4, 9)}}, x="steps", log=True),
    "roc": lambda: plots.roc({"ours": (torch.tensor([0, 0.5, 1]), torch.tensor([0.2, 0.9, 1]))}),
    "gallery": lambda: plots.gallery({"a row": X[:9], "another": X[:4]}, {"another": ["one", "two", "three", "four"]}),
    "gallery of photographs": lambda: plots.gallery({f"row {i}": COLOR_X[:3] for i in range(5)}),
    "curves": lambda: plots.curves(
        {"noise 1": {1: 0.1, 10: 1.0, 100: 30}, "noise 2": {1: 0.01}}, x="updates", y="epsilon", log=(True, True)
    ),
    "line_of_loss": lambda: plots.line_of_loss(MODEL, X, Y, eps=EPS),
    "loss_surface": lambda: plots.loss_surface(MODEL, X, Y, eps=EPS),
    "loss_surface on a scale": lambda: plots.loss_surface(MODEL, X, Y, eps=EPS, scale=(0.0, 5.0)),
    "hill": lambda: plots.hill(MODEL, MODEL, X, Y, eps=EPS),
    "hill and bars": lambda: plots.hill(
        STAIRS, MODEL, X, labelled(STAIRS, X), eps=EPS, measured={f"attack {i}": Rate(i, 9) for i in range(5)}
    ),
}


def axes_of(picture):
    return picture.figure.axes


@pytest.mark.parametrize("draw", ALL.values(), ids=ALL)
def test_every_figure_is_small_complete_and_the_same_each_time(draw):
    picture = draw()
    data, metadata = picture._repr_mimebundle_()
    assert set(data) == {"image/png", "text/plain", "text/html"}
    assert data["text/plain"] == metadata["image/png"]["alt"] != ""
    png = b64decode(data["image/png"])
    image = Image.open(io.BytesIO(png))
    assert image.convert("RGBA").getextrema()[3] == (255, 255), "it would vanish on a dark page"
    width, height = (side / inch for side, inch in zip(image.size, image.info["dpi"], strict=True))
    assert width <= 7.01 and height <= 3.01 and len(png) < 60_000
    assert abs(metadata["image/png"]["width"] - 100 * width) <= 1
    again = draw()
    assert again.png() == png and again.text == data["text/plain"]
    box, page = picture.figure.get_tightbbox(), picture.figure.get_size_inches()
    assert box.x0 >= -0.02 and box.y0 >= -0.02 and box.x1 <= page[0] + 0.02 and box.y1 <= page[1] + 0.02


def test_its_words_are_in_a_learners_page_and_a_kept_file_stays_small(monkeypatch):
    picture = plots.rates({'a "quoted" <name>': Rate(1, 3)})
    data, _ = picture._repr_mimebundle_()
    assert 'alt="a &quot;quoted&quot; &lt;name&gt; → 1/3 = 33 % [6, 79]"' in data["text/html"]
    assert f'src="data:image/png;base64,{data["image/png"]}"' in data["text/html"]
    monkeypatch.setenv("COURSE_RECORD", "record")
    assert set(picture._repr_mimebundle_()[0]) == {"image/png", "text/plain"}


def test_a_picture_has_as_few_colours_as_it_needs():
    """A table's few; of photographs of all colours, as many as are allowed."""

    def colours(picture):
        return len(Image.open(io.BytesIO(picture.png())).convert("RGB").getcolors())

    torch.manual_seed(0)
    assert colours(plots.rates({"a": Rate(1, 2)})) <= 32
    assert colours(plots.gallery({"photos": torch.rand(6, 3, 40, 40)})) > 128


def test_one_pixel_keeps_its_colour():
    """A pixel that an attack moves most had another's colour: few points of a picture that is white elsewhere."""
    torch.manual_seed(0)
    x = torch.rand(3, 1, 8, 8).round(decimals=1)
    picture = plots.triptych(x, (x + 0.2 * torch.randn(3, 1, 8, 8)).clamp(0, 1), torch.nn.Flatten())
    with plots.house_style():
        picture.figure.savefig(raw := io.BytesIO(), format="png")
    drawn, kept = (np.asarray(Image.open(file).convert("RGB"), np.int16) for file in (raw, io.BytesIO(picture.png())))
    off = np.abs(drawn - kept).max(2)
    assert ndimage.minimum_filter(off, 7).max() <= 20  # in no area; along an edge single points may be off by more


def test_the_users_matplotlib_neither_shows_nor_changes():
    draw = ALL["accuracy_curve of two"]
    plain = draw().png()
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "black", "lines.linewidth": 9, "savefig.dpi": 30}):
        before = {key: value for key, value in matplotlib.rcParams.items() if key != "backend"}  # chosen when asked for
        assert draw().png() == plain
        assert all(matplotlib.rcParams[key] == value for key, value in before.items())
    from matplotlib import pyplot

    assert pyplot.get_fignums() == []  # pyplot would show them a second time


def test_the_palette_is_told_apart_by_colour_blind_readers():
    """Machado et al. 2009, full severity: no two colours of the palette come close, for any of the three kinds."""
    kinds = {
        "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    }
    palette = np.array([matplotlib.colors.to_rgb(color) for color in plots.COLORS])
    for matrix in kinds.values():
        seen = (palette**2.2 @ np.array(matrix).T).clip(0, 1) ** (1 / 2.2)
        apart = np.linalg.norm(seen[:, None] - seen[None], axis=2) + 9 * np.eye(len(seen))
        assert apart.min() > 0.1


def test_rates_draws_and_prints_each_rate():
    measured = {"FGSM": Rate(103, 397), "PGD": Rate(50, 397)}
    picture = plots.rates(measured)
    (axes,) = axes_of(picture)
    assert [bar.get_width() for bar in axes.patches] == [float(rate) for rate in measured.values()]
    assert [tuple(line.get_xdata()) for line in axes.lines] == [rate.interval for rate in measured.values()]
    assert {str(rate) for rate in measured.values()} <= {text.get_text() for text in axes.texts}
    assert picture.text == "FGSM → 103/397 = 26 % [22, 30]\nPGD → 50/397 = 13 % [10, 16]"


def test_the_counts_of_many_trainings_leave_room_for_the_bars():
    few, many = ({name: Trainings([Rate(k, 20) for k in range(n)]) for name in ("a", "b")} for n in (5, 6))
    (axes,) = axes_of(plots.rates(few))
    assert [text.get_text() for text in axes.texts] == [str(few["a"])] * 2 and axes.get_xlabel() == "accuracy left"
    (axes,) = axes_of(picture := plots.rates(many))
    assert [text.get_text() for text in axes.texts] == [plots.with_interval(many["a"])] * 2
    assert axes.get_xlabel() == "accuracy left, n = 20, 6 trainings" and str(many["a"]) in picture.text


def test_accuracy_curve_draws_the_sweep_its_band_and_the_mark():
    (axes,) = axes_of(plots.accuracy_curve(SWEEP, mark=EPS))
    line, mark = axes.lines
    assert tuple(line.get_xdata()) == SWEEP.eps and list(line.get_ydata()) == [float(rate) for rate in SWEEP.rates]
    corners = {tuple(corner) for corner in axes.collections[0].get_paths()[0].vertices}
    assert {(e, bound) for e, rate in zip(SWEEP.eps, SWEEP.rates, strict=True) for bound in rate.interval} <= corners
    assert list(mark.get_xdata()) == [EPS, EPS] and axes.texts[0].get_text() == f"eps = {EPS}"
    assert axes.get_ylim() == (-0.02, 1.02)


def test_lines_of_several_series_differ_by_more_than_colour():
    series = {name: {1: Rate(5, 9), 20: Rate(4, 9)} for name in "abcdef"}
    picture = plots.lines(series, x="steps", log=True)
    (axes,) = axes_of(picture)
    assert len({line.get_marker() for line in axes.lines}) == len({line.get_color() for line in axes.lines}) == 6
    assert axes.get_xscale() == "log" and [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "20"]
    assert [text.get_text() for text in picture.figure.legends[0].get_texts()] == list(series)
    assert "a → 56 % at 1, 44 % at 20" in picture.text


@pytest.mark.parametrize(("k", "top"), [(0, 0.1), (25, 0.1), (95, 0.25), (150, 0.25), (400, 0.5), (990, 1.0)])
def test_zoomed_in_all_intervals_are_seen(k, top):
    rate = Rate(k, 1000)
    (bars,) = axes_of(plots.rates({"a": rate, "b": Rate(0, 1000)}, zoom=True))
    (course,) = axes_of(plots.lines({1: rate, 2: Rate(0, 1000)}, x="n", mark=1, mark_label="here", zoom=True))
    for axis in (bars.xaxis, course.yaxis):
        ticks = [float(tick.get_text().rstrip(" %")) / 100 for tick in axis.get_ticklabels()]
        assert ticks == pytest.approx(list(axis.get_ticklocs())) and ticks[-1] == top >= rate.interval[1]
        assert axis.get_view_interval()[1] > top, "what ends there is seen whole"
    beyond = [text.get_position()[0] for text in bars.texts]
    assert all(bars.get_xlim()[1] < x < 1.1 * top for x in beyond), "the rates stand right of the axis"
    (label,) = course.texts
    assert label.xy[1] == pytest.approx(top)


def test_an_axis_of_shares_ends_at_100_percent_if_nobody_asks_for_less():
    low = Rate(1, 1000)
    (bars,), (course,) = axes_of(plots.rates({"a": low})), axes_of(plots.lines({1: low, 2: low}, x="n"))
    assert bars.get_xticks()[-1] == course.get_yticks()[-1] == pytest.approx(1)


def test_a_label_that_would_be_cut_takes_two_lines():
    several = Trainings([Rate(5, 66), Rate(4, 66)])
    for y, due in (
        ("left", "left, n = 66, 2 trainings"),
        ("stay spam, proved", "stay spam, proved,\nn = 66, 2 trainings"),
    ):
        picture = plots.lines({0: several, 1: several}, x="words", y=y)
        (axes,) = axes_of(picture)
        assert axes.get_ylabel() == due
        picture.figure.draw_without_rendering()
        extent, whole = axes.yaxis.label.get_window_extent(), picture.figure.bbox
        assert whole.y0 <= extent.y0 and extent.y1 <= whole.y1


def test_lines_says_that_a_logarithm_has_no_zero():
    with pytest.raises(ValueError, match="steps = 0"):
        plots.lines({0: Rate(1, 2), 5: Rate(1, 2)}, x="steps", log=True)


def test_informative_examples_are_fallen_ones_of_different_classes():
    before, after = torch.tensor([0, 0, 0, 1, 2, 1]), torch.tensor([0, 5, 6, 1, 7, 8])
    right = torch.tensor([True, True, True, True, False, True])
    assert plots.informative(before, after, right, 2) == [1, 5]  # 4 was wrong before
    assert plots.informative(before, after, right, 3) == [1, 5, 2]
    assert plots.informative(before, after, right, 4) == [1, 5, 2, 0]  # too few fell: what stands follows


@pytest.mark.parametrize(("model", "x"), [(MODEL, X), (COLOR_MODEL, COLOR_X)], ids=["gray", "colour"])
def test_triptych_shows_images_changes_and_readings(model, x):
    y = labelled(model, x)
    x_adv = fgsm(model, x, y, eps=EPS)
    names = [f"class {i}" for i in range(10)]
    picture = plots.triptych(x, x_adv, model, y=y, rows=2, classes=names)
    shown = [axes for axes in axes_of(picture) if axes.images]
    probability = model(x_adv).softmax(1).detach()
    for left, _, result in (shown[:3], shown[3:6]):
        pixels = torch.tensor(np.asarray(left.images[0].get_array()).reshape(8, 8, -1)).permute(2, 0, 1)
        i = int((x == pixels).flatten(1).all(1).nonzero())
        assert np.array_equal(np.asarray(result.images[0].get_array()).reshape(8, 8, -1), x_adv[i].permute(1, 2, 0))
        sure, k = probability[i].max(0)
        text = [text for axes in axes_of(picture) for text in axes.texts]
        reading = next(t for t in text if t.get_text() == names[k] and t.get_color() == plots.RED)
        assert f"{100 * sure:.0f} %" in {t.get_text() for t in text} and reading
        assert y[i] != k


def test_triptych_writes_what_the_attacker_wanted_beside_each_result():
    y = labelled(MODEL, X)
    x_adv, target = fgsm(MODEL, X, y, eps=EPS), (y + 3) % 10
    picture = plots.triptych(X, x_adv, MODEL, y=y, target=target, classes=[f"class {i}" for i in range(10)])
    shown = [axes.images[0] for axes in axes_of(picture) if axes.images][::3]
    chosen = [int((X == torch.tensor(image.get_array())).flatten(1).all(1).nonzero()) for image in shown]
    words = [t.get_text() for axes in axes_of(picture) for t in axes.texts if "wanted" in t.get_text()]
    assert words == [f"wanted: class {target[i]}" for i in chosen]
    plain = plots.triptych(X, x_adv, MODEL, y=y)
    assert not any("wanted" in t.get_text() for axes in axes_of(plain) for t in axes.texts)


def test_changes_are_amplified_to_the_stated_scale():
    delta = torch.zeros(1, 8, 8)
    delta[0, 0, 0], delta[0, 1, 1] = EPS, -EPS / 2
    assert plots.change_pixels(delta, EPS)[0, 0] == 1 and plots.change_pixels(delta, EPS)[1, 1] == -0.5
    color = plots.change_pixels(delta.expand(3, -1, -1), EPS)
    assert (
        color[0, 0].tolist() == [1, 1, 1] and color[1, 1].tolist() == [0.25] * 3 and color[2, 2].tolist() == [0.5] * 3
    )
    picture = plots.triptych(X, X_ADV, MODEL)
    assert f"change, ±{EPS}" in {axes.get_title() for axes in axes_of(picture)}


def test_a_linear_models_margin_is_foretold_by_its_slope_and_a_bent_ones_is_not():
    class Bent(nn.Module):
        def forward(self, x):
            return MODEL(x) ** 3

    model = linear(classes=2)  # of more classes, the best of the others may change on the way
    y = labelled(model, X)
    (axes,) = axes_of(plots.line_of_loss(model, X, y, eps=EPS, images=3))
    measured, foretold = curves(axes)
    assert len(measured) == 3 and np.allclose(measured, foretold, atol=1e-5)
    start = margin(model(X[:3]), y[:3]).tolist()
    end = margin(model(fgsm(model, X[:3], y[:3], eps=EPS)), y[:3]).tolist()
    assert np.allclose(measured[:, 0], start, atol=1e-5) and np.allclose(measured[:, -1], end, atol=1e-5)
    measured, foretold = curves(axes_of(plots.line_of_loss(Bent(), X, labelled(Bent(), X), eps=EPS))[0])
    assert abs(measured - foretold).max() > 0.1


def curves(axes):
    """The solid and the dashed curves of `line_of_loss`, (images, points) each."""
    drawn = [line for line in axes.lines if len(line.get_xdata()) == 41]
    solid = [line.get_ydata() for line in drawn if line.get_linestyle() == "-"]
    return np.array(solid), np.array([line.get_ydata() for line in drawn if line.get_linestyle() != "-"])


def test_loss_surface_has_the_images_loss_at_its_middle_and_rises_along_the_gradient(monkeypatch):
    drawn = []
    contourf = matplotlib.axes.Axes.contourf
    monkeypatch.setattr(matplotlib.axes.Axes, "contourf", lambda *a, **k: drawn.append(a) or contourf(*a, **k))
    plots.loss_surface(MODEL, X, Y, eps=EPS)
    values = drawn[0][3]  # rows: random signs, columns: the gradient's
    assert torch.isclose(values[20, 20], cross_entropy(MODEL(X[:1]), Y[:1])[0].detach())
    assert torch.isclose(values[20, 40], cross_entropy(MODEL(X_ADV[:1]), Y[:1])[0].detach())
    assert values[20, 40] > values[20, 20] > values[20, 0]


def test_a_hill_shows_the_ground_and_both_slopes():
    """A linear model's ground is its slope; behind a staircase it tells none, and its stand-in tells the true one."""
    model, x = linear(classes=2), 0.3 + 0.4 * X
    y = labelled(model, x)
    ground, told, true = axes_of(plots.hill(model, nn.Sequential(nn.Identity(), model), x, y, eps=EPS))[0].lines[:3]
    assert np.allclose(ground.get_ydata(), told.get_ydata(), atol=1e-4)
    assert np.allclose(told.get_ydata(), true.get_ydata(), atol=1e-4)
    stairs = nn.Sequential(Quantize(), model)
    right = labelled(stairs, x) == y
    ground, told, true = axes_of(plots.hill(stairs, model, x[right], y[right], eps=EPS))[0].lines[:3]
    assert len(set(np.round(told.get_ydata(), 5))) == 1 and true.get_ydata()[-1] > true.get_ydata()[0]
    assert np.allclose(ground.get_ydata()[30], margin(stairs(x[right][:1]), y[right][:1]).detach())


def test_drawing_leaves_the_model_as_it_was():
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), nn.Linear(64, 10)).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    plots.triptych(X, X_ADV, model)
    plots.line_of_loss(model, X, Y, eps=EPS)
    plots.loss_surface(model, X, Y, eps=EPS)
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())


def test_the_two_meaningful_colours_are_of_the_palette():
    assert [to_hex(color) for color in (plots.BLUE, plots.RED)] == list(plots.COLORS[:2])


def test_a_table_has_every_rate_in_its_row_and_column():
    measured = {"bare": {"clean": Rate(98, 100), "PGD": Rate(13, 100)}, "masked": {"PGD": Rate(96, 100)}}
    picture = plots.table(measured)
    axes = axes_of(picture)[0]
    cells = {text.get_text(): text.get_position() for text in axes.texts}
    assert cells == {"98 % [93, 99]": (0, 0), "13 % [8, 21]": (1, 0), "96 % [90, 98]": (1, 1)}
    assert axes.get_xlabel() == "n = 100"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["clean", "PGD"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["bare", "masked"]
    assert picture.text.splitlines()[1] == "masked → PGD 96/100 = 96 % [90, 98]"


@pytest.mark.parametrize(
    ("second", "cell", "columns", "below"),
    [
        (Rate(13, 100), "13 % [8, 21]", ["clean", "PGD"], "n = 100"),
        (Rate(13, 50), "26 % [16, 40]", ["clean\nn = 100", "PGD\nn = 50"], ""),
        (Trainings([Rate(13, 50), Rate(11, 50)]), "24 % [0, 49]", ["clean\nn = 100", "PGD\nn = 50, 2 trainings"], ""),
    ],
)
def test_a_table_says_n_once_where_it_is_the_same(second, cell, columns, below):
    axes = axes_of(plots.table({"bare": {"clean": Rate(98, 100), "PGD": second}}))[0]
    assert axes.texts[1].get_text() == cell
    assert [label.get_text() for label in axes.get_xticklabels()] == columns and axes.get_xlabel() == below


def test_a_table_of_unequal_samples_says_n_behind_each_row_or_in_each_cell():
    rows = {"a": {"left": Rate(1, 10), "kept": Rate(2, 10)}, "b": {"left": Rate(1, 20), "kept": Rate(2, 20)}}
    axes = axes_of(plots.table(rows))[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["a, n = 10", "b, n = 20"]
    assert axes.texts[2].get_text() == "5 % [1, 24]"
    axes = axes_of(plots.table(rows | {"b": {"left": Rate(1, 20), "kept": Rate(2, 30)}}))[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["a", "b"]
    assert axes.texts[2].get_text() == "1/20 = 5 % [1, 24]"


def test_a_table_says_n_behind_a_row_of_those_columns_that_do_not_share_one():
    rows = {"a": {"left": Rate(1, 10), "kept": Rate(2, 50)}, "b": {"left": Rate(1, 20), "kept": Rate(4, 50)}}
    axes = axes_of(plots.table(rows))[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["left\nn of the row", "kept\nn = 50"]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["a, n = 10", "b, n = 20"]
    assert axes.texts[0].get_text() == "10 % [2, 40]"


def test_a_dot_stands_for_each_training():
    of_three = Trainings([Rate(k, 397) for k in (80, 96, 109)])
    axes = axes_of(plots.rates({"FGSM": of_three}))[0]
    assert list(axes.lines[1].get_xdata()) == [80 / 397, 96 / 397, 109 / 397]
    assert "80, 96, 109 of 397 = 24 % [15, 33]" in {text.get_text() for text in axes.texts}


# Leaks.


def test_a_curve_of_accusations_says_what_is_found_at_the_mark():
    curves = {"sure": (torch.tensor([0, 0, 0.01, 1]), torch.tensor([0, 0.2, 0.4, 1]))}
    picture = plots.roc(curves)
    assert "sure → 40 %" in picture.text and "1 %" in picture.text
    [axes] = axes_of(picture)
    assert axes.get_xscale() == axes.get_yscale() == "log" and len(axes.lines) == 3  # guessing, the curve, the mark


def test_a_gallery_names_rows_and_shows_each_image_once():
    picture = plots.gallery({"first": X[:5], "second": X[:2]}, {"second": ["20 dB", "40 dB"]})
    assert picture.text == "first\nsecond → 20 dB, 40 dB"
    shown = [axes for axes in axes_of(picture) if axes.images]
    assert len(shown) == 7 and shown[0].get_ylabel() == "first" and shown[6].get_title() == "40 dB"
    assert shown[0].images[0].get_cmap().name == "gray_r"
    faces = plots.gallery({"faces": images((1, 64, 64), 2)})
    assert axes_of(faces)[0].images[0].get_cmap().name == "gray"  # light, not ink
    width, wider = (plots.gallery({"a": X[:2]}, largest=inches).figure.get_figwidth() for inches in (0.8, 1.5))
    assert wider == pytest.approx(width + 2 * 0.7)


def test_curves_draw_the_numbers_on_the_axes_asked_for():
    numbers = {"a": {1: 0.1, 10: 1.0, 100: 30.0}, "b": {1: 2.0}}
    for log in ((True, False), (False, True)):
        (axes,) = axes_of(plots.curves(numbers, x="updates", y="epsilon", log=log))
        assert (axes.get_xscale() == "log", axes.get_yscale() == "log") == log
        for line, wanted in zip(axes.lines, numbers.values(), strict=True):
            assert dict(zip(line.get_xdata(), line.get_ydata(), strict=True)) == wanted
        assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "10", "100"]


def test_dots_draw_each_training_the_mean_and_what_is_beside_it():
    several = Trainings(Rate(k, 10) for k in (1, 2, 6))
    shown = {"left": {"a": several, "b": Rate(9, 10)}, "right": {"b": Rate(5, 10)}}
    picture = plots.dots(shown, beside={"left": {"a": Rate(4, 10)}})
    first, second = picture.figure.axes
    drawn = [(list(line.get_xdata()), list(line.get_ydata())) for line in first.lines]
    assert ([0.1, 0.2, 0.6], [0, 0, 0]) in drawn, "each training"
    assert ([0.3], [0]) in drawn and ([0.4], [0]) in drawn, "the mean, and the ring"
    assert [list(line.get_ydata()) for line in second.lines] == [[1], [1]], "rows are the same in all panels"
    assert second.get_title() == "right\nn = 10"
    assert str(several) in picture.text and str(Rate(9, 10)) in picture.text
