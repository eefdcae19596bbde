"""hf-resnet push-data: pictures with their classes onto the Hub, as a data set."""

from dataclasses import replace

from hf_resnet.config import DataConfig, PushDataConfig
from hf_resnet.data import load_data
from hf_resnet.errors import ConfigError, counted
from hf_resnet.hub.dataset import Destination, publish_data
from hf_resnet.hub.shards import Wish
from hf_resnet.screen import screen

MOST_BAD = 10


def run(config: PushDataConfig) -> None:
    """Read the pictures, push them, and say how they are learned from there."""
    console = screen()
    data = load_data(_data(config), make_validation=False)
    for note in data.notes:
        console.print(note)
    place = Destination(
        config.hub_dataset_id, config.hub_private_repo, config.license, config.force
    )
    wish = Wish(config.keep_metadata, config.data.on_bad_image)
    published = publish_data(data, place, wish)
    bad = [each for split in published.splits for each in split.bad]
    for origin, reason in bad[:MOST_BAD]:
        console.print(f"not pushed: {origin}: {reason}")
    if len(bad) > MOST_BAD:
        console.print(f"... and {len(bad) - MOST_BAD:,} more")
    counts = [f"{each.split.name} {sum(each.count_K):,}" for each in published.splits]
    said = "pushed to" if published.changed else "is there already:"
    console.print(f"{counted(len(data.labels), 'class')}; {', '.join(counts)}")
    console.print(f"\n{said} {published.url}\n\nto learn from it:\n")
    console.print(
        "  hf-resnet finetune --model_name_or_path microsoft/resnet-50 \\\n"
        f"    --dataset_name {published.repo} --output_dir my-model"
    )


def _data(config: PushDataConfig) -> DataConfig:
    if config.folder is None:
        return config.data
    if config.data.train_dir is not None:
        raise ConfigError(f"name the pictures once: {config.folder}, or --train_dir")
    return replace(config.data, train_dir=config.folder)
