"""Beyond images: projections keep what they promise, attacks change only what may change, certificates hold."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats
from torch import nn

from same_code import built, definitions
from utils.attacks import margin
from utils.domains import faces, moves, rules, signs, stickers, swaps, tables, texts
from utils.domains.recipes import recipes
from utils.domains.rules import Column, Rules, feasible, follow_links, scale, units
from utils.domains.tables import AGE, AMOUNT, COUNT, RATIO, RULES, SPENT
from utils.models import logits
from utils.rate import Rate, RateWithin
from utils.widgets.stickers import StickerExplorer

STREAM = tables.transactions(2000, days=30, customers=60, merchants=20)
ROWS = scale(STREAM.x, RULES).clamp(0, 1)
seeds = st.integers(0, 10_000)
budgets = st.sampled_from([0.0, 0.02, 0.1, 0.13, 0.3, 1.0, 3.0])


def draw(seed):
    return torch.Generator().manual_seed(seed)


def start(seed, n=40):
    """Rows of the table, and where an attack would like to go: also far outside of [0, 1]."""
    some = torch.randperm(len(ROWS), generator=draw(seed))[:n]
    return ROWS[some], ROWS[some] + 1.5 * torch.randn(n, ROWS.shape[1], generator=draw(seed + 1))


# Rows that can exist.


def check_feasible(new, x, eps):
    """All that `feasible` promises, by other means than its own."""
    raw, old = units(new, RULES), units(x, RULES)
    for i, column in enumerate(RULES.columns):
        change = (new[:, i] - x[:, i]).abs()
        if column.linked:
            continue
        if column.group:
            assert ((new[:, i] == 0) | (new[:, i] == 1)).all()
            bought = (new[:, i] == 1) & (x[:, i] < 0.5)
            assert not bought.any() or column.cost <= eps, f"{column.name} was bought for {column.cost}"
            continue
        if column.cost == math.inf:
            assert torch.equal(new[:, i], x[:, i]), f"{column.name} cannot be changed"
            continue
        assert (change * column.cost <= eps + 1e-4).all(), f"{column.name} costs more than the budget"
        if column.whole:
            assert ((raw[:, i] - raw[:, i].round()).abs() <= 1e-3 * raw[:, i].clamp_min(1)).all(), column.name
        if column.rises:
            assert (raw[:, i] >= old[:, i] - 1e-3).all(), f"{column.name} fell"
    for places in RULES.groups().values():
        assert (new[:, places].sum(1) == 1).all()
    amount, before = raw[:, AMOUNT], old[:, AMOUNT]
    spent = (old[:, SPENT] - before + amount).clamp(1, 20_000)
    ratio = (old[:, RATIO] * amount / before).clamp(0.01, 100)
    assert torch.allclose(raw[:, SPENT], spent, rtol=1e-3, atol=1e-2), "the sum of the day does not follow"
    assert torch.allclose(raw[:, RATIO], ratio, rtol=1e-3, atol=1e-4), "the ratio does not follow"


@settings(max_examples=60, deadline=None)
@given(seed=seeds, eps=budgets)
def test_a_projected_row_can_exist_and_projecting_again_changes_nothing(seed, eps):
    x, wish = start(seed)
    new = feasible(wish, x, RULES, eps=eps)
    check_feasible(new, x, eps)
    assert torch.allclose(feasible(new, x, RULES, eps=eps), new, atol=1e-5)
    assert torch.allclose(feasible(x, x, RULES, eps=eps), x, atol=1e-5), "a row of the table stays"


@settings(max_examples=40, deadline=None)
@given(seed=seeds, eps=budgets)
def test_numbers_go_to_the_nearest_value_that_may_be(seed, eps):
    """By trying all whole numbers of the budget, for a table of one column."""
    one = Rules((Column("count", 0, 20, cost=0.5, whole=True, rises=True),))
    x = torch.randint(0, 21, (30, 1), generator=draw(seed)) / 20
    wish = x + torch.randn(30, 1, generator=draw(seed + 1))
    new = 20 * feasible(wish, x, one, eps=eps)
    for value, old, goal in zip(new[:, 0].tolist(), (20 * x)[:, 0].tolist(), wish[:, 0].tolist(), strict=True):
        may = [k for k in range(21) if k >= round(old) and (k - old) / 20 * 0.5 <= eps + 1e-6]
        nearest = min(abs(k - 20 * goal) for k in may)
        assert abs(value - round(value)) < 1e-3 and round(value) in may
        assert abs(value - 20 * goal) <= nearest + 0.02


@settings(max_examples=30, deadline=None)
@given(seed=seeds)
def test_units_and_scale_are_inverse(seed):
    x = torch.rand(20, len(RULES.columns), generator=draw(seed))
    assert torch.allclose(scale(units(x, RULES), RULES), x, atol=1e-4)
    raw = units(x, RULES)
    assert all(
        c.low * 0.99 <= raw[:, i].min() and raw[:, i].max() <= c.high * 1.01 for i, c in enumerate(RULES.columns)
    )


def test_no_budget_buys_what_has_no_price():
    """One more payment on the day would change its sum, too, and what is usual."""
    x, wish = start(5)
    assert torch.equal(feasible(wish, x, RULES, eps=3.0)[:, [COUNT, AGE]], x[:, [COUNT, AGE]])


def test_what_costs_nothing_moves_without_a_budget():
    free = Rules([Column("free", cost=0.0), Column("dear", cost=1.0)])
    for eps in (0.0, 0.1):
        moved = feasible(torch.tensor([[0.9, 0.9]]), torch.tensor([[0.2, 0.2]]), free, eps=eps)
        assert torch.allclose(moved, torch.tensor([[0.9, 0.2 + eps]]))


def test_a_column_without_a_range_is_named():
    for column, what in (
        (Column("age", low=3.0, high=3.0), "differ, got 3 and 3"),
        (Column("age", log=True), "be above 0, as the column is logarithmic, got 0 and 1"),
        (Column("age", low=1.0, high=1.0, log=True), "differ, got 1 and 1"),
    ):
        with pytest.raises(ValueError, match=f"^low and high of the column 'age' must {what}$"):
            scale(torch.ones(1, 1), Rules([column]))


def test_links_have_a_gradient():
    x = ROWS[:5].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(follow_links(x, ROWS[:5], RULES)[:, [RATIO, SPENT]].sum(), x)
    assert (gradient[:, AMOUNT] > 0).all() and gradient.isfinite().all()


@pytest.mark.parametrize("spoil", ["leaves the ball", "forgets the links", "changes what has no price", "blurs groups"])
def test_the_check_above_can_fail(spoil):
    x, wish = start(3, 400)
    new = feasible(wish, x, RULES, eps=0.1)
    raw = units(new, RULES)
    if spoil == "leaves the ball":
        raw[:, AMOUNT] *= 6
        new = scale(raw, RULES)
    elif spoil == "forgets the links":
        new[:, SPENT] = x[:, SPENT]
    elif spoil == "changes what has no price":
        new[:, COUNT] += 0.05
    else:
        new[:, -3:] = 0.5
    with pytest.raises(AssertionError):
        check_feasible(new, x, 0.1)


# Attacks on rows.


def detector(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(ROWS.shape[1], 16), nn.ReLU(), nn.Linear(16, 2)).requires_grad_(False).eval()


@pytest.mark.parametrize("attack", [moves.climb, moves.search])
@pytest.mark.parametrize("eps", [0.0, 0.1, 0.3])
def test_attacks_on_rows_are_feasible_and_never_help_the_model(attack, eps):
    x, y, model = ROWS[:60], torch.arange(60) % 2, detector()
    new = attack(model, x, y, RULES, eps=eps)
    check_feasible(new, x, eps)
    assert (margin(logits(model, new), y) >= margin(logits(model, x), y) - 1e-4).all()
    assert eps == 0 or (margin(logits(model, new), y) > margin(logits(model, x), y) + 1e-3).float().mean() > 0.9
    assert torch.equal(attack(model, x, y, RULES, eps=eps), new)


def test_a_search_of_one_round_finds_the_best_single_change():
    x, y, model = ROWS[:10], torch.ones(10, dtype=torch.int64), detector(1)
    new = moves.search(model, x, y, RULES, eps=0.1, rounds=1, choices=24)
    best = margin(logits(model, x), y)
    for hour in range(24):
        raw = units(x, RULES)
        raw[:, tables.HOUR] = hour
        best = torch.maximum(best, margin(logits(model, feasible(scale(raw, RULES), x, RULES, eps=0.1)), y))
    for places in RULES.groups().values():
        for place in places:
            other = x.clone()
            other[:, place] = 2
            best = torch.maximum(best, margin(logits(model, feasible(other, x, RULES, eps=0.1)), y))
    assert (margin(logits(model, new), y) >= best - 1e-3).all()


class Minds(nn.Module):
    """Minds the sum of some columns: the higher, the more it is class 1."""

    def __init__(self, columns):
        super().__init__()
        self.columns = columns

    def forward(self, x):
        return torch.stack([0 * x.sum(1), x[:, self.columns].sum(1)], 1)


def test_a_climb_moves_a_column_for_what_follows_from_it():
    x, y = ROWS[:20], torch.zeros(20, dtype=torch.int64)
    assert (moves.climb(Minds([SPENT]), x, y, RULES, eps=0.1)[:, AMOUNT] > x[:, AMOUNT]).all()


@pytest.mark.parametrize("rounds", [0, 1, 2, 3])
def test_a_search_changes_a_column_in_each_round(rounds):
    x, y, columns = ROWS[:20], torch.zeros(20, dtype=torch.int64), [AMOUNT, tables.HOUR, tables.DISTANCE]
    new = moves.search(Minds(columns), x, y, RULES, eps=0.1, rounds=rounds)
    assert int(((new - x)[:, columns] > 0.01).sum(1).max()) == rounds


# Payments.


def test_payments_are_the_same_each_time_and_as_described():
    again = tables.transactions(2000, days=30, customers=60, merchants=20)
    assert all(torch.equal(a, b) for a, b in zip(again, STREAM, strict=True))
    other = tables.transactions(2000, days=30, customers=60, merchants=20, seed=1)
    assert not torch.equal(other.x[:50], STREAM.x[:50])
    big = tables.transactions()
    assert 0.008 < float(big.y.float().mean()) < 0.013 and (big.time.diff() >= 0).all()
    late = (big.known - big.time)[big.y == 1]
    assert 8 < float(late.median()) < 13 and late.min() >= 1
    assert ((big.known - big.time)[big.y == 0] - 60).abs().max() < 1e-9
    assert not big.x[big.y == 1][:, 7].any(), "a thief without the PIN used the chip"
    raw = units(scale(big.x, RULES), RULES)
    assert torch.allclose(raw, big.x, rtol=1e-3, atol=1e-3)
    check_feasible(scale(big.x, RULES), scale(big.x, RULES), 0.0)


def test_what_the_bank_knows_is_of_earlier_payments_only():
    draws = draw(0)
    customer = torch.randint(0, 5, (200,), generator=draws)
    time = torch.rand(200, generator=draws, dtype=torch.float64).sort().values * 6
    amount = torch.randint(1, 90, (200,), generator=draws).double()
    usual, spent, count = tables.history(customer, time, amount, torch.tensor(50.0, dtype=torch.float64))
    for i in range(200):
        earlier = [j for j in range(i) if customer[j] == customer[i]]
        lately = [j for j in earlier if time[j] >= time[i] - 1]
        assert math.isclose(usual[i], (50 + sum(float(amount[j]) for j in earlier)) / (1 + len(earlier)))
        assert math.isclose(spent[i], sum(float(amount[j]) for j in lately), abs_tol=1e-6) and count[i] == len(lately)


def test_training_knows_only_labels_that_have_arrived():
    data, half = tables.payments(STREAM), float(STREAM.time.max()) / 2
    old = STREAM.time <= half
    arrived = (STREAM.y == 1) & (STREAM.known <= half)
    assert torch.equal(data.train.y, arrived[old].long()) and int(data.train.y.sum()) < int(STREAM.y[old].sum())
    assert len(data.test.y) == int((~old).sum()) and 0 <= data.train.x.min() and data.train.x.max() <= 1


def test_balanced_and_the_bar():
    data = tables.payments()
    half = tables.balanced(data.train)
    assert abs(float(half.y.float().mean()) - 0.5) < 0.01
    rows = {tuple(row.tolist()) for row in data.train.x[data.train.y == 1]}
    assert all(tuple(row.tolist()) in rows for row in half.x[half.y == 1][:50])
    model = detector(2)
    judge = tables.stopping(model, data.train.x, 0.02)
    assert abs(float((logits(judge, data.train.x).argmax(1) == 1).float().mean()) - 0.02) < 0.002
    with pytest.raises(ValueError, match="class 1"):
        tables.balanced(type(half)(half.x[:3], torch.zeros(3, dtype=torch.int64)))
    with pytest.raises(ValueError, match="n must"):
        tables.transactions(10)


# Texts.

MAIL = texts.load_texts()


def test_messages_are_read_as_they_were_written():
    assert len(MAIL.train.y) == len(MAIL.test.y) == 150 and len(MAIL.said) == 150
    for i in (0, 7, 149):
        want = [MAIL.words.index(w) if w in MAIL.words else texts.UNKNOWN for w in MAIL.said[i]]
        assert MAIL.test.x[i].tolist() == want + [0] * (32 - len(want))
        assert texts.encode(" ".join(MAIL.said[i]), MAIL.words, 32) == MAIL.test.x[i].tolist()
    assert texts.split_words("Win £1,000 NOW!") == ["win", "0", "0", "now"]
    assert (MAIL.train.x == texts.UNKNOWN).any(), "the unknown word must be trained"
    assert repr(MAIL).startswith("messages: 150 training")


def test_a_misspelt_word_becomes_unknown_and_reads_as_before():
    assert texts.misspell("money") == "m0ney" and texts.misspell("by") == "by"
    choices = MAIL.substitutes
    assert choices.shape[0] == len(MAIL.words) and torch.equal(choices[0], torch.zeros_like(choices[0]))
    for number, word in enumerate(MAIL.words[2:], 2):
        assert (texts.UNKNOWN in choices[number]) == (texts.misspell(word) != word)
        assert set(choices[number].tolist()) <= set(range(len(MAIL.words))) - {0}
    free = MAIL.words.index("free")
    now = torch.tensor([free, texts.UNKNOWN, 0])
    before = torch.tensor([free, MAIL.words.index("call"), 0])
    assert texts.rewritten(now, before, ["free", "call"], MAIL.words) == "free C4LL"


@settings(max_examples=15, deadline=None)
@given(seed=seeds, changes=st.integers(0, 4))
def test_swaps_change_few_words_and_only_into_what_may_stand_in(seed, changes):
    torch.manual_seed(seed)
    model = texts.Reader(MAIL, width=8).eval()
    x, y = (t[seed % 100 : seed % 100 + 20] for t in MAIL.test)
    can = ((MAIL.substitutes[x] != x[..., None]).any(-1)).sum(1).clamp_max(changes)
    assert torch.equal((swaps.swap_by_gradient(model, x, y, MAIL.substitutes, changes=changes) != x).sum(1), can)
    for swap in (swaps.swap_by_gradient, swaps.swap_by_search, swaps.swap_by_trying_all)[: 2 + (changes < 3)]:
        new = swap(model, x, y, MAIL.substitutes, changes=changes)
        assert ((new != x).sum(1) <= changes).all() and ((x == 0) == (new == 0)).all()
        assert ((new[..., None] == MAIL.substitutes[x]).any(-1) | (new == x)).all()
        assert torch.equal(swap(model, x, y, MAIL.substitutes, changes=changes), new)


def test_a_search_for_one_word_is_the_best_of_all():
    torch.manual_seed(0)
    model = texts.Reader(MAIL, width=8).eval()
    x, y = MAIL.test.x[:8], MAIL.test.y[:8]
    found = margin(logits(model, swaps.swap_by_search(model, x, y, MAIL.substitutes, changes=1)), y)
    for row, label, value in zip(x, y, found, strict=True):
        tries = [row]
        for place, word in itertools.product(range(32), range(MAIL.substitutes.shape[1])):
            one = row.clone()
            one[place] = MAIL.substitutes[row[place], word]
            tries.append(one)
        best = margin(logits(model, torch.stack(tries)), label.repeat(len(tries))).max()
        assert torch.isclose(value, best, atol=1e-5)


def test_trying_all_is_the_worst_of_all_pairs():
    torch.manual_seed(0)
    model = texts.Reader(MAIL, width=8).eval()
    x, y = MAIL.test.x[:6], MAIL.test.y[:6]
    found = swaps.swap_by_trying_all(model, x, y, MAIL.substitutes, changes=2)
    for row, label, text in zip(x, y, found, strict=True):
        options = [sorted({int(word), *MAIL.substitutes[word].tolist()}) for word in row[row != 0]]
        tries = set()
        for a, b in itertools.combinations(range(len(options)), 2):
            for here, there in itertools.product(options[a], options[b]):
                one = row.tolist()
                one[a], one[b] = here, there
                tries.add(tuple(one))
        counted = swaps.all_swaps(row, MAIL.substitutes, 2)
        assert {tuple(one) for one in counted.tolist()} == tries and len(counted) == len(tries)
        values = margin(logits(model, torch.tensor(sorted(tries))), label.repeat(len(tries)))
        assert torch.isclose(margin(logits(model, text[None]), label[None])[0], values.max(), atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(length=st.integers(1, 30), keep=st.integers(1, 8), changes=st.integers(0, 12))
def test_the_chance_to_see_a_changed_word_is_hypergeometric(length, keep, changes):
    want = float(changes > 0) if length <= keep else stats.hypergeom.sf(0, length, min(changes, length), keep)
    assert math.isclose(swaps.seen(length, keep, changes), want, abs_tol=1e-9)


def test_hiding_keeps_so_many_words_and_all_choices_alike():
    torch.manual_seed(0)
    x = torch.cat([torch.arange(2, 8), torch.zeros(4)]).long().repeat(6000, 1)
    kept = swaps.keep_some(x, 2)
    assert ((kept != 0).sum(1) == 2).all() and ((kept == x) | (kept == 0)).all()
    counts = torch.stack([(kept == word).sum() for word in range(2, 8)])
    assert stats.chisquare(counts.numpy()).pvalue > 0.001
    assert torch.equal(swaps.keep_some(x[:3, 5:], 2), x[:3, 5:]), "a text of one word is kept whole"


def test_a_soft_vote_counts_all_texts_or_the_same_places_of_each():
    torch.manual_seed(0)
    table = torch.randn(9, 2)

    def model(x):
        return table[x].cumsum(1)[:, -1] ** 3  # knows which words, all of them

    x = torch.tensor([[3, 4, 5, 6, 0, 0], [7, 8, 0, 0, 0, 0], [1, 2, 3, 4, 5, 6], [0, 0, 0, 0, 0, 0]])
    got = swaps.Hidden(model, 3)(x).exp()
    for row, share in zip(x.tolist()[:3], got, strict=False):
        kept = torch.tensor(list(itertools.combinations([word for word in row if word], min(3, sum(map(bool, row))))))
        assert torch.allclose(share, model(kept).softmax(1).mean(0), atol=1e-6)
    assert torch.allclose(got[3], model(torch.tensor([[0]])).softmax(1)[0])
    counted = swaps.Hidden(model, 3, hard=True)(x)
    for row, votes in zip(x.tolist()[:3], counted, strict=False):
        kept = torch.tensor(list(itertools.combinations([word for word in row if word], min(3, sum(map(bool, row))))))
        assert votes.tolist() == torch.stack([model(kept).argmax(1) == label for label in (0, 1)]).sum(1).tolist()
        assert torch.equal(swaps.Hidden(model, 3, hard=True)(torch.tensor([row])), votes[None]), "alone, too"
    few = swaps.Hidden(model, 3, n=5)
    assert torch.equal(few(x), few(x)) and torch.equal(few(x)[2], few(x[2:3])[0]) and not torch.equal(few(x), got.log())


def test_what_is_certified_holds_for_every_word():
    """By all subsets and all replacements of one word, for readers of five words."""
    for seed in range(12):
        table = torch.rand(7, 7, 7, generator=draw(seed)) < (0.9 if seed % 2 else 0.75)  # an answer for each pair kept

        def share(x, table=table):
            return sum(bool(table[i, x[i], x[j]]) for i, j in itertools.combinations(range(5), 2)) / 10

        x = [0, 1, 2, 3, 4]
        if share(x) - swaps.seen(5, 2, 1) > 0.5:
            for place, word in itertools.product(range(5), range(7)):
                assert share([*x[:place], word, *x[place + 1 :]]) > 0.5


def test_texts_that_cannot_be_used_are_named(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="choose one of messages"):
        texts.load_texts("novels")
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    (tmp_path / "sms_spam.csv").write_text("label,text\nham,hello\nfish,hello\n")
    with pytest.raises(ValueError, match="label and a text"):
        texts.load_texts("sms_spam")
    rows = "".join(f'"{1 + i % 4}","title {i}","some words\\and more of {i % 7}"\n' for i in range(4400))
    (tmp_path / "ag_news_test.csv").write_text(rows)
    news = texts.load_texts("ag_news_test")
    assert len(news.train.y) == 4000 and sorted(news.test.y.unique().tolist()) == [0, 1, 2, 3]
    monkeypatch.setenv("COURSE_TEXTS", "ag_news_test")
    assert texts.load_texts().name == "ag_news_test"


# Signs and stickers.


def test_signs_are_drawn_alike_and_in_range():
    data, again = signs.road_signs(48, 16), signs.road_signs(48, 16)
    assert torch.equal(data.train.x, again.train.x) and data.train.x.shape == (48, 3, 24, 24)
    assert 0 <= data.train.x.min() and data.train.x.max() <= 1 and data.train.y.bincount().tolist() == [6] * 8
    assert not torch.equal(data.train.x[:16], data.test.x)
    flat = signs.textures()
    assert flat.shape == (8, 4, 48, 48) and 0 <= flat.min() and flat.max() <= 1
    assert all(not torch.equal(a, b) for a, b in itertools.combinations(flat, 2))


def test_cameras_see_the_paint_and_nothing_beside_the_sign():
    view, texture = signs.scenes(6, seed=1), signs.textures()[:1].requires_grad_()
    (gradient,) = torch.autograd.grad(signs.render(texture, view).sum(), texture)
    there = texture[:, 3:] > 0
    assert gradient[:, :3][there.expand(1, 3, 48, 48)].abs().sum() > 0
    other = texture.detach().clone()
    other[:, :3][~there.expand(1, 3, 48, 48)] = 0.3  # beside the sign, where the background is seen
    inner = nn.functional.max_pool2d((~there).float(), 5, 1, 2) == 0
    assert inner.any()
    assert (signs.render(other, view) - signs.render(texture, view)).abs().mean() < 0.01


@settings(max_examples=8, deadline=None)
@given(seed=seeds, side=st.integers(2, 14))
def test_a_sticker_is_one_square_and_the_same_each_time(seed, side):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 24 * 24, 8)).requires_grad_(False).eval()
    flat, y = signs.textures()[:3], torch.arange(3)
    how = {"side": side, "steps": 3, "poses": 2, "seed": seed}
    worn = stickers.sticker(model, flat, y, **how)
    assert torch.equal(stickers.sticker(model, flat, y, **how), worn)
    assert 0 <= worn.min() and worn.max() <= 1 and torch.equal(worn[:, 3], flat[:, 3])
    for changed in (worn != flat).any(1):
        rows, columns = changed.nonzero().T
        assert rows.max() - rows.min() < side and columns.max() - columns.min() < side
        assert (int(rows.min()), int(columns.min())) in stickers.SPOTS or side > 2


@pytest.mark.parametrize("band", [1, 3, 5])
def test_the_vote_of_bands_proves_no_more_than_the_worst_sticker_leaves(band):
    """A model that gives in to each band with a mark in it: so wide a mark never wins, one column more can."""
    width, gave_way = 24, 0

    class Marked(nn.Module):
        def forward(self, x):
            marked = (x == 1).flatten(1).any(1)
            own = (x == 0.25).flatten(1).any(1)  # a band that says class 0; the others say class 2
            return torch.stack([own & ~marked, marked, ~own & ~marked], 1).float()

    for said in range(1, 8):
        x = torch.full((1, 1, 2, width), 0.75)
        x[..., :: max(band, 24 // (8 * said // 7 + 1))] = 0.25
        vote, y = stickers.Bands(Marked(), band), torch.tensor([0])
        wide = int(stickers.widest_proved(vote(x), y, band))
        for columns in range(wide + 2):
            worn = x.repeat(width - columns + 1, 1, 1, 1)
            for left in range(len(worn)):
                worn[left, ..., left : left + columns] = 1
            right = vote(worn).argmax(1) == 0
            assert columns > wide or right.all()
            gave_way += columns == wide + 1 and not right.all()
    assert gave_way, "the proof is tight for some image"
    assert (stickers.widest_proved(torch.tensor([[3.0, 3.0]] * 2), torch.tensor([0, 1]), band) == -1).all(), "a tie"


def test_lesson_11b_takes_an_interval_over_signs_and_not_over_views():
    names = {"flat": [None] * 4, "special": special, "Rate": Rate, "RateWithin": RateWithin}
    by_signs, y = built("11b_words_stickers_faces", "by_signs", torch=torch, **names), torch.arange(4).repeat(100)
    shares = [0.3, 0.5, 0.6, 0.8]
    rate = by_signs(torch.arange(400) // 4 < torch.tensor([30, 50, 60, 80])[y], y)
    assert (rate.k, rate.n) == (220, 400)
    assert rate.interval == pytest.approx(stats.t.interval(0.95, 3, 0.55, stats.sem(shares)))
    for k in (0, 4):
        assert by_signs(torch.full((400,), k == 4), y).interval == Rate(k, 4).interval, "four signs, not 400"
    assert by_signs((y == 0) | (y == 1), y).interval == (0, 1)


def test_painted_squares_change_one_square_of_each_image():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 24 * 24, 8))
    x, y = torch.rand(10, 3, 24, 24), torch.arange(10) % 8
    new = stickers.squares(model, x, y)
    assert 0 <= new.min() and new.max() <= 1
    assert ((new != x).any(1).flatten(1).sum(1) <= 25).all() and model[1].weight.grad is None


# Faces.


def test_a_verifier_compares_with_the_mean_direction_of_each_person():
    torch.manual_seed(0)
    classifier, x, y = nn.Sequential(nn.Flatten(), nn.Linear(16, 5), nn.Linear(5, 3)), torch.rand(12, 1, 4, 4), None
    y = torch.arange(12) % 3
    lock = faces.Verifier(classifier, (x, y)).eval()
    z = nn.functional.normalize(classifier[1](x.flatten(1)), dim=1)
    for k in range(3):
        mean = nn.functional.normalize(z[y == k].mean(0), dim=0)
        assert torch.allclose(lock(x)[:, k], z @ mean, atol=1e-6)
    assert torch.equal(faces.nearness(lock(x), y), lock(x)[torch.arange(12), y])


# The widget.


READINGS = {
    name: (torch.full((2, 3, 3, 24, 24), 0.1 * i), torch.eye(2)[[0, 1, 0, 1, 0, 1]].view(2, 3, 2))
    for i, name in enumerate(("one", "two"))
}


def made_explorer():
    return StickerExplorer(READINGS, ("stop", "yield"))


def test_the_explorer_shows_what_it_was_given():
    explorer = made_explorer()
    before = explorer.picture.value
    explorer.defense.value = "two"
    assert explorer.picture.value != before and "stop with a sticker, two → read right by 2 of 3" in explorer.still.text
    explorer.sign.value, explorer.camera.value = 1, 3
    assert "yield" in explorer.still.text and explorer.error.value == ""
    assert [round(bar.get_width(), 2) for bar in explorer.bars] == [0, 1]


# The lesson.

SHARED = [
    rules.feasible,
    moves.climb,
    moves.search,
    swaps.swap_by_gradient,
    swaps.swap_by_search,
    swaps.all_swaps,
    swaps.swap_by_trying_all,
    swaps.keep_some,
    swaps.seen,
    swaps.Hidden,
    stickers.stick,
    stickers.sticker,
    stickers.squares,
    stickers.banded,
    stickers.widest_proved,
    faces.Verifier,
    faces.nearness,
    recipes,
]


@pytest.mark.parametrize("shared", SHARED, ids=lambda shared: shared.__name__)
def test_the_lesson_and_utils_hold_the_same_cell(shared):
    module = f"{shared.__module__.replace('.', '/')}.py"
    lesson = definitions("notebooks/src/11_beyond_images.py") | definitions("notebooks/src/11b_words_stickers_faces.py")
    assert lesson[shared.__name__] == definitions(module)[shared.__name__]
