"""Vocabularies for tests, as HAM10000 describes its diagnoses."""

from casekin.collections import built_in_spec
from training.data.vocabulary import Vocabulary


def ham10000_vocabulary(*codes: str) -> Vocabulary:
    """These diagnoses, in this order."""
    return Vocabulary.of(codes, built_in_spec("ham10000").diagnoses)
