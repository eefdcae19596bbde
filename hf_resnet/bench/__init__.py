"""Ours against what a person would otherwise run: one file a subject, all sides in one run.

Each side of each round is a fresh process, so that none inherits another's heap or caches. Only ratios
within a round are worth quoting; the machine's own speed is in every time. To add a subject, write
its file with a SUBJECT in it and name it in SUBJECTS; the tests find it on their own. The surprise:
nothing here imports torch, for some sides do without, and are measured so.
"""

import importlib

from hf_resnet.bench.task import Subject

SUBJECTS: dict[str, str] = {
    "head": "hf_resnet.bench.head_fit",
    "network": "hf_resnet.bench.network",
    "predict": "hf_resnet.bench.predict",
    "latency": "hf_resnet.bench.latency",
    "first": "hf_resnet.bench.first",
    "startup": "hf_resnet.bench.startup",
    "data": "hf_resnet.bench.data_path",
    "batch": "hf_resnet.bench.batch_size",
    "growth": "hf_resnet.bench.growth",
}
"""device has no other side, and is not among them: see device.py."""


def subject(name: str) -> Subject:
    """The subject of this name."""
    found: Subject = importlib.import_module(SUBJECTS[name]).SUBJECT
    return found
