"""An int8 copy of the encoder's graph: half the time on processors with the instructions for it."""

import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

Pixels = npt.NDArray[np.uint8]

CALIBRATION_IMAGES = 128
_BATCH = 16


class _Images(CalibrationDataReader):  # type: ignore[misc]
    """Feeds images uint8 [N,H,W,3] to the graph whose ranges are to be found."""

    def __init__(self, pixels: Pixels) -> None:
        # One by one: the search for percentiles wants arrays of one shape.
        self._batches = _fed(pixels, 1)

    def get_next(self) -> dict[str, npt.NDArray[np.float32]] | None:
        """Return the next batch by the name of the graph's input, or None after the last."""
        return next(self._batches, None)


def quantise(graph: Path, target: Path, pixels: Pixels) -> None:
    """Write `graph` with int8 weights and activations to `target`.

    Ranges of activations come from images uint8 [N,H,W,3]: the 99.99th percentile, so that one odd pixel does not cost
    all others their precision; weights have a scale for each channel (Jacob 2018, section 2; Krishnamoorthi 2018, 3.1).
    """
    prepared = target.with_suffix(".prepared.onnx")
    # ONNX Runtime prints its progress, where a command's answer belongs.
    with redirect_stdout(sys.stderr):
        quant_pre_process(str(graph), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(target),
            _Images(pixels[:CALIBRATION_IMAGES]),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.Percentile,
            op_types_to_quantize=["Conv"],
        )
    prepared.unlink()


def embed(graph: Path, pixels: Pixels) -> npt.NDArray[np.float32]:
    """Return the raw means [N,D] that an encoder's graph gives of images uint8 [N,H,W,3]."""
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return np.concatenate([np.asarray(session.run(["mean"], given)[0]) for given in _fed(pixels, _BATCH)])


def _fed(pixels: Pixels, batch: int) -> Iterator[dict[str, npt.NDArray[np.float32]]]:
    for start in range(0, len(pixels), batch):
        images = pixels[start : start + batch].transpose(0, 3, 1, 2)
        yield {"image": np.ascontiguousarray(images, np.float32) / np.float32(255)}
