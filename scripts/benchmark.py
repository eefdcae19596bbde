"""Time ours against the plain way, side by side in one run.

python scripts/benchmark.py --rounds 3
"""

from hf_resnet.cli import run_command

if __name__ == "__main__":
    raise SystemExit(run_command("benchmark"))
