"""Ours against what a person would otherwise run: one file a subject, both sides in one run.

Each side of each round is a fresh process, so that neither inherits the other's heap or caches. Only
ratios of medians are worth quoting; the machine's own speed is in every time.
"""

from types import ModuleType

from hf_resnet.bench import head_fit, network

SUBJECTS: dict[str, ModuleType] = {"head": head_fit, "network": network}
