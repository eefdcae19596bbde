"""The model's page on the Hub: what it says, what the Hub reads in it, and what of a person it keeps."""

import json
import re
import shutil

import pytest
import yaml
from huggingface_hub import ModelCard

from hf_resnet.classifier import open_classifier
from hf_resnet.errors import ConfigError
from hf_resnet.hub.card import card
from hf_resnet.hub.contents import contents
from hf_resnet.hub.marked import BEGIN, END
from hf_resnet.hub.studied import studied
from tests.conftest import photo
from tests.test_hub_push import changed, error_of, model, push, session, succeeded, taught

__all__ = ["model", "push", "session", "taught"]  # fixtures


def head_of(text):
    return yaml.safe_load(text.split("---\n")[1])


def written(folder, before=("", ""), **more):
    return card(contents(folder), "me/flowers", before, **more)


def with_facts(folder, **changes):
    facts = json.loads((folder / "hf_resnet.json").read_text())
    (folder / "hf_resnet.json").write_text(json.dumps({**facts, **changes}))
    return folder


def test_the_head_is_what_the_hub_reads(model):
    found = ModelCard(written(model)).data
    assert found.library_name == "transformers"
    assert found.pipeline_tag == "image-classification"
    assert {"image-classification", "hf-resnet", "transformers"} <= set(found.tags)
    results = {each.metric_name: each for each in found.eval_results}
    accuracy = json.loads((model / "hf_resnet.json").read_text())["results"]["figures"]["accuracy"]
    assert results["Accuracy"].metric_value == round(accuracy["value"], 4)
    assert results["Accuracy"].dataset_split == "validation"
    assert results["Macro F1"].metric_type == "f1"


def test_hub_names_are_told_and_places_on_this_machine_are_not(model):
    recipe = yaml.safe_load((model / "recipe.yaml").read_text())
    assert not {"base_model", "datasets"} & set(head_of(written(model)))
    recipe |= {"train_dir": None, "dataset_name": "me/pets@v2"}
    (model / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    found = head_of(written(with_facts(model, base_model="microsoft/resnet-50")))
    assert found["base_model"] == "microsoft/resnet-50"
    assert found["datasets"] == ["me/pets"]
    assert head_of(written(with_facts(model, base_model="timm:resnet50.a1_in1k")))[
        "base_model"
    ] == ("timm/resnet50.a1_in1k")
    assert "base_model" not in head_of(written(with_facts(model, base_model="scratch:resnet18")))


def test_figures_stand_with_their_intervals_and_their_number_of_pictures(model):
    text = written(model)
    assert re.search(r"\| Accuracy \| 100\.0 % \| 67\.6 to 100\.0 % \| 8 \|", text)
    assert re.search(r"\| blue \| 2 \| 100\.0 % \| 100\.0 % \| 100\.0 % \|", text)
    for name in ("confusion", "calibration"):
        assert (model / "report" / f"{name}.png").is_file()
        assert f"![{name}](report/{name}.png)" in text


def test_where_each_class_comes_from_is_told_after_surgery(model):
    classes = [
        {"name": "cat", "origin": "merged", "sources": ["tabby", "tiger cat"], "pictures": None},
        {"name": "zebra", "origin": "kept", "sources": ["zebra"], "pictures": None},
        {"name": "okapi", "origin": "imprinted", "sources": [], "pictures": 5},
    ]
    text = written(with_facts(model, classes=classes))
    assert "- merged out of several classes: `cat` (from `tabby`, `tiger cat`)\n" in text
    assert "- kept, its trained row unchanged: `zebra`\n" in text
    assert "- made from the features of a few pictures: `okapi`\n" in text


def test_how_it_was_made_and_with_what_is_told(model):
    text = written(model)
    fingerprint = json.loads((model / "splits.json").read_text())["fingerprint"]
    assert fingerprint in text
    assert "| method | head |" in text
    assert "validation: 8 of 54 training pictures set aside" in text
    assert "More information needed" not in text


def test_a_model_that_was_not_measured_says_so_and_claims_nothing(model):
    text = written(with_facts(model, results={}))
    assert "It has not been measured" in text
    assert "model-index" not in head_of(text)


def test_what_a_person_wrote_stays_and_only_our_part_is_written_anew(model):
    head = "---\nlicense: mit\ntags:\n- flowers\n---\n"
    before = f"{head}# By hand\n\n{BEGIN}\nof before\n{END}\n\nThanks!\n"
    text = written(model, ("", before))
    head = head_of(text)
    assert head["license"] == "mit"
    assert {"flowers", "hf-resnet"} <= set(head["tags"])
    assert "# By hand\n" in text and text.endswith("\n\nThanks!\n")
    assert "of before" not in text and text.count(BEGIN) == 1
    assert written(model, ("", text)) == text


def test_a_card_without_marks_gets_our_part_at_its_end(model):
    text = written(model, ("", "# All by hand\n"))
    assert text.index("# All by hand") < text.index(BEGIN)
    assert written(model, ("", text)) == text


def test_the_card_in_the_folder_goes_before_that_on_the_hub_where_a_person_wrote_in_it(model):
    ours, theirs = "Written here\n", written(model, ("", "Written there\n"))
    assert "Written here" in written(model, (ours, theirs))
    assert "Written here" in written(model, (ours, ours))
    untouched = written(model)
    assert "Written there" in written(model, (untouched, theirs))


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text + "\nThanks to all!\n",
        lambda text: text.replace("---\n", "---\nlicense: mit\n", 1),
        lambda text: text.replace("tags:\n", "tags:\n- mine\n", 1),
        lambda _: "All new\n",
    ],
)
def test_what_was_written_here_and_there_since_the_last_push_is_not_lost_unnoticed(model, edit):
    pushed = written(model, ("Here\n", ""))
    there = edit(pushed)
    assert "Here again" in written(model, ("Here again\n", pushed))
    with pytest.raises(
        ConfigError, match=r"edited in the model folder and on the Hub too, .*--force"
    ):
        written(model, ("Here again\n", there))
    assert written(model, ("", there)) == written(model, (there, there))
    forced = written(model, ("Here again\n", there), force=True)
    assert "Here again" in forced and "Thanks" not in forced


STUDIES = {
    "calibration": {
        "temperature": 1.2345,
        "n": 1200,
        "split": "validation",
        "ece_before": 0.081,
        "ece_after": 0.023,
    },
    "abstain": {
        "precision": 0.99,
        "below": 0.631,
        "n": 1200,
        "split": "validation",
        "coverage": 0.87,
        "measured_precision": {"value": 0.985, "low": 0.97, "high": 0.99, "n": 800},
        "measured_coverage": {"value": 0.86, "low": 0.84, "high": 0.88, "n": 930},
    },
    "robustness": {
        "clean": {"value": 0.95, "low": 0.93, "high": 0.97, "n": 930},
        "changed": [
            {"kind": "noise", "strength": 3, "accuracy": {"value": 0.7}},
            {"kind": "blur", "strength": 5, "accuracy": {"value": 0.5}},
        ],
    },
}


def test_what_was_studied_is_told_in_a_line_each(model):
    results = json.loads((model / "hf_resnet.json").read_text())["results"]
    text = written(with_facts(model, results={**results, **STUDIES}))
    limits = text.partition("## Limits")[2]
    assert "a temperature of 1.234, fitted on 1,200 validation pictures" in limits
    assert "calibration error there is 2.3 %, and was 8.1 %" in limits
    assert "Below 63.1 % its answers had better not be used, so that 99.0 % of the others" in limits
    assert "86.0 % were answered, and of these 98.5 % (97.0 to 99.0) right" in limits
    assert "(2 kinds of change) 60.0 % are right on average, where 95.0 % (93.0 to 97.0)" in limits
    assert "worst is blur at strength 5, with 50.0 %" in limits


def test_the_studies_are_told_as_measure_writes_them(model):
    from hf_resnet.evaluation.figure import Figure
    from hf_resnet.evaluation.studies import Abstain, Calibration, Changed, Robustness, Studies

    figure = Figure("Accuracy", 0.5, 0.4, 0.6, 9)
    studies = Studies(
        calibration=Calibration(1.5, 9, "validation", 0.1, 0.05, 1.0, 0.9),
        abstain=Abstain(0.9, None, 9, "validation", 1.0),
        robustness=Robustness(figure, (Changed("jpeg", 1, figure),)),
    )
    lines = list(studied(studies.to_json()))
    assert len(lines) == 3
    assert "Every answer may stand: 90.0 % were right" in lines[1]


@pytest.mark.parametrize("odd", [None, [], 3, {}, {"changed": []}, {"below": "x"}, {"below": None}])
def test_studies_of_another_shape_are_not_told(odd):
    assert not list(studied(dict.fromkeys(STUDIES, odd)))


def test_the_licence_asked_for_is_named(model):
    assert head_of(written(model, license="apache-2.0"))["license"] == "apache-2.0"


def test_a_head_that_is_no_yaml_is_one_line_that_says_what_to_do(model):
    with pytest.raises(ConfigError, match=r"head of README.md.* is not YAML: .*; mend it"):
        written(model, ("---\na: [\n---\n", ""))
    with pytest.raises(ConfigError, match="aliases"):
        written(model, ("---\na: &x [1]\nb: *x\n---\n", ""))


def test_names_of_classes_do_nothing_on_the_page(model):
    facts = json.loads((model / "hf_resnet.json").read_text())
    evil = "<script>|x|[a](http://b)`"
    facts["results"]["classes"][0]["name"] = evil
    facts["classes"][0]["name"] = evil
    text = written(with_facts(model, **facts))
    assert "<script>" not in text.replace("\\<script\\>", "")
    assert "\\|x\\|\\[a\\](http://b)\\`" in text


@pytest.mark.parametrize("results", [[], {"figures": []}, {"figures": {"accuracy": {"value": 1}}}])
def test_results_of_another_shape_are_as_none(model, results):
    assert "It has not been measured" in written(with_facts(model, results=results))


def test_hand_edits_on_the_hub_outlive_the_next_push(hub, push, session, model):
    succeeded(push(model))
    there = hub.files("me/flowers")["README.md"].decode()
    code = "import sys; from huggingface_hub import upload_file as u; u(path_or_fileobj="
    code += "sys.argv[1].encode(), path_in_repo='README.md', repo_id='me/flowers')"
    succeeded(session(code, there + "\nThanks to all!\n"))
    changed(model)
    succeeded(push(model))
    again = hub.files("me/flowers")["README.md"].decode()
    around = "around [0-9a-f]{16} "  # a hash of what a person wrote
    assert re.sub(around, "", again) == re.sub(around, "", there) + "\nThanks to all!\n"


def test_the_hub_does_not_take_a_head_that_is_wrong(hub, push, model):
    (model / "README.md").write_text("---\nlicense: [1, 2]\n---\nBy hand\n")
    assert '"license" must be text' in error_of(push(model))


@pytest.mark.parametrize("family", ["transformers-resnet", "timm-resnet"])
def test_the_code_on_the_card_runs_as_it_stands(hub, push, session, taught, tmp_path, family):
    folder = shutil.copytree(taught / family, tmp_path / "flowers")
    succeeded(push(folder))
    text = hub.files("me/flowers")["README.md"].decode()
    snippets = re.findall(r"```python\n(.*?)\n```", text, re.DOTALL)
    assert len(snippets) == (3 if family.startswith("timm") else 2)
    photo().save(tmp_path / "picture.jpg")
    whole = f"import os; os.chdir({str(tmp_path)!r})\n" + "\n".join(snippets)
    said = succeeded(session(whole))
    assert len(re.findall("blue|green|red", said)) >= len(snippets)
    command = re.search(r"```bash\nhf-resnet (.*?)\n```", text)[1]
    code = f"import os; os.chdir({str(tmp_path)!r})\nfrom hf_resnet.cli import main\n"
    assert re.search("blue|green|red", succeeded(session(f"{code}main({command.split()!r})")))


def test_a_figure_that_is_no_share_is_not_told_in_per_cent():
    from hf_resnet.hub.card import _how_good

    shown = {"title": "Log loss", "value": 0.512, "low": 0.4, "high": 0.63, "n": 90}
    told = "\n".join(
        _how_good({"split": "test", "figures": {"x": {**shown, "is_share": False}}}, {})
    )
    assert "| Log loss | 0.512 | 0.400 to 0.630 | 90 |" in told


def test_a_figure_that_is_no_number_is_not_told_and_the_others_are(model):
    facts = json.loads((model / "hf_resnet.json").read_text())
    for odd in (None, "x", [], {}, 1e300):
        results = json.loads(json.dumps(facts["results"]))
        results["figures"]["macro_f1"]["low"] = odd
        results["classes"][0]["recall"] = odd
        text = written(with_facts(model, results=results))
        assert "| Accuracy |" in text and "| Macro F1 |" not in text
        assert "| green |" in text and "| blue |" not in text


def test_our_mark_in_a_name_stands_for_nothing(model):
    facts = json.loads((model / "hf_resnet.json").read_text())
    facts["classes"][0] |= {"name": END, "origin": END}
    text = written(with_facts(model, **{**facts, "base_model": END}))
    assert text.count(END) == 1
    assert written(model, ("", text)) == text


def test_a_folder_that_was_learned_from_is_no_model_of_the_hub(
    family_folders, tmp_path, monkeypatch
):
    """Though its path, outputs/pets, is written as an id is, and is not there where it is pushed."""
    shutil.copytree(family_folders("scratch"), tmp_path / "outputs" / "pets")
    monkeypatch.chdir(tmp_path)
    open_classifier("outputs/pets").save(tmp_path / "new")
    monkeypatch.chdir("/")
    assert "base_model" not in head_of(written(tmp_path / "new"))
