"""Small exports in the form of public archives, with drawn pictures."""

import csv
import io
from pathlib import Path

import numpy as np
from PIL import Image

from tests.pictures import lesion, saved

ISIC_HEADER = (
    "isic_id", "attribution", "copyright_license", "age_approx", "anatom_site_general", "diagnosis_1", "diagnosis_2",
    "diagnosis_3", "diagnosis_4", "diagnosis_confirm_type", "image_type", "lesion_id", "patient_id", "sex",
)  # fmt: skip
NIH_HEADER = (
    "Image Index", "Finding Labels", "Follow-up #", "Patient ID", "Patient Age", "Patient Gender", "View Position",
    "OriginalImage[Width", "Height]", "OriginalImagePixelSpacing[x", "y]", "",
)  # fmt: skip
"""As the table really reads: brackets around commas, and a comma at the end."""
KINDS = {
    "Nevus": ("Benign", "Benign melanocytic proliferations", (150, 100, 70)),
    "Melanoma Invasive": ("Malignant", "Malignant melanocytic proliferations (Melanoma)", (60, 40, 40)),
    "Basal cell carcinoma": ("Malignant", "Malignant adnexal epithelial proliferations - Follicular", (220, 150, 150)),
}
FINDINGS = ("No Finding", "Effusion", "Cardiomegaly|Effusion", "Hernia|Infiltration", "Infiltration")


def isic_rows(lesions: int, images_each: int = 2) -> list[tuple[str, ...]]:
    """Lines of metadata.csv: lesions of all kinds in turn, two of them a patient."""
    rows = []
    for number in range(lesions):
        kind = list(KINDS)[number % len(KINDS)]
        levels = (*KINDS[kind][:2], kind, "")
        known = ("histopathology", "dermoscopic", f"IL_{number:07d}", f"IP_{number // 2:07d}", "female")
        for copy in range(images_each):
            about = (f"ISIC_{number:05d}{copy:02d}", "Drawn for tests", "CC-0", "45", "posterior torso")
            rows.append((*about, *levels, *known))
    return rows


def write_isic(folder: Path, lesions: int) -> Path:
    """Write an export of so many lesions with two images each."""
    rows = isic_rows(lesions)
    folder.mkdir(exist_ok=True)
    write_csv(folder / "metadata.csv", ISIC_HEADER, rows)
    for number, row in enumerate(rows):
        (folder / f"{row[0]}.jpg").write_bytes(tinted(KINDS[row[7]][2], number))
    return folder


def nih_rows(patients: int, images_each: int = 2) -> list[tuple[str, ...]]:
    """Lines of Data_Entry_2017.csv: the findings in turn, all images of a patient alike."""
    rows = []
    for patient in range(1, patients + 1):
        known = (str(patient), "058Y", "F" if patient % 2 else "M", "PA", "80", "80", "0.143", "0.143", "")
        for visit in range(images_each):
            rows.append((f"{patient:08d}_{visit:03d}.png", FINDINGS[patient % len(FINDINGS)], str(visit), *known))
    return rows


def write_nih(folder: Path, patients: int) -> Path:
    """Write an export of so many patients, grey images spread over two folders."""
    rows = nih_rows(patients)
    folder.mkdir(exist_ok=True)
    write_csv(folder / "Data_Entry_2017.csv", NIH_HEADER, rows)
    for number, row in enumerate(rows):
        inside = folder / f"images_{number % 2 + 1:03d}" / "images"
        inside.mkdir(parents=True, exist_ok=True)
        (inside / row[0]).write_bytes(_chest(row[1], number))
    return folder


def write_csv(file: Path, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Write a table; a line ends as its values do, with an empty one that is a comma."""
    with file.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header, *rows])


def tinted(colour: tuple[int, int, int], seed: int) -> bytes:
    """A lesion of 80 x 60 pixels in this colour, with place, light and noise of its own; JPEG."""
    random = np.random.default_rng(seed)
    pixels = np.asarray(lesion(80, 60)).astype(float) * 0.5 + np.array(colour) * 0.5
    pixels = np.roll(pixels, random.integers(-15, 15, 2), (0, 1)) * random.uniform(0.6, 1.1)
    noise = random.normal(0, 5, pixels.shape)
    return saved(Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8)), "JPEG", quality=95)


def _chest(findings: str, seed: int) -> bytes:
    """Two dark lungs on grey, brighter below with an effusion; 8-bit grey PNG."""
    y, x = np.mgrid[0:80, 0:80] / 80
    lungs = np.exp(-(((x - 0.3) / 0.13) ** 2) - ((y - 0.5) / 0.3) ** 2)
    lungs += np.exp(-(((x - 0.7) / 0.13) ** 2) - ((y - 0.5) / 0.3) ** 2)
    pixels = 190 - 150 * lungs + (60 * (y > 0.6) if "Effusion" in findings else 0)
    noise = np.random.default_rng(seed).normal(0, 4, pixels.shape)
    stream = io.BytesIO()
    Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()
