"""One HTML file with pictures and tables."""

from ct2pet.report.pictures import case_picture
from ct2pet.report.report import report_of_dataset, write_report

__all__ = ["case_picture", "report_of_dataset", "write_report"]
