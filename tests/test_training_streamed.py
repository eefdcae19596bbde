"""A network learns from a stream: each picture passes once an epoch, and a run is gone on with."""

import itertools
import os
import signal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from accelerate import Accelerator

from hf_resnet.augment import Changes
from hf_resnet.classifier import open_classifier
from hf_resnet.config import ComputeConfig, DataConfig, HeadConfig
from hf_resnet.data import load_data
from hf_resnet.errors import ConfigError
from hf_resnet.preprocess import Preprocess
from hf_resnet.training.choice import Choice
from hf_resnet.training.examples import Examples
from hf_resnet.training.head import train_head
from hf_resnet.training.network import train_network
from hf_resnet.training.order import Order
from hf_resnet.training.setting import Setting
from hf_resnet.training.streamed import Passing
from tests.test_training_head import colourful, small
from tests.test_training_network import changed_weights, config

COMPUTE = ComputeConfig(per_device_eval_batch_size=8, precision="fp32", dataloader_num_workers=0)


@pytest.fixture
def stream(tmp_path: Path):
    folder = colourful(tmp_path / "pictures", {"blue": 8, "green": 14, "red": 9})
    files = sorted(folder.rglob("*.png"), key=lambda path: path.name)
    rows = [{"image": {"bytes": path.read_bytes()}, "label": path.parent.name} for path in files]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "pictures.parquet")
    where = DataConfig(train_file=str(tmp_path / "pictures.parquet"), streaming=True)
    data = load_data(where, make_validation=False)
    assert data.train.size is None
    return data


def passing(split, *, process=0, processes=1, done=0, batch=8, share_N=None) -> Passing:
    keys = [row.key for row in split.rows()]
    plain = Preprocess(mode="squash", size=(8, 8), resize=(8, 8))
    labels = np.arange(len(keys))  # each picture a class of its own, so that it is known again
    examples = Examples(split, np.arange(len(keys)), labels, [plain], Changes(), 0)
    order = Order(len(keys), batch, 3, share_N)
    return Passing(examples, order, process, processes, done)


def labels_of(each: Passing, count: int) -> list[int]:
    return [label for _, label in itertools.islice(each, count)]


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_every_picture_passes_in_every_epoch_whatever_the_processes(stream, processes):
    each = passing(stream.train).order.steps_an_epoch * 8 // processes
    shares = [
        labels_of(passing(stream.train, process=process, processes=processes), 2 * each)
        for process in range(processes)
    ]
    for epoch in range(2):
        seen = [label for share in shares for label in share[epoch * each : (epoch + 1) * each]]
        assert set(seen) == set(range(31))
        assert len(seen) == 32
    assert shares[0][:each] != shares[0][each:]


@pytest.mark.parametrize("done", [1, 3, 4, 6])
def test_what_passes_after_a_step_is_the_same_when_it_is_gone_on_with(stream, done):
    whole = labels_of(passing(stream.train), 64)
    assert labels_of(passing(stream.train, done=done), 64 - 8 * done) == whole[8 * done :]


def test_a_process_without_pictures_is_one_clear_line_for_all(stream):
    for process in (0, 33):
        with pytest.raises(
            ConfigError, match=r"of 64 processes 31 would have pictures.*start fewer"
        ):
            passing(stream.train, process=process, processes=64, batch=64)


def test_balanced_sampling_of_a_stream_is_one_clear_line(stream):
    with pytest.raises(ConfigError, match=r"--balanced_sampling .* leave out --streaming"):
        passing(stream.train, share_N=np.ones(31))


def test_a_run_on_a_stream_that_was_stopped_ends_as_one_that_was_not(
    stream, tmp_path, family_folders
):
    classifier = small(open_classifier(str(family_folders("scratch"))))
    fitted = train_head(
        classifier, stream, HeadConfig(feature_cache_dir=str(tmp_path / "f")), COMPUTE
    )

    def run(folder: str, *, judged: int = 0, stop_at: int = 99):
        def judge(_):
            judge.times += 1
            if judge.times == stop_at:
                os.kill(os.getpid(), signal.SIGTERM)
            return {"accuracy": judge.times / 10, "macro_f1": 0.0, "log_loss": 1.0}

        judge.times = judged
        setting = Setting(
            folder=tmp_path / folder,
            accelerator=Accelerator(cpu=True),
            compute=COMPUTE,
            seed=0,
            identity={},
            judge=judge,
            tell=lambda text: None,
        )
        setting.folder.mkdir(exist_ok=True)
        choice = Choice("full", config(num_train_epochs=2), "as asked for", untrained=False)
        return train_network(fitted, stream.train, choice, setting)

    whole = run("whole")
    assert run("stopped", stop_at=2) is None
    assert not changed_weights(run("stopped", judged=2), whole)
    assert changed_weights(fitted, whole)
