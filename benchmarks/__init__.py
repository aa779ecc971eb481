"""Figures of the whole, measured on real parts: ``make bench NAME=...`` runs ``python -m benchmarks.NAME``."""
