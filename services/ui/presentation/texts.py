"""The texts of the page in one place, and how numbers are written."""

from collections.abc import Sequence

TITLE = "Casekin"
NOT_A_DIAGNOSIS = "For research and teaching. Casekin does not diagnose."
CLASS_HEAD = "Model's class head, not a diagnosis"
UPLOAD_PROMPT = "Drop dermatoscopic images of one lesion here"
UPLOAD_AGAIN = "Drop another lesion"
UPLOAD_KINDS = "JPEG, PNG, WebP or DICOM, up to 20 MB"
UPLOAD_PRIVACY = "Stays in this tab and in memory; never stored."
UPLOADING = "The image could not be read"
SEARCHING = "The search failed"
COUNTING = "The filters cannot be counted"
UNCOUNTED = "not counted"
READING_COLLECTION = "The collection could not be read"
OTHER_BUNDLE = (
    "the encoder has model {0}, the collection was indexed with {1}; uploads cannot be searched until the collection "
    "is re-indexed or the encoder runs with {1}"
)
READING_MAP = "The map could not be read"
DRAWING_MAP = "The map could not be drawn"
PLACING = "Your image could not be placed on the map"
ROLLING_OUT = "The rollouts could not be computed"
JOINT_FAILED = "The grid could not be computed"
ANIMATION_FAILED = "The animation could not be made"
PATH_FAILED = "The path to this case could not be computed"
RENAMING = "The name was not changed"
LISTING_JOBS = "The jobs could not be listed"
CHOOSING_MAP = "The other map could not be shown"
OPENING_CASE = "The case could not be opened"
BUG = "The page has a fault"
START_TITLE = "Find the cases that look like yours"
START_STEPS = (
    "Drop or choose an image on the left. The most similar earlier cases appear here with their diagnoses.",
    "Filter them by diagnosis, age, site, sex and evidence; the counts follow your choice.",
    "See where the image lies on the map of the whole collection, and what each latent dimension changes in it.",
)
NO_COLLECTION_TITLE = "No cases yet"
NO_COLLECTION = (
    "The collection is empty. Fill it on the server, for example from a HAM10000 download; "
    "this page then shows the cases by itself."
)
NO_COLLECTION_COMMAND = "casekin ingest DIR"
NO_MATCHES_TITLE = "No case passes these filters"
NO_MAP_TITLE = "No map has been drawn yet"
NO_MAP = "The map shows all cases of the collection in two dimensions: near means similar. Drawing it takes a while."
NO_MAP_OF_OWN_WEIGHTS = (
    "the map is drawn with preset weights only; choose Clinical or Visual under Weights, then draw it"
)
SUPERVISED = "Draw cases of one diagnosis together"
SUPERVISED_HINT = "Drawn with the diagnoses: it shows more than what the images alone tell."
AGREEMENT_ON_MAP = (
    "Nearest cases of other lesions. Where the encoder was trained on these very images, they agree more often than "
    "those of a new image."
)
HELD_OUT_AGREEMENT = (
    "New images: the 10 nearest cases of images that this model, or the one that was trained to test its recipe, had "
    "never seen."
)
NO_HELD_OUT_AGREEMENT = (
    "The model does not say how often that is for images it had never seen, with these weights: expect less."
)
OLD_MAP = "Drawn before the collection last changed: newer cases are missing."
NO_ROLLOUTS = "Upload an image, or search from a case, to see what each latent dimension changes in it."
ROLLOUTS = (
    "Each row changes one latent dimension over the range met in the collection and keeps the others. Below a step: "
    "the diagnoses of the cases nearest to it, the share of the collection's cases that lie lower, and the nearest "
    "real case, which a click opens. The outlined step is nearest to your image, or to the case that you search from."
)
STEPS_SHOWN = {"decoded": "Decoded", "real": "Real", "both": "Both"}
"""What steps of rollouts and paths show: the decoded image, the nearest real case, or both."""
STEPS_SWITCH = "What each step shows"
REAL_BY = {
    "clinical": "Real cases: the nearest of {0} to each step by the clinical weights, your own lesion left out.",
    "visual": "Real cases: the nearest of {0} to each step by the visual weights, your own lesion left out.",
    "custom": "Real cases: the nearest of {0} to each step by your own weights, your own lesion left out.",
}
"""By the weights of the search; with the number of cases."""
NO_REAL_CASE = "no other case"
NO_REAL_CASES = (
    "There is no real case to show: the collection is empty, or its cases have not been read for this model yet."
)
JOBS = "Work in the background. A job continues when this page is closed, and after a restart."
NO_JOBS = "Maps, rollouts and ingests appear here with their progress."
JOINT = "Both change together over their ranges in the collection; all other dimensions stay."
PAGE_UNREACHABLE = "The page's server does not answer. Your last change is not shown yet."

FIELDS = {
    "diagnosis": "Diagnosis",
    "age": "Age",
    "sex": "Sex",
    "site": "Site",
    "evidence": "Evidence",
    "source": "Source",
    "columns": "Further columns",
}
"""Fields of a case that filter, in the order of the panel."""
NO_LICENCE = "licence not stated"
NO_COLUMNS = "The collection has no further columns"
ANY_FIELD = "One of:"
VARIETY = {"0": "None", "0.3": "Some", "0.6": "Much"}
"""By diversity, 0 to 1."""
ORDERS = {"distance": "Most similar first", "evidence": "Best evidence first", "age": "Youngest first"}
MORE_LIKE = "More like this"
LESS_LIKE = "Less like this"
FROM_CASE = "Search from this case"
SAME_IMAGE = "This image is in the collection"
OWN_LESION = "Other images of the same lesion"
OWN_HINT = "Shown apart: images of your own lesion are not matches."
ADD_IMAGE = "Add an image of this lesion"
ADDING = "The image was not added"
TOO_MANY_IMAGES = "a search takes {0} images of one lesion; remove one first"
NO_FIRST_IMAGE = "the first image of this lesion could not be read; drop this one again"
OTHER_MODEL = "the encoder has changed from model {0} to {1}; upload the first image again"
AS_COLLECTED = "As in this collection"
AS_COLLECTED_HINT = "How likely each diagnosis is where diagnoses are as common as in this collection"
EQUALLY_COMMON = "If all diagnoses were equally common"
EQUALLY_COMMON_HINT = "How likely each diagnosis would be if all were equally common"
AGREEMENT_HINT = "Each neighbour votes by how near it is, times the weight of its evidence"
SIMILARITY_COUNTS = (
    "Measured on validation images; what counts is the match's diagnosis and distance and, in a search without filters "
    "or examples, the diagnoses of all nearest cases."
)
NOT_CALIBRATED = "Not calibrated"
CASE_MAY_BE_KNOWN = (
    "This case is of the collection. Where the encoder was trained on its image, its nearest cases agree more often "
    "than those of a new image, which these percentages are calibrated for."
)
CANNOT_BE_EXCLUDED = "Cannot be excluded"
CONFORMAL_HINT = "Of validation images of each diagnosis, {0} have theirs in such a list."
OUT_OF_DISTRIBUTION = "This image is unlike those of the collection: its nearest cases may mean little."
ALL_ZERO = (
    "All weights are 0, so every case would be equally near. Give one dimension a weight above 0; "
    "until then you see the matches of your last weights."
)
ENDS = (
    "The average image with the dimension low (left) and high (right): the 1st and 99th percentile of the collection."
)
NO_SUCH_DIMENSION = "No dimension has this name."
BY_OWN_WEIGHTS = "by your own weights"
SAME_LESION = "Same lesion as mine"
MY_LESION = "My lesion"
EXCLUSION = "{0} alone excludes {1}; without this filter {2} would pass"
PRESETS = {"clinical": "Clinical", "visual": "Visual"}
WEIGHTS = {**PRESETS, "custom": "Custom"}
WEIGHTS_HINTS = {
    "clinical": "Dimensions that separated the diagnoses well in training count more.",
    "visual": "All dimensions count the same: similar looks, whatever the diagnosis.",
    "custom": "As you set them below; a dimension with weight 0 does not count.",
}
SERVICES = {"encoder": "Encoder", "search": "Search", "projector": "Map and rollouts"}


def count(number: int, one: str, many: str | None = None) -> str:
    """``1 case``, ``8,470 cases``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def sentence(text: str) -> str:
    """With a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '?', '!')) else '.'}"


def percent(share: float) -> str:
    """``78 %``; small shares are not rounded to nothing, nor large ones to certainty."""
    if 0 < share < 0.01:
        return "< 1 %"
    if 0.995 <= share < 1 - 1e-9:  # what sums to 1 may miss it by rounding
        return "> 99 %"
    return f"{share * 100:.0f} %"


def similarity_hint(similarity: float, *, own_weights: bool = False) -> str:
    """What the similarity on a card means; under the user's own weights it is an estimate."""
    if own_weights:
        about = f"About {percent(similarity)} of matches of this diagnosis and distance share it with the query"
        return f"{about}: estimated, only presets were measured."
    return f"Of matches like this one, {percent(similarity)} shared the query's diagnosis. {SIMILARITY_COUNTS}"


def ages(low: float | None, high: float | None) -> str:
    """``30 to 60 years``."""
    if low is not None and high is not None:
        return f"{low:g} to {high:g} years"
    return f"from {low:g} years" if low is not None else f"to {high:g} years"


def bare(years: float | None) -> str:
    """``45``, or nothing."""
    return "" if years is None else f"{years:g}"


def age(years: float | None) -> str:
    """``45 y``."""
    return "age unknown" if years is None else f"{years:g} y"


def weight(value: float) -> str:
    """``4.41``; the page's script formats it the same way."""
    return f"{value:.2f}"


def found(shown: int, passing: int, filtered: bool, first: int = 1) -> str:
    """The line above the cards."""
    if shown == 0:
        return "No matches"
    where = f"that {'passes' if passing == 1 else 'pass'} the filters" if filtered else "in the collection"
    of = f"of {count(passing, 'case')} {where}"
    if first > 1:
        return f"Matches {first:,} to {first + shown - 1:,} {of}"
    return f"{count(shown, 'nearest match', 'nearest matches')} {of}"


def hidden(siblings: int, copies: int, *, more: bool = False) -> str:
    """The cases collapsed into a match: ``+ 2 of this lesion, 1 near-duplicate``, and more."""
    parts = [f"{siblings} of this lesion" if siblings else "", count(copies, "near-duplicate") if copies else ""]
    return f"+ {', '.join(filter(None, parts))}{' and more' if more else ''}"


def listed(parts: Sequence[str]) -> str:
    """``a, b and c``."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1] if parts else "")))


def dimension_name(index: int, names: Sequence[str]) -> str:
    """The name of a dimension, or its number where the model is not known."""
    return names[index] if index < len(names) else f"Dimension {index + 1}"


def remaining(seconds: float | None) -> str:
    """``about 2 min left``."""
    if seconds is None:
        return ""
    return f"about {seconds / 60:.0f} min left" if seconds >= 90 else f"about {max(1, round(seconds))} s left"
