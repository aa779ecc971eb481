"""Create, fill, write, delete, snapshot and switch indexes."""
