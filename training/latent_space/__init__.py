"""What is learned about a trained latent space: axes, weights, calibration."""
