"""Images of the collection and its description."""
