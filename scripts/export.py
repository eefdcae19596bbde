"""Write a model for ONNX Runtime, OpenVINO or the browser, measured against itself.

python scripts/export.py outputs/beans --format onnx-int8
"""

from hf_resnet.cli import run_command

if __name__ == "__main__":
    raise SystemExit(run_command("export"))
