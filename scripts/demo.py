"""From nothing to a measured classifier, with what this machine can reach.

python scripts/demo.py
"""

from hf_resnet.cli import run_command

if __name__ == "__main__":
    raise SystemExit(run_command("demo"))
