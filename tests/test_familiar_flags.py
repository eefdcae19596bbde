"""A command line written for the transformers image-classification examples works with finetune."""

import shlex

from hf_resnet.cli import parse
from hf_resnet.commands.familiar import OTHER_NAME, WITHOUT_MEANING, translated

THEIRS = shlex.split("""--model_name_or_path google/vit-base-patch16-224-in21k --dataset_name beans
--output_dir ./beans_outputs/ --remove_unused_columns False --label_column_name labels --do_train
--do_eval --learning_rate 2e-5 --num_train_epochs 5 --per_device_train_batch_size 8
--per_device_eval_batch_size 8 --logging_strategy steps --logging_steps 10 --eval_strategy epoch
--save_strategy epoch --load_best_model_at_end True --save_total_limit 3 --seed 1337
--ignore_mismatched_sizes --max_steps 100 --warmup_steps=7 --optim adamw_torch --fp16
--gradient_accumulation_steps 2 --weight_decay 0.1 --lr_scheduler_type linear --bf16=True
--push_to_hub --push_to_hub_model_id me/beans""")


def test_a_command_of_the_examples_parses_and_keeps_its_meaning():
    words, _ = translated(THEIRS)
    config = parse("finetune", words)
    assert config.model.model_name_or_path == "google/vit-base-patch16-224-in21k"
    assert config.data.label_column_name == "labels"
    assert config.seed == 1337
    train = config.train
    assert (train.learning_rate, train.num_train_epochs) == (2e-5, 5)
    assert (train.max_train_steps, train.num_warmup_steps) == (100, 7)
    assert (train.optim, train.lr_scheduler_type, train.weight_decay) == ("adamw", "linear", 0.1)
    assert (train.per_device_train_batch_size, train.gradient_accumulation_steps) == (8, 2)
    assert config.compute.per_device_eval_batch_size == 8
    assert (config.hub.push_to_hub, config.hub.hub_model_id) == (True, "me/beans")


def test_each_flag_that_is_changed_or_passed_over_gets_one_line():
    _, notes = translated(THEIRS)
    told = [note.split()[0].removeprefix("--") for note in notes]
    assert sorted(told) == sorted(
        {word[2:].partition("=")[0] for word in THEIRS if word.startswith("--")}
        & {*WITHOUT_MEANING, *OTHER_NAME}
    )
    assert all("\n" not in note for note in notes)


def test_flags_of_our_own_stay_as_they_are():
    words = ["--train_dir", "a=b", "--optim", "sgd", "--mixup=0.2", "--no-random-flip"]
    assert translated(words) == (words, [])


def test_no_flag_of_ours_is_passed_over():
    from hf_resnet.cli import COMMANDS
    from hf_resnet.commands.flags import flags_of

    assert not set(flags_of(COMMANDS["finetune"])) & {*WITHOUT_MEANING, *OTHER_NAME}


def config_of(line: str):
    words, notes = translated(shlex.split(f"--model_name_or_path m --output_dir o {line}"))
    return parse("finetune", words), notes


def test_every_flag_that_people_give_the_examples_trainer_is_taken():
    config, notes = config_of(
        "--do_train --adam_beta1 0.9 --adam_beta2=0.99 --warmup_ratio 0.1 --run_name x --local_rank 0 "
        "--ddp_backend gloo --hub_strategy every_save --use_auth_token True --token secret "
        "--image_processor_name p --config_name c --eval_accumulation_steps 4 --save_only_model "
        "--gradient_checkpointing_kwargs '{\"use_reentrant\": false}' --log_level info "
        "--metric_for_best_model eval_loss --report_to none --deepspeed ds.json --seed 3"
    )
    assert (config.seed, config.train.metric_for_best_model) == (3, "log_loss")
    assert len(notes) == 17
    assert not any("secret" in note for note in notes)


def test_a_rate_of_the_examples_goes_with_their_optimiser_and_a_rate_of_ours_with_ours():
    theirs, notes = config_of("--do_train --learning-rate 2e-5")
    assert theirs.train.optim == "adamw"
    assert any("AdamW" in note for note in notes)
    for line in ("--learning_rate 0.01", "--do_train", "--do_train --learning_rate=1 --optim sgd"):
        assert config_of(line)[0].train.optim == "sgd"
