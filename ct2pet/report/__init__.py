"""The report: one HTML file with pictures, plots and tables, and figures for papers."""

from ct2pet.report.curves import LOG, read_log
from ct2pet.report.report import MAX_CASES, report_of_dataset, write_report
from ct2pet.report.study_page import write_images_page, write_study_page

__all__ = ["LOG", "MAX_CASES", "read_log", "report_of_dataset", "write_images_page", "write_report", "write_study_page"]
