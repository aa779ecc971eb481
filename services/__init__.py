"""The services: each a FastAPI application with the same rooms; none imports another."""
