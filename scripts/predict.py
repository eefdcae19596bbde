"""Say what pictures are.

python scripts/predict.py outputs/beans leaf.jpg more_leaves/ --output rows.csv
"""

from hf_resnet.cli import run_command

if __name__ == "__main__":
    raise SystemExit(run_command("predict"))
