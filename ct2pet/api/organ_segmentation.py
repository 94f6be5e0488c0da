"""Organ labels from CTs for a dataset without a CT: the command ct2pet_segment_organs as a function."""

from __future__ import annotations

from pathlib import Path

from ct2pet.dataset import RawDataset, open_dataset
from ct2pet.dataset.contents import place_problems
from ct2pet.dataset.description import update_dataset_json
from ct2pet.dataset.fields import LABELS, ORGANS, TARGET, Field
from ct2pet.dataset.raw import SPLITS
from ct2pet.districts.maps import MapTask, segment_cases
from ct2pet.districts.organ_segmenters import make_organ_segmenter
from ct2pet.errors import DatasetError, GeometryError
from ct2pet.files import check_writable
from ct2pet.imageio import read_grid
from ct2pet.inference.input_files import find_images
from ct2pet.parallel import default_processes
from ct2pet.phantom.paper_organs import PAPER_LABELS


def segment_organs(
    dataset: str,
    source: str | Path,
    *,
    segmenter: str,
    weights: str | Path | None = None,
    device: str | None = None,
    num_processes: int | None = None,
) -> list[Path]:
    """Segment the organs in the CTs of a folder and write the maps into a raw dataset; returns the maps' files.

    The CT of a case has the case's name (CASE.nii.gz or CASE_0000.nii.gz, or a folder of DICOM files). The organs are
    those of the dataset's only label target; without one the 18 organs of LDOS become the target ``organs``. Existing
    maps are kept: delete them to make them again. A record next to each map names the segmenter.

    Raises CasesFailed, naming them, for cases without a map, and other Ct2PetErrors before any work: a case without a
    CT, a CT that does not overlap the PET, an unknown organ, missing weights.
    """
    raw = open_dataset(dataset)
    target = _target(raw)
    made_by = make_organ_segmenter(segmenter, weights=weights, device=device)
    tasks = _tasks(raw, Path(source), target)
    for folder in sorted({task.district_map.parent for task in tasks}):
        check_writable(folder)
    work = [task for task in tasks if task.make]
    results = segment_cases(made_by, work, target.labels, num_processes=num_processes or default_processes())
    for case, record in sorted(results.values.items()):
        missing = ", ".join(organ for organ in target.labels if organ not in record.found)
        print(f"{case}: {len(record.found)} organs{missing and f', no {missing}'}")
    if results.values and target not in raw.fields.targets:
        _add_target(raw, target)
    results.raise_failures("could not be segmented", some_done=len(work) < len(tasks))
    return [task.district_map for task in tasks]


def _target(raw: RawDataset) -> Field:
    """The dataset's label target, or the one that is added."""
    maps = [one for one in raw.fields.targets if one.rules.is_labels]
    if len(maps) > 1:
        names = ", ".join(one.name for one in maps)
        raise DatasetError(f"{raw.folder}: several targets are label maps ({names}); keep one")
    if not maps and "targets" not in raw.description.content:
        raise DatasetError(
            f"{raw.folder}: dataset.json has the key 'target'; replace it by 'targets', which can hold a second one"
        )
    return maps[0] if maps else Field(ORGANS, TARGET, LABELS, "label", ORGANS, "", labels=dict(PAPER_LABELS))


def _add_target(raw: RawDataset, target: Field) -> None:
    added = {target.name: {"kind": target.kind, "folder": target.folder, "labels": dict(target.labels)}}
    update_dataset_json(raw.folder, targets={**raw.description.content["targets"], **added})
    print(f"{raw.folder}: target {target.name} added to dataset.json")


def _tasks(raw: RawDataset, source: Path, target: Field) -> list[MapTask]:
    """A task per case. Raises DatasetError for a case without a CT, GeometryError for a CT that does not overlap the
    PET."""
    found = {one.name: one.image for one in find_images(source, raw.folder)}
    tasks = []
    for split in SPLITS:
        for case in raw.cases(split):
            if case not in found:
                raise DatasetError(f"{source}: no CT of {case} (expected {case}{raw.file_ending})")
            _check_place(found[case], raw.path(raw.leading, case, split), raw.leading.name)
            labels = raw.path(target, case, split)
            tasks.append(MapTask(case, found[case], labels, make=not labels.exists()))
    if not tasks:
        raise DatasetError(f"{raw.folder}: no cases")
    return tasks


def _check_place(ct: Path, image: Path, name: str) -> None:
    if ct.is_file() and (problems := place_problems(read_grid(ct), read_grid(image), name)):
        raise GeometryError(f"{ct}: {problems[0]}")
