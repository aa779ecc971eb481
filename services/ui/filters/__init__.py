"""Filters with live counts."""
