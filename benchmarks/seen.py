"""Whether what ranks is seen in decoded images: read back by networks that had no part in drawing them.

Lesions of fold 0. 256 latents take their ranking dimensions from a lesion of another diagnosis; each ranking dimension
moves between its 5 % and its 95 % quantile on lesions of all diagnoses. A judge reads real images and decoded ones: the
encoder of another bundle, and EfficientNet-Lite2 as ImageNet left it, both with linear maps fitted to real lesions of
folds 1 to 4. Nothing is degraded before it is read. Refuses a bundle that was trained on fold 0, and a judge with the
encoder that is measured. QUICK=1: fewer lesions.
``python -m benchmarks.seen [DATA] [BUNDLE] [JUDGE] [--sheet DIR]``; a sheet has real images and belongs outside of the
project.
"""

import argparse
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.places import BUNDLE, DATA, HAM10000, PROOF
from benchmarks.report import is_quick, report
from benchmarks.seen_cases import Lesions, Plan, chosen_lesions
from benchmarks.seen_sheet import write_sheet
from casekin.bundle import read_manifest
from casekin.contracts.bundle import BundleManifest
from casekin.errors import BadInput
from training.data.attribute_images import read_attribute_images
from training.evaluation import seen
from training.evaluation.baselines import FROZEN_INPUT
from training.evaluation.judges import BundleJudge, Lite2Judge, Reader, pooled_features, share_of_move
from training.evaluation.systems import BundleSystem, learned_from, refuse_trained_on
from training.fit.fit import FURTHER, default_cache
from training.latent_space.attributes import attribute_aucs
from training.losses.objective import downscale
from training.losses.terms import structural_similarity
from training.models.backbone import Backbone, load_imagenet

Floats = npt.NDArray[np.floating]

QUERY_FOLDS = (0,)
RANKING = 0.1
"""Least clinical weight, of a mean of 1, of a dimension that ranks: those below hold less than a hundredth together."""
ENDS = ("0.05", "0.95")
BATCH = 8
FULL = Plan(swaps=256, moved=48, plain=256, real=512, fitted_each=400, attributes=None)
QUICK = Plan(swaps=24, moved=4, plain=24, real=48, fitted_each=12, attributes=400)


@dataclass(frozen=True)
class Measured:
    """A bundle, and which of its dimensions rank."""

    system: BundleSystem
    manifest: BundleManifest
    ranking: npt.NDArray[np.int64]
    """S indices."""
    shares: Floats
    """[S], of the clinical distance among them; sums to 1."""

    def decode(self, latents: Floats) -> Floats:
        """Return images [N,3,h,w]."""
        parts = [self.system.reconstruct(latents[i : i + BATCH]) for i in range(0, len(latents), BATCH)]
        return np.concatenate(parts)

    def read(self, images: Floats) -> Floats:
        """Return what the bundle's own encoder reads of images [N,3,h,w]: ranking coordinates [N,S]."""
        size = self.system.input.height, self.system.input.width
        scaled = downscale(torch.from_numpy(images), *size)
        pixels = (scaled * 255).round().clamp(0, 255).permute(0, 2, 3, 1).to(torch.uint8).numpy()
        return np.asarray(self.system.embed(pixels)[:, self.ranking])


@dataclass(frozen=True)
class Swaps:
    """Latents with the ranking dimensions of a lesion of another diagnosis."""

    start: Lesions
    """N, as they are."""
    goal: Lesions
    """N, whose ranking dimensions they take."""
    own: Floats
    """[N,3,h,w], the start decoded."""
    swapped: Floats
    """[N,3,h,w]"""


def main(data: Path, bundle: Path, judge: Path, sheet: Path | None) -> None:
    """Measure and report."""
    manifest = read_manifest(bundle)
    refuse_trained_on(manifest, QUERY_FOLDS)
    refuse_teacher(manifest, read_manifest(judge))
    torch.set_num_threads(1)
    plan = QUICK if is_quick() else FULL
    measured = measured_bundle(bundle)
    lesions = chosen_lesions(data, measured.system, plan, QUERY_FOLDS)
    fitted = lesions.fitted
    readers = {
        name: Reader(network, fitted.images, fitted.latents[:, measured.ranking], fitted.labels)
        for name, network in (("judge", BundleJudge(judge)), ("other", Lite2Judge()))
    }
    swaps = swapped(measured, lesions.start, lesions.goal)
    figures, details = read_back(measured, swaps, readers)
    moves, more = single_moves(measured, lesions.moved, readers["judge"], lesions.plain)
    drawn, most = likeness(measured, lesions.plain, lesions.real)
    aucs = attributes(measured.system, plan)
    figures |= moves | drawn | {"attribute_auc_mean": float(np.mean(list(aucs.values())))}
    figures |= {f"attribute_auc_{name}": value for name, value in aucs.items()}
    about: dict[str, float | str] = {"bundle": manifest.version, "swaps": plan.swaps, "lesions moved": plan.moved}
    about |= {f"{name} is": reader.name for name, reader in readers.items()}
    if sheet is not None:
        write_sheet(sheet, measured.decode, lesions.moved, swaps.goal, manifest, measured.ranking)
    report("seen", figures, about | details | more | most, quick=is_quick())


def refuse_teacher(measured: BundleManifest, judge: BundleManifest) -> None:
    """Raise `BadInput` where the judge has the encoder that taught the measured bundle's generator."""
    if measured.files["encoder.onnx"].sha256 == judge.files["encoder.onnx"].sha256:
        raise BadInput(
            f"the judge {judge.version} has the encoder of {measured.version}, which taught its generator: "
            "name a bundle that was trained apart"
        )


def measured_bundle(bundle: Path) -> Measured:
    """Open a bundle and find the dimensions that rank."""
    weights = np.array(read_manifest(bundle).clinical_weights)
    ranking = np.flatnonzero(weights >= RANKING)
    return Measured(BundleSystem(bundle), read_manifest(bundle), ranking, weights[ranking] / weights[ranking].sum())


def swapped(measured: Measured, start: Lesions, goal: Lesions) -> Swaps:
    """Decode the start's latents as they are, and with the ranking dimensions of the goal."""
    latents = start.latents.copy()
    latents[:, measured.ranking] = goal.latents[:, measured.ranking]
    return Swaps(start, goal, measured.decode(start.latents), measured.decode(latents))


def read_back(
    measured: Measured, swaps: Swaps, readers: dict[str, Reader]
) -> tuple[dict[str, float], dict[str, float | str]]:
    """Return how much of the swaps is read from decoded images, by what is read from real ones."""
    start, goal, shares = swaps.start, swaps.goal, measured.shares
    wanted = (goal.latents - start.latents)[:, measured.ranking]
    own = share_of_move(measured.read(swaps.swapped), measured.read(swaps.own), wanted, shares)
    figures: dict[str, float] = {"read_back_own": own}
    details: dict[str, float | str] = {}
    for name, reader in readers.items():
        before, after = reader.read(swaps.own), reader.read(swaps.swapped)
        real_before, real_after = reader.read(start.images), reader.read(goal.images)
        decoded = share_of_move(after.ranking, before.ranking, wanted, shares)
        real = share_of_move(real_after.ranking, real_before.ranking, wanted, shares)
        flips = float((after.diagnosis == goal.labels).mean())
        real_flips = float((real_after.diagnosis == goal.labels).mean())
        suffix = "" if name == "judge" else "_other"
        figures[f"read_back_share{suffix}"] = decoded / real
        figures[f"flip_share{suffix}"] = flips / real_flips
        details |= {
            f"{name}: read back from decoded": decoded,
            f"{name}: from real": real,
            f"{name}: swaps judged as wanted": flips,
            f"{name}: real images judged right": real_flips,
            f"{name}: decoded before the swap judged as wanted": float((before.diagnosis == goal.labels).mean()),
        }
    details["read_back_share_other"] = figures.pop("read_back_share_other")
    details["mean change of swaps, of 255"] = float(np.abs(swaps.swapped - swaps.own).mean() * 255)
    return figures, details


def single_moves(
    measured: Measured, lesions: Lesions, reader: Reader, plain: Lesions
) -> tuple[dict[str, float], dict[str, float | str]]:
    """Return what a move of each ranking dimension shows, and moves besides; means by shares of the distance.

    A judge's map shrinks what it cannot tell. Its movements are divided by the slope with which it reads each dimension
    from real images, so that they compare.
    """
    slope = _slopes(reader.read(plain.images).ranking, plain.latents[:, measured.ranking])
    rows: dict[str, list[float]] = {"visible_levels": [], "leak": [], "stamp": [], "leak_own": [], "moved_own": []}
    details: dict[str, float | str] = {}
    for place, index in enumerate(measured.ranking):
        ends = [lesions.latents.copy() for _ in ENDS]
        span = [measured.manifest.dimensions[index].quantiles[end] for end in ENDS]
        for latents, value in zip(ends, span, strict=True):
            latents[:, index] = value
        low, high = (measured.decode(latents) for latents in ends)
        inside = lesions.masks(low.shape[2:])
        movement = (reader.read(high).ranking - reader.read(low).ranking) / slope
        by_own = measured.read(high) - measured.read(low)
        found = {
            "visible_levels": seen.visible_levels(high - low, inside),
            "leak": seen.leak(movement, place, measured.shares),
            "stamp": seen.stamp(high - low, inside),
            "leak_own": seen.leak(by_own, place, measured.shares),
            "moved_own": float(by_own[:, place].mean() / (span[1] - span[0])),
        }
        for name, value in found.items():
            rows[name].append(value)
        name = f"{index + 1} {measured.manifest.dimensions[index].name}"
        details[name] = " ".join(f"{figure} {value:.3g}" for figure, value in found.items())
    means = {name: float(np.average(values, weights=measured.shares)) for name, values in rows.items()}
    details |= {"leak, read by the bundle itself": means.pop("leak_own")}
    details |= {"move read by the bundle itself": means.pop("moved_own")}
    return means, details


def likeness(measured: Measured, plain: Lesions, real: Lesions) -> tuple[dict[str, float], dict[str, float | str]]:
    """Return how like real images decoded ones are, beside the decoder's own before the generator drew into them.

    That decoder is trained by the same recipe, for the same latents, as the one that shipped before there was a
    generator; it is in the same graph. `ssim` is at its size, as that of the earlier bundles is.
    """
    decoded = measured.decode(plain.latents)
    base = np.concatenate(
        [measured.system.without_generator(plain.latents[i : i + BATCH]) for i in range(0, len(plain.latents), BATCH)]
    )
    backbone = Backbone().eval()
    load_imagenet(backbone)
    size = (FROZEN_INPUT.height, FROZEN_INPUT.width)
    of_real = pooled_features(backbone, real.images, size)
    far, base_far = (
        seen.kernel_distance(pooled_features(backbone, images, size), of_real) for images in (decoded, base)
    )
    small, whole = base.shape[2:], decoded.shape[2:]
    figures = {"kid_ratio": far / base_far, "ssim": _ssim(decoded, plain.images, small)}
    details: dict[str, float | str] = {
        "kid": far,
        "kid of the decoder alone": base_far,
        "ssim of the decoder alone": _ssim(base, plain.images, small),
        f"ssim at {whole[0]} x {whole[1]}": _ssim(decoded, plain.images, whole),
        f"ssim at {whole[0]} x {whole[1]} of the decoder alone": _ssim(base, plain.images, whole),
    }
    return figures, details


def attributes(system: BundleSystem, plan: Plan) -> dict[str, float]:
    """Return the cross-validated AUC of each dermoscopic attribute in the latents of another clinic's images.

    Where the bundle was trained on further collections, only images of the folds that it was not trained on are scored.
    """
    images = read_attribute_images([DATA / "isic2018_task2"], system.input, default_cache() / "pixels")
    assert images is not None
    recipe, rows = system.provenance.recipe, slice(plan.attributes)
    trained = learned_from(system.provenance).weights if any(name.startswith(FURTHER) for name in recipe) else []
    held_out = ~np.isin(images.folds[rows], list(trained))
    labels = {name: values[rows] for name, values in zip(images.names, images.values.T, strict=True)}
    found = attribute_aucs(system.embed(images.pixels[rows]), labels, images.groups[rows], held_out)
    return {name.lower().replace(" ", "_").replace("-", "_"): value for name, value in found.items()}


def _slopes(read: Floats, true: Floats) -> Floats:
    centred = true - true.mean(0)
    return np.asarray(np.maximum((centred * read).sum(0) / (centred**2).sum(0), 0.1))


def _ssim(ours: Floats, theirs: Floats, size: tuple[int, ...]) -> float:
    pair = [_resized(torch.from_numpy(np.ascontiguousarray(images)), size) for images in (ours, theirs)]
    return float(structural_similarity(*pair).mean())


def _resized(images: torch.Tensor, size: tuple[int, ...]) -> torch.Tensor:
    return downscale(images.float(), size[0], size[1])


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.seen")
    for name, default in (("data", HAM10000), ("bundle", PROOF), ("judge", BUNDLE)):
        parser.add_argument(name, nargs="?", type=Path, default=default)
    parser.add_argument("--sheet", type=Path, help="folder for the sheet of rollouts and swaps, outside of the project")
    return parser.parse_args(given)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="# %(message)s")
    main(**vars(arguments()))
