"""See why residual nets were made: train plain and residual nets of several depths alike.

python scripts/degrade.py --depths 8 14 20 32 --output_dir outputs/degrade
"""

from hf_resnet.cli import run_command

if __name__ == "__main__":
    raise SystemExit(run_command("degrade"))
