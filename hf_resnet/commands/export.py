"""hf-resnet export: a model written for other programs, and measured against itself first.

The pictures are those the model was made with, unless others are named: int8 is calibrated on the
training ones and judged on the validation ones. The surprise: an fp32 export needs no pictures at
all; where there are none its logits are held against the model's on made-up ones.
"""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from hf_resnet.classifier import Classifier, open_classifier
from hf_resnet.commands.measure import SOURCES
from hf_resnet.commands.recipe import data_of
from hf_resnet.config import ComputeConfig, ExportConfig, ModelConfig
from hf_resnet.data import Data, Split, load_data
from hf_resnet.engine import BadPicture, Engine, batches
from hf_resnet.engine.exported import FORMATS
from hf_resnet.errors import ConfigError, DataError, HubError, LabelError, counted
from hf_resnet.evaluation.label_space import model_numbers
from hf_resnet.export import Made, make, publish
from hf_resnet.export.proof import Proof, check, prove
from hf_resnet.progress import Pace
from hf_resnet.screen import one_line, screen

AT_ONCE = 16
_COMPUTE = ComputeConfig(precision="fp32", per_device_eval_batch_size=AT_ONCE)


@dataclass(frozen=True, eq=False)
class Pictures:
    """What there is to calibrate and to judge on, the latter in the model's numbers; or why not."""

    calibration: Split | None = None
    judged: Split | None = None
    number_of: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    notes: tuple[str, ...] = ()
    bad: list[BadPicture] = field(default_factory=list)
    """Filled with the files that turn out to be unusable."""

    def told(self) -> Iterator[str]:
        """What to say about them."""
        yield from self.notes
        if self.bad:
            first = self.bad[0]
            files = counted(len({each.origin for each in self.bad}), "file")
            yield f"note: {files} could not be used, such as {first.origin}: {first.reason}"


def run(config: ExportConfig) -> None:
    """Make the export beside the folder, measure it, and put it in if it is good enough."""
    if os.environ.get("RANK", "0") != "0":
        return  # of several processes, one writes
    console = screen()
    classifier, folder = _opened(config)
    pictures = _pictures(config, folder, classifier)
    with tempfile.TemporaryDirectory() as place:
        made = make(
            classifier,
            folder,
            config.format,
            lambda: _calibration(classifier, pictures, config.calibration_pictures),
            Path(place),
        )
        proof = _proved(classifier, made, pictures)
        for line in (*pictures.told(), *_told(config.format, proof, pictures.judged)):
            console.print(one_line(line))
        check(
            proof,
            config.format,
            int8=FORMATS[config.format].int8,
            max_drop=config.max_drop,
            force=config.force,
        )
        weights = sum(path.stat().st_size for path in folder.glob("model*.safetensors"))
        figures = proof.figures() | {"bytes": made.size, "bytes_of_weights": weights}
        if pictures.judged is not None:
            figures |= {"split": pictures.judged.name}
        console.print(f"  size        {_megabytes(weights)} -> {_megabytes(made.size)}")
        written = publish(made, folder, figures)
    console.print(one_line(f"written to {written[0].parent}: {', '.join(p.name for p in written)}"))


def _opened(config: ExportConfig) -> tuple[Classifier, Path]:
    """The model and its folder; one that has none is written to --output_dir."""
    folder = Path(config.model_name_or_path)
    is_folder = (folder / "config.json").is_file()
    if is_folder == (config.output_dir is not None):
        raise ConfigError(
            f"{folder} is a model folder, and the export goes into it; leave out --output_dir"
            if is_folder
            else f"{config.model_name_or_path} is no model folder, and an export lies in one; name a "
            "new folder for both with --output_dir"
        )
    classifier = open_classifier(
        ModelConfig(
            model_name_or_path=config.model_name_or_path,
            trust_remote_code=config.trust_remote_code,
        )
    )
    if config.output_dir is not None:
        folder = Path(config.output_dir)
        classifier.save(folder)
        classifier = open_classifier(str(folder))
    return classifier, folder


def _pictures(config: ExportConfig, folder: Path, classifier: Classifier) -> Pictures:
    """Those named, else those of the model's training; for fp32 it may do without."""
    int8 = FORMATS[config.format].int8
    named = any(getattr(config.data, flag) for flag in SOURCES)
    try:
        data = _data(config, folder)
        judged = data.validation or data.test
        if judged is None or (int8 and data.train is None):
            raise DataError(
                f"{data.source} has no {'training' if judged else 'validation'} pictures"
            )
        return Pictures(
            data.train, judged, model_numbers(judged.labels, classifier.labels), data.notes
        )
    except (DataError, HubError, LabelError) as exc:
        if named:
            raise
        why, _, _ = str(exc).partition(";")
        if int8:
            raise DataError(
                f"int8 learns its ranges from training pictures, and there are none to be had ({why}); "
                "name pictures of the model's classes with --train_dir, --train_file or --dataset_name"
            ) from exc
        return Pictures(notes=(f"note: held against the model on made-up pictures, since {why}",))


def _data(config: ExportConfig, folder: Path) -> Data:
    if any(getattr(config.data, flag) for flag in SOURCES):
        return load_data(config.data)
    known = data_of(folder)
    if known is None:
        raise DataError(f"{folder} does not know its training pictures")
    own, taught = known
    return load_data(own, remembered=taught)


def _calibration(classifier: Classifier, pictures: Pictures, wanted: int) -> Iterator[np.ndarray]:
    """The pixels of so many pictures, taken evenly from the whole split."""
    split = pictures.calibration
    assert split is not None  # noqa: S101  int8 is not made without
    step = max(1, (split.size or 0) // wanted)
    coming = batches(
        islice(split.rows(0, step), wanted),
        lambda picture, _: classifier.preprocess(picture),
        batch_size=min(AT_ONCE, wanted),
        workers=2,
        on_bad=pictures.bad.append,
    )
    with Pace("Calibrating", wanted) as pace:
        for batch in coming:
            yield batch.pixels_BCHW
            pace.advance(len(batch.keys))


def _proved(classifier: Classifier, made: Made, pictures: Pictures) -> Proof:
    source = Engine(classifier.network, _COMPUTE).logits
    if pictures.judged is None:
        random = np.random.default_rng(0)
        shape = (AT_ONCE, 3, *classifier.preprocess.size)
        return prove(source, made.logits, [random.normal(size=shape).astype(np.float32)])
    truth: list[int] = []
    return prove(source, made.logits, _judged(classifier, pictures, truth), truth)


def _judged(classifier: Classifier, pictures: Pictures, truth: list[int]) -> Iterator[np.ndarray]:
    """The validation pictures in batches; their classes are put into `truth` as they come."""
    split = pictures.judged
    assert split is not None  # noqa: S101  held by _proved
    coming = batches(
        (row for row in split.rows() if row.label is not None),
        lambda picture, _: classifier.preprocess(picture),
        batch_size=AT_ONCE,
        workers=2,
        on_bad=pictures.bad.append,
    )
    with Pace("Measuring", split.size) as pace:
        for batch in coming:
            truth += [int(pictures.number_of[label]) for label in batch.labels if label is not None]
            yield batch.pixels_BCHW
            pace.advance(len(batch.keys))


def _told(name: str, proof: Proof, judged: Split | None) -> Iterator[str]:
    known = proof.figures()
    on = f" of {judged.name}" if judged else ""
    yield f"{name} against the model in torch at fp32, on {counted(proof.pictures, 'picture')}{on}:"
    yield f"  same answer {100 * proof.agreement:.1f} %, logits off by {proof.error:.1g} of their length"
    if proof.truth_N is not None:
        yield (
            f"  accuracy    {100 * known['accuracy_of_source']:.2f} % -> {100 * known['accuracy']:.2f} %"
            f", {100 * known['difference']:+.2f} points (95 %: {100 * known['difference_low']:+.2f} to "
            f"{100 * known['difference_high']:+.2f})"
        )
    yield f"  speed       {proof.speed:.1f} times"


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
