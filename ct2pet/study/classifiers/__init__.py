"""Classifiers of slices: plug-ins, one file each, or an entry point of the group ``ct2pet.study.classifiers``."""

from __future__ import annotations

from ct2pet.errors import PluginError
from ct2pet.plugins import load_plugin, plugin_names
from ct2pet.study.classifiers.base import Classifier


def classifier_names() -> list[str]:
    """The sorted names of the classifiers."""
    return plugin_names(__name__)


def load_classifier(name: str) -> Classifier:
    """The classifier called ``name``. Raises PluginError that lists the valid names, or names another type."""
    classifier = load_plugin(__name__, name, "CLASSIFIER")
    if not isinstance(classifier, Classifier):
        raise PluginError(f"the plug-in {name!r} is no ct2pet.study.classifiers.base.Classifier, but {classifier!r}")
    return classifier
