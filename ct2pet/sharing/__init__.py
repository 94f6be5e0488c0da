"""Trained models as one file: a zip archive with checksums, without cases, paths and identifiers."""

from ct2pet.sharing.archive import FileFacts, Manifest, facts_of, is_package, unpack, unpacked, write_package
from ct2pet.sharing.card import ModelFacts, TrainingFacts, ValidationFacts, model_card
from ct2pet.sharing.contents import shared_checkpoint, shared_dataset_json, shared_plans, shared_provenance

__all__ = [
    "FileFacts",
    "Manifest",
    "ModelFacts",
    "TrainingFacts",
    "ValidationFacts",
    "facts_of",
    "is_package",
    "model_card",
    "shared_checkpoint",
    "shared_dataset_json",
    "shared_plans",
    "shared_provenance",
    "unpack",
    "unpacked",
    "write_package",
]
