"""`python -m hf_resnet.bench SUBJECT SIDE TASK_JSON`: one side in this process, its outcome as JSON."""

import dataclasses
import json
import sys

import torch

from hf_resnet.bench import SUBJECTS
from hf_resnet.bench.task import Task


def main() -> None:
    subject, side, text = sys.argv[1:]
    task = Task(**json.loads(text))
    torch.set_num_threads(task.threads)
    outcome = SUBJECTS[subject].SIDES[side](task)
    sys.stdout.write(json.dumps(dataclasses.asdict(outcome)) + "\n")


if __name__ == "__main__":
    main()
