"""Every choice of a training run, as frozen dataclasses."""
