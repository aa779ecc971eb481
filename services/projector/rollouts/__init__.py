"""Images decoded along a line through the latent space."""
