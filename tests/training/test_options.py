from dataclasses import replace

import pytest

from ct2pet.api.training import train
from ct2pet.errors import TrainingError
from ct2pet.training import TrainingOptions


def test_the_best_epoch_cannot_be_validated_without_checkpoints():
    with pytest.raises(TrainingError, match=r"--val_best .* --disable_checkpointing"):
        TrainingOptions(validate_best=True, checkpointing=False)
    with pytest.raises(TrainingError, match=r"--val_best .* --disable_checkpointing"):
        replace(TrainingOptions(validate_best=True), checkpointing=False)
    with pytest.raises(TrainingError, match=r"--val_best .* --disable_checkpointing"):
        train("001", "pix2pix", "all", TrainingOptions(checkpointing=False), validate_best=True)
