"""How well a latent space ranks, decodes and knows what it knows, measured on lesions that it has not seen."""
