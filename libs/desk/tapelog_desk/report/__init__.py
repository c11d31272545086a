"""Reports for people: one page that needs nothing else, and its JSON twin."""

from tapelog_desk.report.document import Section, report_json
from tapelog_desk.report.page import report_html, write_report

__all__ = ["Section", "report_html", "report_json", "write_report"]
