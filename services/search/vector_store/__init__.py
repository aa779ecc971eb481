"""The vector index behind one port, with an embedded and a server engine."""
