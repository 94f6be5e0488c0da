"""Reader studies: can people tell synthetic images from real ones? An offline page asks, and its answers are scored."""

from ct2pet.study.reader_study.page import ReaderStudyOptions, make_reader_study
from ct2pet.study.reader_study.score import ReaderScore, score_answers, text

__all__ = ["ReaderScore", "ReaderStudyOptions", "make_reader_study", "score_answers", "text"]
