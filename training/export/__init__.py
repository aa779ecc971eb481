"""Write a bundle: ONNX graphs, manifest and model card."""
