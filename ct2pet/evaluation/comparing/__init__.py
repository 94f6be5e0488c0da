"""Models side by side on the same cases: which is better, by how much, and how sure that is."""

from ct2pet.evaluation.comparing.comparison import METRICS, Comparison, Line, compare, compare_with_baselines
from ct2pet.evaluation.comparing.text import answer, text

__all__ = ["METRICS", "Comparison", "Line", "answer", "compare", "compare_with_baselines", "text"]
