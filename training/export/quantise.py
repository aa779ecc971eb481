"""An int8 copy of the encoder's graph: a quarter less time on processors with the instructions for it."""

import re
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

Pixels = npt.NDArray[np.uint8]

CALIBRATION_IMAGES = 256
"""About so many images of all diagnoses estimate the ranges of activations."""
FIRST_BLOCK = 10
"""Of the backbone's sixteen, from which on its convolutions are int8; in earlier ones int8 costs retrieval too much
(decision 16)."""
AT_ONCE = 16
"""Images of which all activations are in memory, at 80 MB each."""


class _Images(CalibrationDataReader):  # type: ignore[misc]
    """Feeds images uint8 [N,H,W,3] to the graph whose ranges are to be found."""

    def __init__(self, pixels: Pixels) -> None:
        self._pixels = pixels
        self.set_range(0, len(pixels))

    def __len__(self) -> int:
        return len(self._pixels)

    def set_range(self, start_index: int, end_index: int) -> None:
        """Feed these next."""
        # One by one: the search for percentiles wants arrays of one shape.
        self._batches = _fed(self._pixels[start_index:end_index], 1)

    def get_next(self) -> dict[str, npt.NDArray[np.float32]] | None:
        """Return the next batch by the name of the graph's input, or None after the last."""
        return next(self._batches, None)


def quantise(graph: Path, target: Path, pixels: Pixels) -> None:
    """Write `graph` to `target`, the late convolutions of its backbone with int8 weights and activations.

    Ranges of activations come from images uint8 [N,H,W,3], all of them: the 99.99th percentile, so that one odd pixel
    does not cost all others their precision; weights have a scale for each channel (Jacob 2018, section 2;
    Krishnamoorthi 2018, 3.1).
    """
    prepared = target.with_suffix(".prepared.onnx")
    stride = min(AT_ONCE, len(pixels))
    # ONNX Runtime prints its progress, where a command's answer belongs.
    with redirect_stdout(sys.stderr):
        quant_pre_process(str(graph), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(target),
            _Images(pixels[: len(pixels) // stride * stride]),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.Percentile,
            nodes_to_quantize=[node.name for node in onnx.load(prepared).graph.node if _is_late(node)],
            extra_options={"CalibStridedMinMax": stride},  # of percentiles too, for all its name
        )
    prepared.unlink()


def _is_late(node: onnx.NodeProto) -> bool:
    place = re.search(r"/backbone/(?:blocks\.(\d+)|(head))/", node.name)
    return node.op_type == "Conv" and place is not None and (place[2] is not None or int(place[1]) >= FIRST_BLOCK)


def embed(graph: Path, pixels: Pixels) -> npt.NDArray[np.float32]:
    """Return the raw means [N,D] that an encoder's graph gives of images uint8 [N,H,W,3]."""
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return np.concatenate([np.asarray(session.run(["mean"], given)[0]) for given in _fed(pixels, AT_ONCE)])


def _fed(pixels: Pixels, batch: int) -> Iterator[dict[str, npt.NDArray[np.float32]]]:
    for start in range(0, len(pixels), batch):
        images = pixels[start : start + batch].transpose(0, 3, 1, 2)
        yield {"image": np.ascontiguousarray(images, np.float32) / np.float32(255)}
