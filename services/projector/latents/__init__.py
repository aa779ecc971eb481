"""Latents of the collection and nearest neighbours among them."""
