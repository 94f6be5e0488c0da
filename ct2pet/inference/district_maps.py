"""The district maps of ct2pet_predict: from files, or from a segmenter where files are missing."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ct2pet.dataset import Field, Fields, read_dataset_json
from ct2pet.dataset.fields import CT
from ct2pet.dataset.predictions import DISTRICT_MAPS
from ct2pet.districts import (
    DEFAULT_SEGMENTER,
    Segmenter,
    SegmenterIdentity,
    check_districts,
    make_segmenter,
    segment_ct,
)
from ct2pet.districts.maps import make_map
from ct2pet.districts.merging import merge_of
from ct2pet.districts.records import OWN, MapRecord, finished, is_own, record_of
from ct2pet.districts.segmenters.files import FilesSegmenter
from ct2pet.districts.whole_body import whole_body_map
from ct2pet.errors import Ct2PetError, DatasetError
from ct2pet.imageio import read_volume, strip_suffix
from ct2pet.inference.input_files import Case, beside
from ct2pet.inference.options import PredictionOptions
from ct2pet.planning.plans import Plans
from ct2pet.volume import Volume


@dataclass(frozen=True)
class DistrictMaps:
    """The district map of each case: from ``files`` where it exists, otherwise made from the input ``image`` by the
    ``segmenter`` and written next to the prediction. ``records`` collects the segmenters' quality checks."""

    districts: dict[str, int]
    files: FilesSegmenter | None
    segmenter: Segmenter | None
    image: Field
    keep: bool
    records: dict[str, MapRecord] = field(default_factory=dict)

    def of(self, case: Case, inputs: Mapping[str, Volume]) -> Volume:
        """The labels. Raises a Ct2PetError with the reason where there are none."""
        ct = inputs[self.image.name]
        source, name = self._source(case.name), case.name
        path = made_map(case)
        if source is self.segmenter and is_own(path):  # edited by hand
            source, name = FilesSegmenter(path.parent), case.name_beside
        if source is not self.segmenter:
            found = segment_ct(source, name, ct, self.districts)
            if found.confidence or found.warnings:
                self.records[case.name] = record_of(found, source.identity(name), self.districts)
            return found.district_map
        record = finished(path, source.identity(case.name), self.districts) if self.keep else None
        if record is not None:
            labels = read_volume(path, "label")
        else:
            labels, record = make_map(source, case.name, ct, path, self.districts)
        self.records[case.name] = record
        return labels

    def identities(self, cases: Sequence[Case]) -> list[SegmenterIdentity]:
        """The sources of the cases' maps, each once."""
        found: list[SegmenterIdentity] = []
        for case in cases:
            with contextlib.suppress(Ct2PetError):  # reported when this case is predicted
                identity = self._source(case.name).identity(case.name)
                if identity not in found:
                    found.append(identity)
        return found

    def _source(self, case: str) -> Segmenter:
        if self.segmenter is None or (self.files is not None and self.files.has(case)):
            assert self.files is not None
            return self.files
        return self.segmenter


@dataclass(frozen=True)
class BodyMaps:
    """For plans without districts: the body of each case, found in the input ``body_mask``; without it all voxels of
    the first input."""

    fields: Fields
    body_mask: str | None
    records: dict[str, MapRecord] = field(default_factory=dict)

    def of(self, case: Case, inputs: Mapping[str, Volume]) -> Volume:
        """The body as label 1. Raises DatasetError where no body is found."""
        body = None if self.body_mask is None else self.fields[self.body_mask]
        return whole_body_map(inputs[(body or self.fields.inputs[0]).name], body)

    def identities(self, cases: Sequence[Case]) -> list[SegmenterIdentity]:
        """Empty: no segmenter makes these."""
        return []


def made_map(case: Case) -> Path:
    """The path of the map made for the prediction of a case."""
    ending = case.output.name.removeprefix(strip_suffix(case.output))
    return case.output.parent / DISTRICT_MAPS / (case.name_beside + ending)


def choose_maps(
    source: Path, cases: Sequence[Case], plans: Plans, options: PredictionOptions
) -> DistrictMaps | BodyMaps:
    """The maps in the folder ``options.districts``; of ``options.segmenter``; or else those in districtsTs next to
    imagesTs, and for cases without a map there those of the training's segmenter, or of rules where the training's maps
    were made by hand. For plans without districts the body of each case.

    Warns in one line where the maps have another source than those of the training. Raises Ct2PetErrors where the
    segmenter cannot be used or does not have the districts.
    """
    districts, segmenter = options.districts, options.segmenter
    if not plans.districts:
        if districts is not None or segmenter is not None:
            raise Ct2PetError("--districts, --segmenter: the plans have no districts; run without these options")
        return BodyMaps(plans.all_fields, plans.body_mask)
    if districts is not None and segmenter not in (None, OWN.name):
        raise Ct2PetError(f"use either --districts or --segmenter {segmenter}, not both")
    files = _files(source, plans.districts, options)
    made_by = None
    if districts is None and segmenter != OWN.name and not _has_all(files, cases):
        made_by = _segmenter(plans, options, needed=not _has_any(files, cases))
    elif options.weights is not None:
        raise Ct2PetError("--weights is not used: every case has a district map; run without it")
    maps = DistrictMaps(plans.districts, files, made_by, _segmented_image(plans), options.continue_prediction)
    _warn_of_another(maps.identities(cases), plans.segmenters)
    return maps


def _segmenter(plans: Plans, options: PredictionOptions, needed: bool) -> Segmenter | None:
    """The segmenter of missing maps; None, after a warning, where it cannot be used and is not ``needed``."""
    try:
        name = options.segmenter or segmenter_of_training(plans)
        merge = merge_of(plans.segmenters, name)
        made_by = make_segmenter(name, device=options.device, weights=options.weights, merge=merge)
        check_districts(made_by, plans.districts)
    except Ct2PetError as error:
        if needed:
            raise
        print(f"warning: images without a district map cannot be segmented: {error}", file=sys.stderr)
        return None
    return made_by


def _segmented_image(plans: Plans) -> Field:
    """The input of segmenters: the first CT, or the first input."""
    inputs = plans.all_fields.inputs
    return next((one for one in inputs if one.kind == CT), inputs[0])


def _files(source: Path, districts: Mapping[str, int], options: PredictionOptions) -> FilesSegmenter | None:
    if options.districts is not None:
        return FilesSegmenter(options.districts)
    if options.segmenter == OWN.name:
        return FilesSegmenter(beside(source, "districts"))
    if options.segmenter is not None:
        return None
    try:
        folder = beside(source, "districts")
        others = _districts_of(folder.parent)
        if others and others != districts:  # the same label means another district there
            print(
                f"{folder}: not used; maps of other districts ({', '.join(others)}) than the model's", file=sys.stderr
            )
            return None
        return FilesSegmenter(folder)
    except DatasetError:
        return None


def _districts_of(raw: Path) -> Mapping[str, int]:
    """The districts of a raw dataset; none where the folder is no dataset."""
    try:
        return read_dataset_json(raw).districts
    except DatasetError:
        return {}


def _has_all(files: FilesSegmenter | None, cases: Sequence[Case]) -> bool:
    return files is not None and all(files.has(case.name) for case in cases)


def _has_any(files: FilesSegmenter | None, cases: Sequence[Case]) -> bool:
    return files is not None and any(files.has(case.name) for case in cases)


def segmenter_of_training(plans: Plans) -> str:
    """The segmenter of the training's district maps; the default segmenter where they were made by hand."""
    names = [identity.name for identity in plans.segmenters if identity.name != OWN.name]
    return names[0] if names else DEFAULT_SEGMENTER


def _warn_of_another(used: Sequence[SegmenterIdentity], trained: Sequence[SegmenterIdentity]) -> None:
    others = [identity for identity in used if identity not in trained]
    if trained and others:
        names, theirs = ([_called(one) for one in group] for group in (others, trained))
        settings = " with other settings" if names == theirs else ""
        print(
            f"warning: the district maps come from {', '.join(names)}{settings}, those of the training from "
            f"{', '.join(theirs)}; the predictions differ where district borders differ",
            file=sys.stderr,
        )


def _called(identity: SegmenterIdentity) -> str:
    return "files without a record" if identity == OWN else str(identity)
