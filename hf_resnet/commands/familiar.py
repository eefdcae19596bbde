"""The flags of the transformers image-classification examples, as finetune understands them.

A command line that was written for `run_image_classification.py` or its no-trainer twin works here.
Most flags have the same name and meaning. Those below have another name here, or no meaning: they are
translated or passed over, and a line says so. Knows nothing of what finetune does with the others.
"""

from collections.abc import Sequence

OTHER_NAME = {
    "max_steps": "max_train_steps",
    "warmup_steps": "num_warmup_steps",
    "save_steps": "checkpointing_steps",
    "push_to_hub_model_id": "hub_model_id",
}
OPTIMISERS = ("adamw_torch", "adamw_torch_fused", "adamw_hf")

_ALWAYS = "that is what finetune does anyway"
_NEVER = "nothing here depends on it"
_LOG = "every step is in the log, every epoch is judged, and the curve is drawn as it goes"
WITHOUT_MEANING = {
    "do_train": _ALWAYS,
    "do_eval": _ALWAYS,
    "do_predict": "hf-resnet predict does that",
    "load_best_model_at_end": _ALWAYS,
    "ignore_mismatched_sizes": "the classifying layer is always made for the classes of the data",
    "remove_unused_columns": _NEVER,
    "overwrite_cache": "features and pictures are known by their content, and never stale",
    "use_fast": _NEVER,
    "cache_dir": "the libraries' own variables say where, such as HF_HOME",
    "logging_strategy": _LOG,
    "logging_steps": _LOG,
    "logging_dir": _LOG,
    "logging_first_step": _LOG,
    "eval_strategy": _LOG,
    "evaluation_strategy": _LOG,
    "eval_steps": _LOG,
    "greater_is_better": "it follows from --metric_for_best_model",
    "save_strategy": "--checkpointing_steps says how often (default: every epoch)",
    "save_safetensors": "nothing else is ever written",
    "dataloader_pin_memory": "memory is pinned where there is a GPU",
    "dataloader_drop_last": "every step is whole, and every picture learned from",
    "ddp_find_unused_parameters": _NEVER,
    "bf16": "--precision says so (default: half the bits where the hardware is built for it)",
    "fp16": "--precision says so (default: half the bits where the hardware is built for it)",
    "tf32": "--precision says so (default: half the bits where the hardware is built for it)",
    "use_cpu": "a GPU is used where there is one; CUDA_VISIBLE_DEVICES= hides it",
    "no_cuda": "a GPU is used where there is one; CUDA_VISIBLE_DEVICES= hides it",
    "disable_tqdm": _NEVER,
    "data_seed": "--seed decides the order as well",
    "full_determinism": "a run is the same each time anyway",
    "auto_find_batch_size": "a batch that does not fit is divided by itself; see --memory_budget",
}


def translated(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words as finetune takes them, and a line for each flag that was changed or passed over."""
    kept: list[str] = []
    notes: list[str] = []
    flag = ""
    for word in words:
        if word.startswith("--"):
            flag = word[2:].partition("=")[0].replace("-", "_")
            if flag in WITHOUT_MEANING:
                notes.append(f"--{flag} has no meaning here: {WITHOUT_MEANING[flag]}")
            elif flag in OTHER_NAME:
                notes.append(f"--{flag} is called --{OTHER_NAME[flag]} here")
        if flag not in WITHOUT_MEANING:  # the values of those that are passed over go as well
            kept.append(_in_our_words(word, flag))
    return kept, notes


def _in_our_words(word: str, flag: str) -> str:
    name, equals, value = word.partition("=")
    if word.startswith("--"):
        name = f"--{OTHER_NAME[flag]}" if flag in OTHER_NAME else name
    else:
        name, equals, value = "", "", word
    if flag == "optim" and value in OPTIMISERS:
        value = "adamw"
    return f"{name}{equals}{value}"
