"""Change the classes of a trained classifier without losing what it knows of those that stay.

`labels` says which new row comes from which old rows; here the rows are made. A kept row is copied
bit for bit. The others:

merged     The logit that keeps the summed probability of several classes is the log-sum-exp of
           theirs, and no linear row is equal to it. The row taken is the one of least cross-entropy
           to the summed probability, by convex optimisation, over sample pictures where some are
           given. Where none are, the head's own prototypes stand in for pictures: for each old class
           the feature that points along its row, as far out as makes the class 80 % sure. The search
           starts from the members' mean row, raised by log(members).
imprinted  An added class with pictures points from the mean feature of all pictures to the mean
           feature of its own, as long as a trained row is on average. Its bias is set by
           leave-one-out: of its own pictures, each left out in turn, four in five win.
untrained  An added class without pictures gets the mean of the old rows, whose logit is never above
           all others, less 10: it wins nothing, and takes nothing from the others, until it is taught.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from hf_resnet.classifier import Classifier
from hf_resnet.config import ComputeConfig
from hf_resnet.data import Split
from hf_resnet.engine import BadPicture, Engine, batches
from hf_resnet.errors import LabelError, listed
from hf_resnet.facts import ClassFact, Origin
from hf_resnet.labels import ClassRow, Labels, Surgery, compile_rows

PROTOTYPE_CONFIDENCE = 0.8
MOST_PROTOTYPES = 2000
LEFT_OUT_THAT_WIN = 0.8
BELOW_ALL = 10.0
# how hard a merged row is held near its members' mean row: prototypes are trusted less than pictures
PULL_ON_PROTOTYPES, PULL_ON_PICTURES = 3.0, 0.1


@dataclass(frozen=True)
class MergeError:
    """How far a merged class's probability lies from its members' sum, on average and at most."""

    mean: float
    most: float
    pictures: int


@dataclass(frozen=True)
class Relabelled:
    """The new classifier, the error each merged row makes where it could be measured, and the
    pictures that could not be used."""

    classifier: Classifier
    merge_errors: Mapping[str, MergeError] = field(default_factory=dict)
    recognised: Mapping[str, float] = field(default_factory=dict)
    """The share of each added class's own pictures that the new classifier gives its name."""

    bad: tuple[BadPicture, ...] = ()


def change_classes(
    classifier: Classifier,
    surgery: Surgery,
    *,
    examples: Split | None = None,
    samples: Split | None = None,
    compute: ComputeConfig | None = None,
) -> Relabelled:
    """A classifier with other classes. examples: labelled pictures of the added classes; samples:
    any pictures such as the model will meet."""
    rows = compile_rows(classifier.labels, surgery)
    added = [row.name for row in rows if row.origin == "added"]
    bad: list[BadPicture] = []
    engine = Engine(classifier.network, compute or ComputeConfig())
    shown = _examples_of(classifier, engine, examples, added, bad) if examples else {}
    seen_ND = _features(classifier, engine, samples, bad)[0] if samples else None
    old = OldHead.of(classifier)
    staying = sorted(index for row in rows for index in row.sources)
    mean_D = classifier.feature_mean_D if seen_ND is None else seen_ND.mean(0)
    material = Material(classifier, old, staying, shown, seen_ND, mean_D)
    made = [material.row(row) for row in rows]
    changed = classifier.with_head(
        Labels(tuple(row.name for row in rows)),
        torch.stack([weight_D for weight_D, _, _ in made]),
        torch.stack([bias for _, bias, _ in made]) if old.has_bias else None,
        classifier.facts.with_(classes=tuple(fact for _, _, fact in made), results={}),
    )
    recognised = {name: _recognised(changed, name, own_ND) for name, own_ND in shown.items()}
    return Relabelled(changed, material.merge_errors(rows), recognised, tuple(bad))


@dataclass(frozen=True)
class OldHead:
    """The trained rows; a head without bias counts as one whose biases are zero and stay so."""

    weight_KD: Tensor
    bias_K: Tensor
    has_bias: bool

    @classmethod
    def of(cls, classifier: Classifier) -> "OldHead":
        weight_KD, bias_K = classifier.network.weight_KD.cpu(), classifier.network.bias_K
        if bias_K is None:
            return cls(weight_KD, torch.zeros(len(weight_KD)), has_bias=False)
        return cls(weight_KD, bias_K.cpu(), has_bias=True)

    def logits(self, features_ND: Tensor) -> Tensor:
        return features_ND @ self.weight_KD.T + self.bias_K


Made = tuple[Tensor, Tensor, ClassFact]


@dataclass(frozen=True)
class Material:
    """What new rows are made of: the old head, the rows of it that stay, and features of pictures.

    shown: of each added class's own pictures; seen_ND: of samples; mean_D: of all pictures, where it
    is known.
    """

    classifier: Classifier
    old: OldHead
    staying: list[int]
    shown: Mapping[str, Tensor]
    seen_ND: Tensor | None
    mean_D: Tensor | None

    def row(self, row: ClassRow) -> Made:
        """The weights and the bias of a new row, and where they come from."""
        return {"kept": self.kept, "merged": self.merged, "added": self.added}[row.origin](row)

    def kept(self, row: ClassRow) -> Made:
        (index,) = row.sources
        fact = self.classifier.facts.classes[index]
        sources = fact.sources if row.name == fact.name else (fact.name,)
        origin: Origin = "untrained" if fact.origin == "untrained" else "kept"
        now = ClassFact(row.name, origin, sources, fact.pictures)
        return self.old.weight_KD[index], self.old.bias_K[index], now

    def merged(self, row: ClassRow) -> Made:
        if self.seen_ND is None:
            stand_ins_ND, pull = prototypes(self.old, row.sources), PULL_ON_PROTOTYPES
        else:
            stand_ins_ND, pull = self.seen_ND, PULL_ON_PICTURES
        names = tuple(self.classifier.labels.names[index] for index in row.sources)
        made = merged_row(self.old, row.sources, self.staying, stand_ins_ND, pull=pull)
        return *made, ClassFact(row.name, "merged", names)

    def added(self, row: ClassRow) -> Made:
        if row.name in self.shown:
            own_ND = self.shown[row.name]
            made = imprinted_row(self.old, own_ND, self.mean_D, self.staying)
            return *made, ClassFact(row.name, "imprinted", pictures=len(own_ND))
        fact = ClassFact(row.name, "untrained")
        # of the rows that stay, so that it can never be above all of them
        rest = self.staying or list(range(len(self.old.bias_K)))
        bias = self.old.bias_K[rest].mean() - BELOW_ALL if self.old.has_bias else torch.zeros(())
        return self.old.weight_KD[rest].mean(0), bias, fact

    def merge_errors(self, rows: tuple[ClassRow, ...]) -> dict[str, MergeError]:
        """Measured where there are samples, and other classes to be told apart from."""
        if self.seen_ND is None or len(self.seen_ND) < 2:
            return {}
        return {
            row.name: _merge_error(self.old, row.sources, self.staying, self.seen_ND)
            for row in rows
            if row.origin == "merged" and set(self.staying) - set(row.sources)
        }


def merged_row(
    old: OldHead,
    members: tuple[int, ...],
    staying: list[int],
    features_ND: Tensor,
    *,
    pull: float = PULL_ON_PICTURES,
) -> tuple[Tensor, Tensor]:
    """The row whose probability is nearest to the members' sum on these features."""
    member_rows = list(members)
    start_D = old.weight_KD[member_rows].mean(0).double()
    rise = np.log(len(members)) if old.has_bias else 0.0
    start = old.bias_K[member_rows].mean().double() + rise
    others = [index for index in staying if index not in members]
    if not others:
        return start_D.float(), start.float()
    logits_NK = old.logits(features_ND).double()
    rest_N = logits_NK[:, others].logsumexp(1)
    wanted_N = (logits_NK[:, member_rows].logsumexp(1) - rest_N).sigmoid()
    scale = features_ND.double().pow(2).sum(1).mean().sqrt()
    scaled_ND = features_ND.double() / scale
    step_D = torch.zeros_like(start_D, requires_grad=True)
    rise_1 = torch.zeros((), dtype=torch.float64, requires_grad=old.has_bias)
    known_N = features_ND.double() @ start_D + start - rest_N
    optimizer = torch.optim.LBFGS(
        [step_D, rise_1] if old.has_bias else [step_D],
        max_iter=200,
        line_search_fn="strong_wolfe",
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        margin_N = known_N + scaled_ND @ step_D + rise_1
        value = torch.nn.functional.binary_cross_entropy_with_logits(margin_N, wanted_N)
        value = value + pull / len(features_ND) * step_D.pow(2).sum()
        torch.autograd.backward(value)
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    row_D = (start_D + step_D.detach() / scale).float()
    return row_D, (start + rise_1.detach()).float()


def prototypes(old: OldHead, members: tuple[int, ...]) -> Tensor:
    """One feature an old class, along its row, so far out that the classes are 80 % sure.

    The members count as the one class they become. Rows that are alike can never be sure, so logits
    end at 30.
    """
    others = [index for index in range(len(old.weight_KD)) if index not in members]
    every = -(-len(others) // MOST_PROTOTYPES) or 1
    chosen = [*members, *others[::every]]
    directions_ND = old.weight_KD[chosen] - old.weight_KD.mean(0)
    slopes_NK = directions_ND @ old.weight_KD.T
    own_N = slopes_NK[range(len(chosen)), chosen]
    low, high = 0.0, float(30 / own_N.max().clamp_min(1e-12))
    for _ in range(60):
        length = (low + high) / 2
        sure_NK = (length * slopes_NK + old.bias_K).softmax(1)
        sure_N = sure_NK[range(len(chosen)), chosen]
        sure_N[: len(members)] = sure_NK[: len(members), list(members)].sum(1)
        confidence = sure_N.mean()
        low, high = (length, high) if confidence < PROTOTYPE_CONFIDENCE else (low, length)
    return length * directions_ND


def imprinted_row(
    old: OldHead, features_ND: Tensor, mean_D: Tensor | None, staying: list[int] | None = None
) -> tuple[Tensor, Tensor]:
    """The row of a new class from the features of its own pictures."""
    length = old.weight_KD.norm(dim=1).mean()
    centre_D = torch.zeros(features_ND.shape[1]) if mean_D is None else mean_D
    count = len(features_ND)
    total_D = features_ND.sum(0)

    def towards(mean_ND: Tensor) -> Tensor:
        away = mean_ND - centre_D
        towards_ND: Tensor = length * away / away.norm(dim=-1, keepdim=True).clamp_min(1e-12)
        return towards_ND

    row_D = towards(total_D / count)
    if not old.has_bias:
        return row_D, torch.zeros(())
    rows_ND = towards((total_D - features_ND) / (count - 1)) if count > 1 else row_D[None]
    rest = staying or list(range(len(old.bias_K)))
    best_old_N = old.logits(features_ND)[:, rest].max(1).values
    needed_N = best_old_N - (rows_ND * features_ND).sum(1)
    return row_D, needed_N.quantile(LEFT_OUT_THAT_WIN)


def _merge_error(
    old: OldHead, members: tuple[int, ...], staying: list[int], features_ND: Tensor
) -> MergeError:
    """The merged row's error on pictures it was not fitted on: each half by the other half's row."""
    logits_NK = old.logits(features_ND)
    rest_N = logits_NK[:, [index for index in staying if index not in members]].logsumexp(1)
    exact_N = (logits_NK[:, list(members)].logsumexp(1) - rest_N).sigmoid()
    gaps = []
    for fold in (0, 1):
        fitted = torch.arange(len(features_ND)) % 2 == fold
        weight_D, bias = merged_row(old, members, staying, features_ND[fitted])
        got_N = (features_ND[~fitted] @ weight_D + bias - rest_N[~fitted]).sigmoid()
        gaps.append((got_N - exact_N[~fitted]).abs())
    gap_N = torch.cat(gaps)
    return MergeError(float(gap_N.mean()), float(gap_N.max()), len(gap_N))


def _examples_of(
    classifier: Classifier,
    engine: Engine,
    examples: Split,
    added: list[str],
    bad: list[BadPicture],
) -> dict[str, Tensor]:
    """The features of the added classes' pictures, by class."""
    names = examples.labels.names
    strangers = [name for name in names if name not in added]
    if strangers:
        raise LabelError(
            f"there are pictures for {listed(strangers)}, and the added classes are "
            f"{listed(added) or 'none'}; name them with --add, or take their folders out"
        )
    features_ND, labels = _features(classifier, engine, examples, bad)
    which_N = torch.tensor(labels)
    found = {name: features_ND[which_N == index] for index, name in enumerate(names)}
    empty = [name for name, rows_ND in found.items() if not len(rows_ND)]
    if empty:
        raise LabelError(f"no usable picture for {listed(empty)}; add one, or leave the class out")
    return found


def _features(
    classifier: Classifier, engine: Engine, split: Split, bad: list[BadPicture]
) -> tuple[Tensor, list[int]]:
    found, labels = [], []
    coming = batches(
        split.rows(),
        lambda picture, _: classifier.preprocess(picture),
        batch_size=engine.batch_size,
        workers=engine.workers,
        on_bad=bad.append,
        at_least=classifier.preprocess.enough,
    )
    for batch in coming:
        found.append(torch.from_numpy(engine.features(batch.pixels_BCHW)))
        labels += [-1 if label is None else label for label in batch.labels]
    if not found:
        raise LabelError(f"{split.name} holds no usable picture; the first one: {_first(bad)}")
    return torch.cat(found), labels


def _recognised(classifier: Classifier, name: str, own_ND: Tensor) -> float:
    answers_N = OldHead.of(classifier).logits(own_ND).argmax(1)
    return float((answers_N == classifier.labels.index(name)).float().mean())


def _first(bad: list[BadPicture]) -> str:
    return f"{bad[0].origin}: {bad[0].reason}" if bad else "there is none"
