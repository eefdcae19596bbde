"""finetune --method last_stage and full: the network itself learns, beginning with the fitted head.

Puts a run together out of its parts, has it run, and makes a classifier of the best it found.
"""

import copy
import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from hf_resnet.augment import Changes
from hf_resnet.backbones import Network
from hf_resnet.backbones.stages import stages_of
from hf_resnet.classifier import Classifier
from hf_resnet.config import TrainConfig
from hf_resnet.data import Split
from hf_resnet.engine import Engine
from hf_resnet.errors import ConfigError, ModelError
from hf_resnet.heap import give_back_freed_memory
from hf_resnet.precision import precision_for
from hf_resnet.preprocess import Preprocess
from hf_resnet.training import checkpoint
from hf_resnet.training.average import Average
from hf_resnet.training.choice import Choice
from hf_resnet.training.examples import Examples
from hf_resnet.training.frozen_norms import FrozenNorms
from hf_resnet.training.head import Trained
from hf_resnet.training.loop import Loop
from hf_resnet.training.optimiser import (
    freeze,
    keeps_statistics,
    learns_statistics,
    optimiser,
    ready_to_learn,
)
from hf_resnet.training.order import Order, balanced
from hf_resnet.training.setting import History, Setting
from hf_resnet.training.step import Stepper

_PICTURES_FOR_MEAN = 1024
_SMALLEST_SHARE = 2 / 3
_MULTIPLE = 32


def train_network(
    started: Trained, split: Split, choice: Choice, setting: Setting
) -> Trained | None:
    """The classifier with its network trained; None where it was asked to stop, and can go on."""
    loop = _loop(started, split, choice, setting)
    give_back_freed_memory()
    if not loop.run(loop.resume()):
        return None
    return _result(started, loop)


def _loop(started: Trained, split: Split, choice: Choice, setting: Setting) -> Loop:
    config, learned, device = choice.config, started.learned, setting.accelerator.device
    network = copy.deepcopy(started.classifier.network).to(device)
    network = network.to(memory_format=torch.channels_last)
    trained = choice.stages(len(stages_of(network)))
    freeze(network, trained)
    if choice.untrained:  # a head fitted to what it gives now is worth nothing once it learns
        for parameter in network.head.parameters():
            nn.init.zeros_(parameter)
    order = Order(
        len(learned.row_N),
        config.per_device_train_batch_size
        * config.gradient_accumulation_steps
        * setting.accelerator.num_processes,
        setting.seed,
        balanced(learned.label_N) if config.balanced_sampling else None,
    )
    assert config.num_train_epochs is not None  # noqa: S101  choose fills it in
    steps = max(1, round(config.num_train_epochs * order.steps_an_epoch))
    steps = min(steps, config.max_train_steps or steps)
    preprocess_E = _preprocesses(
        started.classifier.preprocess, config, -(-steps // order.steps_an_epoch)
    )
    norms = _norms_of(network, preprocess_E[0])
    frozen_norms = keeps_statistics(network, config)
    ready_to_learn(network, trained, frozen_norms=frozen_norms)
    if config.per_device_train_batch_size == 1 and learns_statistics(network):
        raise ConfigError(
            "a batch-norm learns nothing from one picture at once; take --per_device_train_batch_size "
            "2 or more, or --batch_norm frozen"
        )
    examples = Examples(
        split,
        learned.row_N,
        learned.label_N,
        preprocess_E,
        _changes(config),
        setting.seed,
        setting.cache,
    )
    return Loop(
        classifier=replace(started.classifier, network=network, feature_mean_D=None),
        choice=choice,
        setting=setting,
        examples=examples,
        order=order,
        steps=steps,
        trained=trained,
        frozen_norms=frozen_norms,
        stepper=_stepper(network, norms, started, config, setting),
        average=Average(network, config.ema_decay) if config.ema_decay else None,
    )


def _stepper(
    network: Network, norms: FrozenNorms, started: Trained, config: TrainConfig, setting: Setting
) -> Stepper:
    accelerator = setting.accelerator
    wrapped: Any = network
    if config.torch_compile and accelerator.device.type != "cpu":
        wrapped = torch.compile(network)
    return Stepper(
        wrapped=accelerator.prepare_model(wrapped),
        optimizer=optimiser(network, config),
        config=config,
        preprocess=started.classifier.preprocess,
        class_weight_K=started.learned.class_weight_K,
        accelerator=accelerator,
        seed=setting.seed,
        precision=precision_for(setting.compute.precision, accelerator.device),
        tell=setting.tell,
        norms=norms,
        anchor=_anchor(network) if config.l2_sp else (),
    )


def _anchor(network: Network) -> tuple[tuple[nn.Parameter, Tensor], ...]:
    """What the weights below the head are before training."""
    head = {id(each) for each in network.head.parameters()}
    return tuple(
        (each, each.detach().clone())
        for each in network.parameters()
        if each.requires_grad and id(each) not in head
    )


def _changes(config: TrainConfig) -> Changes:
    return Changes(
        min_area=config.min_crop_area,
        flip=config.random_flip,
        color_jitter=config.color_jitter,
        auto_augment=config.auto_augment,
        erasing=config.random_erasing,
    )


def _preprocesses(plain: Preprocess, config: TrainConfig, epochs: int) -> list[Preprocess]:
    """Of every epoch; with progressive resizing the pictures grow until two thirds of the epochs."""
    if not config.progressive_resizing:
        return [plain]
    side = min(plain.size)
    grown = [min(1.0, epoch / max(1, 2 * epochs / 3)) for epoch in range(epochs)]
    shares = [_SMALLEST_SHARE + (1 - _SMALLEST_SHARE) * each for each in grown]
    sides = [min(side, -(-round(side * share) // _MULTIPLE) * _MULTIPLE) for share in shares]
    return [plain if each == side else plain.with_changes(image_size=each) for each in sides]


def _norms_of(network: Network, preprocess: Preprocess) -> FrozenNorms:
    """Found on the smallest pictures of progressive resizing; stops where it cannot take these."""
    try:
        return FrozenNorms(network, preprocess.size)
    except (AssertionError, RuntimeError, ValueError) as exc:
        height, width = preprocess.size
        raise ConfigError(
            f"this network does not take pictures of {height}x{width} pixels, with which "
            "--progressive_resizing begins; leave it out"
        ) from exc


def _result(started: Trained, loop: Loop) -> Trained:
    """The best classifier that the run found, with what is to be known of it."""
    history, network = loop.history, loop.classifier.network
    facts = {
        **started.facts,
        "method": loop.choice.method,
        "stages_trained": loop.trained,
        "steps": loop.steps,
        "batch": loop.order.batch,
        "epochs": history.epochs,
        "best_step": history.best_step,
        "seconds_of_training": round(history.seconds, 1),
    }
    if loop.setting.judge is not None and loop.best is None and not loop.choice.untrained:
        loop.setting.tell(
            "training made it no better on the validation pictures: the network stays as it was, "
            "with its fitted head"
        )
        classifier = started.classifier
    else:
        better = loop.best or (loop.average.tensors if loop.average else None)
        if better is not None:
            checkpoint.put_back(network.state_dict(), better)
        if any(not torch.isfinite(each).all() for each in network.parameters()):
            raise ModelError(
                "training gave weights that are not finite; try a lower --learning_rate"
            )
        if loop.best is not None and not loop.choice.untrained:
            loop.setting.tell(_gain(history, loop.choice.config.metric_for_best_model))
        network = network.to(memory_format=torch.contiguous_format)  # as it will be opened
        classifier = replace(loop.classifier, network=network.requires_grad_(True).eval())
        classifier = replace(classifier, feature_mean_D=_mean_feature(classifier, loop))
    facts_of = classifier.facts.with_(training=facts)
    return replace(started, classifier=replace(classifier, facts=facts_of), facts=facts)


def _gain(history: History, metric: str) -> str:
    """What training the network has brought, over the fitted head that it began with."""
    before, after = history.epochs[0]["figures"][metric], history.best[metric]
    same = " (no more than by the head alone)" if after == before else ""
    return f"{metric} on the validation pictures: {before:.4f} before, {after:.4f} after{same}"


def _mean_feature(classifier: Classifier, loop: Loop) -> Tensor:
    """Of some of the pictures that were learned from, plainly looked at."""
    setting = loop.setting
    engine = Engine(classifier.network, setting.compute, setting.accelerator.device)
    examples = loop.examples
    usable = set(examples.row_N.tolist())
    thin = max(1, len(usable) // _PICTURES_FOR_MEAN)
    rows = enumerate(examples.split.rows())
    wanted = (row for number, row in rows if number in usable and number % thin == 0)
    features = []
    while some := list(itertools.islice(wanted, engine.batch_size)):
        pixels = [classifier.preprocess(Image.fromarray(examples.picture(row))) for row in some]
        features.append(engine.features(np.stack(pixels)))
    return torch.from_numpy(np.concatenate(features).mean(axis=0))
