"""Trainings at scale: two processes compute what one computes, count each image once, and survive a death."""

import inspect
import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import at_scale
import ranks_at_work
import scale as scale_tool
from run import ROOT, environment, save
from utils import records, scale
from utils.data import Split, load
from utils.evaluation import accuracy
from utils.fingerprint import fingerprint
from utils.models import small_cnn
from utils.rate import Rate
from utils.training import fit, ranks


def torchrun(folder: Path, what: str) -> subprocess.CompletedProcess:
    """Two processes of `ranks_at_work`, connected on this machine's loopback."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    fresh = environment(str(folder)) | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tools'}"}
    command += [str(ROOT / "tests" / "ranks_at_work.py"), str(folder), what]
    return subprocess.run(command, cwd=ROOT, env=fresh, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def through(tmp_path_factory) -> tuple[Path, str]:
    """Where two ranks have trained and counted, then gone through a run, and what they printed in it."""
    folder = tmp_path_factory.mktemp("through")
    done = torchrun(folder, "all")
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_two_ranks_have_the_weights_of_one_process_with_the_joined_batch(through):
    first, second = (load_file(through[0] / f"{rank}.safetensors") for rank in (0, 1))
    alone = ranks_at_work.trained()
    for name, weight in alone.items():
        assert torch.equal(first[name], second[name]), name
        assert (first[name] - weight).abs().max() < 1e-5, name


def test_every_image_is_counted_once_where_two_ranks_cannot_halve_them(through):
    first, second = (json.loads((through[0] / f"{rank}.json").read_text()) for rank in (0, 1))
    assert sorted(first["mine"] + second["mine"]) == list(range(397)) and len(first["mine"]) == 199
    data = load("digits")
    torch.manual_seed(0)
    alone = accuracy(small_cnn(data), data.test)
    assert first["rate"] == second["rate"] == [alone.k, 397]
    assert first["one"][1] == second["one"][1] == 1, "a rank without an image counts none"


def test_a_batch_that_ranks_cannot_share_is_refused(monkeypatch):
    monkeypatch.setattr("utils.training.loop.number_of_ranks", lambda: 3)
    data = load("digits")
    with pytest.raises(ValueError, match="batches of 64 cannot be shared by 3 ranks: take a multiple"):
        fit(small_cnn(data), data.train)


def test_alone_there_is_one_rank_and_it_has_all():
    assert (ranks.number_of_ranks(), ranks.rank(), ranks.summed(3, 4)) == (1, 0, (3, 4))
    assert ranks.my_rows(torch.arange(5)).tolist() == [0, 1, 2, 3, 4]


def test_a_dead_rank_ends_the_run_and_the_run_goes_on_from_its_checkpoint(through, tmp_path):
    whole, said = through
    died = torchrun(tmp_path, "die")
    folder = tmp_path / "taste.digits.0"
    assert died.returncode != 0
    assert "rank 0 of 2 stopped, and the run with it" in died.stderr
    assert f"{folder}/checkpoint.safetensors has all up to the end of epoch 2: the same command goes on" in died.stderr
    assert not (folder / "model.safetensors").exists()
    again = torchrun(tmp_path, "go")
    assert again.returncode == 0, again.stderr
    assert "epoch 3 of 4" in again.stdout and "epoch 2 of 4" not in again.stdout and "epoch 2 of 4" in said
    assert again.stdout.splitlines()[-3:] == said.splitlines()[-3:], "the same rates"
    one, other = (load_file(where / "taste.digits.0" / "model.safetensors") for where in (whole, tmp_path))
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


# One process.


def test_the_images_kept_aside_are_no_images_to_learn_from():
    x = torch.arange(50.0).view(50, 1)
    learning, held = scale.parted(Split(x, torch.arange(50)), 7)
    assert sorted(learning.y.tolist() + held.y.tolist()) == list(range(50)) and len(held.y) == 7
    assert torch.equal(learning.x[:, 0].long(), learning.y) and held.y.tolist() == [0, 8, 16, 24, 33, 41, 49]


def test_the_epochs_of_a_run_come_back_as_they_were_written(tmp_path):
    epochs = [scale.Epoch(i, 1.5 * i, 1.2 * i, Rate(i, 10), Rate(1, 10)) for i in (1, 2)]
    scale.write_epochs(tmp_path, epochs)
    assert scale.read_epochs(tmp_path) == epochs and scale.read_epochs(tmp_path / "nowhere") == []


IMAGES = 20  # that a run is judged on


@pytest.fixture(scope="module")
def taste(tmp_path_factory):
    """A small run on the digits: its folder, and what it found."""
    folder = tmp_path_factory.mktemp("taste")
    return folder, scale.run(scale.RECIPES["taste"], load("digits"), folder, n=IMAGES)


def test_a_run_trains_a_robust_network_and_says_how(taste):
    _, found = taste
    assert [epoch.epoch for epoch in found["epochs"]] == [1, 2, 3, 4]
    seconds = [epoch.processor for epoch in found["epochs"]]
    assert seconds == sorted(seconds) and seconds[0] > 0
    assert found["right"].n == 397 and found["right"] > 0.6
    assert found["left by worst_case"].n == IMAGES and found["left by worst_case"] <= found["left by PGD"]
    assert found["left by worst_case"] > 0.1


def test_weights_are_chosen_by_the_rate_that_is_asked_for(monkeypatch, tmp_path):
    rates, chosen = {"left": Rate(1, 10), "right": Rate(3, 10)}, {}

    def fit(model, split, *, watch, **how):
        chosen[by] = watch(model)
        return model

    monkeypatch.setattr(scale, "fit", fit)
    monkeypatch.setattr(
        scale, "left", lambda model, split, attack, *, eps: rates["right" if attack is scale.as_they_are else "left"]
    )
    for by in rates:
        (tmp_path / by).mkdir()
        scale.train(scale.RECIPES["taste"], load("digits"), tmp_path / by, by=by)
    assert chosen == rates


def test_a_recipe_is_judged_on_other_images_than_those_it_was_chosen_on(taste, monkeypatch):
    (folder, _), judged = taste, []
    monkeypatch.setattr(scale, "worst_case", lambda model, x, y, *, eps: judged.append(x) or x)
    scale.run(scale.RECIPES["taste"], load("digits"), folder, n=IMAGES)
    compared = set(map(bytes, load("digits").test.take(IMAGES).x.cpu().numpy()))
    assert len(judged[0]) == IMAGES and not compared & set(map(bytes, judged[0].cpu().numpy()))


def test_more_unseen_images_than_there_are_is_refused_before_the_training(monkeypatch, tmp_path):
    data, told = load("digits"), "of 397 test images at most 198 can be unseen: got n = 199"
    assert len(scale.unseen_images(data, 198).y) == 198
    monkeypatch.setattr(scale, "fit", lambda *_, **__: pytest.fail("it trains first"))
    with pytest.raises(ValueError, match=told):
        scale.unseen_images(data, 199)
    with pytest.raises(ValueError, match=told):
        scale.run(scale.RECIPES["taste"], data, tmp_path, n=199)


class Power(Exception):
    """It went off."""


def test_a_run_that_was_stopped_between_its_two_files_tells_each_epoch_once(taste, tmp_path, monkeypatch):
    """An epoch is written down before its checkpoint is complete."""
    (whole, found), recipe = taste, scale.RECIPES["taste"]
    rates = iter([Rate(0, 2)] * 5)  # as they are, and by PGD: two an epoch
    monkeypatch.setattr(scale, "left", lambda *_, **__: next(rates, None) or went_off())

    def went_off():
        raise Power

    with pytest.raises(Power):
        scale.run(recipe, load("digits"), tmp_path, n=50)
    monkeypatch.undo()
    monkeypatch.setattr(scale, "worst_case", scale.as_they_are)  # the run's end, which is not the question here
    scale.write_epochs(tmp_path, [*scale.read_epochs(tmp_path), scale.Epoch(3, 0.0, 0.0, Rate(0, 1), Rate(0, 1))])
    again = scale.run(recipe, load("digits"), tmp_path, n=IMAGES)
    assert [epoch.epoch for epoch in again["epochs"]] == [1, 2, 3, 4]
    assert again["epochs"][2][3:] == found["epochs"][2][3:] and again["epochs"][2].seconds > again["epochs"][1].seconds
    one, other = (load_file(folder / "model.safetensors") for folder in (whole, tmp_path))
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_torchrun_ending_a_rank_is_told_as_what_it_is(tmp_path, monkeypatch):
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(scale.dist, "init_process_group", lambda backend: None)
    monkeypatch.setattr(scale, "number_of_ranks", lambda: 2)
    try:
        scale.connect()
        told = "rank 0 of 2 stopped, and the run with it: another rank died. No epoch was complete"
        with pytest.raises(SystemExit, match=told), scale.ends_clearly(tmp_path):
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_more_ranks_than_gpus_is_said_before_they_meet(monkeypatch):
    before = signal.getsignal(signal.SIGTERM)
    for name, value in (("WORLD_SIZE", "3"), ("LOCAL_WORLD_SIZE", "3"), ("LOCAL_RANK", "0")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: pytest.fail("it takes a device first"))
    try:
        with pytest.raises(SystemExit, match=r"^3 ranks on 2 GPU\(s\): start at most one rank for each GPU$"):
            scale.connect()
    finally:
        signal.signal(signal.SIGTERM, before)


def test_what_is_asked_in_float32_is_not_rounded(monkeypatch):
    """By each of the three commands, before anything is asked."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    scale.in_float32()
    assert not torch.backends.cudnn.allow_tf32
    for main in (scale.main, scale_tool.main, at_scale.main):
        source = inspect.getsource(main)
        assert 0 < source.index("in_float32()") < source.index("load(given.dataset)"), main.__module__


# The tool that keeps records.


def test_a_run_leaves_a_record_and_says_first_what_it_will_do(taste, tmp_path, capsys):
    """What was trained is judged again, with the same figures, and not trained again."""
    folder = tmp_path / "work" / fingerprint(scale_tool.CODE) / "taste.digits.0"
    shutil.copytree(taste[0], folder)
    before = {file: file.stat().st_mtime_ns for file in folder.iterdir()}
    how = ["taste", "--dataset", "digits", "-n", str(IMAGES), "--note", "a test", "--folder", str(tmp_path / "work")]
    scale_tool.main([*how, "--kept", str(tmp_path)])
    said = capsys.readouterr().out.splitlines()
    assert re.match(r"taste: .* width 8 .* 4 epochs of digits, 80 updates: about \d+ seconds here, then", said[0])
    assert {file: file.stat().st_mtime_ns for file in folder.iterdir()} == before
    record = records.read("taste", "digits", tmp_path)
    _, found = taste
    for row, column, value in (
        ("right", "", found["right"]),
        ("left by PGD, 50 steps", "", found["left by PGD"]),
        ("left by worst_case", "", found["left by worst_case"]),
        ("epoch 4", "left", found["epochs"][3].left),
        ("seed", "", 0),
        ("note", "", "a test"),
    ):
        assert records.find(record, row, column)["value"] == records.value_of(value)
    assert records.find(record, "training", "processor seconds")["value"]["number"] == record["seconds"] > 0
    assert said[-1] == scale_tool.in_words(record) and "older" not in said[-1]
    assert "measured by older code" in scale_tool.in_words(record | {"fingerprint": "another"})


def test_without_a_name_it_runs_what_this_kind_of_machine_has_not_measured(monkeypatch, tmp_path, capsys):
    run = []
    monkeypatch.setattr(scale_tool, "FOR", {scale_tool.device().type: ("taste", "ten_minutes")})
    monkeypatch.setattr(scale_tool, "seconds_an_update", lambda recipe, data: 3.0)
    found = {"epochs": [scale.Epoch(1, 9, 8, Rate(1, 2), Rate(1, 2))], "right": Rate(1, 2)}
    found |= {"left by PGD": Rate(1, 2), "left by worst_case": Rate(1, 2)}
    monkeypatch.setattr(scale, "run", lambda recipe, *_, **__: run.append(recipe) or found)
    words = ["--dataset", "digits", "--folder", str(tmp_path / "work"), "--kept", str(tmp_path)]
    scale_tool.main([*words, "taste"])
    scale_tool.main(words)
    assert run == [scale.RECIPES["taste"], scale.RECIPES["ten_minutes"]]
    assert "kept: taste on digits" in capsys.readouterr().out
    scale_tool.main(words)
    assert len(run) == 2, "all is kept"
    with pytest.raises(SystemExit, match="there is no recipe nonsense: name one of taste"):
        scale_tool.main(["nonsense"])


def test_each_kind_of_machine_has_recipes_and_they_are_there():
    assert {"cpu", "cuda"} <= set(scale_tool.FOR)
    assert {name for names in scale_tool.FOR.values() for name in names} <= set(scale.RECIPES)


def test_the_readme_says_not_yet_as_long_as_a_record_is_missing(tmp_path):
    """And no longer: what it says follows from the records alone."""
    said = (ROOT / "README.md").read_text(encoding="utf-8").partition("<!-- scale -->")[2].partition("<!-- /")[0]
    for kind, names in (("CPU", scale_tool.FOR["cpu"]), ("GPU", scale_tool.FOR["cuda"])):
        for name in names:
            missing = records.read(name, "cifar10", scale_tool.KEPT) is None
            assert (f"`{name}` was not measured on a {kind} yet." in said) == missing
    assert said.strip() == scale_tool.at_scale()
    found = {"epochs": [scale.Epoch(1, 9.0, 8.0, Rate(1, 2), Rate(1, 2))], "right": Rate(3, 4)}
    found |= {"left by PGD": Rate(1, 2), "left by worst_case": Rate(1, 4)}
    save(scale_tool.record_of("resnet18", "cifar10", 0, "in a test", found), tmp_path)
    later = scale_tool.at_scale(tmp_path)
    assert "`ten_minutes` was not measured on a CPU yet." in later and "GPU yet" not in later
    assert "| 3/4 = 75 % [30, 95] | 1/4 = 25 % [5, 70] | 9 s | in a test |" in later
