"""`python -m hf_resnet.bench SUBJECT SIDE TASK_JSON`: one side in this process, its outcome as JSON.

SIDE may be `prepare`, which makes what all sides of the subject need. What a side cannot do for want
of a package is an outcome too: {"problem": why}.
"""

import dataclasses
import json
import sys
from typing import Any

from hf_resnet.bench import subject
from hf_resnet.bench.task import Task
from hf_resnet.errors import HfResnetError


def main() -> None:
    name, side, text = sys.argv[1:]
    task = Task(**json.loads(text))
    sys.stdout.write("\n" + json.dumps(_outcome(name, side, task)) + "\n")


def _outcome(name: str, side: str, task: Task) -> dict[str, Any]:
    wanted = subject(name)
    if side == "prepare":
        return wanted.prepare(task) if wanted.prepare else {}
    try:
        return dataclasses.asdict(wanted.sides[side](task))
    except HfResnetError as exc:
        return {"problem": str(exc)}
    except ModuleNotFoundError as exc:
        if (exc.name or "").startswith("hf_resnet"):
            raise
        return {"problem": f"{exc.name} is not installed"}


if __name__ == "__main__":
    main()
