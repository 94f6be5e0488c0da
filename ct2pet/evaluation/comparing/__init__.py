"""Comparison of models on the same cases: differences, their sizes and their significance."""

from ct2pet.evaluation.comparing.comparison import METRICS, Comparison, Line, compare, compare_with_baselines
from ct2pet.evaluation.comparing.text import answer, text

__all__ = ["METRICS", "Comparison", "Line", "answer", "compare", "compare_with_baselines", "text"]
