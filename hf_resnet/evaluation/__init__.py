"""A classifier measured: `measure` gives a Measured, `table` shows it, `write_report` keeps it."""

from hf_resnet.evaluation.figure import Figure
from hf_resnet.evaluation.measure import measure
from hf_resnet.evaluation.measured import ClassFigures, Measured, Mistake, Outcome
from hf_resnet.evaluation.report import table, write_report

__all__ = [
    "ClassFigures",
    "Figure",
    "Measured",
    "Mistake",
    "Outcome",
    "measure",
    "table",
    "write_report",
]
