"""Time ours against what a person would otherwise run, side by side.

python scripts/benchmark.py --subject all --rounds 3
"""

from hf_resnet.cli import run_command

if __name__ == "__main__":
    raise SystemExit(run_command("benchmark"))
