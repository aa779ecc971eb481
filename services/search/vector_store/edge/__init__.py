"""The embedded engine: Qdrant's engine in this process, on a folder."""
