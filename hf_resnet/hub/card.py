"""The model's page on the Hub: README.md, written from what the model folder knows.

Only what stands between our two marks is ours, and of the head our keys; the rest a person wrote, and
it stays. The surprise: a card is a function of the files and of the card before, without a date, so
that pushing the same model again changes nothing.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import EvalResult, ModelCardData

from hf_resnet.errors import counted
from hf_resnet.hub.contents import FACTS_FILE, RECIPE_FILE, Item, text_of
from hf_resnet.hub.marked import cell, written
from hf_resnet.hub.studied import studied
from hf_resnet.hub.uses import libraries, ways

_HUB_ID = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")
_MOST_CLASSES = 200
_LARGEST = 1e15
_METRICS = {"accuracy": "accuracy", "top_5_accuracy": "accuracy", "macro_f1": "f1"}
_ORIGINS = {
    "pretrained": "as the network came",
    "kept": "kept, its trained row unchanged",
    "fitted": "fitted on pictures",
    "imprinted": "made from the features of a few pictures",
    "merged": "merged out of several classes",
    "untrained": "not trained: it knows nothing of this class yet",
}


def card(
    items: Mapping[str, Item],
    repo: str,
    before: Sequence[str],
    *,
    license: str | None = None,
    force: bool = False,
) -> str:
    """The card for the files, in the first of the cards before that a person has written in; an error
    where what a person wrote in another would be lost, unless forced."""
    facts = _dictionary(json.loads(text_of(items, FACTS_FILE)))
    config = _dictionary(json.loads(text_of(items, "config.json")))
    recipe = _dictionary(yaml.safe_load(text_of(items, RECIPE_FILE) or "{}"))
    sections = list(_sections(facts, config, items, repo))
    told = _metadata(facts, config, recipe, repo)
    return written(sections, told, before, license=license, force=force)


def _metadata(
    facts: dict[str, Any], config: dict[str, Any], recipe: dict[str, Any], repo: str
) -> dict[str, Any]:
    """What the Hub reads: our keys of the head."""
    library = (*libraries(config), "hf-resnet")[0]
    dataset = _hub_dataset(recipe)
    data = ModelCardData(
        library_name=library,
        pipeline_tag="image-classification",
        base_model=_hub_model(str(facts.get("base_model", ""))),
        datasets=[dataset] if dataset else None,
        tags=["image-classification", "hf-resnet", *libraries(config)],
        model_name=repo.partition("/")[2],
        eval_results=_results(facts, dataset) or None,
    )
    told: dict[str, Any] = data.to_dict()  # type: ignore[no-untyped-call]
    told.pop("model_name", None)
    return told


def _results(facts: dict[str, Any], dataset: str | None) -> list[EvalResult]:
    source = str(_dictionary(facts.get("data")).get("source") or "pictures of its own")
    results = _dictionary(facts.get("results"))
    return [
        EvalResult(
            task_type="image-classification",
            dataset_type=dataset or "imagefolder",
            dataset_name=source,
            dataset_split=str(results.get("split")),
            metric_type=_METRICS[name],
            metric_name=str(figure["title"]),
            metric_value=round(float(figure["value"]), 4),
        )
        for name, figure in _figures(results)
        if name in _METRICS
    ]


def _figures(results: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Those that can be told; one that is no number (null in JSON) is not."""
    figures = _dictionary(results.get("figures")).items()
    return [
        (name, each)
        for name, each in figures
        if _are_numbers(_dictionary(each), "value", "low", "high", "n") and "title" in each
    ]


def _hub_dataset(recipe: dict[str, Any]) -> str | None:
    name = str(recipe.get("dataset_name") or "").partition("@")[0]
    return name if "/" in name and _HUB_ID.fullmatch(name) and not Path(name).exists() else None


def _hub_model(name: str) -> str | None:
    scheme, colon, rest = name.partition(":")
    if colon:
        return f"timm/{rest}" if scheme == "timm" and _HUB_ID.fullmatch(rest) else None
    name = name.partition("@")[0]
    return name if "/" in name and _HUB_ID.fullmatch(name) and not Path(name).exists() else None


def _sections(
    facts: dict[str, Any], config: dict[str, Any], items: Mapping[str, Item], repo: str
) -> Iterator[str]:
    results, data = _dictionary(facts.get("results")), _dictionary(facts.get("data"))
    classes = _dictionaries(facts.get("classes"))
    yield f"# {repo.partition('/')[2]}\n"
    yield (
        f"An image classifier of {counted(len(classes), 'class')}, made with hf-resnet from "
        f"{_code(facts.get('base_model'))}.\n"
    )
    yield from _how_good(results, items)
    yield "## How to use it\n"
    for title, language, code in ways(config, repo):
        yield f"With {title}:\n\n```{language}\n{code}\n```\n"
    yield from _per_class(results)
    yield from _origins(classes)
    yield from _recipe(_dictionary(facts.get("training")), data)
    yield from _limits(results, data, len(classes))


def _how_good(results: dict[str, Any], items: Mapping[str, Item]) -> Iterator[str]:
    yield "## How good it is\n"
    figures = _figures(results)
    if not figures:
        yield "It has not been measured: `hf-resnet measure` does that.\n"
        return
    yield f"Measured on the {_code(results.get('split'))} pictures:\n"
    yield "| figure | value | 95 % interval | pictures |\n|---|---|---|---|"
    for _, each in figures:
        scale, digits, unit = (100, 1, " %") if each.get("is_share", True) else (1, 3, "")
        value, low, high = (
            f"{scale * float(each[key]):.{digits}f}" for key in ("value", "low", "high")
        )
        title, n = cell(each["title"]), int(each["n"])
        yield f"| {title} | {value}{unit} | {low} to {high}{unit} | {n:,} |"
    yield ""
    for name in ("confusion", "calibration"):
        if f"report/{name}.png" in items:
            yield f"![{name}](report/{name}.png)\n"


def _per_class(results: dict[str, Any]) -> Iterator[str]:
    shares = ("precision", "recall", "f1")
    rows = [each for each in _dictionaries(results.get("classes")) if _are_numbers(each, *shares)]
    if not rows:
        return
    yield "## Class by class\n"
    yield "| class | pictures | precision | recall | F1 |\n|---|---|---|---|---|"
    for row in rows[:_MOST_CLASSES]:
        told = " | ".join(f"{100 * float(row[key]):.1f} %" for key in shares)
        yield f"| {cell(row.get('name'))} | {cell(row.get('pictures', 0))} | {told} |"
    if len(rows) > _MOST_CLASSES:
        yield f"\n{len(rows) - _MOST_CLASSES:,} more are in `hf_resnet.json`."
    yield ""


def _origins(classes: list[dict[str, Any]]) -> Iterator[str]:
    """Where the row of every class came from; after surgery they differ."""
    if not classes:
        return
    yield "## Where each class comes from\n"
    by_origin: dict[str, list[dict[str, Any]]] = {}
    for each in classes:
        by_origin.setdefault(str(each.get("origin")), []).append(each)
    for origin, there in by_origin.items():
        names = ", ".join(_told(each) for each in there[:_MOST_CLASSES])
        more = f" and {len(there) - _MOST_CLASSES:,} more" if len(there) > _MOST_CLASSES else ""
        yield f"- {_ORIGINS.get(origin, cell(origin))}: {names}{more}"
    yield ""


def _told(each: dict[str, Any]) -> str:
    name, sources = str(each.get("name")), _texts(each.get("sources"))
    made_of = f" (from {', '.join(map(_code, sources))})" if sources not in ([], [name]) else ""
    return _code(name) + made_of


def _recipe(training: dict[str, Any], data: dict[str, Any]) -> Iterator[str]:
    plain = {key: each for key, each in training.items() if isinstance(each, str | int | float)}
    if not plain and not data:
        return
    yield "## How it was made\n"
    if data.get("source"):
        print_ = f", fingerprint {_code(data['fingerprint'])}" if data.get("fingerprint") else ""
        yield f"Pictures: {_code(data['source'])}{print_}. All settings are in `recipe.yaml`.\n"
    if plain:
        yield "| setting | value |\n|---|---|"
        for key, each in plain.items():
            value = f"{each:.4g}" if isinstance(each, float) else str(each)
            yield f"| {cell(key)} | {cell(value)} |"
        yield ""


def _limits(results: dict[str, Any], data: dict[str, Any], classes: int) -> Iterator[str]:
    yield "## Limits\n"
    yield (
        f"- It answers with one of its {classes:,} classes whatever the picture shows, also where none "
        "of them is right."
    )
    yield "- The figures hold for pictures such as those it was measured on, and for no others."
    yield from (f"- {each}" for each in studied(results))
    bad = data.get("bad_pictures")
    if bad and isinstance(bad, list):
        yield f"- {counted(len(bad), 'file')} among the pictures could not be used for training."
    for note in [*_texts(results.get("notes")), *_texts(data.get("notes"))]:
        yield f"- {cell(note)}"
    yield ""


def _dictionary(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dictionaries(value: Any) -> list[dict[str, Any]]:
    return [_dictionary(each) for each in value] if isinstance(value, list) else []


def _are_numbers(found: dict[str, Any], *keys: str) -> bool:
    """Whether these are there, and are numbers that a card can tell."""
    values = [found.get(key) for key in keys]
    return all(isinstance(each, int | float) and abs(each) < _LARGEST for each in values)


def _texts(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _code(value: Any) -> str:
    text = " ".join(str(value).split())
    return cell(text) if "`" in text or "<!--" in text else f"`{text}`"
