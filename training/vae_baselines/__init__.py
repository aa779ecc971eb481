"""Plain VAEs to compare with, and their disentanglement."""
