"""The experiment as three plots: errors by depth, gradients by layer, shift by layer.

Kinds of nets differ in colour, and by their marks or panels as well, so that nobody needs to see the
colour. No pyplot: a figure belongs to one call alone.
"""

import io
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hf_resnet.degrade.experiment import Experiment, Kind
from hf_resnet.degrade.learning import Learned

COLOURS: dict[Kind, str] = {  # of Okabe and Ito's palette
    "plain": "#d55e00",
    "residual v1": "#0072b2",
    "residual v2": "#009e73",
}
SHADES: dict[Kind, str] = {"plain": "Oranges", "residual v1": "Blues", "residual v2": "Greens"}


def plots(experiment: Experiment) -> dict[str, bytes]:
    """The PNG files by name."""
    return {
        "errors.png": _errors(experiment),
        "gradients.png": _by_layer(
            experiment,
            lambda learned: learned.gradient_by_layer,
            "Gradient of each convolution",
            "norm of the gradient, mean of all steps",
        ),
        "shift.png": _by_layer(
            experiment,
            lambda learned: learned.shift_by_layer,
            "How far each layer's output moves from epoch to epoch (covariate shift)",
            "move of a channel's mean, in standard deviations",
        ),
    }


def _errors(experiment: Experiment) -> bytes:
    """Training and test error by depth, and how the error of the deepest nets fell."""
    figure, axes = _figure(3, _title("Error by depth", experiment))
    for panel, part, title in (
        (axes[0], "train_error", "on what they learn from"),
        (axes[1], "test_error", "on test pictures"),
    ):
        for kind, mark in zip(experiment.kinds, "osv", strict=False):
            nets = experiment.of(kind)
            errors = [100 * getattr(each, part) for each in nets.values()]
            panel.plot(list(nets), errors, marker=mark, color=COLOURS[kind], label=kind)
            panel.set_xticks(list(nets))
        _label(panel, title, "layers", "wrong answers, %")
    for kind in experiment.kinds:
        _curves(axes[2], experiment.of(kind), kind)
    _label(axes[2], "while they learn, shallowest and deepest", "epoch", "training error, %")
    _share_scale(axes[:2])
    return _png(figure)


def _curves(axes: Axes, nets: dict[int, Learned], kind: Kind) -> None:
    """The training error by epoch of the shallowest net (dotted) and the deepest."""
    depths = list(dict.fromkeys((max(nets), min(nets))))
    for depth, style in zip(depths, ("-", ":"), strict=False):
        errors = [100 * error for error in nets[depth].error_by_epoch]
        epochs = range(1, len(errors) + 1)
        axes.plot(epochs, errors, style, color=COLOURS[kind], label=f"{kind}, {depth} layers")


def _by_layer(
    experiment: Experiment,
    values: Callable[[Learned], Sequence[float]],
    title: str,
    unit: str,
) -> bytes:
    """A panel for each kind of net and a line for each depth, from its first convolution to its last."""
    figure, axes = _figure(len(experiment.kinds), _title(title, experiment))
    for panel, kind in zip(axes, experiment.kinds, strict=True):
        nets = experiment.of(kind)
        shades = colormaps[SHADES[kind]](np.linspace(0.4, 1, len(nets)))
        for (depth, learned), shade in zip(nets.items(), shades, strict=True):
            each = list(values(learned))
            if each:
                layers = range(1, len(each) + 1)
                panel.plot(layers, each, color=shade, label=f"{depth} layers")
        panel.set_yscale("log")
        _label(panel, kind, "convolution, first to last", unit if panel is axes[0] else "")
    _share_scale(axes)
    return _png(figure)


def _figure(columns: int, title: str) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(4.6 * columns, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, columns, squeeze=False)
    figure.suptitle(title, fontsize=12, x=0.01, ha="left")
    return figure, list(axes[0])


def _title(title: str, experiment: Experiment) -> str:
    return (
        f"{title}\n{experiment.source}, {experiment.train_pictures:,} pictures of "
        f"{experiment.side}×{experiment.side} pixels, {experiment.recipe.epochs} epochs"
    )


def _label(axes: Axes, title: str, across: str, up: str) -> None:
    axes.set_title(title, fontsize=11)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.grid(color="#e4e4e4", linewidth=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if axes.get_lines():
        axes.legend(fontsize=8, frameon=False)


def _share_scale(row: Sequence[Axes]) -> None:
    """Panels side by side are to be compared."""
    lows, highs = zip(*(axes.get_ylim() for axes in row), strict=True)
    for axes in row:
        axes.set_ylim(min(lows), max(highs))


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110, facecolor="white")
    return file.getvalue()
