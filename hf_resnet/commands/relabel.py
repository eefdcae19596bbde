"""hf-resnet relabel: change the classes of a trained classifier."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from hf_resnet.classifier import ClassFact, check_output, new_model_folder, open_classifier
from hf_resnet.commands.recipe import write_recipe
from hf_resnet.config import DataConfig, RelabelConfig
from hf_resnet.data import SPLITS_FILE, load_data, pictures
from hf_resnet.errors import ConfigError, LabelError, listed
from hf_resnet.labels import Labels, Surgery, split_names
from hf_resnet.relabel import Relabelled, change_classes

MOST_ROWS = 40


def run(config: RelabelConfig) -> None:
    """Open the model, change its classes, show where each came from, and save."""
    console = Console(soft_wrap=True, highlight=False, markup=False)
    check_output(config.output_dir, overwrite=config.overwrite_output_dir)
    classifier = open_classifier(config.model)
    surgery = surgery_of(config, classifier.labels)
    examples = None
    if config.add_dir:
        # as a test split: it may hold a single class, which no training split may
        examples = load_data(DataConfig(test_dir=config.add_dir)).test
    samples = pictures([config.sample_dir]) if config.sample_dir else None
    changed = change_classes(
        classifier, surgery, examples=examples, samples=samples, compute=config.compute
    )
    with new_model_folder(config.output_dir, overwrite=config.overwrite_output_dir) as place:
        changed.classifier.write(place)
        write_recipe(config, place)
        # what the kept rows learned from is still what must not be measured on
        splits = Path(config.model.model_name_or_path) / SPLITS_FILE
        if splits.is_file():
            shutil.copy(splits, place)
    _show(console, changed, classifier.labels)
    console.print(f"\nsaved in {config.output_dir}; try it:")
    console.print(f"  hf-resnet predict {config.output_dir} PICTURES")


def surgery_of(config: RelabelConfig, labels: Labels) -> Surgery:
    """The changes that the flags, the file of names or the YAML file ask for."""
    flags = {
        "keep": _names(config.keep, labels),
        "drop": _names(config.drop, labels),
        "rename": _renames(config.rename),
        "merge": _merges(config.merge, labels),
        "add": _names(config.add, ()),
    }
    given = [name for name, value in flags.items() if value]
    files = [name for name in ("labels", "surgery") if getattr(config, name)]
    if len(files) + bool(given) > 1:
        alone = listed(f"--{name}" for name in [*files, *given])
        raise ConfigError(f"{alone} were given together; a file stands alone, so choose one way")
    if config.labels:
        lines = _read(config.labels).splitlines()
        return Surgery(labels=tuple(line.strip() for line in lines if line.strip()))
    if config.surgery:
        return _surgery_of_yaml(config.surgery, labels)
    return Surgery(**flags)  # type: ignore[arg-type]


def _surgery_of_yaml(path: str, labels: Labels) -> Surgery:
    import yaml

    try:
        content = yaml.safe_load(_read(path))
    except yaml.YAMLError as exc:
        raise ConfigError(f"{path} is not YAML: {' '.join(str(exc).split())}") from exc
    allowed = ("keep", "drop", "rename", "merge", "add", "labels")
    if not isinstance(content, dict) or (unknown := set(content) - set(allowed)):
        got = f"got {listed(map(str, unknown))}" if isinstance(content, dict) else "got no keys"
        raise ConfigError(f"{path} may have the keys {listed(allowed)}; {got}")
    lists = {
        key: tuple(map(str, value)) if isinstance(value, list) else split_names(str(value), labels)
        for key, value in content.items()
        if key in ("keep", "drop", "add", "labels")
    }
    return Surgery(
        **lists,
        rename=_renames(content.get("rename") or ()),
        merge=_merges(content.get("merge") or (), labels),
    )


Given = Mapping[Any, Any] | Sequence[Any] | str
"""A mapping as YAML has it, or texts with an equals sign as flags have them."""


def _renames(given: Given) -> dict[str, str]:
    if isinstance(given, Mapping):
        return {str(old): str(new) for old, new in given.items()}
    pairs = [pair for text in _texts(given) for pair in _split_pairs(text)]
    return dict(_assigned(pair, "rename") for pair in pairs)


def _split_pairs(text: str) -> list[str]:
    """'a=b,c=d' -> a=b and c=d; a comma inside a name stays."""
    pairs: list[str] = []
    for part in text.split(","):
        if pairs and ("=" not in part or "=" not in pairs[-1]):
            pairs[-1] += f",{part}"
        else:
            pairs.append(part)
    return pairs


def _merges(given: Given, labels: Labels) -> dict[str, tuple[str, ...]]:
    if not isinstance(given, Mapping):
        given = dict(_assigned(text, "merge") for text in _texts(given))
    return {
        str(new): tuple(map(str, members))
        if isinstance(members, list)
        else split_names(str(members), labels)
        for new, members in given.items()
    }


def _texts(given: Sequence[Any] | str) -> list[str]:
    return [given] if isinstance(given, str) else [str(each) for each in given]


def _names(texts: tuple[str, ...], known: Labels | tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for text in texts for name in split_names(text, known))


def _assigned(text: str, flag: str) -> tuple[str, str]:
    left, equals, right = (part.strip() for part in text.partition("="))
    if not (left and equals and right):
        example = "old=new" if flag == "rename" else '"cat=tabby,tiger cat"'
        raise ConfigError(f"--{flag} takes {example}, got {text!r}")
    return left, right


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as exc:
        raise ConfigError(f"cannot read {path}: {exc.strerror}; check the path") from exc
    except UnicodeDecodeError as exc:
        raise LabelError(f"{path} is not UTF-8 text; save it as UTF-8") from exc


def _show(console: Console, changed: Relabelled, old: Labels) -> None:
    facts = changed.classifier.facts.classes
    table = Table(title=f"{len(old):,} classes before, {len(facts):,} now", title_justify="left")
    for column in ("class", "row", "from"):
        table.add_column(column)
    # what changed first: of ImageNet's thousand most are kept
    listed_first = sorted(facts, key=lambda fact: fact.origin == "kept" and fact.name in old.names)
    for fact in listed_first[:MOST_ROWS]:
        table.add_row(fact.name, fact.origin, _source(fact))
    console.print(table)
    if len(facts) > MOST_ROWS:
        console.print(f"and {len(facts) - MOST_ROWS:,} more; all are in hf_resnet.json")
    for line in _remarks(changed, old):
        console.print(line)


def _remarks(changed: Relabelled, old: Labels) -> Iterator[str]:
    facts = changed.classifier.facts.classes
    used = {name for fact in facts for name in (fact.name, *fact.sources)}
    if gone := [name for name in old if name not in used]:
        yield f"dropped: {listed(gone)}"
    for name, error in changed.merge_errors.items():
        yield (
            f"{name}: its probability is {100 * error.mean:.1f} points from the sum of its members' "
            f"on average, {100 * error.most:.1f} at most ({error.pictures} pictures)"
        )
    for name, share in changed.recognised.items():
        yield (
            f"{name}: {100 * share:.0f} % of its own pictures are recognised; "
            "hf-resnet finetune with pictures of all classes teaches it in full"
        )
    for bad in changed.bad:
        yield f"not used: {bad.origin}: {bad.reason}"
    if untrained := [fact.name for fact in facts if fact.origin == "untrained"]:
        yield f"not trained yet: {listed(untrained)}; teach with --add_dir, or hf-resnet finetune"


def _source(fact: ClassFact) -> str:
    if fact.origin == "imprinted":
        return f"{fact.pictures} pictures"
    return listed(fact.sources, most=6)
