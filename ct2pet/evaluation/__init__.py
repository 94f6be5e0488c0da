"""Evaluation: errors of predictions and of trivial baselines."""

from ct2pet.evaluation.case import evaluate_case, evaluate_case_and_baselines
from ct2pet.evaluation.evaluator import evaluate_predictions
from ct2pet.evaluation.headline import plain_answer
from ct2pet.evaluation.references import Reference, References
from ct2pet.evaluation.summary_file import read_summary, write_summary
from ct2pet.evaluation.text_table import short_table, table

__all__ = [
    "Reference",
    "References",
    "evaluate_case",
    "evaluate_case_and_baselines",
    "evaluate_predictions",
    "plain_answer",
    "read_summary",
    "short_table",
    "table",
    "write_summary",
]
