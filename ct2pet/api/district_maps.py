"""Where ct2pet_predict takes the district maps from: files, or a segmenter where there are none."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ct2pet.api.segmentation import DEFAULT_SEGMENTER
from ct2pet.districts import Segmenter, SegmenterIdentity, check_districts, make_segmenter, segment_ct
from ct2pet.districts.maps import make_map
from ct2pet.districts.records import OWN, MapRecord, finished, is_own, record_of
from ct2pet.districts.segmenters.files import FilesSegmenter
from ct2pet.errors import Ct2PetError, DatasetError
from ct2pet.imageio import read_volume
from ct2pet.inference.input_files import Case, beside
from ct2pet.planning.plans import Plans
from ct2pet.volume import Volume

FOLDER = "districts"  # beside the predictions: the maps that were made for them


@dataclass(frozen=True)
class DistrictMaps:
    """The district map of each case: of ``files`` where they have it, otherwise made by the ``segmenter`` and written
    beside the prediction. ``records`` collects how sure the segmenters were."""

    districts: dict[str, int]
    files: FilesSegmenter | None
    segmenter: Segmenter | None
    keep: bool
    records: dict[str, MapRecord] = field(default_factory=dict)

    def of(self, case: Case, ct: Volume) -> Volume:
        """The labels (on the CT's grid). Raises a Ct2PetError that says why there are none."""
        source = self._source(case.name)
        path = made_map(case)
        if source is self.segmenter and is_own(path):  # corrected by hand since
            source = FilesSegmenter(path.parent)
        if source is not self.segmenter:
            found = segment_ct(source, case.name, ct, self.districts)
            if found.confidence or found.warnings:
                self.records[case.name] = record_of(found, source.identity(case.name), self.districts)
            return found.district_map
        record = finished(path, source.identity(case.name), self.districts) if self.keep else None
        if record is not None:
            labels = read_volume(path, "label")
        else:
            labels, record = make_map(source, case.name, ct, path, self.districts)
        self.records[case.name] = record
        return labels

    def identities(self, cases: Sequence[Case]) -> list[SegmenterIdentity]:
        """What makes the maps of the cases, each once."""
        found: list[SegmenterIdentity] = []
        for case in cases:
            with contextlib.suppress(Ct2PetError):  # it has none: said when its turn comes
                identity = self._source(case.name).identity(case.name)
                if identity not in found:
                    found.append(identity)
        return found

    def _source(self, case: str) -> Segmenter:
        if self.segmenter is None or (self.files is not None and self.files.has(case)):
            assert self.files is not None
            return self.files
        return self.segmenter


def made_map(case: Case) -> Path:
    """Where the map lies that is made for the prediction of a case."""
    return case.output.parent / FOLDER / case.output.name


def choose_maps(
    source: Path,
    cases: Sequence[Case],
    plans: Plans,
    *,
    districts: str | Path | None,
    segmenter: str | None,
    weights: str | Path | None,
    device: str | None,
    keep: bool,
) -> DistrictMaps:
    """The maps in the folder ``districts``; of the ``segmenter``; or else those in districtsTs beside imagesTs, and for
    cases without one there those of the segmenter of the training, or of rules where a person made the training's.

    Warns in one line where the maps are made by something else than the training's. Raises Ct2PetErrors where the
    segmenter cannot work or does not know the districts.
    """
    if districts is not None and segmenter not in (None, OWN.name):
        raise Ct2PetError(f"either --districts or --segmenter {segmenter}: the maps cannot come from both")
    files = _files(source, districts, segmenter)
    made_by = None
    if districts is None and segmenter != OWN.name and not _has_all(files, cases):
        try:
            made_by = make_segmenter(segmenter or _of_training(plans), device=device, weights=weights)
            check_districts(made_by, plans.districts)
        except Ct2PetError as error:
            if not _has_any(files, cases):
                raise
            print(f"warning: CTs without a district map cannot be segmented: {error}", file=sys.stderr)
            made_by = None
    elif weights is not None:
        raise Ct2PetError("--weights: no segmenter has work to do, every case has a district map")
    maps = DistrictMaps(plans.districts, files, made_by, keep)
    _warn_of_another(maps.identities(cases), plans.segmenters)
    return maps


def _files(source: Path, districts: str | Path | None, segmenter: str | None) -> FilesSegmenter | None:
    if districts is not None:
        return FilesSegmenter(districts)
    if segmenter == OWN.name:
        return FilesSegmenter(beside(source, "districts"))
    if segmenter is not None:
        return None
    try:
        return FilesSegmenter(beside(source, "districts"))
    except DatasetError:
        return None


def _has_all(files: FilesSegmenter | None, cases: Sequence[Case]) -> bool:
    return files is not None and all(files.has(case.name) for case in cases)


def _has_any(files: FilesSegmenter | None, cases: Sequence[Case]) -> bool:
    return files is not None and any(files.has(case.name) for case in cases)


def _of_training(plans: Plans) -> str:
    names = [identity.name for identity in plans.segmenters if identity.name != OWN.name]
    return names[0] if names else DEFAULT_SEGMENTER


def _warn_of_another(used: Sequence[SegmenterIdentity], trained: Sequence[SegmenterIdentity]) -> None:
    others = [identity for identity in used if identity not in trained]
    if trained and others:
        names, theirs = ([_called(one) for one in group] for group in (others, trained))
        settings = " with other settings" if names == theirs else ""
        print(
            f"warning: the district maps come from {', '.join(names)}{settings}, those of the training from "
            f"{', '.join(theirs)}; where the borders of the districts differ, so do the predictions",
            file=sys.stderr,
        )


def _called(identity: SegmenterIdentity) -> str:
    return "files without a record" if identity == OWN else str(identity)
