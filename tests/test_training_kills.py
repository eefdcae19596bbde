"""A run that is killed at any moment, and started again, ends as if nothing had happened."""

from pathlib import Path

import pytest

from tests.kills import series
from tests.test_training_head import colourful


@pytest.mark.slow
def test_thirty_kills_at_random_moments_change_no_bit_of_the_losses_or_the_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_RESNET_CACHE", str(tmp_path / "cache"))
    pictures = colourful(tmp_path / "pictures", {"blue": 24, "green": 30, "red": 27})
    flags = ("--train_dir", str(pictures), "--dataloader_num_workers", "0")
    tally = series(30, tmp_path, flags)
    assert tally.kills >= 30
    assert tally.equal == tally.runs
