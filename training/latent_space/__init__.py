"""Axes, weights, calibration and names of a trained latent space."""
