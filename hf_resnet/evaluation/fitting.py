"""What is fitted on validation pictures: a temperature, and the thresholds.

One pass over the validation pictures is enough for all of them: a temperature divides the logits that
are already there.
"""

from collections.abc import Container, Mapping
from dataclasses import MISSING, fields, replace
from typing import Any, TypeVar

from accelerate import Accelerator

from hf_resnet.classifier import Classifier
from hf_resnet.config import MeasureConfig
from hf_resnet.data import Data
from hf_resnet.errors import DataError
from hf_resnet.evaluation.answers import Answers, answers
from hf_resnet.evaluation.label_space import model_numbers
from hf_resnet.evaluation.studies import Abstain, Calibration, Conformal, Studies
from hf_resnet.evaluation.temperature import calibrated
from hf_resnet.evaluation.thresholds import abstain_at, abstain_measured, sets_at, sets_measured

Fit = TypeVar("Fit", Abstain, Calibration, Conformal)


def fitted(
    classifier: Classifier,
    data: Data,
    learned: Container[str],
    config: MeasureConfig,
    accelerator: Accelerator | None = None,
) -> tuple[Classifier, Studies]:
    """The classifier, with a temperature where that was asked for, and what was found on the way.

    learned are the keys of the pictures that it was taught with, which must not be among these.
    """
    split = data.validation
    if split is None:
        raise DataError(
            f"{data.source} has no validation pictures to fit on; name some with --validation_dir or "
            "--validation_file"
        )
    number_of = model_numbers(split.labels, classifier.labels)
    found = answers(classifier, split, config.compute, accelerator).numbered(number_of)
    if known := sum(key in learned for key in found.keys):
        raise DataError(
            f"the model learned from {known:,} of the {len(found.keys):,} validation pictures, and is "
            "surer of those than of others; name pictures it has not seen with --validation_dir"
        )
    truth_N, logits_NK = found.truth_N, found.logits_NK
    studies = Studies()
    if config.calibrate:
        classifier, record = calibrated(classifier, truth_N, logits_NK, split.name)
        logits_NK = logits_NK / record.temperature
        studies = replace(studies, calibration=record)
    if config.abstain_precision is not None:
        abstain = abstain_at(truth_N, logits_NK, config.abstain_precision, split.name)
        studies = replace(studies, abstain=abstain)
    if config.conformal is not None:
        conformal = sets_at(truth_N, logits_NK, config.conformal, split.name)
        studies = replace(studies, conformal=conformal)
    return classifier, studies


def with_measured(studies: Studies, found: Answers) -> Studies:
    """The thresholds with what they give on the pictures of the measurement."""
    truth_N, logits_NK = found.truth_N, found.logits_NK
    abstain, conformal = studies.abstain, studies.conformal
    return replace(
        studies,
        abstain=abstain and abstain_measured(abstain, truth_N, logits_NK),
        conformal=conformal and sets_measured(conformal, truth_N, logits_NK),
    )


def kept_fits(results: Mapping[str, Any]) -> Studies:
    """What was fitted before, out of a model's facts; what is not as we write it counts as none."""
    return Studies(
        calibration=_kept(Calibration, results.get("calibration")),
        abstain=_kept(Abstain, results.get("abstain")),
        conformal=_kept(Conformal, results.get("conformal")),
    )


def _kept(kind: type[Fit], told: Any) -> Fit | None:
    """A fit without what it gave on the pictures of an earlier measurement."""
    needed = [each for each in fields(kind) if each.default is MISSING]
    if not isinstance(told, dict):
        return None
    found: dict[str, Any] = {each.name: told.get(each.name) for each in needed}
    is_sound = all(_is_of(each.type, found[each.name]) for each in needed)
    return kind(**found) if is_sound else None


def _is_of(kind: Any, value: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)
