"""Measure a classifier on labelled pictures.

python scripts/measure.py --model_name_or_path outputs/beans --split test
"""

from hf_resnet.cli import run_command

if __name__ == "__main__":
    raise SystemExit(run_command("measure"))
