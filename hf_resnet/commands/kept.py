"""What a measurement found, written back into the model folder: all of it anew, or nothing.

The surprise: whatever else lies in the folder goes along as it is, so that a recipe, a report or an
export is not lost with the old weights; but of a report that tells of other weights nothing does.
"""

import hashlib
import json
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from hf_resnet.backbones.reference import looks_like_path, resolve
from hf_resnet.classifier import Classifier, check_output, new_model_folder
from hf_resnet.config import MeasureConfig
from hf_resnet.errors import ConfigError
from hf_resnet.evaluation.measured import Measured
from hf_resnet.evaluation.studies import Studies
from hf_resnet.facts import FACTS_FILE, stored_facts
from hf_resnet.writing import on_disk

FITTED = ("calibration", "abstain", "abstain_below", "conformal")
OF_SURENESS = ("ece", "log_loss", "auroc")
"""Figures that a temperature changes,"""

OF_SURENESS_TOO = ("reliability", "outside")
"""and what else of the results it does."""

SURENESS_SHOWN = tuple(
    f"report/{name}"
    for name in ("calibration.png", "metrics.json", "index.html", "contact_sheet.png")
)
"""Files of a report that tell how sure the answers are."""


def folder_to_keep_in(config: MeasureConfig) -> Path:
    """The model's folder; ConfigError where nothing can be written into it."""
    name = config.model.model_name_or_path
    folder = Path(name)
    if not folder.is_dir():
        if looks_like_path(name):
            resolve(config.model)  # tells what is wrong with it
        raise ConfigError(
            f"what is fitted is kept in the model folder, and {name} is none; finetune or relabel "
            f"writes one{_fetched(name)}"
        )
    check_output(folder, overwrite=True)
    return folder


def _fetched(name: str) -> str:
    """How to have a model of the Hub as a folder."""
    if ":" in name:
        return ""
    repo, _, revision = name.partition("@")
    words = ["hf", "download", repo, *(["--revision", revision] if revision else [])]
    words += ["--local-dir", repo.rpartition("/")[2]]
    return f", and `{shlex.join(words)}` fetches one: measure that folder"


def rewritten(
    folder: Path, classifier: Classifier, measured: Measured, found: Studies, *, is_own: bool
) -> None:
    """Put the classifier in place of the one in the folder, and what was found into its facts.

    found is what was fitted now. is_own: the figures are those of the model's own held-out pictures,
    and replace the old ones.
    """
    calibrates = found.calibration is not None
    before = dict(classifier.facts.results)
    if is_own:
        results = _of_its_own(before, measured, calibrates=calibrates)
    else:
        results = _of_others(before, measured, found)
    gone = SURENESS_SHOWN if calibrates else ()
    facts = classifier.facts.with_(results=results)
    with new_model_folder(folder, overwrite=True) as place:
        replace(classifier, facts=facts).write(place)
        for path in folder.rglob("*"):
            name = path.relative_to(folder)
            is_weights = len(name.parts) == 1 and name.name.startswith("model")
            stays = not is_weights and name.as_posix() not in gone
            if path.is_file() and stays and not (place / name).exists():
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, place / name)


@contextmanager
def told_in_the_facts(folder: Path, measured: Measured) -> Iterator[None]:
    """Within it the model's own report is written; then its facts tell of the same measurement. Where
    the disk refuses either, both stay as they were."""
    stored = stored_facts(folder)
    if not stored:  # a model of another library, with nothing to bring in line
        yield
        return
    results = _of_its_own(stored.get("results") or {}, measured, calibrates=False)
    # what is no number is null in JSON, as in the facts of a new model
    results = json.loads(json.dumps(results), parse_constant=lambda _: None)
    text = json.dumps({**stored, "results": results}, indent=2, ensure_ascii=False) + "\n"
    growing = folder / f".{FACTS_FILE}.part"
    with on_disk(f"the figures in {folder / FACTS_FILE}", "make room, or give --output_dir"):
        try:
            growing.write_bytes(text.encode(errors="replace"))
            yield
            growing.replace(folder / FACTS_FILE)
        finally:
            growing.unlink(missing_ok=True)


def _of_its_own(before: dict[str, Any], measured: Measured, *, calibrates: bool) -> dict[str, Any]:
    """The new figures, and of the old fits those that still hold."""
    told = measured.to_json()
    # thresholds are of the probabilities as they were before a temperature
    still = {} if calibrates else {name: before[name] for name in FITTED if name in before}
    if "abstain" in told:
        still.pop("abstain_below", None)
    return {**still, **told}


def _of_others(before: dict[str, Any], measured: Measured, found: Studies) -> dict[str, Any]:
    """The old figures, less what a temperature makes untrue; the new fits, and the old that hold."""
    told, new = measured.studies.to_json(), found.to_json()
    kept = dict(before)
    if "abstain" in new:
        kept.pop("abstain_below", None)
    if "calibration" in new:
        kept = {
            name: each for name, each in kept.items() if name not in (*FITTED, *OF_SURENESS_TOO)
        }
        if isinstance(figures := kept.get("figures"), dict):
            kept["figures"] = {key: each for key, each in figures.items() if key not in OF_SURENESS}
        if isinstance(wrong := kept.get("wrong_answers"), list):
            kept["wrong_answers"] = [_without_sureness(each) for each in wrong]
    return {**kept, **{name: told[name] for name in FITTED if name in new}}


def _without_sureness(answer: Any) -> Any:
    if not isinstance(answer, dict):
        return answer
    return {key: each for key, each in answer.items() if key != "probability"}


def weights_fingerprint(classifier: Classifier) -> str:
    """A hash of all that decides an answer: the network with its head, and the preprocess."""
    digest = hashlib.blake2b(classifier.fingerprint().encode(), digest_size=16)
    head = classifier.network.head
    for tensor in (head.weight, head.bias):
        if tensor is not None:
            digest.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()
