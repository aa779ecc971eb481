"""Weights per latent dimension."""
