"""Put the page of a model on the Hub as a Space.

python scripts/deploy_space.py outputs/flowers --space_id me/flowers-demo --hardware zero-a10g --wait
"""

from hf_resnet.cli import run_command

if __name__ == "__main__":
    raise SystemExit(run_command("deploy_space"))
