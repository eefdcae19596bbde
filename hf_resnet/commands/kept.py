"""What a measurement fitted, written back into the model folder: all of it anew, or nothing.

The surprise: whatever else lies in the folder goes along as it is, so that a recipe, a report or an
export is not lost with the old weights.
"""

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from hf_resnet.classifier import Classifier, check_output, new_model_folder
from hf_resnet.config import MeasureConfig
from hf_resnet.errors import ConfigError
from hf_resnet.evaluation.measured import Measured

FITTED = ("calibration", "abstain", "abstain_below", "conformal")
OF_SURENESS = ("ece", "log_loss", "auroc")
"""Figures that a temperature changes."""


def folder_to_keep_in(config: MeasureConfig) -> Path:
    """The model's folder; ConfigError where nothing can be written into it."""
    folder = Path(config.model.model_name_or_path)
    if not folder.is_dir():
        raise ConfigError(
            f"what is fitted is kept in the model folder, and {folder} is none; finetune or relabel "
            "writes one, and so does hf download for a model of the Hub"
        )
    check_output(folder, overwrite=True)
    return folder


def rewritten(folder: Path, classifier: Classifier, measured: Measured, *, is_own: bool) -> None:
    """Put the classifier in place of the one in the folder, and what was found into its facts.

    is_own: the figures are those of the model's own held-out pictures, and replace the old ones.
    """
    found = measured.studies.to_json()
    results = _results(classifier, measured, found, is_own=is_own)
    facts = classifier.facts.with_(results=results)
    with new_model_folder(folder, overwrite=True) as place:
        replace(classifier, facts=facts).write(place)
        for path in folder.rglob("*"):
            name = path.relative_to(folder)
            is_weights = len(name.parts) == 1 and name.name.startswith("model")
            if path.is_file() and not is_weights and not (place / name).exists():
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, place / name)


def _results(
    classifier: Classifier, measured: Measured, found: dict[str, Any], *, is_own: bool
) -> dict[str, Any]:
    """What the facts say from now on: the new figures, and of the old fits those that still hold."""
    before = dict(classifier.facts.results)
    calibrates = "calibration" in found
    # thresholds are of the probabilities as they were before a temperature
    still = {} if calibrates else {name: before[name] for name in FITTED if name in before}
    if "abstain" in found:
        still.pop("abstain_below", None)
    if is_own:
        return {**measured.to_json(), **still, **found}
    kept = {name: each for name, each in before.items() if name not in FITTED}
    figures = kept.get("figures")
    if calibrates and isinstance(figures, dict):
        kept["figures"] = {name: each for name, each in figures.items() if name not in OF_SURENESS}
        kept.pop("reliability", None)
    fits = {name: each for name, each in found.items() if name in FITTED}
    return {**kept, **still, **fits}


def weights_fingerprint(classifier: Classifier) -> str:
    """A hash of all that decides an answer: the network with its head, and the preprocess."""
    digest = hashlib.blake2b(classifier.fingerprint().encode(), digest_size=16)
    head = classifier.network.head
    for tensor in (head.weight, head.bias):
        if tensor is not None:
            digest.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()
