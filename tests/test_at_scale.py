"""What lesson 15 adds: TRADES for large networks, MeanSparse, and the tool that compares on photographs."""

import json

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import at_scale
from utils import records, scale
from utils.adversarial import kl
from utils.data import load
from utils.models import logits, predict, resnet, small_cnn
from utils.photographs import MeanSparse, channels_before_relus, mean_sparse, quickly_trades
from utils.rate import Rate
from utils.training import fit

TINY = at_scale.Size(
    scale.Recipe(width=8, lr=0.2, average=0.9, pad=1, flip=False, held=100), 12, 20, 30, (0.25,), 5, 50
)


@pytest.fixture(scope="module")
def digits():
    return load("digits")


# TRADES for large networks.


def test_without_a_weight_on_the_ball_it_is_plain_training(digits):
    x, y = digits.train.take(20)
    torch.manual_seed(0)
    model = small_cnn(digits)
    assert torch.equal(quickly_trades(0.1, beta=0.0)(model, x, y), F.cross_entropy(model(x), y))


def test_the_search_finds_what_a_long_search_finds(digits):
    """On a linear network one step from anywhere reaches the corner where two classes differ most, or nearly."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    x, y = 0.3 + 0.4 * torch.rand(50, 1, 8, 8), torch.randint(2, (50,))
    weight = model[1].weight[1] - model[1].weight[0]
    corners = [x + side * 0.1 * weight.sign().view(1, 1, 8, 8) for side in (-1, 1)]
    most = torch.stack([kl(model(x), model(corner)) for corner in corners]).amax(0).mean()
    apart = quickly_trades(0.1, beta=1.0, steps=10, reach=4.0)(model, x, y) - F.cross_entropy(model(x), y)
    assert 0.9 * most < apart <= most + 1e-5


def test_the_search_leaves_no_trace_in_running_statistics(digits):
    x, y = digits.train.take(20)
    model = resnet(digits, 4, (1, 1)).train()
    quickly_trades(0.1, steps=3)(model, x, y)
    (seen, *_) = (m.num_batches_tracked for m in model.modules() if isinstance(m, nn.BatchNorm2d))
    assert seen == 2, "the clean images and the moved ones"
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("method", at_scale.METHODS)
def test_an_update_takes_the_passes_that_are_said(method, digits):
    model, counted = resnet(digits, 4, (1, 1)), []
    model.register_forward_hook(lambda *_: counted.append("forward"))
    model[-1].register_full_backward_hook(lambda *_: counted.append("backward"))
    how = scale.arguments(at_scale.recipe_of(method, TINY), digits) | at_scale.instead(method, digits, TINY)
    how |= {"average": 0.0, "updates": 3}
    fit(model, digits.train.take(200), **how)
    assert len(counted) == 3 * at_scale.METHODS[method][0]


# MeanSparse.


def test_what_is_near_the_mean_becomes_it_and_has_no_gradient():
    x = torch.tensor([[0.0, 5.0], [0.9, 6.1], [1.1, 7.0]], requires_grad=True)
    mean, std = torch.tensor([0.0, 5.0]), torch.tensor([1.0, 1.0])
    out = MeanSparse(mean, std, alpha=1.0)(x)
    assert out.tolist() == [[0.0, 5.0], [0.0, pytest.approx(6.1)], [pytest.approx(1.1), 7.0]]
    out.sum().backward()
    assert x.grad.tolist() == [[0, 0], [0, 1], [1, 1]]
    x.grad = None
    straight = MeanSparse(mean, std, alpha=1.0, straight=True)(x)
    straight.sum().backward()
    assert torch.equal(straight, out) and x.grad.eq(1).all()


@pytest.mark.parametrize("make", [small_cnn, lambda data: resnet(data, 4, (1, 1))])
def test_mean_sparse_is_a_copy_with_a_mask_before_each_relu(make, digits):
    torch.manual_seed(0)
    model, x = make(digits), digits.train.take(100).x
    model.eval()
    before = {name: t.clone() for name, t in model.state_dict().items()}
    relus = sum(isinstance(layer, nn.ReLU) for layer in model.modules())
    masked, straight = mean_sparse(model, x, 0.5), mean_sparse(model, x, 0.5, straight=True)
    assert sum(isinstance(layer, MeanSparse) for layer in masked.modules()) == relus > 0
    assert sum(isinstance(layer, MeanSparse) for layer in model.modules()) == 0
    assert all(torch.equal(t, before[name]) for name, t in model.state_dict().items())
    assert torch.equal(logits(masked, x), logits(straight, x)) and not torch.equal(logits(masked, x), logits(model, x))
    assert torch.allclose(logits(mean_sparse(model, x, 0.0), x), logits(model, x))


def test_statistics_are_those_of_each_channel(digits):
    model, x = small_cnn(digits), digits.train.take(50).x
    first, *_ = channels_before_relus(model, x)
    features = model[1](model[0](x)).detach()  # normalised, then the first convolution
    assert torch.allclose(first[0], features.mean((0, 2, 3)), atol=1e-6)
    assert torch.allclose(first[1], features.std((0, 2, 3)), atol=1e-5)


# The tool.


@pytest.fixture(scope="module")
def measured_on_digits(tmp_path_factory):
    """Records of a small size on the digits, by name, and where weights and records lie."""
    folder, sizes = tmp_path_factory.mktemp("at_scale"), at_scale.SIZES
    at_scale.SIZES = {"": TINY, "_gpu": sizes["_gpu"]}
    words = ["--dataset", "digits", "--folder", str(folder / "work"), "--kept", str(folder), "--note", "a test"]
    try:
        at_scale.main(["fast", "masks", "smoothing", *words])
        yield folder, words, {name: records.read(name, "digits", folder) for name in ("fast", "masks", "smoothing")}
    finally:
        at_scale.SIZES = sizes


def test_a_comparison_leaves_what_a_recipe_leaves(measured_on_digits):
    _, _, kept = measured_on_digits
    record = kept["fast"]
    assert records.find(record, "right")["value"]["n"] == 397
    assert records.find(record, "left by worst_case")["value"]["n"] == TINY.worst
    assert records.find(record, "each image", "passes")["value"]["number"] == TINY.passes
    assert records.find(record, "note")["value"]["text"] == "a test"
    last = [figure["row"] for figure in record["figures"] if figure["row"].startswith("epoch")][-1]
    assert last == f"epoch {TINY.passes // at_scale.METHODS['fast'][0]}"
    assert record["headline"] == {
        "fast": {row: records.find(record, row)["value"] for row in ("right", "left by worst_case")}
    }


def test_more_images_than_can_be_judged_is_said_before_the_training(digits, tmp_path, monkeypatch):
    monkeypatch.setattr(at_scale, "trained", lambda *_: pytest.fail("it trains first"))
    with pytest.raises(ValueError, match="of 397 test images at most 198 can be unseen: got n = 199"):
        at_scale.compared("fast", at_scale.Place(tmp_path, digits, TINY._replace(worst=199), 0))


def test_each_size_judges_on_images_that_cifar10_has():
    for size in at_scale.SIZES.values():
        assert 2 * max(size.worst, size.masked) <= 10_000


def test_masks_are_put_on_and_taken_off(measured_on_digits):
    _, _, kept = measured_on_digits
    for mask in ("quantised", "JPEG", "saturated", "MeanSparse on it"):
        own, adapted = (records.find(kept["masks"], mask, how)["value"]["k"] for how in ("its own gradient", "adapted"))
        assert adapted <= own, mask
    assert records.find(kept["masks"], "MeanSparse", "network")["value"]["text"] == "n_fgsm"
    assert records.find(kept["masks"], "MeanSparse", "alpha")["value"]["number"] in (0.0, *at_scale.ALPHAS)


def test_certificates_shrink_with_the_radius(measured_on_digits):
    _, _, kept = measured_on_digits
    counts = [
        records.find(kept["smoothing"], "certified, sigma 0.25", f"{radius:g}")["value"]["k"]
        for radius in at_scale.RADII
    ]
    assert counts == sorted(counts, reverse=True) and counts[0] > 0
    assert records.find(kept["smoothing"], "sigma 0.25", "inferences a second")["value"]["number"] > 0


def test_each_noise_keeps_the_seconds_of_its_own_training(digits, tmp_path, monkeypatch):
    model, seconds = small_cnn(digits), iter([7.0, 9.0])
    epochs = ([scale.Epoch(1, spent, spent, Rate(1, 2), Rate(1, 2))] for spent in seconds)
    monkeypatch.setattr(at_scale, "trained", lambda *_: (model, next(epochs)))
    rows = at_scale.certified(at_scale.Place(tmp_path, digits, TINY._replace(sigmas=(0.25, 0.5)), 0))
    assert [rows[f"training, sigma {sigma}"]["seconds"] for sigma in (0.25, 0.5)] == [7.0, 9.0]


def test_what_was_trained_is_not_trained_again(measured_on_digits, monkeypatch, capsys):
    folder, words, kept = measured_on_digits
    monkeypatch.setattr(scale, "fit", lambda *_, **__: pytest.fail("it lies in the folder"))
    at_scale.main(["fast", *words])
    again = records.read("fast", "digits", folder)
    assert again["figures"] == kept["fast"]["figures"]
    assert "fast on digits: right" in capsys.readouterr().out


def test_without_a_name_only_what_is_missing_is_measured(measured_on_digits, monkeypatch):
    _, words, _ = measured_on_digits
    done = []
    monkeypatch.setattr(
        at_scale, "MEASUREMENTS", {n: lambda place, n=n: done.append(n) or {} for n in at_scale.MEASUREMENTS}
    )
    monkeypatch.setattr(at_scale, "NAMES", {at_scale.device().type: at_scale.NAMES["cpu"]})
    monkeypatch.setattr(at_scale, "save", lambda record, folder: None)
    at_scale.main(words)
    assert done == ["undefended", "n_fgsm", "pgd", "trades"]
    with pytest.raises(SystemExit, match="there is no nonsense: name one of undefended, "):
        at_scale.main(["nonsense", *words])


def test_each_name_says_what_and_how_large():
    for names in at_scale.NAMES.values():
        for name in names:
            what, size = at_scale.what_for(name)
            assert what in at_scale.MEASUREMENTS and size is at_scale.SIZES[name.removeprefix(what)]
    assert json.dumps(at_scale.NAMES)


def test_a_network_that_was_trained_long_is_preferred(digits, tmp_path):
    from safetensors.torch import save_model

    place = at_scale.Place(tmp_path, digits, TINY, 0)
    recipe = scale.RECIPES["ten_minutes"]
    weights = tmp_path / "ten_minutes.digits.0" / "model.safetensors"
    weights.parent.mkdir()
    save_model(resnet(digits, recipe.width, recipe.blocks), str(weights))
    name, model = at_scale.robust_one(place)
    assert name == "ten_minutes" and not model.training


def test_only_those_that_are_trained_on_attacks_are_chosen_by_what_attacks_leave(digits, tmp_path, monkeypatch):
    chosen = {}
    monkeypatch.setattr(scale, "trained", lambda *args, by, **how: chosen.setdefault(method, by))
    for method in at_scale.METHODS:
        at_scale.trained(method, at_scale.Place(tmp_path, digits, TINY, 0))
    robust = dict.fromkeys(("fast", "n_fgsm", "pgd", "trades"), "left")
    assert chosen == robust | {"undefended": "right", "noisy": "right"}


def test_the_best_alpha_costs_at_most_one_answer_in_100(digits, monkeypatch):
    def right(model, images):
        return Rate({"plain": 100, 0.1: 100, 0.15: 99, 0.2: 99}.get(model, dear), 100)

    monkeypatch.setattr(at_scale.photographs, "mean_sparse", lambda model, x, alpha: alpha)
    monkeypatch.setattr(at_scale, "accuracy", right)
    monkeypatch.setattr(at_scale, "robust_accuracy", lambda alpha, *_, eps: Rate(round(100 * alpha), 100))
    dear = 98
    assert at_scale.best_alpha("plain", digits.train, 0.1) == 0.2
    dear = 99
    assert at_scale.best_alpha("plain", digits.train, 0.1) == max(at_scale.ALPHAS)


def test_the_adapted_attacks_climb_the_stand_in(digits):
    torch.manual_seed(0)
    model, stand_in, x = small_cnn(digits).eval(), small_cnn(digits).eval(), digits.test.take(5).x
    y = predict(stand_in, x)  # so each image must be moved
    for by, attack in zip(at_scale.through(stand_in), at_scale.strong(), strict=True):
        found = by(model, x, y, eps=0.1)
        assert torch.equal(found, attack(stand_in, x, y, eps=0.1)) and (found != x).flatten(1).any(1).all()


def test_what_is_certified_was_trained_on_its_noise(digits):
    x, y = digits.train.take(200)
    torch.manual_seed(0)
    noisy = at_scale.instead("noisy", digits, TINY)["transform"](small_cnn(digits), x, y)
    assert float((noisy - x).std()) == pytest.approx(TINY.sigmas[0], rel=0.05)
