"""Districts by rules of anatomy, from the CT alone."""

from ct2pet.districts.segmenters.rules.segmenter import RulesSegmenter

SEGMENTER = RulesSegmenter
__all__ = ["SEGMENTER", "RulesSegmenter"]
