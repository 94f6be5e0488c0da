"""Whether a region of a structure set or a segmentation is a lesion: by codes, by the type of an ROI, or by its name.

Codes are those of PS3.16: the category (CID 7150 and 9580) and the type (CID 7159 and 9534) of a segment. Types of ROIs
are the defined terms of RT ROI Interpreted Type (3006,00A4), PS3.3 C.8.8.8. A region without codes and type is a lesion
unless its name is that of another structure, by the nomenclature of radiotherapy (Mayo CS et al. (2018), American
Association of Physicists in Medicine Task Group 263, doi 10.1016/j.ijrobp.2017.12.013).
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

_LESION_CATEGORIES = (codes.cid7150.MorphologicallyAbnormalStructure,)
_OTHER_CATEGORIES = (
    *(codes.cid7150.AnatomicalStructure, Code("123037004", "SCT", "Anatomical Structure"), codes.cid7150.Tissue),
    *(codes.cid7150.BodySubstance, codes.cid7150.PhysicalObject, codes.cid7150.Substance),
    *(codes.cid7150.SpatialAndRelationalConcept, codes.cid9580.ExternalBodyModel, codes.cid9580.RTGeometricInformation),
    *(
        codes.cid9580.FixationOrPositioningDevice,
        codes.cid9580.BrachytherapyDevice,
        codes.cid9580.RadiotherapyDoseRegion,
    ),
    *(codes.cid9580.RadiotherapyFiducial, codes.cid9580.RTTarget, codes.cid9503.RTDoseCalculationStructure),
)
_LESION_TYPES = (
    *(codes.cid7159.Neoplasm, codes.cid7159.NeoplasmPrimary, codes.cid7159.NeoplasmSecondary, codes.cid7159.Mass),
    *(codes.cid7159.Lesion, codes.cid7159.Nodule, codes.cid7159.EnhancingLesion, codes.cid7159.NonEnhancingLesion),
    *(codes.cid9534.GTV, codes.cid9534.GTVPrimary, codes.cid9534.GTVNodal),
    *(Code("C168968", "NCIt", "FDG-Avid Tumor"), Code("1240414004", "SCT", "Malignant neoplasm")),
)
_NO_LESION_TYPES = (codes.cid7159.Background, codes.cid7159.Normal)
_UNSPECIFIC = (  # what tools write for any segment
    *(codes.cid7150.Tissue, Code("113343008", "SCT", "Organ"), Code("385432009", "SCT", "Not applicable")),
)
_SNOMED = {"SNM3": "SRT", "99SDM": "SRT"}  # older names of SNOMED RT

_ROI_TYPES = {
    *("EXTERNAL", "PTV", "CTV", "TREATED_VOLUME", "IRRAD_VOLUME", "OAR", "BOLUS", "AVOIDANCE", "ORGAN", "MARKER"),
    *("REGISTRATION", "ISOCENTER", "CONTRAST_AGENT", "CAVITY", "BRACHY_CHANNEL", "BRACHY_ACCESSORY", "SUPPORT"),
    *("BRACHY_SRC_APP", "BRACHY_CHNL_SHLD", "FIXATION", "DOSE_REGION", "CONTROL", "DOSE_MEASUREMENT", "DEVICE"),
}
_UNTYPED = {"", "NONE", "UNDEFINED", "UNKNOWN", "UNSPECIFIED", "OTHER"}

_WITHOUT_TARGET = re.compile(r"(?:-|minus|without|except|excl\w*)[\s_]*(?:[gcpi]tv|tumou?r|lesion)", re.IGNORECASE)
_VOLUME = re.compile(r"(?<![a-z])i?(gtv|ctv|itv|ptv|prv)", re.IGNORECASE)  # GTVp, PTV60, iGTV
_WORD = re.compile(r"[A-ZÄÖÜ]?[a-zäöüß]+|[A-ZÄÖÜ]+(?![a-zäöüß])")


def _words(name: str) -> set[str]:
    """The words of a name in lower case: LungL, lung_l and LUNG-L are lung and l."""
    return {word.lower() for word in _WORD.findall(name)}


_LESION_WORDS = _words(
    "tumor tumors tumour tumours tumeur lesion lesions läsion mass masses met mets metastasis metastases metastase "
    "node nodes ln lymphoma nodule nodules cancer carcinoma sarcoma melanoma neoplasm malignancy"
)
_PLANNING_WORDS = _words("oar bolus isodose dose ring shell isocenter isocentre marker markers")
_OTHER_WORDS = _words(
    "body external skin outline patient couch table fixation support artifact artefact background reference fov head "
    "abdomen anus aorta appendix artery atrium bladder blood bone bones bowel brain brainstem breast breasts bronchus "
    "bronchi carotid cavity cerebellum cerebrum cervix chiasm chest clavicle cochlea colon cord cornea cortex "
    "diaphragm duodenum esophagus oesophagus eye eyes fat femur fibula gallbladder gland glnd glottis gut heart "
    "hippocampus hip humerus ileum intestine jejunum joint kidney kidneys lacrimal larynx lens liver lobe lung lungs "
    "mandible marrow mediastinum muscle muscles myocardium nerve optic orbit ovary ovaries pancreas parotid parotids "
    "pelvis penile pericardium pharynx pituitary prostate radius rectum retina rib ribs sacrum scapula seminal "
    "sigmoid skeleton skull spinal spine spleen sternum stomach submandibular testis testes thorax thymus thyroid "
    "tibia tongue tonsil trachea ulna ureter urethra urine uterus vagina vein ventricle vertebra vertebrae vessel "
    "vessels vulva"
)


@dataclass(frozen=True)
class Region:
    """An ROI or a segment: its ``number``, whether it is ``taken`` as a lesion, and ``why``, without texts of the
    object, which may contain patient names."""

    number: int
    taken: bool
    why: str


def fits(name: str, pattern: str | None) -> bool:
    """Whether a name fits a pattern with ``*`` and ``?``; independent of case; None matches all."""
    return pattern is None or fnmatch.fnmatchcase(name.strip().lower(), pattern.lower())


def roi(number: int, name: str, observation: Dataset, pattern: str | None) -> Region:
    """An ROI of a structure set, with its item of RT ROI Observations. ``pattern``: only ROIs with matching names are
    lesions, independent of their type."""
    if pattern is not None:
        return _by_pattern(number, name, pattern)
    kind = str(observation.get("RTROIInterpretedType", "") or "").strip().upper()
    if kind.startswith("GTV"):
        return Region(number, True, "of the type GTV")
    if kind not in _UNTYPED:
        known = f"of the type {kind}" if kind in _ROI_TYPES else "of a type that is not in the standard"
        return Region(number, bool(_words(kind) & _LESION_WORDS), known)
    categories = _codes(observation, "SegmentedPropertyCategoryCodeSequence", "TherapeuticRoleCategoryCodeSequence")
    types = _codes(
        observation,
        *("SegmentedPropertyTypeCodeSequence", "TherapeuticRoleTypeCodeSequence", "RTROIIdentificationCodeSequence"),
    )
    return _by_codes(number, categories, types) or _by_name(number, name, *(code.meaning for code in types))


def segment(item: Dataset, pattern: str | None) -> Region:
    """A segment of a segmentation, by its item of the Segment Sequence."""
    number, label = int(item.SegmentNumber), str(item.get("SegmentLabel", "") or "")
    if pattern is not None:
        return _by_pattern(number, label, pattern)
    categories = _codes(item, "SegmentedPropertyCategoryCodeSequence")
    types = _codes(item, "SegmentedPropertyTypeCodeSequence")
    names = (label, str(item.get("SegmentDescription", "") or ""), *(code.meaning for code in types))
    return _by_codes(number, categories, types) or _by_name(number, *names)


def _by_pattern(number: int, name: str, pattern: str) -> Region:
    fitting = fits(name, pattern)
    return Region(
        number, fitting, "its name matches --lesion_rois" if fitting else "its name does not match --lesion_rois"
    )


def _codes(dataset: Dataset, *keywords: str) -> list[Code]:
    found = []
    for keyword in keywords:
        for item in dataset.get(keyword) or []:
            value = str(item.get("CodeValue") or item.get("LongCodeValue") or "").strip()
            scheme = str(item.get("CodingSchemeDesignator") or "").strip()
            found.append(Code(value, _SNOMED.get(scheme, scheme), str(item.get("CodeMeaning") or "")))
    return found


def _by_codes(number: int, categories: Sequence[Code], types: Sequence[Code]) -> Region | None:
    """None where the codes do not decide."""
    if _any(types, _NO_LESION_TYPES):
        return Region(number, False, "coded as background or normal")
    if _any(types, _LESION_TYPES):
        return Region(number, True, "coded as a lesion")
    if _any(categories, _LESION_CATEGORIES):
        return Region(number, True, "coded as Morphologically Abnormal Structure")
    anatomy = [code for code in types if code.scheme_designator == "FMA" or _any([code], _anatomy())]
    vague = _any(categories, _UNSPECIFIC) and (not types or _any(types, _UNSPECIFIC))
    if anatomy or (_any(categories, _OTHER_CATEGORIES) and not vague):
        return Region(number, False, "coded as anatomy, tissue or another structure than a lesion")
    return None


def _any(found: Iterable[Code], known: Iterable[Code]) -> bool:
    known = tuple(known)
    return any(code == other for code in found for other in known)


@cache
def _anatomy() -> tuple[Code, ...]:
    """Structures of the body that segmentations are coded with."""
    names = ("cid7152", "cid7153", "cid7155", "cid7160", "cid9514")
    return tuple(getattr(group, name) for group in (getattr(codes, cid) for cid in names) for name in group.dir())


def _by_name(number: int, *names: str) -> Region:
    name = " ".join(names)
    words = _words(name)
    other = bool(words & _OTHER_WORDS)
    if other and _WITHOUT_TARGET.search(name):
        return Region(number, False, "named as an organ without its target")
    volumes = {volume.lower() for volume in _VOLUME.findall(name)}
    if volumes == {"gtv"}:
        return Region(number, True, "untyped, named GTV")
    if volumes or words & _PLANNING_WORDS:
        return Region(number, False, "untyped, named as a planning structure")
    if words & _LESION_WORDS:
        return Region(number, True, "untyped, named as a lesion")
    if other:
        return Region(number, False, "untyped, named as an organ or the body")
    return Region(number, True, "untyped, and its name is of no other structure")
