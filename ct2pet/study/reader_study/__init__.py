"""Reader studies: can readers distinguish synthetic from real images? An offline page collects their answers; these
are scored."""

from ct2pet.study.reader_study.page import ReaderStudyOptions, make_reader_study
from ct2pet.study.reader_study.score import ReaderScore, score_answers, text

__all__ = ["ReaderScore", "ReaderStudyOptions", "make_reader_study", "score_answers", "text"]
