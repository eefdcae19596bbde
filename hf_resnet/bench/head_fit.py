"""A head on a frozen network: features computed once, against the network run again every epoch.

The plain way is that of the transformers no-trainer example with its backbone frozen: random crops
and flips drawn afresh each epoch, fp32, AdamW on the head. It is given a learning rate that suits a
head (1e-3; the example's 5e-5 is for whole networks) and batch-norm in evaluation mode, which are
better than what the example does. Both sides see the same pictures and are judged on the same others.
"""

import tempfile
import time
from collections.abc import Iterator

import torch
from torch import nn

from hf_resnet.bench.task import Outcome, Subject, Task, accuracy_of, peak_megabytes
from hf_resnet.classifier import Classifier
from hf_resnet.config import ComputeConfig, HeadConfig
from hf_resnet.data import Data
from hf_resnet.heap import keep_freed_memory
from hf_resnet.images import decode
from hf_resnet.labels import Labels
from hf_resnet.training.head import train_head

LEARNING_RATE = 1e-3
BATCH, EPOCHS = 32, 10


def ours(task: Task) -> Outcome:
    """Features of `views` views once, then the head on them; nothing is cached beforehand."""
    keep_freed_memory()
    classifier, data = task.classifier(), task.data()
    with tempfile.TemporaryDirectory() as cache:
        began = time.perf_counter()
        trained = train_head(
            classifier,
            data,
            HeadConfig(views=task.views, feature_cache_dir=cache),
            ComputeConfig(dataloader_num_workers=task.threads),
        )
        seconds = time.perf_counter() - began
    pace = task.views * task.pictures / seconds
    peak = peak_megabytes()
    return Outcome(seconds, pace, peak, accuracy_of(trained.classifier, data))


def plain(task: Task) -> Outcome:
    """The network run on every picture in every epoch, its head by stochastic gradient."""
    classifier, data = task.classifier(), task.data()
    batch, epochs = task.batch or BATCH, int(task.epochs or EPOCHS)
    weight_KD = torch.zeros(len(data.labels), classifier.network.width)
    bias_K = torch.zeros(len(data.labels))
    network = classifier.network.with_head(weight_KD, bias_K)
    network.requires_grad_(False)
    network.head.requires_grad_(True)
    optimizer = torch.optim.AdamW(network.head.parameters(), lr=LEARNING_RATE)
    torch.manual_seed(0)
    began = time.perf_counter()
    for _ in range(epochs):
        for pixels_BCHW, label_B in learned_from(data, classifier, batch, task.threads):
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
    pace = epochs * task.pictures / seconds
    peak = peak_megabytes()
    return Outcome(seconds, pace, peak, accuracy_of(trained, data))


def learned_from(
    data: Data,
    classifier: Classifier,
    batch: int,
    workers: int,
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """One epoch, decoded and augmented as the example does, in worker processes."""
    from torchvision import transforms

    assert data.train is not None  # noqa: S101  the samples all have training pictures

    preprocess = classifier.preprocess
    change = transforms.Compose(
        [
            transforms.RandomResizedCrop(preprocess.size),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(preprocess.mean, preprocess.std),
        ]
    )
    rows = [(row.data, row.label) for row in data.train.rows()]

    def collate(batch: list[tuple[bytes, int]]) -> tuple[torch.Tensor, torch.Tensor]:
        pixels = torch.stack([change(decode(data)) for data, _ in batch])
        return pixels, torch.tensor([label for _, label in batch])

    yield from torch.utils.data.DataLoader(
        rows,  # type: ignore[arg-type]
        batch_size=batch,
        shuffle=True,
        num_workers=workers,
        collate_fn=collate,
        multiprocessing_context="fork",
    )


SUBJECT = Subject(
    "A head on a frozen network", {"plain": plain, "ours": ours}, usual=("plain",), pictures=200
)
