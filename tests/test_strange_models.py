"""Models, files and numbers as people have them: each works at every entry, or one sentence says what to do."""

import math
import warnings
from collections import namedtuple
from functools import cache, partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from utils import duel
from utils.adversarial import quickly_attacked
from utils.attacks import apgd, apgd_t, cw_l2, fab, fgsm, funnel, margin, pgd, rays, square, transfer, worst_case
from utils.attacks.gradient import loss_gradient
from utils.attacks.parts import wrong
from utils.bounds import proved_radius
from utils.checkup import examine
from utils.data import load
from utils.evaluation import accuracy
from utils.guard import guard, lent
from utils.models import black_box, logits, predict, small_cnn
from utils.plots import line_of_loss, loss_surface
from utils.smoothing import certify, decide, majority, smooth_adv, smoothed
from utils.training import fit

EPS = {"linf": 0.12, "l2": 0.35}
GRADIENT = {
    "fgsm": (fgsm, "linf"),
    "pgd": (partial(pgd, steps=5), "linf"),
    "pgd l2": (partial(pgd, steps=5, norm="l2"), "l2"),
    "pgd to the end": (partial(pgd, steps=5, early_stop=False), "linf"),
    "apgd": (partial(apgd, steps=8, restarts=2), "linf"),
    "apgd l2": (partial(apgd, steps=8, norm="l2"), "l2"),
    "apgd_t": (partial(apgd_t, steps=8), "linf"),
    "cw_l2": (partial(cw_l2, steps=15), "l2"),
    "fab": (partial(fab, steps=8, restarts=2), "linf"),
    "fab l2": (partial(fab, steps=8, norm="l2"), "l2"),
    "funnel": (partial(funnel, steps=8), "linf"),
}
BLIND = {
    "square": (partial(square, queries=40), "linf"),
    "square l2": (partial(square, queries=40, norm="l2"), "l2"),
    "rays": (partial(rays, queries=40), "linf"),
}
FEW = [partial(pgd, steps=5), partial(square, queries=40), partial(rays, queries=40)]
ALL = {"worst_case": (partial(worst_case, attacks=FEW), "linf")}
ATTACKS = GRADIENT | BLIND | ALL


class NeverNothing(nn.Module):
    """The classifier under every strange one: 1 x 4 x 4 pixels, three classes; it can't be asked about nothing."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(16, 24), nn.ReLU(), nn.Linear(24, 3))

    def forward(self, x):
        return self.body(x.view(x.size(0), -1))


@cache
def plain() -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    """A trained classifier, forty images, and labels of which it gets 38 right."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(400, 1, 4, 4, generator=generator)
    y = x.flatten(1)[:, :15].unflatten(1, (3, 5)).mean(2).argmax(1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = fit(NeverNothing(), (x, y), updates=150)
    x = x[:40]
    y = model(x).argmax(1)
    y[:2] = (y[:2] + 1) % 3
    return model, x, y


def fell(model, name, x=None, y=None, **how):
    """The images that an attack brings down, (N,) bool, once its promise has been looked at."""
    (attack, norm), (_, x0, y0) = ATTACKS[name], plain()
    x, y = x0 if x is None else x, y0 if y is None else y
    x_adv = attack(model, x, y, eps=EPS[norm], **how)
    kept(x_adv, x, norm)
    return predict(model, x_adv) != y.long()


@cache
def fell_plain(name) -> int:
    """How many images the attack brings down on the plain classifier."""
    return int(fell(plain()[0], name).sum())


def kept(x_adv, x, norm):
    """Assert that images are numbers in [0, 1] and in the ball, up to rounding."""
    delta = (x_adv.double() - x.double()).flatten(1)
    away = delta.abs().amax(1) if norm == "linf" else delta.norm(dim=1)
    assert x_adv.shape == x.shape and x_adv.dtype == x.dtype and bool(x_adv.isfinite().all())
    assert bool(((x_adv >= 0) & (x_adv <= 1)).all()) and bool((away <= EPS[norm] + 1e-6).all())


# Models. Each is the same classifier in another dress.


class Wrapped(nn.Module):
    def __init__(self, model, answer=lambda z, x: z, before=lambda x: x):
        super().__init__()
        self.model, self.answer, self.before = model, answer, before

    def forward(self, x):
        return self.answer(self.model(self.before(x)), x)


class TrainsSilently(Wrapped):
    def train(self, mode=True):
        super().train(mode)  # and returns nothing, as many do


class Output:
    def __init__(self, logits):
        self.logits = logits


Named = namedtuple("Named", ["features", "logits"])


def copy_of(model, **to):
    twin = NeverNothing()
    twin.load_state_dict(model.state_dict())
    return twin.to(**to).eval() if to else twin.eval()


def in_place(x):
    return x.sub_(0.5).add_(0.5)


def past_torch(x):
    """Changes x by 0.001 there and back, by ways that autograd's counter of versions does not see."""
    x.data.mul_(0.999)
    x.detach().numpy()[:] /= 0.999
    x.data.add_(1e-4)
    return x


class InOnePlace(Wrapped):
    """As a graph of CUDA does: the next answer to as many inputs overwrites this one."""

    def __init__(self, model):
        super().__init__(model)
        self.places = {}

    def forward(self, x):
        answer = self.model(x)
        return answer if answer.requires_grad else self.places.setdefault(len(x), answer.clone()).copy_(answer)


class Sparse(Wrapped):
    """A network on a graph has the graph as a sparse matrix."""

    def __init__(self, model):
        super().__init__(model)
        self.register_buffer("graph", torch.eye(3).to_sparse())

    def forward(self, x):
        return torch.sparse.mm(self.graph, self.model(x).T).T


class Restless(Wrapped):
    """Does something to its buffer, which must be undone."""

    def __init__(self, model, does):
        super().__init__(model)
        self.does = does
        self.register_buffer("seen", torch.zeros(2))

    def forward(self, x):
        if self.does == "shape":
            self.seen.resize_(len(x)).fill_(1)
        elif hasattr(self, "seen"):
            del self.seen
        return self.model(x)


DRESSES = {
    "dictionary": lambda m: Wrapped(m, lambda z, x: {"features": z[:, :2], "logits": z}),
    "dictionary of one table": lambda m: Wrapped(m, lambda z, x: {"maps": x, "scores": z}),
    "named tuple": lambda m: Wrapped(m, lambda z, x: Named(z[:, :2], z)),
    "object": lambda m: Wrapped(m, lambda z, x: Output(z)),
    "(logits, probabilities)": lambda m: Wrapped(m, lambda z, x: (z, z.softmax(1))),
    "(maps, squeezed)": lambda m: Wrapped(m, lambda z, x: (x.unfold(2, 2, 1), z.squeeze())),
    "(maps, logits)": lambda m: Wrapped(m, lambda z, x: (x.unfold(2, 2, 1), z)),
    "(logits, loss)": lambda m: Wrapped(m, lambda z, x: (z, z.logsumexp(1).mean())),
    "(logits, labels)": lambda m: Wrapped(m, lambda z, x: (z, z.argmax(1))),
    "(logits, probabilities, confidence)": lambda m: Wrapped(m, lambda z, x: (z, p := z.softmax(1), p.amax(1))),
    "(logits, None)": lambda m: Wrapped(m, lambda z, x: (z, None)),
    "[logits]": lambda m: Wrapped(m, lambda z, x: [z]),
    "squeezed": lambda m: Wrapped(m, lambda z, x: z.squeeze()),
    "scripted": torch.jit.script,
    "traced": lambda m: torch.jit.trace(m, torch.rand(3, 1, 4, 4)),
    "frozen": lambda m: torch.jit.freeze(torch.jit.script(m.eval())),
    "exported": lambda m: torch.export.export(
        m, (torch.rand(3, 1, 4, 4),), dynamic_shapes=({0: torch.export.Dim("n", min=1)},)
    ).module(),
    "compiled": lambda m: torch.compile(m, backend="eager", dynamic=True),
    "data parallel": nn.DataParallel,
    "train() returns nothing": TrainsSilently,
    "writes into its input": lambda m: Wrapped(m, before=in_place),
    "writes into its input past torch": lambda m: Wrapped(m, before=past_torch),
    "writes its answers in one place": InOnePlace,
    "keeps a sparse buffer": Sparse,
    "changes the shape of a buffer": lambda m: Restless(m, "shape"),
    "deletes a buffer": lambda m: Restless(m, "delete"),
    "float64": lambda m: copy_of(m, dtype=torch.float64),
    "float64 answers": lambda m: Wrapped(m, lambda z, x: z.double()),
    "frozen parameters": lambda m: copy_of(m).requires_grad_(False),
    "a tensor of its own class": lambda m: Wrapped(m, lambda z, x: nn.Parameter(z) if not z.requires_grad else z),
}


@pytest.mark.parametrize("dress", DRESSES)
def test_each_is_attacked_as_the_plain_one_and_comes_back_as_it_was(dress):
    model, x, _ = plain()
    strange = DRESSES[dress](copy_of(model))
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="model|worst_case")
        for name in ATTACKS:
            found = fell(strange, name)
            assert abs(int(found.sum()) - fell_plain(name)) <= 1, name
            assert int(found.sum()) > 2, name
    assert torch.equal(x, plain()[1])
    assert all(p.requires_grad for p in strange.parameters()) or dress == "frozen parameters"


def test_answers_of_many_pieces_are_those_of_each():
    """Of 800 images in pieces of 250 the answers to the last stood for all: 464 were right."""
    model, x, _ = plain()
    many = x[torch.randint(40, (800,), generator=torch.Generator().manual_seed(0))]
    assert torch.equal(logits(InOnePlace(model), many), logits(model, many))
    assert accuracy(InOnePlace(model), (many, predict(model, many))).k == 800


def test_what_was_no_number_is_counted_before_the_next_answer_takes_its_place():
    model, x, _ = plain()
    holed = torch.cat([x[:6], torch.full_like(x[:2], math.nan)])
    with pytest.warns(match="answers NaN to 2 of 8 inputs"), torch.no_grad(), lent(InOnePlace(model)) as asked:
        asked(holed)
        asked(x[:8])


def test_what_a_model_does_to_itself_is_undone():
    model, x, y = plain()
    for strange in (Restless(model, "shape"), Restless(model, "delete"), Sparse(model)):
        before = {name: value.to_dense().clone() for name, value in strange.state_dict().items()}
        pgd(strange, x, y, eps=0.1, steps=2)
        after = {name: value.to_dense() for name, value in strange.state_dict().items()}
        assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)
    frozen = copy_of(model).requires_grad_(False)
    pgd(Wrapped(frozen, before=lambda x: frozen.requires_grad_(True) and x), x, y, eps=0.1, steps=2)
    assert not any(p.requires_grad for p in frozen.parameters())


@pytest.mark.parametrize("dress", DRESSES)
def test_each_is_certified_as_the_plain_one(dress):
    model, x, y = plain()
    strange, how = DRESSES[dress](copy_of(model)), {"sigma": 0.2}
    found = certify(strange, x[:6], n=100, n0=20, **how)
    assert torch.allclose(found.radius, certify(model, x[:6], n=100, n0=20, **how).radius, atol=0.05)
    assert torch.equal(majority(strange, x[:6], **how), majority(model, x[:6], **how))
    decided = [decide(m, x[:6], y[:6], radius=0.1, n_max=100, **how).certified for m in (strange, model)]
    assert torch.equal(*decided)
    for n in (1, 0):
        assert logits(strange, x[:n]).shape == (n, 3) and predict(strange, x[:n]).shape == (n,)


@pytest.mark.parametrize("dress", ["dictionary", "(maps, logits)", "(logits, None)"])
def test_what_is_built_on_a_model_takes_its_logits_out(dress):
    model, x, y = plain()
    strange = DRESSES[dress](model)
    moved = [transfer(model, x, y, eps=0.1, surrogate=[m, copy_of(model)], steps=3) for m in (strange, model)]
    assert torch.equal(*moved) and not torch.equal(moved[0], x)
    climbed = []
    for m in (strange, model):
        torch.manual_seed(0)
        climbed.append((quickly_attacked(0.1)(m, x, y), smooth_adv(0.2, 0.1)(m, x, y), smoothed(m, 0.2)(x)))
    assert all(map(torch.equal, *climbed))


@pytest.mark.parametrize("dress", ["(maps, logits)", "squeezed"])
def test_the_checkup_and_a_duel_take_them(dress):
    model, x, y = plain()
    found, expected = (examine(m, x[2:8], y[2:8], eps=0.1, advise=False) for m in (DRESSES[dress](model), model))
    assert found.flags == expected.flags and found.left == expected.left and found.notes == ()
    duels = [duel.Defense("it", m) for m in (DRESSES[dress](model), model)]
    sides = [duel.measure(one, (x[:5], y[:5]), eps=0.1, norms=["linf"], queries=5) for one in duels]
    assert all(torch.equal(sides[0].stood[kind], sides[1].stood[kind]) for kind in sides[1].stood)


REFUSED = {
    "(logit, features)": (lambda z: (z[:, :1], torch.cat([z, z], 1)), "got tuple of float32 (40, 1), float32 (40, 6)"),
    "a logit and features": (
        lambda z: {"score": z[:, 0], "attention": z},
        "got dict of score: float32 (40,), attention",
    ),
    "(features, logits)": (lambda z: (torch.cat([z, z], 1), z), "got tuple of float32 (40, 6), float32 (40, 3): let"),
    "dictionary without logits": (lambda z: {"a": z, "b": 2 * z}, "got dict of a: float32 (40, 3), b: float32 (40, 3)"),
    "one number": (lambda z: z[:, 0], "got float32 (40,): for two classes turn its one number z into two"),
    "one column": (lambda z: z[:, :1], "for two classes"),
    "one probability": (lambda z: z[:, :1].sigmoid(), "torch.cat([-z / 2, z / 2], 1); it may be a probability: take"),
    "classes": (lambda z: z.argmax(1), "let its forward return scores of each class, as floats"),
    "whole numbers": (lambda z: z.long(), "got int64 (40, 3): let its forward return scores of each class, as floats"),
    "maps": (lambda z: z[:, :, None, None], "append nn.Flatten()"),
    "nothing": (lambda z: None, "got NoneType: let its forward return the logits alone"),
    "arrays": (lambda z: z.detach().numpy(), "got ndarray"),
    "another batch": (lambda z: z[1:], "got float32 (39, 3): let its forward return one row of scores"),
    "complex": (lambda z: z + 1j, "got complex64 (40, 3)"),
}


@pytest.mark.parametrize(("answer", "says"), REFUSED.values(), ids=REFUSED)
def test_what_could_mean_several_things_gets_a_sentence(answer, says):
    model, x, y = plain()
    strange = Wrapped(model, lambda z, x: answer(z))
    calls = {name: partial(attack, eps=0.1) for name, (attack, _) in ATTACKS.items()}
    calls["certify"] = lambda m, x, y: certify(m, x, sigma=0.1, n0=1, n=1)
    calls["predict"] = lambda m, x, y: predict(m, x)
    for call in calls.values():
        with pytest.raises(ValueError, match=r"^model must return logits of shape \(40, classes\)") as caught:
            call(strange, x, y)
        assert says in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("thing", [lambda x: x, partial(print), "model.onnx", None, 3])
def test_what_is_no_module_is_named(thing):
    _, x, y = plain()
    for attack, _ in ATTACKS.values():
        with pytest.raises(TypeError, match=r"^model must be an nn\.Module"):
            attack(thing, x, y, eps=0.1)


# No gradient.


class CutOff(Wrapped):
    """What torch calls quantized: the answers of its integers are cut off from the input."""

    def forward(self, x):
        return self.model(x.detach())


class NoBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        raise RuntimeError("derivative for it is not implemented\nand more")


BLACK = {
    "cut off": CutOff,
    "in inference mode": lambda m: Wrapped(m, before=lambda x: x.detach(), answer=lambda z, x: z.detach()),
    "no backward": lambda m: Wrapped(m, before=NoBackward.apply),
    "leaves torch": lambda m: Wrapped(m, before=lambda x: torch.from_numpy(np.asarray(x))),
}


@pytest.mark.parametrize("kind", BLACK)
def test_without_gradients_the_black_boxes_work_and_the_others_say_so(kind):
    model, x, y = plain()
    black = BLACK[kind](model)
    for name, (attack, _) in GRADIENT.items():
        with pytest.raises(ValueError, match=r"^model has no gradient, .*: use attacks that need none") as caught:
            attack(black, x, y, eps=0.1)
        assert "\n" not in str(caught.value), name
    for name in BLIND:
        assert torch.equal(fell(black, name), fell(model, name))
    with pytest.warns(UserWarning, match="worst_case went on without gradients") as caught:
        found = fell(black, "worst_case")
    assert len(caught) == 1 and int(found.sum()) >= fell_plain("square") > 5
    with pytest.raises(ValueError, match=r"^model has no gradient"):
        worst_case(black, x, y, eps=0.1, attacks=[fgsm])
    for draw in (line_of_loss, loss_surface):
        with pytest.raises(ValueError, match=r"^model has no gradient"):
            draw(black, x[2:], y[2:], eps=0.1)


@pytest.mark.parametrize("kind", ["cut off", "no backward", "leaves torch"])
def test_the_checkup_and_a_duel_go_on_without_gradients(kind):
    model, x, y = plain()
    found = examine(BLACK[kind](model), x[2:22], y[2:22], eps=0.1, advise=False)
    assert "vanishing gradients" in found.flags and "no gradient" in " ".join(found.notes)
    assert found.left["... and without gradients"].k < found.left["no attack"].k
    with pytest.warns(UserWarning, match="it was attacked without gradients"):
        side = duel.measure(duel.Defense("it", BLACK[kind](model)), (x[:20], y[:20]), eps=0.1, queries=40)
    left = side.left(duel.Threat())
    assert left[0].k == 18 and left[-1].k < 15


def test_int8_is_a_black_box():
    model, x, y = plain()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantized = torch.ao.quantization.quantize_dynamic(copy_of(model), {nn.Linear})
    with pytest.raises(ValueError, match=r"^model has no gradient"):
        pgd(quantized, x, y, eps=0.1)
    with pytest.warns(UserWarning, match="without gradients"):
        assert int(fell(quantized, "worst_case").sum()) > 5
    certify(quantized, x[:2], sigma=0.1, n0=5, n=5)


@pytest.mark.parametrize("kind", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_probabilities_are_known_whatever_their_rounding(kind):
    """In 16 bits their sums are off by up to 0.4 %, and an attack on them went on where its loss had saturated."""
    model, x, y = plain()
    for strange in (Wrapped(model, lambda z, x: z.softmax(1).to(kind)), Wrapped(copy_of(model, dtype=kind), softmax)):
        for name in ("pgd", "apgd_t", "square", "rays"):
            with pytest.raises(ValueError, match=r"^model returns probabilities"):
                fell(strange, name)
        assert "probabilities" in examine(strange, x[2:22], y[2:22], eps=0.1, advise=False).flags


def softmax(z, x):
    return z.softmax(1)


def test_arguments_that_are_nearly_right_are_told_what_they_should_be():
    model, x, y = plain()
    for images, word in (
        ((255 * x).to(torch.uint8), r"got uint8 \(40, 1, 4, 4\): give x / 255$"),
        (x.numpy(), r"got ndarray: give torch\.tensor\(x\)$"),
        ([x], "got list$"),
    ):
        with pytest.raises(TypeError, match=rf"^x must be a floating-point tensor .*{word}"):
            pgd(model, images, y, eps=0.1)
    for loss in (nn.CrossEntropyLoss(), lambda z, y: z):
        for attack in (pgd, apgd, partial(pgd, early_stop=False)):
            with pytest.raises(ValueError, match=r"^loss must return one number for each of \d+ images"):
                attack(model, x, y, eps=0.1, loss=loss)
    for attacks in (pgd, ["pgd"], "pgd"):
        with pytest.raises(TypeError, match=r"^attacks must be a list of functions"):
            worst_case(model, x, y, eps=0.1, attacks=attacks)
    for images in (x.numpy(), (x, y), x[:3]):
        with pytest.raises(ValueError, match=r"^attacks: <lambda> must return images like x"):
            worst_case(model, x, y, eps=0.1, attacks=[lambda m, x, y, eps, images=images: images])
    with pytest.raises(TypeError, match=r"^model must be an nn\.Module"):
        transfer(model, x, y, eps=0.1, surrogate=[model, None])
    with pytest.raises(ValueError, match=r"y must lie in 0\.\.2, .*, counted from 0: got 1 to 3"):
        pgd(model, x, y + 1, eps=0.1)
    for n in range(2, 20):  # the root of n in float32 may be above that in float64
        pgd(nn.Linear(n, 2), torch.rand(2, n), y[:2] % 2, eps=np.float32(n) ** np.float32(0.5), norm="l2", steps=2)
    exported = torch.export.export(model, (x[:3],))
    with pytest.raises(TypeError, match=r"got ExportedProgram: give its module\(\)"):
        pgd(exported, x, y, eps=0.1)
    with pytest.raises(AssertionError) as caught:
        pgd(exported.module(), x, y, eps=0.1)
    assert "export it with dynamic_shapes" in caught.value.__notes__[0]


def test_noise_may_be_larger_than_all_there_is_of_an_image():
    """Of two features, 1.41 is the largest distance; what was refused was called eps."""
    model, x = nn.Linear(2, 3), torch.rand(4, 2)
    assert certify(model, x, sigma=2.0, n=20).radius.shape == majority(model, x, sigma=2.0, n=20).shape == (4,)
    assert decide(model, x, sigma=2.0, radius=0.1, n_max=20).label.shape == (4,)
    with pytest.raises(ValueError, match=r"^up_to must be a number in \[0, 1\]"):
        proved_radius(model, x, torch.zeros(4, dtype=torch.int64), up_to=8)


def test_channels_that_come_last_are_named_wherever_the_model_is_asked():
    network, x = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(72, 3)), torch.rand(4, 8, 8, 3)
    for ask in (predict, partial(certify, sigma=0.1), partial(examine, y=torch.arange(4) % 3, eps=0.1)):
        with pytest.raises(RuntimeError, match="channels") as caught:
            ask(network, x)
        assert len(caught.value.__notes__) == 1 and "if its channels come last" in caught.value.__notes__[0]


# Types.


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("inputs", ["half", "float32"])
def test_half_types_are_attacked_in_float32(kind, inputs):
    """The promise holds in exact arithmetic, also where numbers lie 0.004 apart."""
    model, x, y = plain()
    half = copy_of(model, dtype=kind)
    x = x.to(kind) if inputs == "half" else x
    assert logits(half, x).dtype == torch.float32
    for name in ATTACKS:
        found = fell(half, name, x)
        assert abs(int(found.sum()) - fell_plain(name)) <= 4, name
    assert (
        abs(
            certify(half, x[:6], sigma=0.2, n=100).radius - certify(model, plain()[1][:6], sigma=0.2, n=100).radius
        ).max()
        < 0.2
    )
    found = examine(half, x[2:8], y[2:8], eps=0.1, advise=False)
    assert found.left["no attack"].k >= 5


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_worst_case_takes_its_own_attacks_on_half_types(norm):
    model, x, y = plain()
    half, x = copy_of(model, dtype=torch.bfloat16), x.bfloat16()
    quick = [partial(pgd, norm=norm, steps=5, loss=margin), partial(square, norm=norm, queries=40)]
    x_adv = worst_case(half, x, y, eps=EPS[norm], norm=norm, attacks=quick)
    kept(x_adv, x, norm)
    assert int((predict(half, x_adv) == y).sum()) < 30


def test_an_autocast_model_and_a_float64_image():
    model, x, _ = plain()

    class Autocast(Wrapped):
        def forward(self, x):
            with torch.autocast("cpu", torch.bfloat16):
                return self.model(x)

    for name in ("pgd", "apgd l2", "cw_l2", "fab", "square", "rays"):
        assert abs(int(fell(Autocast(model), name).sum()) - fell_plain(name)) <= 4
        assert abs(int(fell(model, name, x.double()).sum()) - fell_plain(name)) <= 1  # of float32 weights


@pytest.mark.parametrize("name", ATTACKS)
def test_the_type_that_the_caller_makes_numbers_in_is_not_that_of_the_images(name):
    model, _, _ = plain()
    fell_plain(name)
    try:
        torch.set_default_dtype(torch.float64)
        found = fell(model, name)
    finally:
        torch.set_default_dtype(torch.float32)
    assert abs(int(found.sum()) - fell_plain(name)) <= 1


@pytest.mark.parametrize("kind", [torch.int32, torch.uint8, torch.int16, torch.uint16, torch.uint32, torch.uint64])
def test_labels_of_any_whole_type(kind):
    model, x, y = plain()
    assert accuracy(model, (x, y.to(kind))).k == 38
    assert examine(model, x, y.to(kind), eps=0.1, advise=False).left["no attack"].k == 38
    for name in ("pgd", "square", "worst_case"):
        assert torch.equal(fell(model, name, y=y.to(kind)), fell(model, name))


def test_inputs_of_any_layout():
    model, x, y = plain()
    expected = pgd(model, x, y, eps=0.1)
    assert torch.equal(pgd(model, x.clone().requires_grad_(), y, eps=0.1), expected)
    far = torch.zeros(40, 1, 4, 8)
    far[..., ::2] = x
    conv = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(16, 3))
    for odd in (far[..., ::2], x.to(memory_format=torch.channels_last), x[:1].expand(40, 1, 4, 4)):
        for attack, norm in ATTACKS.values():
            kept(attack(conv, odd, y, eps=EPS[norm]), odd, norm)


# Nothing to ask about.


@pytest.mark.parametrize("name", ATTACKS)
def test_no_model_is_asked_about_nothing(name):
    """All wrong at the start, all fallen at the first step, no images at all: `view(x.size(0), -1)` would fail."""
    model, x, y = plain()
    attack, norm = ATTACKS[name]
    wrong = attack(model, x, (model(x).argmax(1) + 1) % 3, eps=0.1)
    assert torch.equal(wrong, x) or name in ("fgsm", "pgd to the end")
    everything = attack(model, x, y, eps=1.0 if norm == "linf" else 4.0)
    assert everything.shape == x.shape
    assert attack(model, x[:0], y[:0], eps=0.1).shape == (0, 1, 4, 4)
    assert attack(model, x[5:6], y[5:6], eps=0.1).shape == (1, 1, 4, 4)


def test_the_standard_attacks_and_certificates_ask_about_nothing_neither():
    model, x, y = plain()
    for norm in ("linf", "l2"):
        worst_case(model, x[2:5], y[2:5], eps=1.0, norm=norm)
    assert certify(model, x[:0], sigma=0.1).counts.shape == (0, 3)
    assert majority(model, x[:0], sigma=0.1).shape == decide(model, x[:0], sigma=0.1, radius=0.1).label.shape == (0,)


# NaN and infinity.


class Front(nn.Module):
    """A function of the pixels before a classifier."""

    def __init__(self, change, model):
        super().__init__()
        self.change, self.model = change, model

    def forward(self, x):
        return self.model(self.change(x))


def safe_root(x):
    """Its values are finite, and its gradient at 0 is NaN: autograd multiplies an infinite slope by 0."""
    return torch.where(x > 0, x.sqrt(), torch.zeros_like(x))


@cache
def rooted():
    """A network behind a square root, trained where its gradient is finite, and 40 digits with pixels of exactly 0."""
    data = load("digits")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        behind = small_cnn(data)
        fit(Front(lambda x: (x + 1e-3).sqrt(), behind), data.train, updates=150)
    return behind.eval(), *data.test.take(40)


FRONTS = {"square root": torch.sqrt, "gamma": lambda x: x**0.45, "safe square root": safe_root}
L2 = {
    "pgd": partial(pgd, norm="l2", steps=20),
    "apgd": partial(apgd, norm="l2", steps=30),
    "apgd_t": partial(apgd_t, norm="l2", steps=30, rivals=2),
    "fab": partial(fab, norm="l2", steps=20, rivals=2),
    "cw_l2": cw_l2,
    "funnel": partial(funnel, norm="l2", rivals=2),
}


@pytest.mark.parametrize(
    ("front", "name"), [*[("square root", name) for name in L2], ("safe square root", "apgd"), ("gamma", "pgd")]
)
def test_a_gradient_that_is_no_number_moves_no_image_and_the_attack_still_works(front, name):
    behind, x, y = rooted()
    model, right = Front(FRONTS[front], behind), None
    right = accuracy(model, (x, y)).k
    with pytest.warns(UserWarning, match=r"gradients that are not finite at (39|40) of 40 inputs") as caught:
        x_adv = L2[name](model, x, y, eps=1e-6)
    assert len(caught) == 1
    assert bool(x_adv.isfinite().all()) and float((x_adv - x).flatten(1).norm(dim=1).max()) < 1e-5
    assert accuracy(model, (x_adv, y)).k == right  # nothing lies so near
    with pytest.warns(UserWarning):
        x_adv = L2[name](model, x, y, eps=0.3)
    beside = L2[name](Front(lambda x: FRONTS[front](x + 1e-3), behind), x, y, eps=0.3)  # no infinity here
    left, reference = (accuracy(model, (images, y)).k for images in (x_adv, beside))
    assert bool(x_adv.isfinite().all()) and left <= reference + 4 and left < right


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_worst_case_warns_once_for_all_its_attacks(norm):
    behind, x, y = rooted()
    model = Front(torch.sqrt, behind)
    attacks = [
        partial(pgd, norm=norm, steps=5),
        partial(apgd, norm=norm, steps=5),
        partial(square, norm=norm, queries=9),
    ]
    with pytest.warns(UserWarning, match="model has gradients that are not finite") as caught:
        x_adv = worst_case(model, x, y, eps=1e-6, norm=norm, attacks=attacks)
    assert len(caught) == 1 and accuracy(model, (x_adv, y)).k == accuracy(model, (x, y)).k


class Pit(Wrapped):
    """Gives NaN where the first pixel is above a level, else the answers of its model."""

    def __init__(self, model, level, classes=slice(None)):
        super().__init__(model)
        self.level, self.classes = level, classes

    def forward(self, x):
        z = self.model(x)
        lost = torch.zeros_like(z, dtype=torch.bool)
        lost[:, self.classes] = (x[:, 0, 0, 0] > self.level)[:, None]
        return z.masked_fill(lost, math.nan)


@pytest.mark.filterwarnings("ignore:model answers NaN")
@pytest.mark.parametrize("classes", [slice(None), slice(1, 2)], ids=["all classes", "one class"])
@pytest.mark.parametrize("name", ATTACKS)
def test_an_answer_that_is_no_number_is_no_success(name, classes):
    """Some inputs have no answer as they are: they count as wrong, are left alone or moved to a real mistake."""
    model, x, y = plain()
    attack, norm = ATTACKS[name]
    pit = Pit(model, 0.6, classes)
    lost = x[:, 0, 0, 0] > 0.6
    assert 5 < int(lost.sum()) < 20
    with pytest.warns(UserWarning, match=f"model answers NaN to {int(lost.sum())} of 40 inputs"):
        assert torch.equal(predict(pit, x) == -1, lost)
    with pytest.warns(UserWarning, match="model answers NaN to") as caught:
        x_adv = attack(pit, x, y, eps=EPS[norm])
    assert len(caught) == 1
    kept(x_adv, x, norm)
    after = logits(pit, x_adv)
    assert not bool(after[~lost].isnan().any())  # nobody was driven into the pit
    assert int((after[~lost].argmax(1) != y[~lost]).sum()) > 2 or name == "fgsm"


@pytest.mark.parametrize("name", ATTACKS)
def test_a_pit_within_reach_is_no_success(name):
    """Every image is finite as it is, and NaN in half of its ball."""
    model, x, y = plain()
    attack, norm = ATTACKS[name]
    x = x.clone()
    x[:, 0, 0, 0] = 0.5
    y = model(x).argmax(1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        x_adv = attack(Pit(model, 0.5), x, y, eps=EPS[norm])
    assert len([w for w in caught if "NaN" in str(w.message)]) <= 1
    kept(x_adv, x, norm)
    if name != "fgsm":  # which does not ask about what it returns
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            predict(Pit(model, 0.5), x_adv)


@pytest.mark.filterwarnings("ignore:model answers NaN")
def test_nan_is_not_wrong_and_an_attack_of_ones_own_wins_nothing_by_it():
    answers = torch.tensor([[math.nan, 0.0], [0.0, math.nan], [0.0, 1.0], [1.0, 0.0]])
    assert wrong(answers, torch.tensor([1, 0, 0, 0])).tolist() == [False, False, True, False]
    model, x, y = plain()

    class Pit(nn.Module):
        def forward(self, x):
            return model(x).masked_fill((x.flatten(1)[:, :1] == 0), math.nan)

    def into_the_pit(_, x, y, *, eps):
        moved = x.clone()
        moved.flatten(1)[:, 0] = 0
        return moved

    pit, x = Pit(), x.clamp(0.01, 0.99)
    assert torch.equal(worst_case(pit, x, y, eps=1.0, attacks=[into_the_pit]), x)


@pytest.mark.parametrize("name", ATTACKS)
def test_only_nan_is_an_error(name):
    model, x, y = plain()
    with pytest.raises(ValueError, match=r"^model returns NaN for all"):
        ATTACKS[name][0](Pit(model, -1), x, y, eps=0.1)


def test_infinite_logits_are_answers():
    """A class that is ruled out has the logit -inf."""
    model, x, y = plain()
    wide = Wrapped(model, lambda z, x: torch.cat([z, torch.full_like(z[:, :2], -math.inf)], 1))
    for name in ATTACKS:
        assert abs(int(fell(wide, name).sum()) - fell_plain(name)) <= 1, name
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(certify(wide, x, sigma=0.1, n=50).radius, certify(model, x, sigma=0.1, n=50).radius)
        assert torch.equal(predict(wide, x), predict(model, x))
    assert examine(wide, x[2:6], y[2:6], eps=0.1, advise=False).left["no attack"].k == 4


def test_a_copy_without_an_answer_is_a_vote_for_nobody():
    """The bound is that of a classifier with one more class, which those votes are for."""
    model, x, _ = plain()
    x = x.clone()
    x[:, 0, 0, 0] = 0.5
    extra = Wrapped(model, lambda z, x: torch.cat([z, torch.where(x[:, 0, 0, :1] > 0.6, math.inf, -math.inf)], 1))
    with pytest.warns(UserWarning, match=r"answers NaN to \d+ of 24000 inputs"):
        found = certify(Pit(model, 0.6), x, sigma=0.1, n=500)
    expected = certify(extra, x, sigma=0.1, n=500)
    assert torch.equal(found.counts, expected.counts[:, :3]) and torch.allclose(found.radius, expected.radius)
    assert int(found.counts.sum()) < 20_000 and bool((found.radius > 0).any())
    with pytest.warns(UserWarning):
        made = decide(Pit(model, 0.6), x, sigma=0.1, radius=0.05, n_max=200)
    assert torch.equal(made.certified, decide(extra, x, sigma=0.1, radius=0.05, n_max=200).certified)
    with pytest.raises(ValueError, match=r"^model returns NaN for every noisy copy"):
        certify(Pit(model, -9), x, sigma=0.1)


def test_the_checkup_tells_of_inputs_without_an_answer():
    model, x, y = plain()
    found = examine(Pit(model, 0.8), x, y, eps=0.05, advise=False)
    lost = int((x[:, 0, 0, 0] > 0.8).sum())
    assert found.notes == (f"{lost} of 40 answers hold NaN or infinity, and count as wrong.",)
    right = int(((model(x).argmax(1) == y) & (x[:, 0, 0, 0] <= 0.8)).sum())
    assert found.left["no attack"].k == right and found.left["... and without gradients"].k > 2


def test_a_huge_gradient_still_has_a_direction():
    """Its square is no float32: its length would be infinite, and the step 0."""
    model, x, y = plain()
    steep = Wrapped(model, lambda z, x: 1e22 * z)
    for attack in (partial(pgd, steps=5, loss=margin), partial(apgd_t, steps=8)):
        left = [accuracy(m, (attack(m, x, y, eps=EPS["l2"], norm="l2"), y)).k for m in (steep, model)]
        assert abs(left[0] - left[1]) <= 2 and left[1] < 30
    assert bool(cw_l2(steep, x, y, steps=15).isfinite().all())


# Numbers.

NUMBERS = [np.float32(0.125), np.float64(0.125), np.float16(0.125), torch.tensor(0.125), np.array(0.125)]
NO_NUMBERS = [True, np.True_, torch.tensor(True), math.nan, np.nan, "0.1", None, 1j, [0.1], torch.tensor([0.1, 0.2])]


@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_takes_any_number_and_names_what_is_none(name):
    model, x, y = plain()
    attack, _ = ATTACKS[name]
    expected = attack(model, x[:6], y[:6], eps=0.125)
    for value in NUMBERS[::2] if name != "pgd" else NUMBERS:
        assert torch.equal(attack(model, x[:6], y[:6], eps=value), expected)
    unbounded = name == "cw_l2" or name.startswith("fab")
    for value in [*NO_NUMBERS, -0.1, -math.inf, *([] if unbounded else [math.inf, np.float32("inf")])]:
        with pytest.raises(ValueError, match=r"^eps must be a number") as caught:
            attack(model, x[:6], y[:6], eps=value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("attack", "name"),
    [
        *[(attack, "steps") for attack in (pgd, apgd, apgd_t, cw_l2, fab, funnel)],
        *[(attack, "restarts") for attack in (pgd, apgd, fab)],
        *[(attack, "rivals") for attack in (apgd_t, fab, funnel)],
        *[(attack, "queries") for attack in (square, rays)],
        *[(attack, "seed") for attack in (pgd, square, cw_l2)],
        (pgd, "step"),
        (cw_l2, "lr"),
        (funnel, "reach"),
        *[(attack, "patience") for attack in (pgd, square, rays)],
        *[(attack, "at_once") for attack in (pgd, square)],
    ],
)
def test_every_other_number_too(attack, name):
    model, x, y = plain()
    if attack in (apgd_t, fab, funnel) and name != "steps":
        attack = partial(attack, steps=3)
    expected = attack(model, x[:6], y[:6], eps=0.1, **{name: 2})
    for value in (np.int64(2), torch.tensor(2.0)):
        assert torch.equal(attack(model, x[:6], y[:6], eps=0.1, **{name: value}), expected)
    whole = name not in ("step", "lr", "reach", "patience")
    bad = [*([v for v in NO_NUMBERS if v is not None or name != "step"]), *([2.5, math.inf] if whole else [])]
    for value in bad:
        with pytest.raises(ValueError, match=f"^{name} must be"):
            attack(model, x[:6], y[:6], eps=0.1, **{name: value})


def test_certificates_check_up_and_duel_take_any_number():
    model, x, y = plain()
    expected = certify(model, x[:4], sigma=0.25, n=40, n0=10, failure_prob=0.0625)
    found = certify(
        model, x[:4], sigma=np.float32(0.25), n=np.int64(40), n0=torch.tensor(10), failure_prob=np.float32(0.0625)
    )
    assert torch.equal(found.radius, expected.radius)
    decide(model, x[:4], sigma=torch.tensor(0.25), radius=np.float32(0.1), n0=np.int32(5), n_max=40.0)
    majority(model, x[:4], sigma=np.float64(0.25), n=np.uint8(10))
    calls = {"sigma": certify, "n": certify, "n0": certify, "failure_prob": majority, "radius": decide, "n_max": decide}
    for name, call in calls.items():
        how = {"sigma": 0.25} | ({"radius": 0.1} if call is decide else {})
        for value in [*NO_NUMBERS, math.inf]:
            with pytest.raises(ValueError, match=f"^{name} must"):
                call(model, x[:4], **(how | {name: value}))
    for value in [*NO_NUMBERS, math.inf]:
        with pytest.raises(ValueError, match=r"^eps must be a number in \(0, 1\]"):
            examine(model, x, y, eps=value)
        with pytest.raises(ValueError, match=r"^eps must be a number"):
            duel.measure(duel.Defense("it", model), (x, y), eps=value)
    assert examine(model, x[2:8], y[2:8], eps=np.float32(0.125), advise=False).eps == 0.125


def test_what_lies_outside_by_rounding_is_clamped_and_digits_are_printed():
    model, x, y = plain()
    rim = x.clone()
    rim[:, 0, 0, 0], rim[:, 0, 0, 1] = 0.0, 1.0
    off = rim.clone()
    off[:, 0, 0, 0], off[:, 0, 0, 1] = -3e-8, 1.0000001
    for name, (attack, norm) in ATTACKS.items():
        assert torch.equal(attack(model, off, y, eps=EPS[norm]), attack(model, rim, y, eps=EPS[norm])), name
    assert torch.equal(certify(model, off, sigma=0.1).radius, certify(model, rim, sigma=0.1).radius)
    assert examine(model, off[:4], y[:4], eps=0.1, advise=False).left["no attack"].n == 4
    off[0, 0, 0, 0], off[0, 0, 0, 1] = -3e-6, 1.000004
    with pytest.raises(ValueError, match=r"run from -3e-06 to 1\.000004: scale it first, or clamp") as caught:
        pgd(model, off, y, eps=0.1)
    assert "255" not in str(caught.value)
    with pytest.raises(ValueError, match=r"to 255\.0: scale it first, e\.g\. x / 255"):
        pgd(model, torch.full_like(x, 255), y, eps=0.1)
    off[:3] = math.nan
    with pytest.raises(ValueError, match=r"^x must lie in .* 3 of its 40 inputs hold NaN"):
        pgd(model, off, y, eps=0.1)


# Classifiers that are no networks.


@cache
def table():
    data = load("tumors")
    return data, *data.test.take(40)


def sklearn_classifiers():
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    return {
        "forest": RandomForestClassifier(10, random_state=0),
        "pipeline": make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)),
        "scores": LinearSVC(),
    }


@pytest.mark.parametrize("name", ["forest", "pipeline", "scores"])
def test_a_classifier_of_scikit_learn_is_asked_attacked_examined_and_certified(name):
    data, x, y = table()
    classifier = sklearn_classifiers()[name].fit(data.train.x.numpy(), data.train.y.numpy())
    with pytest.raises(TypeError, match=r"got \w+: wrap it by utils\.models\.black_box"):
        pgd(classifier, x, y, eps=0.1)
    model = black_box(classifier)
    assert predict(model, x).tolist() == classifier.predict(x.numpy()).tolist()
    if name != "scores":
        assert np.allclose(logits(model, x).exp().numpy(), classifier.predict_proba(x.numpy()), atol=1e-6)
    for attack in (partial(square, queries=60), partial(rays, queries=60)):
        x_adv = attack(model, x, y, eps=0.2)
        assert float((x_adv - x).abs().max()) <= 0.2 + 1e-6
        assert accuracy(model, (x_adv, y)) < accuracy(model, (x, y))
    with pytest.warns(UserWarning, match="without gradients"):
        worst_case(model, x, y, eps=0.2, attacks=FEW)
    with pytest.raises(ValueError, match=r"^model has no gradient"):
        pgd(model, x, y, eps=0.2)
    assert certify(model, x[:3], sigma=0.1, n=50).counts.sum(1).tolist() == [50] * 3


def test_a_black_box_of_three_classes_of_images_and_of_a_data_frame():
    from sklearn.naive_bayes import GaussianNB

    net, x, y = plain()
    classifier = GaussianNB().fit(x.flatten(1).numpy(), y.numpy())
    model = black_box(classifier)
    assert predict(model, x).tolist() == classifier.predict(x.flatten(1).numpy()).tolist()
    report = examine(model, x[:20], y[:20], eps=0.1, advise=False)
    assert "no gradient" in report.notes[0] and "probabilities" not in report.flags
    assert transfer(model, x, y, eps=0.1, surrogate=net).shape == x.shape
    with pytest.raises(TypeError, match=r"^black_box needs a classifier with predict_proba"):
        black_box(print)


@pytest.mark.parametrize("answer", [lambda p: p, lambda p: p[:, None], lambda p: [[1 - q, q] for q in p.tolist()]])
def test_one_probability_is_that_of_class_1(answer):
    """Taken for a score, any probability above 0 named class 1."""
    _, x, y = table()

    class Sure:
        def predict_proba(self, x):
            return answer(x[:, 0])

    model = black_box(Sure())
    assert torch.equal(predict(model, x), (x[:, 0] > 0.5).long())
    assert torch.allclose(logits(model, x)[:, 1].exp().float(), x[:, 0].clamp_min(1e-30), atol=1e-6)
    for kind in (torch.bfloat16, torch.float64):
        assert accuracy(model, (x.to(kind), y)).n == 40


@pytest.mark.parametrize("name", ["threshold", "tuned", "probabilities of few"])
def test_a_black_box_is_the_classifier_in_use_or_says_how_to_have_it(name):
    """With a threshold of 0.9 `predict` was right on 139 of 169, and the black box on 158."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
    from sklearn.svm import SVC

    makes = {
        "threshold": FixedThresholdClassifier(LogisticRegression(), threshold=0.9),
        "tuned": TunedThresholdClassifierCV(LogisticRegression()),
        "probabilities of few": SVC(probability=True, C=0.01),
    }
    data = load("tumors")
    x, y = (t.numpy()[: 60 if name == "probabilities of few" else None] for t in data.train)
    with warnings.catch_warnings(action="ignore"):
        c = makes[name].fit(x, y)
    right = c.score(*(t.numpy() for t in data.test))
    with pytest.raises(ValueError, match=r"^the classifier's predict names another class than its predict_proba does"):
        accuracy(black_box(c), data.test)
    used = SimpleNamespace(predict_proba=lambda x: np.eye(2)[np.searchsorted(c.classes_, c.predict(x))])
    assert float(accuracy(black_box(used), data.test)) == pytest.approx(right)


def test_a_rare_tie_between_predict_and_scores_is_no_other_classifier():
    from sklearn.datasets import load_digits
    from sklearn.svm import SVC

    x, y = load_digits(return_X_y=True)
    c = SVC(kernel="linear").fit(x[:500] / 16, y[:500])
    rows = torch.from_numpy(x[500:750] / 16)
    assert 0 < int((predict(black_box(c), rows).numpy() != c.predict(rows.numpy())).sum()) < 3


def test_a_classifier_of_one_class_is_refused():
    """Its column of ones was read as the probability of class 1: 0 % of right answers."""
    from sklearn.tree import DecisionTreeClassifier

    _, x, y = table()
    with pytest.raises(ValueError, match=r"^the classifier knows one class only, 0: train it on two or more$"):
        black_box(DecisionTreeClassifier().fit(x.numpy(), 0 * y.numpy()))
    ones = {"label": lambda x: np.zeros(len(x), int), "p": lambda x: np.ones((len(x), 1), np.float32)}
    for outputs in (ones, ones | {"p": lambda x: [{0: 1.0}] * len(x)}):
        with pytest.raises(ValueError, match="one class only, 0"):
            predict(black_box(Session(**outputs)), x)


def test_a_class_is_no_classifier_yet():
    from sklearn.linear_model import LogisticRegression

    with pytest.raises(TypeError, match=r"got the class LogisticRegression: make one$"):
        black_box(LogisticRegression)


class Session:
    """What an onnxruntime session shows: its one input, its outputs by name, and their values."""

    def __init__(self, shape=("n", 30), **outputs):
        self.shape, self.outputs = shape, outputs

    def get_inputs(self):
        return [SimpleNamespace(name="x", type="tensor(float)", shape=list(self.shape))]

    def get_outputs(self):
        return [SimpleNamespace(name=name) for name in self.outputs]

    def run(self, _, given):
        return [answer(given["x"]) for answer in self.outputs.values()]


def steep(x):
    """The logit of class 1 of two."""
    return (9 * x[:, :1] - 2).astype(np.float32)


@pytest.mark.parametrize(
    "outputs",
    [
        {"z": steep},
        {"p": lambda x: 1 / (1 + np.exp(-steep(x)))},
        {"p": lambda x: (1 / (1 + np.exp(-steep(x))))[:, 0]},
        {"label": lambda x: (steep(x)[:, 0] > 0).astype(int), "score": steep},  # a LinearSVC by skl2onnx
        {"label": lambda x: np.where(steep(x)[:, 0] > 0, "good", "bad").astype(object), "p": lambda x: two(steep(x))},
        {"label": lambda x: np.where(steep(x)[:, 0] > 0, "b", "a"), "p": lambda x: named(two(steep(x)), "a", "b")},
        {"logits of it": lambda x: two(steep(x)), "p": lambda x: torch.tensor(two(steep(x))).softmax(1).numpy()},
    ],
    ids=["logit", "probability", "vector", "label and score", "texts", "texts and named", "logits and probabilities"],
)
def test_sessions_of_many_habits_name_the_same_classes(outputs):
    _, x, _ = table()
    want = torch.from_numpy((steep(x.numpy())[:, 0] > 0).astype(int))
    for shape in (("n", 30), (1, 30), ()):
        model = black_box(Session(shape, **outputs))
        assert torch.equal(predict(model, x), want) and torch.equal(predict(model, x[:1]), want[:1])


def two(z):
    return np.concatenate([-z / 2, z / 2], 1)


def named(table, *names):
    return [dict(zip(names, row, strict=True)) for row in table.tolist()]


@pytest.mark.parametrize("kind", ["table", "named"])
def test_scores_in_another_order_than_the_labels_are_refused(kind):
    """A binary SVC, as skl2onnx exports it: every answer was the other class."""
    _, x, _ = table()
    scores = {"table": lambda x: two(-steep(x)), "named": lambda x: named(two(-steep(x)), 0, 1)}[kind]
    model = black_box(Session(label=lambda x: (steep(x)[:, 0] > 0).astype(int), p=scores))
    with pytest.raises(ValueError, match=r"another class than its labels do, for 40 of 40 inputs.*raw_scores"):
        predict(model, x)


def test_labels_of_a_file_that_come_by_a_threshold_are_told():
    _, x, _ = table()
    labels = {"label": lambda x: (steep(x)[:, 0] > 1).astype(int), "p": lambda x: two(steep(x))}
    with pytest.raises(ValueError, match=r"than its labels do, for \d+ of 40 inputs: to measure its labels, give"):
        predict(black_box(Session(**labels)), x)


def test_scores_of_pairs_of_classes_are_refused():
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import SVC

    with pytest.raises(ValueError, match="decision_function_shape='ovr'"):
        black_box(make_pipeline(SVC(decision_function_shape="ovo")))


@pytest.mark.parametrize("shift", [-5, 9])
def test_labels_that_are_no_class_are_not_fallen_images(shift):
    model, x, y = plain()
    for ask in (
        partial(worst_case, eps=0.1, attacks=FEW),
        partial(worst_case, eps=0.1, attacks=[]),
        partial(examine, eps=0.1),
    ):
        with pytest.raises(ValueError, match=r"y must lie in 0\.\.2"):
            ask(model, x, y + shift)


def onnx_file(path, net: NeverNothing, *, batch=None, softmax=False, labels=False):
    """The network as an ONNX file, written by hand: a protocol buffer is tags, lengths and bytes."""

    def varint(n):
        return bytes([n]) if n < 128 else bytes([n % 128 + 128]) + varint(n // 128)

    def field(number, value):
        if isinstance(value, int):
            return varint(8 * number) + varint(value)
        value = value.encode() if isinstance(value, str) else value
        return varint(8 * number + 2) + varint(len(value)) + value

    def node(kind, inputs, outputs, attributes=b""):
        named = b"".join([field(1, i) for i in inputs] + [field(2, o) for o in outputs])
        return field(1, named + field(4, kind) + attributes)

    def whole(name, value):
        return field(5, field(1, name) + field(3, value) + field(20, 2))

    def tensor(name, value):
        return field(
            5, b"".join(field(1, n) for n in value.shape) + field(2, 1) + field(8, name) + field(9, value.tobytes())
        )

    def info(number, name, kind, shape):
        dims = b"".join(field(1, field(1, n) if isinstance(n, int) else field(2, n)) for n in shape)
        return field(number, field(1, name) + field(2, field(1, field(1, kind) + field(2, dims))))

    w1, b1, w2, b2 = (p.detach().numpy() for p in net.body.parameters())
    nodes = node("Flatten", ["x"], ["f"]) + node("Gemm", ["f", "w1", "b1"], ["h"], whole("transB", 1))
    nodes += node("Relu", ["h"], ["r"]) + node("Gemm", ["r", "w2", "b2"], ["z"], whole("transB", 1))
    outputs, size = info(12, "z", 1, [batch or "n", 3]), batch or "n"
    if softmax:
        nodes, outputs = nodes + node("Softmax", ["z"], ["p"]), info(12, "p", 1, [size, 3])
    if labels:
        nodes += node("ArgMax", ["z"], ["label"], whole("axis", 1) + whole("keepdims", 0))
        outputs = info(12, "label", 7, [size]) + outputs
    weights = tensor("w1", w1) + tensor("b1", b1) + tensor("w2", w2) + tensor("b2", b2)
    graph = nodes + field(2, "net") + weights + info(11, "x", 1, [size, 1, 4, 4]) + outputs
    path.write_bytes(field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 13)))
    return path


@pytest.mark.parametrize("how", [{}, {"batch": 16}, {"softmax": True}, {"softmax": True, "labels": True}], ids=str)
def test_an_onnx_file_is_asked_and_attacked(tmp_path, how):
    pytest.importorskip("onnxruntime")
    net, x, y = plain()
    model = black_box(onnx_file(tmp_path / "net.onnx", net, **how))
    expected = logits(net, x).log_softmax(1) if "softmax" in how else logits(net, x)
    assert torch.allclose(logits(model, x).float(), expected, atol=1e-4)
    for name in BLIND:
        assert abs(int(fell(model, name).sum()) - fell_plain(name)) <= 1
    with pytest.warns(UserWarning, match="without gradients"):
        fell(model, "worst_case")
    certify(model, x[:2], sigma=0.1, n0=5, n=5)
    assert "no gradient" in examine(model, x[2:8], y[2:8], eps=0.1, advise=False).notes[0]


def test_an_onnx_file_that_cannot_be_used_gets_a_sentence(tmp_path):
    pytest.importorskip("onnxruntime")
    net, _, _ = plain()
    with pytest.raises(FileNotFoundError, match=r"^there is no file"):
        black_box(tmp_path / "none.onnx")
    (tmp_path / "broken.onnx").write_bytes(b"not a model")
    with pytest.raises(ValueError, match=r"^cannot use .* as an ONNX model"):
        black_box(str(tmp_path / "broken.onnx"))
    model = black_box(onnx_file(tmp_path / "net.onnx", net))
    with pytest.raises(ValueError, match=r"takes inputs of shape \('n', 1, 4, 4\), got \(2, 1, 5, 5\)"):
        logits(model, torch.rand(2, 1, 5, 5))


# What the ordinary path may not pay.


def test_the_ordinary_path_asks_no_more_than_before():
    """So many times a plain model is asked, and so many of these about gradients."""
    model, x, y = plain()

    class Counted(Wrapped):
        calls = 0

        def forward(self, x):
            type(self).calls += 1
            return super().forward(x)

    for attack, most in (
        (fgsm, 1),
        (partial(pgd, steps=7, eps=1e-9), 9),
        (partial(apgd, steps=7), 9),
        (partial(cw_l2, steps=7), 8),
    ):
        Counted.calls = 0
        attack(Counted(model), x, y, **({} if "eps" in getattr(attack, "keywords", {}) else {"eps": 1e-9}))
        assert Counted.calls == most
    with guard(model, x, y, eps=0.1) as (asked, x, y, _):
        gradient = loss_gradient(asked, x, margin, y)[2]
    assert torch.equal(gradient, loss_gradient(model, x, margin, y)[2])


def test_the_checkup_takes_what_attacks_take():
    model, x, y = plain()
    want = examine(model, x[2:12], y[2:12], eps=0.1, advise=False).left
    exported = DRESSES["exported"](copy_of(model))
    assert examine(exported, x[2:12], y[2:12], eps=0.1, advise=False).left == want
    with torch.inference_mode():
        assert examine(model, x[2:12] + 0, y[2:12] + 0, eps=0.1, advise=False).left == want
    for level in (0, 1, "1%"):
        with pytest.raises(ValueError, match=r"^level must be a number in \(0, 1\)"):
            examine(model, x, y, eps=0.1, level=level)
