"""The UMAP map: fit, versions, quality, and placing a query on it."""
