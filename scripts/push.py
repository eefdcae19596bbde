"""Put a model folder on the Hub.

python scripts/push.py outputs/flowers --hub_model_id me/flowers --tag v1
"""

from hf_resnet.cli import run_command

if __name__ == "__main__":
    raise SystemExit(run_command("push"))
