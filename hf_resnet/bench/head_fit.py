"""A head on a frozen network: features computed once, against the network run again every epoch.

The plain way is that of the transformers no-trainer example with its backbone frozen: random crops
and flips drawn afresh each epoch, fp32, AdamW on the head. It is given a learning rate that suits a
head (1e-3; the example's 5e-5 is for whole networks) and batch-norm in evaluation mode, which are
better than what the example does. Both sides see the same pictures and are judged on the same others.
"""

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from hf_resnet.classifier import Classifier, open_classifier
from hf_resnet.config import ComputeConfig, DataConfig, HeadConfig
from hf_resnet.data import Data, Split, load_data
from hf_resnet.evaluation.measure import measure
from hf_resnet.heap import keep_freed_memory
from hf_resnet.images import decode
from hf_resnet.labels import Labels
from hf_resnet.training.head import train_head

LEARNING_RATE = 1e-3
BATCH = 32


@dataclass(frozen=True)
class Task:
    """What both sides have to do."""

    model: str
    dataset: str
    pictures: int
    test_pictures: int
    epochs: int
    views: int
    threads: int

    def data(self) -> Data:
        config = DataConfig(
            dataset_name=self.dataset,
            max_train_samples=self.pictures,
            max_eval_samples=self.test_pictures,
        )
        return load_data(config, make_validation=False)


@dataclass(frozen=True)
class Outcome:
    """How long one side took for the head, and how good it is."""

    seconds: float
    accuracy: float


def ours(task: Task) -> Outcome:
    """Features of `views` views once, then the head on them; nothing is cached beforehand."""
    keep_freed_memory()
    classifier, data = open_classifier(task.model), task.data()
    with tempfile.TemporaryDirectory() as cache:
        began = time.perf_counter()
        trained = train_head(
            classifier,
            data,
            HeadConfig(views=task.views, feature_cache_dir=cache),
            ComputeConfig(dataloader_num_workers=task.threads),
        )
        seconds = time.perf_counter() - began
    return Outcome(seconds, _accuracy(trained.classifier, data))


def plain(task: Task) -> Outcome:
    """The network run on every picture in every epoch, its head by stochastic gradient."""
    classifier, data = open_classifier(task.model), task.data()
    assert data.train is not None  # noqa: S101  the samples all have training pictures
    weight_KD = torch.zeros(len(data.labels), classifier.network.width)
    bias_K = torch.zeros(len(data.labels))
    network = classifier.network.with_head(weight_KD, bias_K)
    network.requires_grad_(False)
    network.head.requires_grad_(True)
    optimizer = torch.optim.AdamW(network.head.parameters(), lr=LEARNING_RATE)
    torch.manual_seed(0)
    began = time.perf_counter()
    for _ in range(task.epochs):
        for pixels_BCHW, label_B in _loader(data.train, classifier, task):
            loss = nn.functional.cross_entropy(network(pixels_BCHW), label_B)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    seconds = time.perf_counter() - began
    head = network.head
    trained = classifier.with_head(
        Labels(data.labels.names),
        head.weight.detach().flatten(1),
        None if head.bias is None else head.bias.detach(),
        classifier.facts,
    )
    return Outcome(seconds, _accuracy(trained, data))


def _loader(
    split: Split, classifier: Classifier, task: Task
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """One epoch, decoded and augmented as the example does, in worker processes."""
    from torchvision import transforms

    preprocess = classifier.preprocess
    change = transforms.Compose(
        [
            transforms.RandomResizedCrop(preprocess.size),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(preprocess.mean, preprocess.std),
        ]
    )
    rows = [(row.data, row.label) for row in split.rows()]

    def collate(batch: list[tuple[bytes, int]]) -> tuple[torch.Tensor, torch.Tensor]:
        pixels = torch.stack([change(decode(data)) for data, _ in batch])
        return pixels, torch.tensor([label for _, label in batch])

    yield from torch.utils.data.DataLoader(
        rows,  # type: ignore[arg-type]
        batch_size=BATCH,
        shuffle=True,
        num_workers=task.threads,
        collate_fn=collate,
        multiprocessing_context="fork",
    )


def _accuracy(classifier: Classifier, data: Data) -> float:
    assert data.test is not None  # noqa: S101  the samples all have test pictures
    measured = measure(classifier, data.test, ComputeConfig(precision="fp32"))
    return measured.figures["accuracy"].value


def main() -> None:
    """`python -m hf_resnet.bench.head_fit SIDE TASK_JSON`: one side, its outcome as JSON."""
    side, text = sys.argv[1:]
    task = Task(**json.loads(text))
    torch.set_num_threads(task.threads)
    outcome = {"ours": ours, "plain": plain}[side](task)
    sys.stdout.write(json.dumps(outcome.__dict__) + "\n")


if __name__ == "__main__":
    main()
