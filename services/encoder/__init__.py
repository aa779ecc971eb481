"""Encoder: image -> latent, latent -> image. Stateless; scale by copies."""
