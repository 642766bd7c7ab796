"""What `fit` and the networks have for photographs: each part beside plain torch, and left out it changes nothing."""

import itertools
import warnings
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import OneCycleLR

from utils.adversarial import quickly_attacked
from utils.attacks import fgsm
from utils.data import Split, load
from utils.models import logits, mlp, network, resnet, small_cnn
from utils.rate import Rate
from utils.training import crop_and_flip, fastest_type, fit, mean_cross_entropy
from utils.training.checkpoints import read_checkpoint, write_checkpoint
from utils.training.statistics import batch_statistics

SGD = partial(torch.optim.SGD, momentum=0.9, nesterov=True, weight_decay=5e-4)


@pytest.fixture(scope="module")
def digits():
    return load("digits")


@pytest.fixture(scope="module")
def photographs(digits):
    """As CIFAR-10 in shape, with random pixels."""
    x = torch.rand(64, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    return digits._replace(train=Split(x, torch.arange(64) % 10), test=Split(x, torch.arange(64) % 10))


def weights(model):
    return [p.detach().clone() for p in model.parameters()]


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def slim(digits, seed=0):
    torch.manual_seed(seed)
    return resnet(digits, 4, (1, 1))


# Networks.


@pytest.mark.parametrize(
    ("width", "blocks", "millions"), [(64, (2, 2, 2, 2), 11.17), (32, (1, 1, 1, 1), 1.23), (16, (1, 1, 1, 1), 0.31)]
)
def test_a_residual_network_has_the_customary_weights(photographs, width, blocks, millions):
    model = resnet(photographs, width, blocks)
    assert round(sum(p.numel() for p in model.parameters()) / 1e6, 2) == millions
    assert model[0](photographs.train.x).std().item() == pytest.approx(1, abs=0.01), "normalisation is its first layer"


def test_a_block_of_zeros_lets_its_input_through(photographs):
    """The way around adds what came in; where the shape changes, a convolution takes its place."""
    model = resnet(photographs, 8, (1, 1))
    (plain, halving), x = model[4:6], torch.rand(2, 8, 32, 32)
    for block in (plain, halving):
        nn.init.zeros_(block.body[-1].weight)
    assert torch.equal(plain.eval()(x), x) and halving.eval()(x).shape == (2, 16, 16, 16)


def test_each_data_set_has_its_network(digits, photographs):
    def kinds(model):
        return [type(module) for module in model.modules()]

    assert kinds(network(digits)) == kinds(small_cnn(digits))
    assert kinds(network(load("tumors"))) == kinds(mlp(load("tumors")))
    assert kinds(network(photographs)) == kinds(resnet(photographs, 32, (1, 1, 1, 1)))
    torch.manual_seed(0)
    once = weights(network(digits))
    torch.manual_seed(0)
    assert same(once, weights(small_cnn(digits)))
    with pytest.raises(ValueError, match="use mlp"):
        resnet(load("tumors"))


# Left out, nothing changes.


def loop(model, train, updates, optimizer, schedule, batch_size=64):
    """The course's loop as it was before it learned anything for large networks."""
    x, y = train
    order = iter(())
    model.train()
    for _ in range(updates):
        if (batch := next(order, None)) is None or len(batch) < batch_size:
            order = iter(torch.randperm(len(x)).split(batch_size))
            batch = next(order)
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(model(x[batch]), y[batch]).backward()
        optimizer.step()
        schedule.step()
        yield model


def test_small_networks_get_the_weights_that_they_always_got(digits):
    torch.manual_seed(3)
    model = small_cnn(digits)
    adam = torch.optim.Adam(model.parameters(), lr=5e-3)
    list(loop(model, digits.train, 50, adam, OneCycleLR(adam, 5e-3, total_steps=50)))  # more than two epochs
    torch.manual_seed(3)
    assert same(weights(fit(small_cnn(digits), digits.train, updates=50)), weights(model))


def test_an_optimizer_and_a_schedule_are_torchs_own(digits):
    schedule = partial(OneCycleLR, anneal_strategy="linear", cycle_momentum=False)
    torch.manual_seed(3)
    model = small_cnn(digits)
    sgd = SGD(model.parameters(), lr=0.1)
    list(loop(model, digits.train, 30, sgd, schedule(sgd, 0.1, total_steps=30)))
    torch.manual_seed(3)
    mine = fit(small_cnn(digits), digits.train, updates=30, lr=0.1, optimizer=SGD, schedule=schedule)
    assert same(weights(mine), weights(model))


# Batches.


@pytest.mark.parametrize("pad", [0, 1, 2])
def test_a_crop_is_a_shift_with_black_and_a_flip_a_mirror(pad):
    torch.manual_seed(0)
    x = torch.rand(1, 2, 5, 7)
    padded = F.pad(x, (pad,) * 4)
    places = itertools.product(range(2 * pad + 1), range(2 * pad + 1), (False, True))
    wanted = [(r, c, flip, padded[..., r : r + 5, c : c + 7]) for r, c, flip in places]
    wanted = [(r, c, flip, crop.flip(3) if flip else crop) for r, c, flip, crop in wanted]
    found = crop_and_flip(x.expand(600, -1, -1, -1), pad=pad)
    assert found.shape == (600, 2, 5, 7)
    counts = [int((found == crop).flatten(1).all(1).sum()) for *_, crop in wanted]
    assert sum(counts) == 600 and min(counts) > 0, "each image is one of them, and all of them come up"
    assert torch.equal(crop_and_flip(x, pad=0, flip=False), x)


def test_augmented_batches_follow_the_seed_and_come_before_the_transform(digits):
    seen = []

    def transform(model, x, y):
        seen.append(x)
        return x

    for seed in (0, 0, 1):
        model = slim(digits, seed)
        fit(model, digits.train, augment=partial(crop_and_flip, pad=1), transform=transform, updates=1)
    assert torch.equal(seen[0], seen[1]) and not torch.equal(seen[0], seen[2])
    assert not any((image == digits.train.x).flatten(1).all(1).any() for image in seen[0][:3])


# Averaged weights.


def test_the_average_is_exponential_over_all_updates(digits):
    torch.manual_seed(1)
    model = mlp(digits)
    adam = torch.optim.Adam(model.parameters(), lr=5e-3)
    mean = None
    for now in loop(model, digits.train, 12, adam, OneCycleLR(adam, 5e-3, total_steps=12)):
        mean = [0.8 * m + 0.2 * w for m, w in zip(mean or weights(now), weights(now), strict=True)]
    torch.manual_seed(1)
    mine = fit(mlp(digits), digits.train, updates=12, average=0.8)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(weights(mine), mean, strict=True))


def test_batchnorm_has_the_statistics_of_the_averaged_weights(digits):
    """Of one batch that is all of the set they are known: those of the averaged network's own activations."""
    train = Split(digits.train.x[:128], digits.train.y[:128])
    model = fit(slim(digits), train, updates=30, batch_size=128, lr=0.1, optimizer=SGD, average=0.9)
    norm = model[2]
    with torch.no_grad():
        inside = model[1](model[0](train.x))
    assert torch.allclose(norm.running_mean, inside.mean((0, 2, 3)), atol=1e-5)
    assert torch.allclose(norm.running_var, inside.var((0, 2, 3)), rtol=1e-4)
    assert norm.momentum == 0.1 and not model.training


def test_batchnorm_has_the_statistics_of_all_that_the_loss_asks(digits):
    """As in the training: TRADES learns from clean images and from moved ones, and its search leaves no trace."""
    train = Split(digits.train.x[:128], digits.train.y[:128])

    def loss(model, x, y):
        moved = (0.5 * x).requires_grad_()
        with batch_statistics(model):
            (gradient,) = torch.autograd.grad(model(0.1 * moved).sum(), moved)
        assert gradient.isfinite().all()
        return F.cross_entropy(model(x), y) + F.cross_entropy(model(moved), y)

    model = fit(slim(digits), train, loss=loss, updates=10, batch_size=128, lr=0.1, optimizer=SGD, average=0.9)
    norm = model[2]
    with torch.no_grad():
        inside = [model[1](model[0](x)) for x in (train.x, 0.5 * train.x)]
    for kept, wanted in ((norm.running_mean, torch.mean), (norm.running_var, torch.var)):
        both = sum(wanted(seen, (0, 2, 3)) for seen in inside) / 2
        assert torch.allclose(kept, both, rtol=1e-4, atol=1e-5)
    assert norm.momentum == 0.1 and not model.training


# BatchNorm in the attack.


def test_the_attack_in_training_climbs_the_loss_of_the_batchs_statistics(digits):
    model, (x, y) = slim(digits).train(), digits.train.take(64)
    model(2 * x)  # running statistics that are not the batch's
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    one_step = {"start": 0.0, "reach": 1.0}
    in_batch = quickly_attacked(0.1, **one_step)(model, x, y)
    running = quickly_attacked(0.1, running=True, **one_step)(model, x, y)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert all(module.training for module in model.modules()) and all(p.grad is None for p in model.parameters())
    assert torch.equal(running, fgsm(model, x, y, eps=0.1)), "as at test time"
    x_own = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_own), y), x_own)
    assert torch.equal(in_batch, (x + 0.1 * gradient.sign()).clamp(0, 1))
    assert (in_batch != running).float().mean() > 0.01


@pytest.mark.parametrize("how", [{}, {"steps": 3, "reach": 2.5}, {"start": 2.0, "reach": 1.0, "project": False}])
def test_the_quick_attack_stays_where_it_may_be(digits, how):
    model, (x, y) = slim(digits).train(), digits.train.take(64)
    torch.manual_seed(0)
    x_adv = quickly_attacked(0.1, **how)(model, x, y)
    farthest = 0.1 if how.get("project", True) else 0.3
    assert 0 <= x_adv.min() and x_adv.max() <= 1 and (x_adv - x).abs().max() <= farthest + 1e-6
    assert how.get("project", True) or (x_adv - x).abs().max() > 0.11, "N-FGSM leaves the ball"
    assert F.cross_entropy(model(x_adv), y) > F.cross_entropy(model(x), y)
    assert not torch.equal(x_adv, quickly_attacked(0.1, **how)(model, x, y)), "another start"


def test_a_gradient_too_small_for_float16_still_has_its_sign():
    """Of an image that is right by far: 0.0001 times 0.00005 is 0 in float16."""
    linear, x, y = nn.Linear(64, 2), torch.full((4, 64), 0.5), torch.zeros(4, dtype=torch.int64)
    with torch.no_grad():
        linear.weight.copy_(1e-4 * torch.tensor([[1.0], [-1.0]]).expand(2, 64))
        linear.bias.copy_(torch.tensor([10.0, 0.0]))
    with torch.autocast("cpu", torch.float16):
        x_adv = quickly_attacked(0.1, start=0.0, reach=1.0)(linear, x, y)
    assert torch.allclose(x_adv, torch.full_like(x, 0.4))


# Precision and memory format.


@pytest.mark.slow
@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16, None])
def test_it_computes_in_the_type_that_it_is_told(digits, precision):
    seen = []

    def loss(model, x, y):
        answer = model(x)
        seen.append(answer.dtype)
        return F.cross_entropy(answer, y)

    how = {"optimizer": SGD, "lr": 0.1, "updates": 60, "transform": quickly_attacked(0.05)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = fit(slim(digits), digits.train, loss=loss, precision=precision, **how)
    assert set(seen) == {precision or torch.float32}
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert (logits(model, digits.test.x).argmax(1) == digits.test.y).float().mean() > 0.5  # of ten classes


@pytest.mark.parametrize("which", [1, 5])
def test_an_update_that_overflows_in_float16_is_left_out(digits, which):
    seen = []

    def transform(model, x, y):
        seen.append(weights(model))
        return x * (1e30 if len(seen) == which else 1)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(slim(digits), digits.train, transform=transform, updates=8, precision=torch.float16)
    moved = [not same(a, b) for a, b in itertools.pairwise(seen)]
    assert moved == [update != which for update in range(1, 8)] and all(w.isfinite().all() for w in seen[-1])


def test_the_fastest_type_is_what_the_hardware_multiplies(monkeypatch):
    cards = {(7, 0): torch.float16, (7, 5): torch.float16, (8, 0): torch.bfloat16}  # V100, T4, A100
    for capability, wanted in cards.items():
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device, found=capability: found)
        assert fastest_type("cuda") == wanted
    for known, wanted in (({"avx512_bf16": True}, torch.bfloat16), ({"avx512_bf16": False}, None), ({}, None)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda known=known: known, raising=False)
        assert fastest_type("cpu") == wanted
    assert fastest_type("mps") is None


def test_channels_last_is_a_memory_format_and_nothing_else(digits):
    formats = []

    def loss(model, x, y):
        formats.append(x.is_contiguous(memory_format=torch.channels_last))
        return mean_cross_entropy(model, x, y)

    data = digits._replace(train=Split(digits.train.x.expand(-1, 3, -1, -1).contiguous(), digits.train.y))
    plain = fit(slim(data).double(), (data.train.x.double(), data.train.y), updates=5)
    last = fit(slim(data).double(), (data.train.x.double(), data.train.y), updates=5, loss=loss, channels_last=True)
    assert formats == [True] * 5 and last[1].weight.is_contiguous(memory_format=torch.channels_last)
    assert all(torch.allclose(a, b, atol=1e-9) for a, b in zip(weights(plain), weights(last), strict=True))


# The alarm.


def test_the_best_weights_are_returned_and_a_fall_is_said(digits):
    seen, rates = [], iter([Rate(10, 100), Rate(60, 100), Rate(58, 100), Rate(5, 100), Rate(4, 100)])

    def watch(model):
        seen.append(weights(model))
        return next(rates)

    with pytest.warns(UserWarning) as caught:
        model = fit(mlp(digits), digits.train, updates=5 * 21, watch=watch)
    said = [str(warning.message) for warning in caught]
    assert len(said) == 1 and "after 84 updates the model holds on 5/100" in said[0] and "after 42 on 60/100" in said[0]
    assert caught[0].filename == __file__
    assert same(weights(model), seen[1]) and not same(weights(model), seen[4]) and len(seen) == 5


def test_no_alarm_where_nothing_fell(digits):
    rates = iter([Rate(10, 100), Rate(60, 100), Rate(58, 100)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(mlp(digits), digits.train, updates=3 * 21, watch=lambda model: next(rates))


def test_averaged_weights_are_what_is_watched(digits):
    seen = []

    def watch(model):
        seen.append([logits(model, digits.test.x), model])
        return Rate(len(seen), 10)

    model = fit(slim(digits), digits.train, updates=2 * 21, average=0.9, watch=watch)
    assert torch.equal(logits(model, digits.test.x), seen[-1][0]) and seen[-1][1] is not model


# Checkpoints.


class Power(Exception):
    """It went off."""


@pytest.mark.slow
@pytest.mark.parametrize("precision", [None, torch.bfloat16, torch.float16])
def test_a_training_that_was_stopped_goes_on_to_the_same_weights(digits, tmp_path, precision):
    file, train = tmp_path / "deep" / "state.safetensors", digits.train.take(300)

    def trained(stop_at=None, checkpoint=None):
        watched = []

        def watch(model):
            watched.append(logits(model, train.x))
            return Rate(int((watched[-1].argmax(1) == train.y).sum()), 300)

        def transform(model, x, y):
            calls.append(0)
            if len(calls) == stop_at:
                raise Power
            return quickly_attacked(0.1)(model, x, y)

        calls, how = [], {"optimizer": SGD, "lr": 0.1, "average": 0.9, "augment": partial(crop_and_flip, pad=1)}
        how |= {"updates": 16, "watch": watch, "precision": precision, "checkpoint": checkpoint, "channels_last": True}
        return fit(slim(digits), train, transform=transform, **how), watched

    through, looks = trained()
    with pytest.raises(Power):
        trained(stop_at=18, checkpoint=file)  # in the third epoch: four updates each, and four batches for statistics
    assert [one.name for one in file.parent.iterdir()] == [file.name] and read_checkpoint(file)["update"] == 8
    torch.manual_seed(7)
    again, later = trained(checkpoint=file)
    assert len(looks) == 4 and same(looks[2:], later)
    assert all(torch.equal(t, again.state_dict()[name]) for name, t in through.state_dict().items())


def test_the_best_weights_outlive_a_stop(digits, tmp_path):
    seen, rates = [], iter([Rate(60, 100), Rate(50, 100), None, Rate(40, 100)])

    def watch(model):
        seen.append(weights(model))
        if (rate := next(rates)) is None:
            raise Power
        return rate

    how = {"updates": 3 * 21, "watch": watch, "checkpoint": tmp_path / "state.safetensors"}
    with pytest.raises(Power):
        fit(mlp(digits), digits.train, **how)
    with pytest.warns(UserWarning, match="after 21 on 60/100"):
        model = fit(mlp(digits), digits.train, **how)
    assert same(weights(model), seen[0])


def test_a_checkpoint_of_another_training_is_refused(digits, tmp_path):
    file = tmp_path / "state.safetensors"
    fit(mlp(digits), digits.train, updates=30, checkpoint=file)
    with pytest.raises(ValueError, match=r"belongs to another training \(\{'updates': 30\}\): delete it"):
        fit(mlp(digits), digits.train, updates=31, checkpoint=file)


@pytest.mark.parametrize("content", [b"", b"nonsense" * 100, None])
def test_a_file_that_is_no_checkpoint_is_refused_in_a_sentence(digits, tmp_path, content):
    from safetensors.torch import save_file

    file = tmp_path / "state.safetensors"
    save_file({"weight": torch.ones(3)}, file) if content is None else file.write_bytes(content)
    with pytest.raises(ValueError, match=r"is no checkpoint of a training .*: delete it, or name another file"):
        fit(mlp(digits), digits.train, updates=30, checkpoint=file)


def test_what_a_checkpoint_holds_comes_back_as_it_was(tmp_path):
    state = {"a": [1, 2.5, None, True, "text"], 3: {"t": torch.arange(3), "empty": {}}, "half": torch.ones(2).half()}
    write_checkpoint(tmp_path / "c", state)
    found = read_checkpoint(tmp_path / "c")
    assert found["a"] == state["a"] and list(found) == ["a", 3, "half"] and found[3]["empty"] == {}
    assert torch.equal(found[3]["t"], torch.arange(3)) and found["half"].dtype == torch.float16
