"""How the fitting of a head grows with pictures and with classes, on features that are made up.

The usual way is scikit-learn's LogisticRegression on standardised features, with its default
strength. Ours chooses the strength by cross-validation over five folds, so it solves many problems
where the other solves one; judged is on as many other rows.
"""

import time

import numpy as np

from hf_resnet.bench.task import Outcome, Subject, Task, peak_megabytes

WIDTH = 512


def scikit_learn(task: Task) -> Outcome:
    """LogisticRegression in a pipeline."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    learned_ND, label_N, judged_ND = _made_up(task)
    began = time.perf_counter()
    fitted = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    fitted.fit(learned_ND, label_N)
    seconds = time.perf_counter() - began
    return _outcome(seconds, fitted.predict(judged_ND), label_N)


def ours(task: Task) -> Outcome:
    """The head as finetune fits it."""
    from hf_resnet.config import HeadConfig
    from hf_resnet.head.fit import fit_head
    from hf_resnet.heap import keep_freed_memory

    keep_freed_memory()
    learned_ND, label_N, judged_ND = _made_up(task)
    key_N = np.array([f"{number:032x}" for number in range(len(label_N))], "S32")
    began = time.perf_counter()
    fit = fit_head(InMemory(learned_ND), key_N, label_N, classes=task.classes, config=HeadConfig())
    seconds = time.perf_counter() - began
    logits_NK = judged_ND @ fit.weight_KD.T + (0 if fit.bias_K is None else fit.bias_K)
    return _outcome(seconds, logits_NK.argmax(1), label_N)


class InMemory:
    """Features that are read in blocks, from an array."""

    def __init__(self, features_ND: np.ndarray) -> None:
        self._features_NVD = features_ND[:, None]

    @property
    def shape(self) -> tuple[int, int, int]:
        count, views, width = self._features_NVD.shape
        return count, views, width

    def read(self, start: int, stop: int) -> np.ndarray:
        """features_BVD of the rows from start to stop."""
        return self._features_NVD[start:stop]


def _made_up(task: Task) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows to learn from, the classes of both, and rows to judge on: classes that overlap somewhat,
    on features that are correlated and never below zero, as a network's are."""
    chance = np.random.default_rng(0)
    centre_KD = chance.normal(size=(task.classes, WIDTH)).astype(np.float32) * 0.25
    mixing_DD = chance.normal(size=(WIDTH, WIDTH)).astype(np.float32) / np.sqrt(WIDTH)
    label_N = np.arange(task.pictures) % task.classes

    def rows() -> np.ndarray:
        own_ND = chance.normal(size=(task.pictures, WIDTH)).astype(np.float32)
        seen_ND: np.ndarray = np.maximum((centre_KD[label_N] + own_ND) @ mixing_DD, 0)
        return seen_ND

    return rows(), label_N, rows()


def _outcome(seconds: float, answer_N: np.ndarray, label_N: np.ndarray) -> Outcome:
    accuracy = float((answer_N == label_N).mean())
    return Outcome(seconds, len(label_N) / seconds, peak_megabytes(), accuracy)


SUBJECT = Subject(
    "Fitting a head, as pictures and classes grow",
    {"scikit-learn": scikit_learn, "ours": ours},
    usual=("scikit-learn",),
    cases={
        f"{pictures:,} pictures of {classes:,} classes": {"pictures": pictures, "classes": classes}
        for pictures, classes in ((250, 10), (1000, 10), (4000, 10), (4000, 100), (4000, 1000))
    },
    grows=True,
)
