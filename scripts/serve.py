"""Show a model on a page where people ask it about their pictures.

python scripts/serve.py outputs/beans --keep_wrong wrong_answers
"""

from hf_resnet.cli import run_command

if __name__ == "__main__":
    raise SystemExit(run_command("serve"))
