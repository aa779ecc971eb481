"""Removal of deleted cases from everything that the projector stores."""
