"""Read uploaded images under limits."""
