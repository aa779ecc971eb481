"""Writes phantoms as a folder in the form of HAM10000's download, so that the same loader takes them.

=============================  =========================================================================
``phantoms_images_part_1/``    JPEG, 600 x 450; at most `PER_FOLDER` in a folder, further ones in part 2 ...
``phantoms_metadata.csv``      HAM10000's eight columns
``factors.csv``                the truth: every factor of every picture
``collection.toml``            says that these are phantoms, how many and of which seed
=============================  =========================================================================
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path

from casekin import __version__
from casekin.atomic_files import stream_durably, write_durably
from casekin.errors import BadInput
from casekin.phantoms.draw import draw
from casekin.phantoms.factors import SCALES
from casekin.phantoms.population import Phantom, make_up

PER_FOLDER = 5000
SOURCE = "phantom"
COLUMNS = ("lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization", "dataset")


def write_phantoms(folder: Path, *, count: int, seed: int) -> Iterator[int]:
    """Draw `count` pictures into `folder`; yields how many are there.

    The same request again draws nothing, an interrupted one goes on. Raises `BadInput` where the folder holds something
    else.
    """
    description = _description(count, seed)
    marker = folder / "collection.toml"
    if marker.exists():
        _same(marker, description)
    elif folder.is_dir() and any(folder.iterdir()):
        raise BadInput(f"{folder} is not empty and holds no phantoms; name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    write_durably(marker, description.encode())
    phantoms = list(make_up(count, seed))
    for number, phantom in enumerate(phantoms):
        file = folder / f"phantoms_images_part_{number // PER_FOLDER + 1}" / f"{phantom.image_id}.jpg"
        if not file.exists():
            _write_picture(file, phantom)
        yield number + 1
    _write_table(folder / "factors.csv", ("image_id", *SCALES), [(p.image_id, *astuple(p.factors)) for p in phantoms])
    _write_table(folder / "phantoms_metadata.csv", COLUMNS, [_metadata(p) for p in phantoms])


def _metadata(p: Phantom) -> tuple[str, ...]:
    return p.lesion_id, p.image_id, p.diagnosis, p.evidence, p.age, p.sex, p.site, SOURCE


def _description(count: int, seed: int) -> str:
    return f"""\
# Synthetic lesions: nobody's skin.
base = "ham10000"
title = "Phantoms (synthetic)"
licence = "CC0 1.0"
citation = "Drawn by: casekin phantoms --count {count} --seed {seed} (casekin {__version__})"
metadata = "phantoms_metadata.csv"

[labels.source]
{SOURCE} = "Phantom"
"""


def _same(marker: Path, description: str) -> None:
    if marker.read_text(encoding="utf-8") != description:
        raise BadInput(
            f"{marker.parent} holds another collection, or phantoms of another count, seed or version; "
            "name another folder"
        )


def _write_picture(file: Path, phantom: Phantom) -> None:
    picture = draw(phantom.factors, lesion_seed=phantom.lesion_seed, view_seed=phantom.view_seed)
    file.parent.mkdir(exist_ok=True)
    stream_durably(file, lambda stream: picture.save(stream, "JPEG", quality=92))


def _write_table(file: Path, header: tuple[str, ...], lines: list[tuple[object, ...]] | list[tuple[str, ...]]) -> None:
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(header)
    writer.writerows(lines)
    write_durably(file, table.getvalue().encode())
