"""Phantoms: synthetic lesions drawn from known factors, for demonstrations and for tests with a known truth."""

from casekin.phantoms.dataset import write_phantoms
from casekin.phantoms.draw import draw
from casekin.phantoms.factors import SCALES, Factors, Scale, within_range
from casekin.phantoms.population import Phantom, make_up

__all__ = ["SCALES", "Factors", "Phantom", "Scale", "draw", "make_up", "within_range", "write_phantoms"]
