"""The evaluation as one page to read: nothing is loaded from elsewhere, and no image of the data set is on it."""

from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from training.evaluation.bootstrap import RESAMPLES
from training.evaluation.evaluate import Evaluation
from training.evaluation.leakage import ALIKE
from training.evaluation.metrics import HEADLINE
from training.evaluation.report import glossary, plots
from training.evaluation.retrieval import VALUES
from training.evaluation.subgroups import FEWEST, RESTRICTIONS, SHOWN, SMALLEST


def evaluation_page(evaluation: Evaluation) -> str:
    """Return the page as HTML."""
    measured = evaluation.measured
    systems = measured.figures | evaluation.baselines
    headline = next(iter(measured.figures))
    return template("page.html").render(
        e=evaluation,
        headline=headline,
        headline_figures={name: measured.figures[headline][name] for name in _known(evaluation)},
        systems=systems,
        glossary=glossary,
        values=VALUES,
        group_figures=[name for name in SHOWN if name in measured.figures[headline]],
        restricted=[g for by in RESTRICTIONS for g in measured.subgroups if g.by == by and not g.too_small],
        groupings={by: [group for group in measured.subgroups if group.by == by] for by in glossary.GROUPINGS},
        smallest=SMALLEST,
        fewest=FEWEST,
        resamples=RESAMPLES,
        alike=ALIKE,
        charts={name: Markup(svg) for name, svg in _charts(evaluation).items()},  # noqa: S704  drawn here, from numbers
    )


def template(name: str) -> Template:
    """Return a template of this package."""
    found = Environment(
        loader=PackageLoader("training.evaluation.report", "assets"), autoescape=True, undefined=StrictUndefined
    )
    style = resources.files("training.evaluation.report").joinpath("assets/style.css").read_text(encoding="utf-8")
    found.globals["style"] = Markup(style)  # noqa: S704  a file of this package
    return found.get_template(name)


def _known(evaluation: Evaluation) -> list[str]:
    first = next(iter(evaluation.measured.figures.values()))
    return [name for name in HEADLINE if name in first]


def _charts(evaluation: Evaluation) -> dict[str, str]:
    names, measured = _known(evaluation), evaluation.measured
    charts = {
        "compared": plots.compared(measured.figures | evaluation.baselines, names),
        "by_diagnosis": plots.by_diagnosis(measured.by_diagnosis),
        "confusion": plots.confusion(evaluation.classes, evaluation.confusion),
        "reliability": plots.reliability(evaluation.reliability, "probability stated", "share right"),
        "robustness": plots.robustness(evaluation.robustness, ["p_at_5_macro", "melanoma_p_at_5", "auc_malignant_16"]),
    }
    if evaluation.similarity:
        charts["similarity"] = plots.reliability(evaluation.similarity, "similarity stated", "share of the diagnosis")
    if measured.reconstruction is not None:
        charts["reconstruction"] = plots.reconstruction(measured.reconstruction)
    return charts
