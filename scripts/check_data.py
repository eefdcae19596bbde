"""Say what is wrong with pictures before they are learned from, and write a cleaned list of them.

python scripts/check_data.py --train_dir photos --write_clean clean.csv
"""

from hf_resnet.cli import run_command

if __name__ == "__main__":
    raise SystemExit(run_command("check_data"))
