"""Turns decoded pixels of any mode into 8-bit RGB."""

import io

import numpy as np
from PIL import Image, ImageChops, ImageCms

_MAX_PROFILE = 4 << 20
"""Bytes; larger ICC profiles are ignored."""


def to_rgb(image: Image.Image) -> Image.Image:
    """A decoded image as plain RGB in sRGB, on white where it is transparent, with no metadata."""
    if image.mode.startswith("I"):
        image = _from_16_bit(image)
    if image.mode == "CMYK" and "adobe" not in image.info:
        image = _keep_info(ImageChops.invert(image), image)  # Pillow inverts as Adobe's files need; others are plain
    image = _to_srgb(image)
    if image.has_transparency_data:
        image = _on_white(image)
    plain = image.convert("RGB")
    plain.info.clear()
    return plain


def _from_16_bit(image: Image.Image) -> Image.Image:
    # Pillow's own conversion clips at 255; the high byte is what it keeps of 16-bit RGB.
    return Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8))


def _on_white(image: Image.Image) -> Image.Image:
    rgba = image.convert("RGBA")
    white = Image.new("RGB", rgba.size, "white")
    white.paste(rgba, mask=rgba.getchannel("A"))
    return white


def _to_srgb(image: Image.Image) -> Image.Image:
    """Through the embedded ICC profile where there is one that is not sRGB already and can be read."""
    data = image.info.get("icc_profile")
    if not data or len(data) > _MAX_PROFILE or image.mode not in ("RGB", "CMYK"):
        return image
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        if "sRGB" in (profile.profile.profile_description or ""):
            return image
        return ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB") or image
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return image  # a profile that cannot be read, or is for another mode, says nothing about the colours


def _keep_info(changed: Image.Image, source: Image.Image) -> Image.Image:
    changed.info = dict(source.info)
    return changed
