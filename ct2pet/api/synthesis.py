"""Images without an input image: the command ct2pet_synthesize as a function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ct2pet.api.device import choose_device
from ct2pet.errors import Ct2PetError
from ct2pet.files import check_writable
from ct2pet.inference.record import provenance
from ct2pet.inference.synthesis import SynthesisRequest, check_output, parse_classes, write_samples
from ct2pet.inference.trained_models import choose, find_trained, load_trained
from ct2pet.layout import CHECKPOINT_FINAL
from ct2pet.models.base import Synthesis
from ct2pet.paths import results_folder
from ct2pet.planning.configuration import Configuration
from ct2pet.provenance import device_name, this_run


def synthesize(
    target: str | Path,
    *,
    labels: Sequence[str] = (),
    count: int = 1,
    seed: int = 12345,
    dataset: str | None = None,
    model: str | None = None,
    plans_name: str | None = None,
    fold: str | None = None,
    checkpoint: str = CHECKPOINT_FINAL,
    device: str | None = None,
) -> list[Path]:
    """Sample ``count`` images with the classes ``labels`` (CLASS or CONDITION=CLASS) into the folder ``target``;
    returns the images' files.

    ``dataset``, ``model``, ``plans_name``, ``fold`` choose the trained model; they are optional where there is only
    one. The same seed gives the same images. Raises Ct2PetError where the model needs input images, a class is unknown,
    or the folder contains other files.
    """
    loaded = load_generator(dataset, model, plans_name, fold, checkpoint)
    request = SynthesisRequest(parse_classes(list(labels), loaded.model.fields), count, seed)
    target = Path(target)
    check_output(target)
    check_writable(target)
    chosen = choose_device(device)
    record = {**loaded.record, "runs": [this_run(device=device_name(chosen))]}
    return write_samples(target, loaded.model.to(chosen), loaded.configuration, request, record)


@dataclass(frozen=True)
class Generator:
    """A trained model that synthesizes images of a class, on the CPU, with its provenance (``record``)."""

    model: Synthesis
    configuration: Configuration
    record: dict[str, Any]


def load_generator(
    dataset: str | None = None,
    model: str | None = None,
    plans_name: str | None = None,
    fold: str | None = None,
    checkpoint: str = CHECKPOINT_FINAL,
) -> Generator:
    """The one trained generator that matches, see ``synthesize``. Raises Ct2PetError where none or several match."""
    trained = choose(find_trained(results_folder(), checkpoint), dataset, model, plans_name)
    folds = None if fold is None else [fold]
    loaded = load_trained(trained, None, folds)
    district = loaded.districts[0]
    sampler = district.models[0]
    if not isinstance(sampler, Synthesis):
        raise Ct2PetError(f"{trained.model} predicts from input images; use ct2pet_predict")
    if len(district.models) > 1:
        raise Ct2PetError(f"{trained}: trained on several folds; choose one (-f)")
    return Generator(sampler, district.configuration, provenance(trained, loaded, folds, {}))
