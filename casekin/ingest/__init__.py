"""Bring a collection into Casekin: read, encode, store; resumable at any point."""

from casekin.ingest.outcome import Kind, Outcome, ReportFile, Summary
from casekin.ingest.pipeline import Ingest

__all__ = ["Ingest", "Kind", "Outcome", "ReportFile", "Summary"]
