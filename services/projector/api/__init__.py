"""HTTP routes of the projector."""
