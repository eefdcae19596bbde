import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from hf_resnet.backbones.network import Network
from hf_resnet.classifier import Classifier, open_classifier
from hf_resnet.config import ComputeConfig, DataConfig
from hf_resnet.data import load_data, pictures
from hf_resnet.errors import LabelError
from hf_resnet.facts import ClassFact, Facts
from hf_resnet.labels import Labels, Surgery
from hf_resnet.preprocess import Preprocess
from hf_resnet.relabel import OldHead, change_classes, imprinted_row, merged_row, prototypes
from tests.conftest import NAMES, photo, png

SURGERY = Surgery(
    keep=("zebra",), rename={"10": "ten"}, merge={"cat": ("tabby", "tiger cat")}, add=("unicorn",)
)
EXACT = ComputeConfig(precision="fp32", per_device_eval_batch_size=4)


class Pooled(nn.Module):
    """The smallest network: the mean of each channel, a wider layer, and a head of any kind."""

    def __init__(self, head: nn.Module, width: int):
        super().__init__()
        self.body = nn.Linear(3, width)
        self.head = head

    def forward(self, pixels_BCHW):
        features_BD = self.body(pixels_BCHW.mean((2, 3)))
        if isinstance(self.head, nn.Conv2d):
            return self.head(features_BD[..., None, None]).flatten(1)
        return self.head(features_BD)


def small(head: nn.Module, names=NAMES, width=16) -> Classifier:
    network = Network(Pooled(head, width).eval(), source="timm", head_name="head")
    preprocess = Preprocess.from_json(open_preprocess())
    facts = Facts("small", tuple(ClassFact(name, "pretrained") for name in names))
    return Classifier(network, Labels(tuple(names)), preprocess, facts)


def open_preprocess():
    import timm

    from hf_resnet.backbones.native_preprocess import from_pretrained_cfg

    return from_pretrained_cfg(timm.get_pretrained_cfg("resnet10t").to_dict()).to_json()


HEADS = {
    "linear": lambda k: nn.Linear(16, k),
    "linear without bias": lambda k: nn.Linear(16, k, bias=False),
    "convolution": lambda k: nn.Conv2d(16, k, 1),
    "convolution without bias": lambda k: nn.Conv2d(16, k, 1, bias=False),
}


def logits(classifier, count=6):
    pixels_BCHW = torch.from_numpy(
        np.stack([classifier.preprocess(photo(seed)) for seed in range(count)])
    )
    with torch.inference_mode():
        return classifier.network(pixels_BCHW)


def folder_of(path, classes, count=4, start=0):
    for at, name in enumerate(classes):
        (path / name).mkdir(parents=True)
        for number in range(count):
            data = png(photo(start + 100 * at + number))
            (path / name / f"{number}.png").write_bytes(data)
    return path


def test_kept_rows_are_carried_over_bit_for_bit_in_every_family(family_folder):
    before = open_classifier(str(family_folder))
    after = change_classes(before, SURGERY, compute=EXACT).classifier
    assert after.labels.names == ("cat", "zebra", "ten", "unicorn")
    for new, old in ((1, 2), (2, 3)):
        assert torch.equal(after.network.weight_KD[new], before.network.weight_KD[old])
        assert torch.equal(after.network.bias_K[new], before.network.bias_K[old])


def test_kept_classes_answer_the_same_logits_after_saving_and_opening(family_folder, tmp_path):
    before = open_classifier(str(family_folder))
    after = change_classes(before, SURGERY, compute=EXACT).classifier
    again = open_classifier(str(after.save(tmp_path / "new")))
    torch.testing.assert_close(logits(again)[:, [1, 2]], logits(before)[:, [2, 3]])
    assert again.labels == after.labels
    assert again.facts.classes == after.facts.classes


@pytest.mark.parametrize("kind", HEADS)
def test_every_kind_of_head_can_be_changed(kind):
    before = small(HEADS[kind](5))
    after = change_classes(before, SURGERY, compute=EXACT).classifier
    assert type(after.network.head) is type(before.network.head)
    assert (after.network.head.bias is None) == ("without bias" in kind)
    torch.testing.assert_close(logits(after)[:, 1], logits(before)[:, 2])


def test_the_classifier_given_is_left_as_it_was(family_folders):
    before = open_classifier(str(family_folders("transformers-resnet")))
    weight_KD, names = before.network.weight_KD, before.labels.names
    change_classes(before, SURGERY, compute=EXACT)
    assert torch.equal(before.network.weight_KD, weight_KD)
    assert before.labels.names == names


def test_it_is_on_record_where_every_row_came_from(family_folders, tmp_path):
    before = open_classifier(str(family_folders("timm-resnet")))
    folder = change_classes(before, SURGERY, compute=EXACT).classifier.save(tmp_path / "new")
    stored = json.loads((folder / "hf_resnet.json").read_text())["classes"]
    assert [(each["name"], each["origin"], each["sources"]) for each in stored] == [
        ("cat", "merged", ["tabby, tabby cat", "tiger cat"]),
        ("zebra", "kept", []),
        ("ten", "kept", ["10"]),
        ("unicorn", "untrained", []),
    ]


@given(st.integers(0, 10_000))
@settings(max_examples=25)
def test_an_untrained_class_never_wins(seed):
    torch.manual_seed(seed)
    after = change_classes(small(nn.Linear(16, 5)), Surgery(add=("new",)), compute=EXACT).classifier
    assert (logits(after).argmax(1) != 5).all()


def test_classes_that_answer_alike_are_merged_without_error():
    head = nn.Linear(16, 4)
    with torch.no_grad():
        head.weight[1] = head.weight[0]
        head.bias[1] = head.bias[0] + 0.7
    before = small(head, names=("a", "b", "c", "d"))
    after = change_classes(before, Surgery(merge={"ab": ("a", "b")}), compute=EXACT).classifier
    probabilities = logits(before).softmax(1)
    wanted = probabilities[:, 0] + probabilities[:, 1]
    torch.testing.assert_close(logits(after).softmax(1)[:, 0], wanted, atol=2e-3, rtol=0)


def trained_head(seed=0, classes=12, width=32, spread=2.0):
    """Rows and features as a trained head has them: the classes' features lie along its rows."""
    random = torch.Generator().manual_seed(seed)
    weight_KD = torch.randn(classes, width, generator=random)
    label_N = torch.randint(classes, (600,), generator=random)
    noise_ND = torch.randn(600, width, generator=random)
    features_ND = 0.1 * spread * weight_KD[label_N] + 0.1 * noise_ND
    return OldHead(weight_KD, torch.zeros(classes), has_bias=True), features_ND, label_N


def merge_gap(old, members, row, features_ND):
    others = [k for k in range(len(old.bias_K)) if k not in members]
    logits_NK = old.logits(features_ND)
    exact_N = logits_NK.softmax(1)[:, list(members)].sum(1)
    got_N = (features_ND @ row[0] + row[1] - logits_NK[:, others].logsumexp(1)).sigmoid()
    return float((got_N - exact_N).abs().mean())


def test_a_merged_row_is_nearer_to_the_summed_probability_than_the_mean_row():
    old, features_ND, _ = trained_head()
    members, everything = (0, 3, 5, 7, 8), list(range(12))
    mean_row = (old.weight_KD[list(members)].mean(0), torch.tensor(5.0).log())
    by_prototypes = merged_row(old, members, everything, prototypes(old, members), pull=3.0)
    by_pictures = merged_row(old, members, everything, features_ND[:300])
    plain = merge_gap(old, members, mean_row, features_ND[300:])
    assert merge_gap(old, members, by_prototypes, features_ND[300:]) < plain
    assert merge_gap(old, members, by_pictures, features_ND[300:]) < 0.8 * plain


def test_prototypes_are_as_sure_of_their_classes_as_is_said():
    old, *_ = trained_head()
    stand_ins_ND = prototypes(old, (0, 1))
    sure_NK = old.logits(stand_ins_ND).softmax(1)
    sure_N = torch.cat([sure_NK[:2, :2].sum(1), sure_NK[range(2, 12), range(2, 12)]])
    assert float(sure_N.mean()) == pytest.approx(0.8, abs=0.01)


def test_merging_all_classes_there_are_leaves_room_for_added_ones():
    before = small(nn.Linear(16, 2), names=("a", "b"))
    surgery = Surgery(merge={"known": ("a", "b")}, add=("new",))
    assert change_classes(before, surgery, compute=EXACT).classifier.labels.names == (
        "known",
        "new",
    )


def test_the_error_of_merging_is_measured_on_sample_pictures(family_folders, tmp_path):
    before = open_classifier(str(family_folders("transformers-resnet")))
    sample_dir = folder_of(tmp_path / "any", ["x"], count=8)
    changed = change_classes(before, SURGERY, samples=pictures([str(sample_dir)]), compute=EXACT)
    error = changed.merge_errors["cat"]
    assert error.pictures == 8
    assert 0 <= error.mean <= error.most < 1
    probabilities = logits(before)[:, [0, 1, 2, 3]].softmax(1)
    gap = logits(changed.classifier)[:, :3].softmax(1)[:, 0] - probabilities[:, :2].sum(1)
    assert float(gap.abs().max()) < 0.1


def test_an_imprinted_class_wins_its_own_pictures_and_leaves_most_others():
    old, features_ND, label_N = trained_head(spread=6.0)
    known = OldHead(old.weight_KD[:11], old.bias_K[:11], has_bias=True)
    own_ND = features_ND[label_N == 11]
    weight_D, bias = imprinted_row(known, own_ND[:20], features_ND[label_N != 11].mean(0))
    score_N = features_ND @ weight_D + bias
    wins_N = score_N > known.logits(features_ND).max(1).values
    assert wins_N[label_N == 11][20:].float().mean() > 0.8
    assert wins_N[label_N != 11].float().mean() < 0.2
    assert float(weight_D.norm()) == pytest.approx(float(known.weight_KD.norm(dim=1).mean()), 1e-4)


def test_added_classes_start_from_their_own_pictures(family_folders, tmp_path):
    before = open_classifier(str(family_folders("transformers-resnet")))
    add_dir = folder_of(tmp_path / "new", ["unicorn", "dragon"])
    examples = load_data(DataConfig(train_dir=str(add_dir)), make_validation=False).train
    surgery = Surgery(add=("unicorn", "dragon"))
    facts = change_classes(
        before, surgery, examples=examples, compute=EXACT
    ).classifier.facts.classes
    assert [(fact.origin, fact.pictures) for fact in facts[-2:]] == [("imprinted", 4)] * 2


def test_pictures_of_a_class_that_is_not_added_are_refused(family_folders, tmp_path):
    before = open_classifier(str(family_folders("transformers-resnet")))
    add_dir = folder_of(tmp_path / "new", ["unicorn", "dragon"])
    examples = load_data(DataConfig(train_dir=str(add_dir)), make_validation=False).train
    with pytest.raises(LabelError, match="pictures for dragon, and the added classes are unicorn"):
        change_classes(before, Surgery(add=("unicorn",)), examples=examples, compute=EXACT)


def test_a_class_renamed_twice_remembers_that_it_was_trained(family_folders):
    before = open_classifier(str(family_folders("transformers-resnet")))
    once = change_classes(before, Surgery(rename={"zebra": "horse"}), compute=EXACT).classifier
    twice = change_classes(
        once, Surgery(rename={"horse": "pony"}, add=("x",)), compute=EXACT
    ).classifier
    third = change_classes(twice, Surgery(rename={"x": "y"}), compute=EXACT).classifier
    origins = {fact.name: (fact.origin, fact.sources) for fact in third.facts.classes}
    assert origins["pony"] == ("kept", ("horse",))
    assert origins["y"][0] == "untrained"


def loud(names=("a", "b", "loud")):
    """A classifier with one class whose row is far above all others, wherever one looks."""
    torch.manual_seed(3)
    head = nn.Linear(16, len(names))
    with torch.no_grad():
        head.weight[-1] = 3 * head.weight[:-1].sum(0)
        head.bias[:] = torch.tensor([0.0] * (len(names) - 1) + [200.0])
    return small(head, names)


def test_an_untrained_class_is_weighed_only_against_the_classes_that_stay():
    """Drawn down by the mean of all rows, it would win over those that stay where a loud one goes."""
    changed = change_classes(loud(), Surgery(drop=("loud",), add=("new",))).classifier
    logits_NK = logits(changed)
    assert changed.labels.names == ("a", "b", "new")
    assert (logits_NK[:, 2] <= logits_NK[:, :2].mean(1) - 9.9).all()


def test_an_added_class_with_pictures_is_weighed_only_against_the_classes_that_stay(tmp_path):
    """Lifted over a loud class that goes, it would win every picture of those that stay."""
    shown = load_data(
        DataConfig(test_dir=str(folder_of(tmp_path / "new", ["new"], count=8, start=50)))
    ).test
    old = loud()
    before = logits(old)[:, :2].max(1).values
    changed = change_classes(
        old, Surgery(drop=("loud",), add=("new",)), examples=shown, compute=EXACT
    )
    assert changed.recognised["new"] >= 0.7
    assert float(changed.classifier.network.bias_K[2]) < 100
    assert (logits(changed.classifier)[:, 2] < before + 50).all()
