"""A classifier judged between two epochs: a few plain figures, without intervals or pictures."""

import numpy as np
from accelerate import Accelerator

from hf_resnet.classifier import Classifier
from hf_resnet.config import ComputeConfig
from hf_resnet.data import Split
from hf_resnet.evaluation.answers import Look, answers
from hf_resnet.evaluation.label_space import model_numbers
from hf_resnet.metrics import accuracy, macro_f1
from hf_resnet.metrics.log_loss import log_loss


def judge(
    classifier: Classifier,
    split: Split,
    compute: ComputeConfig,
    accelerator: Accelerator | None = None,
) -> dict[str, float]:
    """accuracy, macro_f1 and log_loss on every usable picture, the same in every process."""
    number_of = model_numbers(split.labels, classifier.labels)
    found = answers(classifier, split, compute, accelerator, Look(quiet=True))
    truth_N = number_of[found.truth_N]
    answer_N = found.logits_NK.argmax(axis=1)
    return {
        "accuracy": accuracy(truth_N, answer_N),
        "macro_f1": macro_f1(truth_N, answer_N, among=np.unique(truth_N)),
        "log_loss": log_loss(truth_N, found.logits_NK),
    }
