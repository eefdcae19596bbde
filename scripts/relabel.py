r"""Change the classes of a trained classifier.

    python scripts/relabel.py --model_name_or_path microsoft/resnet-50 --keep zebra \
        --merge "cat=tabby,tiger cat" --add unicorn --output_dir outputs/animals
"""

from hf_resnet.cli import run_command

if __name__ == "__main__":
    raise SystemExit(run_command("relabel"))
