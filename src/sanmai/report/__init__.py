"""The offline HTML report of a run folder, and its headline numbers."""

from sanmai.report.html import write_report
from sanmai.report.summary import summarise

__all__ = ["summarise", "write_report"]
