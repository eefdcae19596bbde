r"""Teach a pretrained network your classes.

    accelerate launch scripts/finetune.py --model_name_or_path microsoft/resnet-50 \
        --dataset_name sample:beans --method head --output_dir outputs/beans
"""

from hf_resnet.cli import run_command

if __name__ == "__main__":
    raise SystemExit(run_command("finetune"))
