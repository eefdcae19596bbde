"""The experiment behind residual learning: nets of several depths, with shortcuts and without.

A deeper net can do all that a shallower one can, and more; trained alike, a plain one nevertheless
gets worse with depth, on the very pictures it learns from. Shortcuts mend that. `run` trains the nets
and measures them, `plots` draws what was found.
"""

from hf_resnet.degrade.experiment import Experiment, Net, nets, run
from hf_resnet.degrade.learning import Learned, Recipe
from hf_resnet.degrade.plots import plots

__all__ = ["Experiment", "Learned", "Net", "Recipe", "nets", "plots", "run"]
