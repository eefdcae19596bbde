"""Show what a network is made of: shapes, parameters, multiply-adds and memory of each layer.

python scripts/layers.py packaged:efficientnet-lite0 --depth 2 --picture outputs/layers.png
"""

from hf_resnet.cli import run_command

if __name__ == "__main__":
    raise SystemExit(run_command("layers"))
