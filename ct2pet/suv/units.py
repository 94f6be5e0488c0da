"""The units of a PET slice's values, and whether they can be converted to SUV."""

from __future__ import annotations

from collections.abc import Iterator

from ct2pet.errors import ImageError
from ct2pet.suv.header import Frame, name

_USABLE = ("BQML", "GML", "CNTS")
_ORDER = ("GML", "BQML")


def units(frame: Frame) -> str:
    """BQML, GML (SUV by body weight) or CNTS. Raises ImageError for anything else.

    Classic objects have it in Units; enhanced ones in the code of a real world value mapping, where SUV by body weight
    is preferred to Bq/ml.
    """
    classic = frame.get("Units")
    if classic is None:
        found = [unit for unit, _, _ in _mappings(frame)]
        usable = [unit for unit in _ORDER if unit in found]
        if not usable:
            raise ImageError(
                f"{name('Units')} is missing, and no real world value mapping is in Bq/ml or SUVbw; "
                "export the PET in BQML"
            )
        return usable[0]
    if classic not in _USABLE:
        raise ImageError(f"{name('Units')} is not BQML, GML or CNTS: no conversion to SUV; export the PET in BQML")
    kind = frame.get("SUVType")
    if classic == "GML" and kind not in (None, "BW"):
        raise ImageError(f"{name('SUVType')} is not BW: these are not SUV by body weight")
    return str(classic)


def real_world_factor(frame: Frame, unit: str) -> float:
    """The factor from rescaled values to the ``unit`` of ``units``: 1 except for enhanced objects, whose mapping starts
    from the stored values and may have another slope."""
    if frame.get("Units") is not None:
        return 1.0
    slope, intercept = next((s, i) for kind, s, i in _mappings(frame) if kind == unit)
    rescale = frame.number("RescaleSlope") or 1.0
    factor = slope / rescale
    if abs(intercept - (frame.number("RescaleIntercept") or 0.0) * factor) > 1e-6 * abs(slope):
        raise ImageError("the intercepts of the real world value mapping and of the rescaling contradict each other")
    return factor


def _mappings(frame: Frame) -> Iterator[tuple[str, float, float]]:
    """The linear mappings of a slice: unit, slope, intercept."""
    for dataset in frame.get("RealWorldValueMappingSequence") or []:
        mapping = Frame(dataset)
        code, slope = mapping.item("MeasurementUnitsCodeSequence"), mapping.number("RealWorldValueSlope")
        text = str(code.get("CodeValue") or "") if code is not None else ""
        unit = {"Bq/ml": "BQML", "g/ml": "GML"}.get(text, "GML" if "SUVbw" in text else "")
        if unit and slope is not None:
            yield unit, slope, mapping.number("RealWorldValueIntercept") or 0.0


def corrections(frame: Frame) -> tuple[str, ...]:
    """Notes on the corrections. Raises ImageError for a series without attenuation correction."""
    listed = frame.get("CorrectedImage")
    corrected = frame.get("AttenuationCorrected")
    if corrected == "NO" or (listed is not None and "ATTN" not in texts(listed)):
        where = name("CorrectedImage" if corrected is None else "AttenuationCorrected")
        raise ImageError(f"not corrected for attenuation ({where}): no conversion to SUV")
    if corrected is None and listed is None:
        return (f"{name('CorrectedImage')} is missing: attenuation correction is unknown",)
    return ()


def texts(value: object) -> list[str]:
    """The parts of a text of one or several values."""
    return [value] if isinstance(value, str) else [str(part) for part in value]  # type: ignore[attr-defined]
