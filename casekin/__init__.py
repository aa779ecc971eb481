"""Casekin: finds the dermatoscopic cases that look like the one on the screen, and shows why."""

__version__ = "0.1.0"
