"""hf-resnet degrade: why residual nets were made, seen in minutes."""

from math import sqrt
from pathlib import Path

from hf_resnet.config import DataConfig, DegradeConfig
from hf_resnet.degrade import Experiment, Learned, Net, Recipe, nets, plots
from hf_resnet.degrade import run as run_experiment
from hf_resnet.degrade.experiment import DEPTHS, VERSIONS
from hf_resnet.degrade.pictures import read
from hf_resnet.evaluation.report import as_text
from hf_resnet.screen import screen
from hf_resnet.writing import on_disk, write_all

RECORD = "degrade.json"


def run(config: DegradeConfig) -> None:
    """Train the nets, say what each came to, and draw it."""
    console = screen()
    folder = Path(config.output_dir)
    with on_disk(f"--output_dir {folder}", "name another place"):
        folder.mkdir(parents=True, exist_ok=True)
    data = DataConfig(
        dataset_name=config.dataset_name,
        max_train_samples=config.max_train_samples or None,
        max_eval_samples=config.max_eval_samples or None,
    )
    sets = read(data, config.image_size)
    console.print(
        f"{sets.source}: {len(sets.train):,} pictures to learn from, {len(sets.test):,} to test on, "
        f"{config.image_size}×{config.image_size} pixels"
    )
    recipe = Recipe(
        epochs=config.num_train_epochs,
        batch=min(config.per_device_train_batch_size, len(sets.train)),
        rate=config.learning_rate,
        seed=config.seed,
    )

    def tell(net: Net, learned: Learned) -> None:
        console.print(
            f"{net.name:<18} wrong: {100 * learned.train_error:5.1f} % of training, "
            f"{100 * learned.test_error:5.1f} % of test pictures"
        )

    chosen = nets(config.depths or DEPTHS, config.versions or VERSIONS)
    experiment = run_experiment(sets, chosen, recipe, tell)
    for line in findings(experiment):
        console.print(line)
    files = {RECORD: as_text(experiment.to_json()).encode(), **plots(experiment)}
    with on_disk(f"--output_dir {folder}", "name another place"):
        write_all(folder, files)
    console.print(f"written to {folder}: {', '.join(files)}")


def findings(experiment: Experiment) -> list[str]:
    """What depth did to the training error of each kind of net, as it was measured."""
    lines = []
    for kind in experiment.kinds:
        found = experiment.of(kind)
        first, last = min(found), max(found)
        if first != last:
            before, after = found[first].train_error, found[last].train_error
            lines.append(
                f"{kind}: from {first} to {last} layers the training error goes from "
                f"{100 * before:.1f} to {100 * after:.1f} %: "
                f"{_verdict(before, after, experiment.train_pictures)}"
            )
    return lines


def _verdict(before: float, after: float, pictures: int) -> str:
    """What may be said of two shares of so many pictures: no more than twice the standard error."""
    spread = sqrt((before * (1 - before) + after * (1 - after)) / pictures)
    if abs(after - before) <= 2 * spread:
        return "no clear difference"
    return "deeper is worse" if after > before else "deeper is better"
