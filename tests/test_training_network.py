"""The whole network learns: what learns, how fast, what is kept, and how a run goes on."""

import hashlib
import json
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load_file, save_file

from hf_resnet.augment import Changes, changed
from hf_resnet.backbones.stages import stages_of
from hf_resnet.classifier import Classifier, open_classifier
from hf_resnet.config import ComputeConfig, TrainConfig
from hf_resnet.data.picture_cache import PictureCache
from hf_resnet.data.rows import Row
from hf_resnet.errors import ConfigError, DataError, ModelError
from hf_resnet.preprocess import Preprocess
from hf_resnet.training import log
from hf_resnet.training.checkpoint import steps_in
from hf_resnet.training.choice import Choice, choose, without_effect
from hf_resnet.training.examples import as_numbers
from hf_resnet.training.head import Trained, train_head
from hf_resnet.training.network import train_network
from hf_resnet.training.optimiser import freeze, keeps_statistics, optimiser, rate
from hf_resnet.training.order import Order, balanced
from hf_resnet.training.setting import Setting
from tests.conftest import photo, png
from tests.test_training_head import colourful, data_of, small

COMPUTE = ComputeConfig(per_device_eval_batch_size=8, precision="fp32", dataloader_num_workers=0)
SIZE = (32, 32)


@pytest.fixture
def data(tmp_path):
    return data_of(colourful(tmp_path / "pictures", {"blue": 8, "green": 14, "red": 9}))


@pytest.fixture
def started(family_folders, data, tmp_path) -> Trained:
    """A small network with a fitted head, as the training of the network begins with it."""
    from hf_resnet.config import HeadConfig

    classifier = small(open_classifier(str(family_folders("scratch"))))
    head = HeadConfig(feature_cache_dir=str(tmp_path / "store"))
    return train_head(classifier, data, head, COMPUTE)


def config(**options) -> TrainConfig:
    usual = {
        "per_device_train_batch_size": 8,
        "num_train_epochs": 3,
        "learning_rate": 0.01,
        "layer_decay": 0.7,
        "batch_norm": "frozen",
    }
    return TrainConfig(**(usual | options))


Trains = Callable[..., Trained | None]


@pytest.fixture
def train(started, data, tmp_path) -> Trains:
    def trained(method="full", *, folder="run", judge=None, said=None, **options):
        workers, precision = options.pop("workers", 0), options.pop("precision", "fp32")
        choice = Choice(method, config(**options), "as asked for", untrained=False)
        setting = Setting(
            folder=tmp_path / folder,
            accelerator=Accelerator(cpu=True),
            compute=replace(COMPUTE, dataloader_num_workers=workers, precision=precision),
            seed=0,
            identity={"rate": options.get("learning_rate", 0.01)},
            judge=judge,
            tell=(lambda text: None) if said is None else said.append,
            cache=PictureCache(tmp_path / "cache") if options.get("cache_images") else None,
        )
        (tmp_path / folder).mkdir(exist_ok=True)
        return train_network(started, data.train, choice, setting)

    return trained


def weights(trained: Trained | Classifier) -> dict[str, torch.Tensor]:
    classifier = trained.classifier if isinstance(trained, Trained) else trained
    return classifier.network.state_dict()


def changed_weights(before, after) -> set[str]:
    return {
        name
        for name, each in weights(before).items()
        if not torch.equal(each, weights(after)[name])
    }


def losses(folder: Path) -> list[float]:
    return [line["loss"] for line in log.read(folder / log.LOG_FILE)]


def same(one: Trained, other: Trained) -> bool:
    return not changed_weights(one, other)


# --- what learns


def test_every_weight_but_the_heads_is_of_a_stage_in_every_family(family_folder):
    network = open_classifier(str(family_folder)).network
    stages = stages_of(network)
    assert 1 <= len(stages) <= 4
    named = [each for names in stages.modules for each in names]
    assert len(named) == len(set(named))
    for name in named:
        assert network.get_submodule(name) is not network.head


def test_stages_are_found_where_the_literature_has_them():
    from hf_resnet.backbones import timm

    stages = stages_of(timm.open_architecture("resnet50").network)
    assert stages.modules[0] == ("model.conv1", "model.bn1", "model.layer1")
    assert [names[-1] for names in stages.modules] == [f"model.layer{n}" for n in (1, 2, 3, 4)]


def test_last_stage_changes_the_highest_stage_and_the_head_alone(train, started):
    after = train("last_stage")
    stages = stages_of(started.classifier.network)
    names = changed_weights(started, after)
    head = f"model.{started.classifier.network.head_name}"
    assert any(name.startswith(head) for name in names)
    assert {stages.of(name) for name in names if not name.startswith(head)} == {len(stages) - 1}


def test_full_changes_every_stage(train, started):
    stages = stages_of(started.classifier.network)
    assert {stages.of(name) for name in changed_weights(started, train())} == set(
        range(len(stages))
    )


def test_frozen_norms_keep_their_statistics_and_others_do_not(train, started):
    def statistics(after):
        return {name for name in changed_weights(started, after) if "running" in name}

    assert not statistics(train(batch_norm="frozen", folder="a"))
    assert statistics(train(batch_norm="train", folder="b"))


def test_norms_keep_their_statistics_by_themselves_unless_they_have_none(started):
    network = started.classifier.network
    assert not keeps_statistics(network, config(batch_norm="auto"))  # they never saw a picture
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.fill_(0.5)
    assert keeps_statistics(network, config(batch_norm="auto"))
    assert not keeps_statistics(network, config(batch_norm="auto", per_device_train_batch_size=128))


def test_lower_stages_learn_more_slowly_and_norms_and_biases_are_not_pulled_to_zero(started):
    network = started.classifier.network
    freeze(network, 2)
    groups = optimiser(network, config(layer_decay=0.5, weight_decay=0.1)).param_groups
    assert {group["share"] for group in groups} == {0.5, 1.0}
    for group in groups:
        for parameter in group["params"]:
            assert group["weight_decay"] == (0.1 if parameter.ndim > 1 else 0.0)


def test_l2_sp_holds_the_network_near_where_it_came_from(train, started):
    def moved(after):
        before = weights(started)
        return sum(
            float((each - before[name]).square().sum()) for name, each in weights(after).items()
        )

    free = moved(train(folder="a", learning_rate=0.05, max_grad_norm=0.0))
    held = moved(train(folder="b", learning_rate=0.05, max_grad_norm=0.0, l2_sp=5.0))
    assert held < free


# --- the rate


@pytest.mark.parametrize("kind", ["cosine", "linear", "constant_with_warmup"])
def test_the_rate_rises_over_the_first_tenth_and_then_never_again(kind):
    rates = [rate(config(lr_scheduler_type=kind), step, 100) for step in range(100)]
    assert rates[:10] == sorted(rates[:10])
    assert rates[0] < 0.01
    assert max(rates) == rates[10] == 0.01
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_half_way_cosine_and_linear_are_at_half_the_rate():
    for kind in ("cosine", "linear"):
        chosen = config(lr_scheduler_type=kind, num_warmup_steps=0)
        assert rate(chosen, 50, 100) == pytest.approx(0.005)
        assert rate(chosen, 99, 100) < 0.0002


def test_a_constant_rate_is_constant():
    chosen = config(lr_scheduler_type="constant", num_warmup_steps=5)
    assert {rate(chosen, step, 100) for step in range(100)} == {0.01}


# --- the order


@given(st.integers(1, 60), st.integers(1, 20), st.integers(0, 5))
def test_every_epoch_shows_every_picture_and_every_step_is_whole(count, batch, epoch):
    order = Order(count, batch, seed=3)
    steps = range(epoch * order.steps_an_epoch, (epoch + 1) * order.steps_an_epoch)
    seen = np.concatenate([order.step(number) for number in steps])
    assert set(seen) == set(range(count))
    assert len(seen) == order.steps_an_epoch * batch
    assert np.array_equal(np.unique(seen[:count]), np.arange(count))


@given(st.integers(1, 60), st.integers(1, 4), st.integers(1, 5), st.integers(0, 40))
def test_the_processes_share_out_exactly_the_pictures_of_a_step(count, processes, each, step):
    order = Order(count, processes * each, seed=1)
    shares = [order.of_process(step, process, processes) for process in range(processes)]
    assert np.array_equal(np.concatenate(shares), order.step(step))


def test_a_step_that_cannot_be_shared_out_is_one_clear_line():
    with pytest.raises(ConfigError, match="cannot be shared out to 3 processes"):
        Order(10, 4, seed=0).of_process(0, 0, 3)


def test_balanced_sampling_draws_the_classes_alike_often():
    label_N = np.repeat([0, 1], [190, 10])
    order = Order(200, 200, seed=0, share_N=balanced(label_N))
    drawn_N = np.concatenate([label_N[order.step(number)] for number in range(20)])
    assert 0.45 < drawn_N.mean() < 0.55


# --- what the network sees


def test_what_is_learned_from_has_the_very_values_that_serving_has():
    preprocess = Preprocess(mode="squash", size=SIZE, resize=SIZE, mean=(0.4, 0.5, 0.6))
    for order in ("RGB", "BGR"):
        each = replace(preprocess, channel_order=order)
        pixels_HWC = each.resized(photo())
        found_CHW = as_numbers(torch.from_numpy(pixels_HWC)[None], each)[0].numpy()
        assert np.array_equal(found_CHW, each.normalised(pixels_HWC))


@pytest.mark.parametrize(
    "changes",
    [
        Changes(),
        Changes(color_jitter=0.4),
        Changes(auto_augment="randaugment"),
        Changes(auto_augment="trivialaugment"),
        Changes(erasing=1.0),
    ],
)
def test_a_changed_picture_is_a_function_of_seed_picture_and_epoch_alone(changes):
    preprocess = Preprocess(mode="crop", size=SIZE, resize=SIZE)

    def view(**at):
        at = {"seed": 1, "key": "a", "number": 1} | at
        return changed(np.asarray(photo()), preprocess, changes, **at)

    before = torch.random.get_rng_state()
    first = view()
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(7)
    assert np.array_equal(view(), first)
    assert first.shape == (*SIZE, 3)
    for other in ({"seed": 2}, {"key": "b"}, {"number": 2}):
        assert not np.array_equal(view(**other), first)


def test_erasing_blanks_a_box_and_jitter_changes_colours():
    preprocess = Preprocess(mode="crop", size=SIZE, resize=SIZE)
    plain, erased, jittered = (
        changed(np.asarray(photo()), preprocess, changes, seed=0, key="a", number=1)
        for changes in (Changes(), Changes(erasing=1.0), Changes(color_jitter=0.5))
    )
    blank = (erased == 128).all(axis=2)
    assert 0 < blank.sum() < blank.size
    assert np.array_equal(erased[~blank], plain[~blank])
    assert not np.array_equal(jittered, plain)


def test_the_picture_cache_decodes_once_and_mends_itself(tmp_path):
    cache = PictureCache(tmp_path, short_side=48)
    row = Row("a" * 32, 0, "x.png", png(photo(size=(96, 72))))
    first = cache.picture(row)
    assert min(first.shape[:2]) == 48
    again = cache.picture(replace(row, data=b"no picture at all"))
    assert np.array_equal(again, first)
    (file,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    with Image.open(file) as seen:  # a person may look at it
        assert np.array_equal(np.asarray(seen), first)
    for damaged in (file.read_bytes()[:200], b"P6\n0 0\n255\n", b"P6\n64 48\n255\n", b""):
        file.write_bytes(damaged)
        assert np.array_equal(cache.picture(row), first)


def test_a_small_picture_is_cached_as_it_is(tmp_path):
    picture = photo(size=(40, 30))
    row = Row("b" * 32, 0, "x.png", png(picture))
    assert np.array_equal(PictureCache(tmp_path).picture(row), np.asarray(picture))


def test_it_makes_no_difference_to_a_run_what_lay_in_the_cache(train):
    first = train(folder="a", cache_images=True)
    assert same(first, train(folder="b", cache_images=True))


# --- the same whatever the machine does


def test_neither_the_number_of_workers_nor_another_run_changes_a_bit(train, tmp_path):
    one = train(folder="a", mixup=0.2, cutmix=0.5, color_jitter=0.2)
    two = train(folder="b", mixup=0.2, cutmix=0.5, color_jitter=0.2, workers=2)
    assert same(one, two)
    assert losses(tmp_path / "a") == losses(tmp_path / "b")


def test_accumulated_batches_learn_what_one_large_batch_learns(train, tmp_path):
    train(folder="a")
    train(folder="b", per_device_train_batch_size=4, gradient_accumulation_steps=2)
    assert losses(tmp_path / "a") == pytest.approx(losses(tmp_path / "b"), rel=1e-4)


def test_a_lack_of_memory_makes_the_pieces_smaller_and_says_so(train, tmp_path, monkeypatch):
    train(folder="a")
    from hf_resnet.backbones.network import Network

    forward, said = Network.forward, []

    def of_a_small_card(self, pixels_BCHW):
        if len(pixels_BCHW) > 4 and self.training:
            raise torch.OutOfMemoryError("no room")
        return forward(self, pixels_BCHW)

    monkeypatch.setattr(Network, "forward", of_a_small_card)
    train(folder="b", said=said)
    assert any("out of memory" in text and "2 pieces" in text for text in said)
    assert losses(tmp_path / "a") == pytest.approx(losses(tmp_path / "b"), rel=1e-4)


def test_fp16_learns_what_fp32_learns(train, tmp_path):
    train(folder="a")
    train(folder="b", precision="fp16")
    assert losses(tmp_path / "a") == pytest.approx(losses(tmp_path / "b"), rel=0.02)
    assert losses(tmp_path / "a") != losses(tmp_path / "b")


def test_where_fp16_overflows_the_step_is_done_again_with_a_smaller_scale(
    train, tmp_path, monkeypatch
):
    """And a run that goes on takes the scale up where it was, so that no bit differs."""
    train(folder="a")
    monkeypatch.setattr("hf_resnet.training.step.FIRST_LOSS_SCALE", 2.0**40)
    monkeypatch.setattr("hf_resnet.training.loop.FIRST_LOSS_SCALE", 2.0**40)
    judge, options = stopping_after(2), OPTIONS | {"precision": "fp16"}
    whole = train(folder="b", judge=stopping_after(99), **options)
    assert train(folder="c", judge=judge, **options) is None
    newest = max((tmp_path / "c").glob("step-*")) / "state.json"
    assert 1 <= json.loads(newest.read_text())["facts"]["loss_scale"] < 2.0**40
    assert same(train(folder="c", judge=judge, **options), whole)


# --- what is kept


def judging(values: list[float]):
    left = iter(values)
    return lambda classifier: {"accuracy": next(left), "macro_f1": 0.0, "log_loss": 1.0}


def test_the_network_that_judged_best_is_kept(train, started):
    best = train(folder="a", judge=judging([0.1, 0.9, 0.5, 0.3]))
    one_epoch = train(folder="b", max_train_steps=4, lr_scheduler_type="constant")
    longer = train(folder="c", lr_scheduler_type="constant", judge=judging([0.1, 0.9, 0.5, 0.3]))
    assert same(longer, one_epoch)
    assert best.facts["best_step"] == 4
    assert [each["epoch"] for each in best.facts["epochs"]] == [0, 1, 2, 3]


def test_training_that_makes_it_no_better_leaves_the_network_as_it_was(train, started):
    said: list[str] = []
    after = train(judge=judging([0.9, 0.1, 0.1, 0.1]), said=said)
    assert same(after, started)
    assert any("no better" in text for text in said)


def test_it_stops_early_where_nothing_gets_better(train, tmp_path):
    train(judge=judging([0.9, 0.1, 0.1]), early_stopping_patience=2)
    assert len(losses(tmp_path / "run")) == 8  # two epochs of four steps


def test_the_average_of_the_weights_is_used_where_it_is_asked_for(train):
    plain, averaged = train(folder="a"), train(folder="b", ema_decay=0.9)
    assert not same(plain, averaged)


def test_the_mean_feature_is_that_of_the_new_network(train, started):
    after = train(learning_rate=0.05).classifier
    assert after.feature_mean_D.shape == (after.network.width,)
    assert not torch.equal(after.feature_mean_D, started.classifier.feature_mean_D)


def test_what_was_trained_opens_again_with_the_same_answers(train, tmp_path, data):
    after = train().classifier
    after.save(tmp_path / "model")
    picture = photo(3)
    assert open_classifier(str(tmp_path / "model"))(picture) == after(picture)


def test_curve_and_log_are_written_while_it_goes(train, tmp_path):
    train(judge=judging([0.1, 0.2, 0.3, 0.4]))
    assert (tmp_path / "run" / "curve.png").stat().st_size > 5000
    lines = log.read(tmp_path / "run" / log.LOG_FILE)
    assert [line["step"] for line in lines] == list(range(1, 13))
    assert set(lines[0]) == {"step", "epoch", "loss", "rate", "gradient"}


# --- never losing work


def stopping_after(steps: int):
    """A judge that has this very process sent a SIGTERM at an epoch's end."""

    def judge(classifier: Classifier) -> dict[str, float]:
        judge.times += 1
        if judge.times == steps:
            os.kill(os.getpid(), signal.SIGTERM)
        return {"accuracy": judge.times / 10, "macro_f1": 0.0, "log_loss": 1.0}

    judge.times = 0
    return judge


OPTIONS = {"checkpointing_steps": "3", "ema_decay": 0.9, "mixup": 0.2, "num_train_epochs": 3}


def test_a_run_that_was_asked_to_stop_goes_on_to_the_very_same_end(train, tmp_path):
    whole = train(folder="a", judge=stopping_after(99), **OPTIONS)
    judge, said = stopping_after(2), []
    assert train(folder="b", judge=judge, **OPTIONS) is None
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert same(train(folder="b", judge=judge, said=said, **OPTIONS), whole)
    assert any("going on after step 4 of 12" in text for text in said)
    assert (tmp_path / "a" / log.LOG_FILE).read_bytes() == (
        tmp_path / "b" / log.LOG_FILE
    ).read_bytes()


def test_adamw_goes_on_to_the_bit_as_well(train):
    options = OPTIONS | {"optim": "adamw", "learning_rate": 0.001}
    whole = train(folder="a", judge=stopping_after(99), **options)
    judge = stopping_after(3)
    assert train(folder="b", judge=judge, **options) is None
    assert same(train(folder="b", judge=judge, **options), whole)


def test_a_run_that_is_done_is_not_done_again(train):
    first = train(**OPTIONS)
    said: list[str] = []
    assert same(train(said=said, **OPTIONS), first)
    assert any("after step 12 of 12" in text for text in said)


@pytest.mark.parametrize("file", ["state.json", "weights.safetensors", "optimiser.safetensors"])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before_it(train, tmp_path, file):
    options = OPTIONS | {"save_total_limit": 3}
    whole = train(folder="a", judge=stopping_after(99), **options)
    before = (tmp_path / "a" / log.LOG_FILE).read_bytes()
    newest = steps_in(tmp_path / "a")[-1] / file
    content = bytearray(newest.read_bytes())
    content[-40] ^= 1  # a single bit, deep inside
    newest.write_bytes(content)
    said: list[str] = []
    judge = stopping_after(99)
    judge.times = 3  # as many as the checkpoint before the last has seen
    assert same(train(folder="a", judge=judge, said=said, **options), whole)
    assert any("passed over: step-00000012" in text for text in said)
    assert any("going on after step 9" in text for text in said)
    assert (tmp_path / "a" / log.LOG_FILE).read_bytes() == before


def test_only_so_many_checkpoints_are_kept(train, tmp_path):
    train(checkpointing_steps="1", save_total_limit=3)
    assert [path.name for path in steps_in(tmp_path / "run")] == [
        f"step-{n:08}" for n in (10, 11, 12)
    ]


def test_a_checkpoint_holds_safetensors_and_json_and_no_other_file_is_read(train, tmp_path):
    train(**OPTIONS)
    newest = steps_in(tmp_path / "run")[-1]
    assert {path.suffix for path in newest.iterdir()} == {".json", ".safetensors"}
    state = json.loads((newest / "state.json").read_text())
    state["files"]["custom_checkpoint_0.pkl"] = "0" * 32
    write_state(newest, state)
    said: list[str] = []
    train(said=said, **OPTIONS)
    assert any("custom_checkpoint_0.pkl" in text for text in said)


def write_state(place: Path, state: dict) -> None:
    """As somebody would who knows how its hash is made."""
    state.pop("hash", None)
    digest = hashlib.blake2b(json.dumps(state).encode(), digest_size=16).hexdigest()
    (place / "state.json").write_text(json.dumps(state | {"hash": digest}))


def tampered(place: Path, change) -> None:
    """Change a checkpoint's facts or its files, hashes and all, as somebody with time could."""
    state = json.loads((place / "state.json").read_text())
    tensors = {name: load_file(place / name) for name in state["files"]}
    change(state, tensors)
    for name, each in tensors.items():
        save_file(each, place / name)
        state["files"][name] = hashlib.blake2b(
            (place / name).read_bytes(), digest_size=16
        ).hexdigest()
    write_state(place, state)


def setting_of(*names: str, value):
    def change(state, tensors):
        for name in names[:-1]:
            state = state[name]
        state[names[-1]] = value

    return change


def each_tensor(file: str, of):
    def change(state, tensors):
        tensors[file] = {name: of(each).contiguous() for name, each in tensors[file].items()}

    return change


WEIGHTS, OPTIMISER = "weights.safetensors", "optimiser.safetensors"


@pytest.mark.parametrize(
    "change",
    [
        setting_of("step", value=10**9),
        setting_of("step", value=-5),
        setting_of("step", value=True),
        setting_of("facts", "identity", value=[]),
        setting_of("facts", "history", value=None),
        setting_of("facts", "history", "seconds", value="long"),
        setting_of("facts", "loss_scale", value=0.0),
        setting_of("facts", "history", "epochs", value=[1, 2]),
        setting_of("facts", "history", "best", value={"accuracy": "high"}),
        lambda state, tensors: state["files"].pop(WEIGHTS) and tensors.pop(WEIGHTS),
        lambda state, tensors: state["files"].pop(OPTIMISER) and tensors.pop(OPTIMISER),
        each_tensor(WEIGHTS, lambda each: each.flatten()[:1]),
        each_tensor(WEIGHTS, lambda each: each.to(torch.int8)),
        each_tensor(WEIGHTS, lambda each: each * float("nan")),
        each_tensor(OPTIMISER, lambda each: each.flatten()[:1]),
        each_tensor(OPTIMISER, lambda each: each.to(torch.int64)),
        lambda state, tensors: tensors[OPTIMISER].clear(),
    ],
)
def test_a_checkpoint_that_was_tampered_with_is_passed_over(train, tmp_path, change):
    whole = train(folder="a", checkpointing_steps="3", save_total_limit=9)
    tampered(tmp_path / "a" / "step-00000012", change)
    said: list[str] = []
    assert same(train(folder="a", checkpointing_steps="3", save_total_limit=9, said=said), whole)
    assert any(text.startswith("passed over: step-00000012") for text in said)
    assert any("going on after step 9 of 12" in text for text in said)


def test_neither_links_nor_pipes_are_read_as_parts_of_a_checkpoint(train, tmp_path):
    whole = train(folder="a", checkpointing_steps="3", save_total_limit=9)
    steps = steps_in(tmp_path / "a")
    (steps[-1] / WEIGHTS).unlink()
    (steps[-1] / WEIGHTS).symlink_to("/dev/zero")
    (steps[-2] / WEIGHTS).unlink()
    os.mkfifo(steps[-2] / WEIGHTS)
    said: list[str] = []
    assert same(train(folder="a", checkpointing_steps="3", save_total_limit=9, said=said), whole)
    assert any("going on after step 6 of 12" in text for text in said)


def test_going_back_to_an_older_checkpoint_does_away_with_the_newer_ones(train, tmp_path):
    train(folder="a", checkpointing_steps="3", save_total_limit=9)
    older = tmp_path / "older"
    shutil.copytree(tmp_path / "a" / "step-00000003", older)
    train(
        folder="b", checkpointing_steps="4", save_total_limit=1, resume_from_checkpoint=str(older)
    )
    assert [path.name for path in steps_in(tmp_path / "b")] == ["step-00000012"]


def test_a_named_checkpoint_is_only_where_a_run_begins(train, tmp_path):
    train(folder="a", checkpointing_steps="3", save_total_limit=9)
    named = str(tmp_path / "a" / "step-00000003")
    taken: list[str] = []
    train(folder="b", checkpointing_steps="3", resume_from_checkpoint=named, said=taken)
    said: list[str] = []
    train(folder="b", checkpointing_steps="3", resume_from_checkpoint=named, said=said)
    assert any("going on after step 12 of 12" in text for text in said)
    assert any(f"{named} is passed over" in text for text in said)
    assert not any("passed over" in text for text in taken)


def test_machines_that_share_no_disk_are_told_so_before_they_learn(train, monkeypatch):
    train(folder="a", checkpointing_steps="3", save_total_limit=9)
    monkeypatch.setattr("hf_resnet.training.loop.gather_object", lambda steps: [*steps, 6])
    with pytest.raises(ConfigError, match=r"steps 6 and 12 in .* a disk that all machines share"):
        train(folder="a", checkpointing_steps="3", save_total_limit=9)


def test_a_log_that_somebody_wrote_in_is_no_traceback(train, tmp_path):
    whole = train(folder="a", checkpointing_steps="6")
    path = tmp_path / "a" / log.LOG_FILE
    path.write_text('{"a": 1}\n' + path.read_text())
    (tmp_path / "a" / "curve.png").mkdir()
    assert same(train(folder="a", checkpointing_steps="6"), whole)


def test_a_picture_that_goes_in_the_middle_is_one_clear_line_whatever_the_workers(
    train, data, tmp_path
):
    shutil.rmtree(tmp_path / "pictures" / "red")
    for workers in (0, 2):
        with pytest.raises(DataError) as caught:
            train(folder=f"run{workers}", workers=workers)
        assert "while the run was learning from it; put it back" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_network_that_knows_nothing_is_never_swapped_for_its_fitted_head(started, data, tmp_path):
    choice = Choice("full", config(num_train_epochs=2), "", untrained=True)
    setting = Setting(
        folder=tmp_path / "run",
        accelerator=Accelerator(cpu=True),
        compute=COMPUTE,
        seed=0,
        identity={},
        judge=lambda _: {"accuracy": 0.0, "macro_f1": 0.0, "log_loss": 9.0},
        tell=lambda text: None,
    )
    after = train_network(started, data.train, choice, setting)
    assert [each["step"] for each in after.facts["epochs"]] == [4, 8]
    assert changed_weights(started, after)


def test_a_run_with_other_settings_is_not_gone_on_with(train):
    train(**OPTIONS)
    with pytest.raises(ConfigError, match=r"other settings \(rate was 0.01, is 0.02\).*--restart"):
        train(learning_rate=0.02, **OPTIONS)


def test_a_named_checkpoint_is_taken_up(train, tmp_path):
    whole = train(folder="a", checkpointing_steps="3", save_total_limit=9)
    middle = tmp_path / "a" / "step-00000006"
    said: list[str] = []
    again = train(folder="b", said=said, resume_from_checkpoint=str(middle))
    assert same(again, whole)
    assert any("going on after step 6" in text for text in said)
    shutil.rmtree(middle)
    with pytest.raises(ModelError, match="cannot be read"):
        train(folder="c", resume_from_checkpoint=str(middle))


def test_a_full_disk_leaves_the_checkpoints_before_it_and_says_how_much_room_is_needed(
    train, tmp_path, monkeypatch
):
    import resource

    train(folder="a", max_train_steps=4, num_train_epochs=3, checkpointing_steps="2")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(ConfigError, match=r"checkpoint .* cannot be written: .*MB are needed"):
            train(folder="a", max_train_steps=6, num_train_epochs=3, checkpointing_steps="2")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in steps_in(tmp_path / "a")] == ["step-00000002", "step-00000004"]
    assert not list((tmp_path / "a").glob(".*"))


def test_a_full_disk_is_one_line_where_the_log_does_not_fit_either(tmp_path):
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    path = tmp_path / "log.jsonl"
    try:
        with (
            pytest.raises(ConfigError, match=r"the log .* cannot be written: .*make room"),
            log.Log(path, after=0) as lines,
        ):
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
            for step in range(1, 20):
                lines.write({"step": step, "loss": 0.5})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [line["step"] for line in log.read(path)] == [1, 2, 3, 4]


@pytest.mark.parametrize("batch_norm", ["train", "frozen"])
def test_a_batch_of_one_never_meets_a_norm_that_learns(train, started, batch_norm):
    def one():
        return train(batch_norm=batch_norm, per_device_train_batch_size=1, max_train_steps=2)

    if batch_norm == "frozen":
        assert changed_weights(started, one())
    else:
        with pytest.raises(ConfigError, match="learns nothing from one picture at once"):
            one()


@pytest.mark.parametrize(
    ("batch_norm", "fewest"), [("frozen", "1 picture"), ("train", "2 pictures")]
)
def test_where_no_piece_is_small_enough_one_line_says_so(train, monkeypatch, batch_norm, fewest):
    from hf_resnet.backbones.network import Network

    forward, seen = Network.forward, set()

    def of_a_tiny_card(self, pixels_BCHW):
        if self.training:
            seen.add(len(pixels_BCHW))
            raise torch.OutOfMemoryError("no room")
        return forward(self, pixels_BCHW)

    monkeypatch.setattr(Network, "forward", of_a_tiny_card)
    with pytest.raises(ConfigError, match=f"out of memory with {fewest} at once"):
        train(batch_norm=batch_norm, per_device_train_batch_size=6)
    assert min(seen) == int(fewest[0])


def test_learning_that_comes_apart_stops_with_step_and_rate_and_keeps_the_checkpoints(
    train, tmp_path
):
    with pytest.raises(ModelError, match=r"come apart at step \d+.*at the rate .*--learning_rate"):
        train(
            learning_rate=90.0,
            max_grad_norm=0.0,
            num_warmup_steps=0,
            batch_norm="train",
            checkpointing_steps="1",
        )


# --- the rule


@pytest.mark.parametrize(
    ("pictures", "method"),
    [(3, "head"), (9, "head"), (10, "full"), (50, "full"), (9999, "full")],
)
def test_auto_trains_more_of_the_network_the_more_pictures_there_are(pictures, method):
    choice = choose("auto", TrainConfig(), np.full(4, pictures), untrained=False)
    assert choice.method == method


@pytest.mark.parametrize(
    ("pictures", "classes", "epochs"),
    [(50, 10, 6), (10, 2, 30), (10, 8, 30), (20, 10, 10), (600, 5, 4)],
)
def test_few_pictures_are_gone_through_more_often(pictures, classes, epochs):
    choice = choose("auto", TrainConfig(), np.full(classes, pictures), untrained=False)
    assert choice.config.num_train_epochs == epochs


def test_what_is_asked_for_is_never_overruled():
    asked = TrainConfig(num_train_epochs=2, learning_rate=0.5, layer_decay=1.0)
    choice = choose("last_stage", asked, np.full(4, 1000), untrained=False)
    assert choice.method == "last_stage"
    assert choice.config == asked


def test_what_is_asked_for_in_vain_is_told():
    asked = TrainConfig(mixup=0.2, num_train_epochs=3, report_to="tensorboard", restart=True)
    (line,) = without_effect(asked, "head", "cpu")
    assert "--mixup" in line and "--num_train_epochs" in line and "--restart" not in line
    (line,) = without_effect(asked, "full", "cpu")
    assert "--report_to tensorboard: nothing is sent without --with_tracking" in line
    compiled = TrainConfig(torch_compile=True)
    assert not list(without_effect(compiled, "full", "cuda"))
    (line,) = without_effect(compiled, "full", "cpu")
    assert "does not pay on a CPU" in line
    assert not list(without_effect(TrainConfig(), "head", "cpu"))


@pytest.mark.parametrize("word", ["False", "none", "no"])
def test_not_to_go_on_is_asked_for_by_restart(word):
    with pytest.raises(ConfigError, match=rf"got '{word}'; --restart begins anew"):
        TrainConfig(resume_from_checkpoint=word)


def test_a_network_that_knows_nothing_learns_as_a_whole_and_faster():
    known = choose("auto", TrainConfig(), np.full(4, 5), untrained=False)
    unknown = choose("auto", TrainConfig(), np.full(4, 5), untrained=True)
    assert (known.method, unknown.method) == ("head", "full")
    assert unknown.config.learning_rate > known.config.learning_rate
    assert unknown.config.layer_decay == 1.0
