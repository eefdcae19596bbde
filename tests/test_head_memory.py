"""Resident memory holds a few blocks of features, however many pictures there are."""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]

GROWTH = """
import io, resource, sys
from dataclasses import replace
import numpy as np
import torch
from PIL import Image
from torch import nn
from hf_resnet.backbones import Network
from hf_resnet.classifier import Classifier, Facts
from hf_resnet.config import ComputeConfig, HeadConfig
from hf_resnet.data import Row, key_of
from hf_resnet.head import blocks
from hf_resnet.head.features import extract
from hf_resnet.head.fit import fit_head
from hf_resnet.labels import Labels
from hf_resnet.preprocess import Preprocess

blocks.HELD_BYTES, blocks.BLOCK_BYTES = 1 << 20, 1 << 20
torch.manual_seed(0)
body = nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.Linear(192, 4096), nn.ReLU())
model = nn.Sequential(body, nn.Linear(4096, 2))
classifier = Classifier(
    Network(model, source="timm", head_name="1"),
    Labels(("dark", "light")),
    Preprocess(mode="squash", size=(32, 32), resize=(32, 32)),
    Facts("made for this"),
)

class Split:
    name, labels = "train", classifier.labels
    def __init__(self, size):
        self.size = size
    def rows(self, shard, shards):
        for number in range(self.size):
            light = number % 2
            pixels = np.random.default_rng(number).integers(60 * light, 160 + 90 * light, (8, 8, 3))
            file = io.BytesIO()
            Image.fromarray(pixels.astype(np.uint8)).save(file, "PNG")
            yield Row(key_of(file.getvalue()), light, f"picture {number}", file.getvalue())

head = HeadConfig(feature_cache_dir=sys.argv[1], regularization=0.01)
for size in (500, 4000):
    features = extract(classifier, Split(size), head, ComputeConfig(precision="fp32"))
    assert features.shape == (size, 1, 4096)
    fit_head(features, features.key_N, features.label_N, classes=2, config=head)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_pictures(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", GROWTH, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    few, many = (int(line) << 10 for line in done.stdout.split())
    more = 3500 * 4096 * 4  # bytes of features that only the second run has
    assert many - few < more / 4
