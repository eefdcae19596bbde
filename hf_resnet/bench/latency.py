"""One picture at a time, from its file to its label, in a process that is warm."""

from hf_resnet.bench import material
from hf_resnet.bench.answering import asked_one_by_one, one_by_one, sides_of, without_exports
from hf_resnet.bench.task import Outcome, Subject, Task


def pipeline(task: Task) -> Outcome:
    """pipeline("image-classification") on one file after the other."""
    import transformers

    ask = transformers.pipeline(
        "image-classification", model=str(task.model_folder), top_k=1, device="cpu"
    )
    return asked_one_by_one(lambda path: str(ask(path)[0]["label"]), task)


def prepare(task: Task) -> dict[str, str]:
    """Photos, network and exports."""
    return without_exports(material.model_and_exports(task))


SUBJECT = Subject(
    "One picture, from its file to its label",
    {"pipeline": pipeline} | sides_of(one_by_one),
    usual=("pipeline",),
    model=material.RESNET50,
    cases={"500x375": {"photo": (500, 375)}, "2000x1500": {"photo": (2000, 1500)}},
    prepare=prepare,
    pictures=24,
)
