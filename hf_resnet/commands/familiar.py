"""The flags of the transformers image-classification examples, as finetune understands them.

A command line that was written for `run_image_classification.py` or its no-trainer twin works here.
Most flags have the same name and meaning. Those below have another name here, or no meaning: they are
translated or passed over, and a line says so. Knows nothing of what finetune does with the others. The
surprise: a rate such as 2e-5 is meant for AdamW, their optimiser, and SGD would learn nothing with it.
"""

from collections.abc import Sequence

OTHER_NAME = {
    "max_steps": "max_train_steps",
    "warmup_steps": "num_warmup_steps",
    "save_steps": "checkpointing_steps",
    "push_to_hub_model_id": "hub_model_id",
}
OTHER_VALUE = {
    "optim": dict.fromkeys(("adamw_torch", "adamw_torch_fused", "adamw_hf"), "adamw"),
    "metric_for_best_model": {
        **{"eval_accuracy": "accuracy", "eval_macro_f1": "macro_f1"},
        **{"loss": "log_loss", "eval_loss": "log_loss"},
    },
}

_ALWAYS = "that is what finetune does anyway"
_NEVER = "nothing here depends on it"
_AS_USUAL = "AdamW has its usual values"
_BITS = "--precision says so (default: half the bits where the hardware is built for it)"
_OF_MODEL = "what is not in the model is found by --model_name_or_path alone"
_DIVIDED = "accelerate launch shares out the pictures; a network here fits on one device"
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
    "bf16": _BITS,
    "fp16": _BITS,
    "tf32": _BITS,
    "use_cpu": "a GPU is used where there is one; CUDA_VISIBLE_DEVICES= hides it",
    "no_cuda": "a GPU is used where there is one; CUDA_VISIBLE_DEVICES= hides it",
    "disable_tqdm": _NEVER,
    "data_seed": "--seed decides the order as well",
    "full_determinism": "a run is the same each time anyway",
    "warmup_ratio": "the rate rises over a tenth of all steps; --num_warmup_steps says otherwise",
    "lr_scheduler_kwargs": _NEVER,
    "adam_beta1": _AS_USUAL,
    "adam_beta2": _AS_USUAL,
    "adam_epsilon": _AS_USUAL,
    "optim_args": _AS_USUAL,
    "token": "the token of hf auth login is used, or HF_TOKEN",
    "use_auth_token": "the token of hf auth login is used, or HF_TOKEN",
    "feature_extractor_name": _OF_MODEL,
    "image_processor_name": _OF_MODEL,
    "config_name": _OF_MODEL,
    "model_type": "--model_name_or_path scratch:resnet50 or --random_init begins from nothing",
    "run_name": "a tracked run has the name of its --output_dir",
    "project": "a tracked run has the name of its --output_dir",
    "log_level": _LOG,
    "log_level_replica": _LOG,
    "logging_nan_inf_filter": "a loss that is no number ends the run",
    "eval_delay": _LOG,
    "eval_on_start": _ALWAYS,
    "eval_accumulation_steps": _NEVER,
    "prediction_loss_only": _LOG,
    "include_for_metrics": _LOG,
    "save_only_model": "a checkpoint holds all that a run needs to go on",
    "save_on_each_node": "the first process writes the checkpoints, where all see them",
    "ignore_data_skip": "a run goes on in the middle of an epoch, at no cost",
    "hub_strategy": "--push_every says how often checkpoints are pushed",
    "hub_always_push": "--push_every says how often checkpoints are pushed",
    "bf16_full_eval": _BITS,
    "fp16_full_eval": _BITS,
    "half_precision_backend": _BITS,
    "gradient_checkpointing_kwargs": _NEVER,
    "torch_compile_backend": "inductor compiles",
    "torch_compile_mode": "inductor compiles",
    "dataloader_persistent_workers": _ALWAYS,
    "dataloader_prefetch_factor": _NEVER,
    "group_by_length": _NEVER,
    "label_names": "--label_column_name says where the classes stand",
    "ddp_backend": "accelerate launch chooses it",
    "ddp_timeout": "accelerate launch chooses it",
    "ddp_bucket_cap_mb": _NEVER,
    "ddp_broadcast_buffers": _NEVER,
    "ddp_static_graph": _NEVER,
    "local_rank": "accelerate launch tells it",
    "fsdp": _DIVIDED,
    "fsdp_config": _DIVIDED,
    "deepspeed": _DIVIDED,
    "accelerator_config": _NEVER,
    "debug": "--traceback shows where an error came from",
    "skip_memory_metrics": _NEVER,
    "use_mps_device": "it is used where there is one",
    "torch_empty_cache_steps": _NEVER,
    "use_liger_kernel": _NEVER,
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
    says_more = any(_has(kept, each) for each in ("optim", "config"))
    if notes and _has(kept, "learning_rate") and not says_more:
        kept.append("--optim=adamw")
        notes.append(
            "--learning_rate is taken for the examples' optimiser, AdamW; this tool's own, "
            "--optim sgd, needs a larger one"
        )
    return kept, notes


def _has(words: Sequence[str], flag: str) -> bool:
    return any(
        word.partition("=")[0] in (f"--{flag}", f"--{flag.replace('_', '-')}") for word in words
    )


def _in_our_words(word: str, flag: str) -> str:
    name, equals, value = word.partition("=")
    if word.startswith("--"):
        name = f"--{OTHER_NAME[flag]}" if flag in OTHER_NAME else name
    else:
        name, equals, value = "", "", word
    value = OTHER_VALUE.get(flag, {}).get(value, value)
    return f"{name}{equals}{value}"
