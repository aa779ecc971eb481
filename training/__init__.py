"""Training of the variational auto-encoders, their evaluation, and the export of the bundle.

Tensor shapes in docstrings: B batch, H and W of an image in pixels, D dimensions of the latent, C classes, N cases.
Tensors are float32 unless said otherwise.
"""
