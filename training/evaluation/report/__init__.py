"""The evaluation as pages to read."""
