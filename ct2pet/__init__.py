"""ct2pet: self-configuring synthesis of whole-body FDG-PET from CT, trained on paired CT and PET.

Every command is a function of this package: ``from ct2pet import plan_and_preprocess, train, predict, evaluate``. They
are loaded at first use, so that ``import ct2pet`` is fast; ``dir(ct2pet)`` lists them with their options.
"""

from __future__ import annotations

import functools
import importlib
import types
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from ct2pet.api.augmentation_study import measure_synthetic_images as measure_synthetic_images
    from ct2pet.api.augmentation_study import study_augmentation as study_augmentation
    from ct2pet.api.best_configuration import BestConfiguration as BestConfiguration
    from ct2pet.api.best_configuration import BestConfigurationOptions as BestConfigurationOptions
    from ct2pet.api.best_configuration import find_best_configuration as find_best_configuration
    from ct2pet.api.comparison import compare_results as compare
    from ct2pet.api.cross_validation import CrossValidationOptions as CrossValidationOptions
    from ct2pet.api.cross_validation import accumulate_crossval_results as accumulate_crossval_results
    from ct2pet.api.datasets import ConversionOptions as ConversionOptions
    from ct2pet.api.datasets import convert_dicom as convert_dicom
    from ct2pet.api.datasets import register as register
    from ct2pet.api.datasets import split as split
    from ct2pet.api.demo import run_demo as demo
    from ct2pet.api.evaluation import EvaluationOptions as EvaluationOptions
    from ct2pet.api.evaluation import evaluate as evaluate
    from ct2pet.api.evaluation import evaluate_folders as evaluate_folders
    from ct2pet.api.explanation import explain as explain
    from ct2pet.api.model_sharing import ExportOptions as ExportOptions
    from ct2pet.api.model_sharing import export_model as export_model
    from ct2pet.api.model_sharing import install_model as install_model
    from ct2pet.api.organ_segmentation import segment_organs as segment_organs
    from ct2pet.api.planning import PlanAndPreprocessOptions as PlanAndPreprocessOptions
    from ct2pet.api.planning import PlanningOptions as PlanningOptions
    from ct2pet.api.planning import extract_fingerprint as extract_fingerprint
    from ct2pet.api.planning import plan as plan_experiment
    from ct2pet.api.planning import plan_and_preprocess as plan_and_preprocess
    from ct2pet.api.planning import verify as verify_dataset
    from ct2pet.api.plans import move_plans_between_datasets as move_plans_between_datasets
    from ct2pet.api.prediction import predict as predict
    from ct2pet.api.predictor import Predictor as Predictor
    from ct2pet.api.preprocessing import PreprocessingOptions as PreprocessingOptions
    from ct2pet.api.preprocessing import preprocess as preprocess
    from ct2pet.api.reporting import ReportOptions as ReportOptions
    from ct2pet.api.reporting import report as write_report
    from ct2pet.api.segmentation import SegmentationOptions as SegmentationOptions
    from ct2pet.api.segmentation import segment_districts as segment_districts
    from ct2pet.api.synthesis import synthesize as synthesize
    from ct2pet.api.training import train as train
    from ct2pet.api.training import train_seeds as train_seeds
    from ct2pet.errors import CasesFailed as CasesFailed
    from ct2pet.errors import Ct2PetError as Ct2PetError
    from ct2pet.inference.options import PredictionOptions as PredictionOptions
    from ct2pet.study.reader_study import ReaderStudyOptions as ReaderStudyOptions
    from ct2pet.study.reader_study import make_reader_study as make_reader_study
    from ct2pet.study.reader_study import score_answers as score_reader_study
    from ct2pet.study.study import StudyOptions as StudyOptions
    from ct2pet.training.options import TrainingOptions as TrainingOptions

_PLACES = {  # by module of ct2pet: the names there, as NAME_THERE:NAME_HERE where they differ
    "api.augmentation_study": "measure_synthetic_images study_augmentation",
    "api.best_configuration": "BestConfiguration BestConfigurationOptions find_best_configuration",
    "api.comparison": "compare_results:compare",
    "api.cross_validation": "CrossValidationOptions accumulate_crossval_results",
    "api.datasets": "ConversionOptions convert_dicom register split",
    "api.demo": "run_demo:demo",
    "api.evaluation": "EvaluationOptions evaluate evaluate_folders",
    "api.explanation": "explain",
    "api.model_sharing": "ExportOptions export_model install_model",
    "api.planning": (
        "PlanAndPreprocessOptions PlanningOptions extract_fingerprint plan:plan_experiment plan_and_preprocess "
        "verify:verify_dataset"
    ),
    "api.plans": "move_plans_between_datasets",
    "api.prediction": "predict",
    "api.predictor": "Predictor",
    "api.preprocessing": "PreprocessingOptions preprocess",
    "api.reporting": "ReportOptions report:write_report",
    "api.organ_segmentation": "segment_organs",
    "api.segmentation": "SegmentationOptions segment_districts",
    "api.synthesis": "synthesize",
    "api.training": "train train_seeds",
    "errors": "CasesFailed Ct2PetError",
    "inference.options": "PredictionOptions",
    "study.reader_study": "ReaderStudyOptions make_reader_study score_answers:score_reader_study",
    "study.study": "StudyOptions",
    "training.options": "TrainingOptions",
}
_ATTRIBUTES = {  # by name here: the module, and the name there
    name.rpartition(":")[2]: (f"ct2pet.{module}", name.partition(":")[0])
    for module, names in _PLACES.items()
    for name in names.split()
}
__all__ = [
    "BestConfiguration",
    "BestConfigurationOptions",
    "CasesFailed",
    "ConversionOptions",
    "CrossValidationOptions",
    "Ct2PetError",
    "EvaluationOptions",
    "ExportOptions",
    "PlanAndPreprocessOptions",
    "PlanningOptions",
    "PredictionOptions",
    "Predictor",
    "PreprocessingOptions",
    "ReaderStudyOptions",
    "ReportOptions",
    "SegmentationOptions",
    "StudyOptions",
    "TrainingOptions",
    "__version__",
    "accumulate_crossval_results",
    "compare",
    "convert_dicom",
    "demo",
    "evaluate",
    "evaluate_folders",
    "explain",
    "export_model",
    "extract_fingerprint",
    "find_best_configuration",
    "install_model",
    "make_reader_study",
    "measure_synthetic_images",
    "move_plans_between_datasets",
    "plan_and_preprocess",
    "plan_experiment",
    "predict",
    "preprocess",
    "register",
    "score_reader_study",
    "segment_districts",
    "segment_organs",
    "split",
    "study_augmentation",
    "synthesize",
    "train",
    "train_seeds",
    "verify_dataset",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _ATTRIBUTES:
        raise AttributeError(f"module 'ct2pet' has no attribute {name!r}")
    module, there = _ATTRIBUTES[name]
    found = getattr(importlib.import_module(module), there)
    if isinstance(found, types.FunctionType):
        found = _called_by_main_process(found)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _called_by_main_process(function: Any) -> Any:
    """The function, with a check that ends processes of a script without a main guard: see
    parallel.end_if_unguarded."""
    from ct2pet.parallel import end_if_unguarded

    @functools.wraps(function)
    def checked(*arguments: Any, **options: Any) -> Any:
        end_if_unguarded()
        return function(*arguments, **options)

    return checked
