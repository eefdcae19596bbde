"""Look inside networks on a page, a model of yours among them.

python scripts/lab.py outputs/beans
"""

from hf_resnet.cli import run_command

if __name__ == "__main__":
    raise SystemExit(run_command("lab"))
