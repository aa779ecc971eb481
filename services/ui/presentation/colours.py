"""Readable colours: contrast as WCAG 2 defines it."""

Channels = tuple[float, float, float]
MARK_CONTRAST = 3.0
"""Least contrast of a graphical mark with its background, WCAG 2.2 criterion 1.4.11."""


def contrast(one: str, other: str) -> float:
    """From 1 for equal luminance to 21 for black on white."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def ink_on(colour: str) -> str:
    """Black or white, whichever contrasts more with `colour`."""
    return max(("#ffffff", "#000000"), key=lambda ink: contrast(ink, colour))


def visible_on(colour: str, background: str, ratio: float = MARK_CONTRAST) -> str:
    """`colour`, mixed with as little black or white as gives a contrast of `ratio` with `background`."""
    target = _channels(ink_on(background))
    for tenth in range(11):
        share = tenth / 10
        mixed = _hex(*(own + (far - own) * share for own, far in zip(_channels(colour), target, strict=True)))
        if contrast(mixed, background) >= ratio:
            return mixed
    return ink_on(background)


def _channels(colour: str) -> Channels:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def _hex(*channels: float) -> str:
    return "#" + "".join(f"{round(channel * 255):02x}" for channel in channels)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(channel) for channel in _channels(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
