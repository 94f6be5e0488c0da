"""Prediction, as the command ct2pet_predict does it."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

import ct2pet
from ct2pet.api.device import choose_device
from ct2pet.api.dicom_output import DicomOutput, dicom_folder, remove_series
from ct2pet.api.district_maps import DistrictMaps, choose_maps
from ct2pet.api.segmentation import show
from ct2pet.districts.maps import read_ct
from ct2pet.errors import CasesFailed, Ct2PetError, DatasetError
from ct2pet.evaluation.references import image_files
from ct2pet.files import check_writable, read_json, write_json
from ct2pet.imageio import read_grid, strip_suffix, write_volume
from ct2pet.inference.input_files import Case, find_cases, part
from ct2pet.inference.out_of_memory import reporting_out_of_memory
from ct2pet.inference.predictor import Predictor
from ct2pet.inference.stitching import output_grid
from ct2pet.inference.trained_models import FINAL, LoadedModel, TrainedModel, choose, find_trained, load_trained
from ct2pet.parallel import map_cases
from ct2pet.paths import results_folder
from ct2pet.planning.plans import WHOLE_BODY
from ct2pet.provenance import PREDICTION_FILE, added_run, device_name, this_run, without_path
from ct2pet.volume import Grid

GRIDS = ("pet", "ct")
_LESS_MEMORY = "end what else computes there, or predict with -device cpu"


def predict(
    source: str | Path,
    target: str | Path,
    *,
    dataset: str | None = None,
    model: str | None = None,
    plans_name: str | None = None,
    configurations: Sequence[str] | None = None,
    folds: Sequence[str] | None = None,
    checkpoint: str = FINAL,
    districts: str | Path | None = None,
    segmenter: str | None = None,
    weights: str | Path | None = None,
    device: str | None = None,
    step_size: float | None = None,
    mirror: bool = True,
    float32: bool = False,
    blend_mm: float | None = None,
    grid: str = "pet",
    like: str | Path | None = None,
    dicom: bool = False,
    continue_prediction: bool = False,
    num_parts: int = 1,
    part_id: int = 0,
) -> list[Path]:
    """Translate the CTs of a folder (files, folders of DICOM files), or one CT, into PETs in SUV; returns the
    predictions' files.

    ``dataset``, ``model``, ``plans_name``, ``configurations``, ``folds``, ``checkpoint`` choose what was trained; none
    is needed where there is one. ``districts``: folder of the district maps CASE; ``segmenter``, ``weights``: what
    makes them. Without both, districtsTs beside imagesTs serves, and CTs that have no map there are segmented as those
    of the training were; the maps that are made go to districts/ beside the predictions. ``grid``: "pet" (the plans'
    spacing over the CT's field of view) or "ct"; ``like``: an image whose grid to use instead, or a folder with one
    for each case. ``step_size``, ``mirror``, ``float32``, ``blend_mm``: see Predictor; ``num_parts``, ``part_id``:
    predict a share of the cases. With ``continue_prediction`` cases that are predicted already are left as they are.
    ``dicom``: write each PET of a DICOM CT as a DICOM series, too, into dicom/CASE beside the predictions. Writes what
    was used into prediction.json beside them.

    Raises CasesFailed, naming them, for cases that could not be predicted, and other Ct2PetErrors before any work.
    """
    if grid not in GRIDS:
        raise Ct2PetError(f"grid {grid!r}: it is one of {', '.join(GRIDS)}")
    source, target = Path(source), Path(target)
    all_cases = find_cases(source, target)
    output = DicomOutput(dicom)
    output.check(source, all_cases)
    cases = part(all_cases, num_parts, part_id)
    trained = choose(find_trained(results_folder(), checkpoint), dataset, model, plans_name)
    loaded = load_trained(trained, configurations, folds)
    maps = choose_maps(
        source,
        all_cases,
        loaded.plans,
        districts=districts,
        segmenter=segmenter,
        weights=weights,
        device=device,
        keep=continue_prediction,
    )
    blend_mm = loaded.plans.blend_mm if blend_mm is None else blend_mm
    predictor = Predictor(
        loaded.districts,
        blend_mm=blend_mm,
        device=choose_device(device),
        step_size=step_size,
        mirror=mirror,
        float32=float32,
    )
    options: dict[str, Any] = {
        "step_size": step_size,
        "mirror": mirror,
        "float32": float32,
        "blend_mm": blend_mm,
        "grid": "like" if like else grid,
    }
    options["segmenters"] = [asdict(identity) for identity in maps.identities(all_cases)]
    provenance = _provenance(trained, loaded, {**options, "folds": folds})
    check_writable(all_cases[0].output.parent)
    run = this_run(device=device_name(str(predictor.device)))
    if any(case.ct.is_dir() for case in all_cases):
        run = without_path(run, source)
    work = _unfinished(cases, provenance, run, target, continue_prediction, output)
    output = output.by(f"model {trained.model}, plans {trained.plans_name}")
    grids = _Grids(loaded, grid, None if like is None else Path(like))
    try:
        _predict_cases(work, _Road(predictor, maps, grids, output), len(cases) - len(work))
    finally:
        show(maps.records)
    return [case.output for case in cases]


@dataclass(frozen=True)
class _Grids:
    """Which grid a prediction gets."""

    loaded: LoadedModel
    kind: str
    like: Path | None

    def of(self, case: str, ct: Grid) -> Grid:
        if self.like is not None:
            return read_grid(self._like(self.like, case))
        return ct if self.kind == "ct" else output_grid(ct, self._spacing())

    def _spacing(self) -> Sequence[float]:
        chosen = {district.name: district.configuration for district in self.loaded.districts}
        everything = {**self.loaded.plans.configurations, **chosen}
        plan = everything.get(WHOLE_BODY)
        return plan.spacing if plan else min((c.spacing for c in chosen.values()), key=sum)

    @staticmethod
    def _like(like: Path, case: str) -> Path:
        if not like.is_dir():
            return like
        files = image_files(like)
        if case not in files:
            raise DatasetError(f"{like}: no image {case} whose grid to use")
        return files[case]


@dataclass(frozen=True)
class _Road:
    """From a CT file to a PET file."""

    predictor: Predictor
    maps: DistrictMaps
    grids: _Grids
    output: DicomOutput

    def go(self, case: Case, progress: Callable[[float], None]) -> None:
        if not case.output.exists():
            self._predict(case, progress)
        self.output.write(case)

    def _predict(self, case: Case, progress: Callable[[float], None]) -> None:
        ct = read_ct(case.ct)
        district_map = self.maps.of(case, ct)
        grid = self.grids.of(case.name, ct.grid)
        with reporting_out_of_memory(self.predictor.device, "prediction", _LESS_MEMORY):
            pet = self.predictor.predict(ct, district_map, grid, progress)
        write_volume(case.output, pet)


def _predict_cases(work: Sequence[Case], road: _Road, num_done: int) -> None:
    form = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"  # shares of cases are no nice numbers
    with tqdm(total=len(work), desc="Predicting", bar_format=form, disable=not work) as bar:

        def one(case: Case) -> None:
            bar.set_postfix_str(case.name)
            road.go(case, lambda share: bar.update(min(share, len(work) - bar.n)))  # rounded shares may exceed 1

        results = map_cases(one, {case.name: (case,) for case in work})
    if results.failures:
        done = num_done + len(results.values) > 0
        raise CasesFailed(
            results.failures, some_done=done, what="could not be predicted", tracebacks=results.tracebacks
        )


def _provenance(trained: TrainedModel, loaded: LoadedModel, options: dict[str, Any]) -> dict[str, Any]:
    """What the predictions were made with. Names no patient and no folder of this machine."""
    chosen = trained.checkpoints([district.name for district in loaded.districts], options.pop("folds"))
    digests = {
        name: {path.parent.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
        for name, paths in chosen.items()
    }
    return {
        "ct2pet_version": ct2pet.__version__,
        "unit": "SUVbw g/ml",
        "dataset_name": trained.dataset_name,
        "model": trained.model,
        "plans_name": trained.plans_name,
        "checkpoint": trained.checkpoint,
        "checkpoints_sha256": digests,
        **options,
        "trained": {
            name: {fold: _training_facts(origin) for fold, origin in folds.items()}
            for name, folds in loaded.origins.items()
        },
        "training_cases": _training_cases(loaded),
    }


def _training_facts(origin: dict[str, Any]) -> dict[str, Any]:
    """What a checkpoint says of its training, without the cases and the earlier runs."""
    facts = {name: origin.get(name) for name in ("plans", "dataset_fingerprint_sha256", "num_training_cases")}
    return {**facts, "run": (origin.get("runs") or [None])[-1]}


def _training_cases(loaded: LoadedModel) -> str | None:
    """The digests of all cases that any of the networks was trained with; None where one does not say."""
    found = [origin.get("training_cases") for folds in loaded.origins.values() for origin in folds.values()]
    known = [digests for digests in found if isinstance(digests, str)]
    return " ".join(sorted({*" ".join(known).split()})) if len(known) == len(found) else None


def _check_nothing_foreign(cases: list[Case], provenance: Path) -> None:
    for case in cases:
        for path in (case.output, dicom_folder(case)):
            if not path.exists():
                continue
            raise Ct2PetError(
                f"{path}: would be replaced, but is no prediction of ct2pet (no {provenance.name} beside it); "
                "choose another -o or remove it"
            )


def _unfinished(
    cases: list[Case],
    provenance: dict[str, Any],
    run: dict[str, Any],
    target: Path,
    go_on: bool,
    output: DicomOutput,
) -> list[Case]:
    """The cases to predict. Predictions of the past never stay among those of other models or settings."""
    runs: Any = None
    one_file = bool(cases) and cases[0].output == target
    path = target.with_name(f"{strip_suffix(target)}.json") if one_file else target / PREDICTION_FILE
    if go_on and path.exists():
        earlier = read_json(path)
        runs = earlier.pop("runs", None) if isinstance(earlier, dict) else None
        if earlier != provenance:
            raise Ct2PetError(
                f"{path}: predicted with another model or other settings; choose another folder, or leave out "
                "--continue_prediction to predict all cases anew"
            )
        cases = [case for case in cases if not (case.output.exists() and output.has(case))]
    elif not path.exists():
        _check_nothing_foreign(cases, path)
    kept = go_on and path.exists()
    for case in cases:
        if not (kept and case.output.exists()):  # a PET that is finished may only lack its DICOM series
            case.output.unlink(missing_ok=True)
            remove_series(case)
        for leftover in case.output.parent.glob(f".partial-????????-{glob.escape(case.output.name)}"):
            leftover.unlink()  # of a run that was killed; the other cases may be under way on another machine
    write_json(path, {**provenance, "runs": added_run(runs, run) if cases else runs})
    return cases
