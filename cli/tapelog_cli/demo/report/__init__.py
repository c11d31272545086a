"""The demo's report: one HTML page that needs nothing else, for people."""

from tapelog_cli.demo.report.page import write_report

__all__ = ["write_report"]
