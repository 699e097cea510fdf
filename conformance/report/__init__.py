"""Shows runs beside the truth, in one HTML file that opens from disk."""

from __future__ import annotations

from conformance.report.page import render_report, write_report

__all__ = ["render_report", "write_report"]
