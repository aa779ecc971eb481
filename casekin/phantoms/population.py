"""Who has which lesion: made-up lesions, patients and pictures, drawn from ``diagnoses.toml``."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from casekin.phantoms.factors import SCALES, Factors, Part, within_range
from casekin.phantoms.noise import Rng

T = TypeVar("T", str, int)
Spread = tuple[float, float]
"""Mean and standard deviation of a factor before it is cut to its range."""


class DiagnosisClass(BaseModel):
    """One made-up diagnosis as a distribution over factors and metadata."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str
    share: float = Field(gt=0, le=1, description="of the pictures")
    age: Spread
    female: float = Field(ge=0, le=1)
    pictures: dict[int, float] = Field(description="pictures of one lesion -> relative frequency")
    evidence: dict[str, float]
    sites: dict[str, float]
    factors: dict[str, Spread]


class Defaults(BaseModel):
    """What holds where a class says nothing."""

    factors: dict[str, Spread]


class Population(BaseModel):
    """``diagnoses.toml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    defaults: Defaults
    sites: dict[str, dict[str, Spread]]
    unknown: dict[str, float]
    classes: list[DiagnosisClass]


@dataclass(frozen=True)
class Phantom:
    """One picture to draw, with its metadata; unknown values are empty."""

    image_id: str
    lesion_id: str
    diagnosis: str
    evidence: str
    age: str
    sex: str
    site: str
    factors: Factors
    lesion_seed: int
    view_seed: int


@cache
def population() -> Population:
    """The shipped population."""
    return Population.model_validate(
        tomllib.loads((resources.files("casekin.phantoms") / "diagnoses.toml").read_text(encoding="utf-8"))
    )


def make_up(count: int, seed: int) -> Iterator[Phantom]:
    """`count` pictures of made-up lesions; deterministic, and a larger count begins with the smaller one's pictures."""
    people = population()
    rng = np.random.default_rng([seed, 0])
    made, lesion = 0, 0
    while made < count:
        lesion += 1
        kind = _lesion_class(people, rng)
        for phantom in _pictures(people, kind, f"{seed:04d}_{lesion:06d}", made, seed, rng):
            if made < count:
                yield phantom
            made += 1


def _lesion_class(people: Population, rng: Rng) -> DiagnosisClass:
    weights = [kind.share / _mean(kind.pictures) for kind in people.classes]
    return people.classes[int(rng.choice(len(weights), p=np.array(weights) / sum(weights)))]


def _pictures(people: Population, kind: DiagnosisClass, name: str, made: int, seed: int, rng: Rng) -> Iterator[Phantom]:
    site = _pick(kind.sites, rng)
    spreads = people.defaults.factors | people.sites.get(site, {}) | kind.factors
    of_lesion = _sampled(spreads, "lesion", rng)
    age = min(85, max(0, round(rng.normal(*kind.age) / 5) * 5))
    sex = "female" if rng.random() < kind.female else "male"
    evidence = _pick(kind.evidence, rng)
    hidden = {name for name, share in people.unknown.items() if rng.random() < share}
    for picture in range(_pick(kind.pictures, rng)):
        yield Phantom(
            image_id=f"PHANTOM_{seed:04d}_{made + picture + 1:06d}",
            lesion_id=f"PHL_{name}",
            diagnosis=kind.code,
            evidence=evidence,
            age="" if "age" in hidden else f"{age:.1f}",
            sex="unknown" if "sex" in hidden else sex,
            site="unknown" if "site" in hidden else site,
            factors=within_range(of_lesion | _sampled(spreads, "view", rng)),
            lesion_seed=int(name.replace("_", "")),
            view_seed=int(rng.integers(2**32)),
        )


def _sampled(spreads: dict[str, Spread], part: Part, rng: Rng) -> dict[str, float]:
    return {name: rng.normal(*spreads[name]) for name, scale in SCALES.items() if scale.part == part}


def _pick(weights: dict[T, float], rng: Rng) -> T:
    total = sum(weights.values())
    return list(weights)[int(rng.choice(len(weights), p=[weight / total for weight in weights.values()]))]


def _mean(weights: dict[int, float]) -> float:
    return sum(value * weight for value, weight in weights.items()) / sum(weights.values())
