"""Retrieval, reconstruction and calibration of a latent space, measured on held-out lesions."""
