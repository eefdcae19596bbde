"""Draw what goes on inside a network: what it looks at, sees, expects, and how it is fooled.

python scripts/explain.py packaged:efficientnet-lite0 --kind ideal --class zebra
"""

from hf_resnet.cli import run_command

if __name__ == "__main__":
    raise SystemExit(run_command("explain"))
