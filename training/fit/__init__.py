"""Train the guided VAE: fit, average, fine-tune."""
