"""The vector index: one port, an embedded and a server engine."""
