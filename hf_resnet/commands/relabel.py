"""hf-resnet relabel: change the classes of a trained classifier."""

import shutil
from pathlib import Path

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
    console = Console(soft_wrap=True)
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
    _show(console, changed, before=len(classifier.labels))
    console.print(f"\nsaved in {config.output_dir}; try it:", highlight=False)
    console.print(f"  hf-resnet predict {config.output_dir} PICTURES", highlight=False)


def surgery_of(config: RelabelConfig, labels: Labels) -> Surgery:
    """The changes that the flags, the file of names or the YAML file ask for."""
    flags = {
        "keep": _names(config.keep, labels),
        "drop": _names(config.drop, labels),
        "rename": dict(_assigned(text, "rename") for text in config.rename),
        "merge": {
            new: split_names(members, labels)
            for new, members in (_assigned(text, "merge") for text in config.merge)
        },
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
    rename = {str(old): str(new) for old, new in (content.get("rename") or {}).items()}
    merge = {
        str(new): tuple(map(str, each))
        if isinstance(each, list)
        else split_names(str(each), labels)
        for new, each in (content.get("merge") or {}).items()
    }
    return Surgery(**lists, rename=rename, merge=merge)


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
        return Path(path).read_text(encoding="utf-8")
    except OSError as exc:
        raise ConfigError(f"cannot read {path}: {exc.strerror}; check the path") from exc
    except UnicodeDecodeError as exc:
        raise LabelError(f"{path} is not UTF-8 text; save it as UTF-8") from exc


def _show(console: Console, changed: Relabelled, *, before: int) -> None:
    facts = changed.classifier.facts.classes
    table = Table(title=f"{before:,} classes before, {len(facts):,} now", title_justify="left")
    for column in ("class", "row", "from"):
        table.add_column(column)
    for fact in facts[:MOST_ROWS]:
        table.add_row(fact.name, fact.origin, _source(fact))
    console.print(table)
    if len(facts) > MOST_ROWS:
        console.print(f"and {len(facts) - MOST_ROWS:,} more; all are in hf_resnet.json")
    for name, error in changed.merge_errors.items():
        console.print(
            f"{name}: its probability is {100 * error.mean:.1f} points from the sum of its members' "
            f"on average, {100 * error.most:.1f} at most ({error.pictures} pictures)",
            highlight=False,
        )
    for bad in changed.bad:
        console.print(f"not used: {bad.origin}: {bad.reason}", highlight=False)
    if untrained := [fact.name for fact in facts if fact.origin == "untrained"]:
        console.print(
            f"not trained yet: {listed(untrained)}; teach with --add_dir, or with hf-resnet finetune",
            highlight=False,
        )


def _source(fact: ClassFact) -> str:
    if fact.origin == "imprinted":
        return f"{fact.pictures} pictures"
    return listed(fact.sources, most=6)
