"""Put pictures with their classes on the Hub, as a data set.

python scripts/push_data.py photos/flowers --hub_dataset_id me/flowers
"""

from hf_resnet.cli import run_command

if __name__ == "__main__":
    raise SystemExit(run_command("push_data"))
