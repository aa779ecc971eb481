import re
from pathlib import Path

import numpy as np
import pytest

from training.data.cases import read_collection
from training.evaluation.evaluate import Evaluation
from training.evaluation.metrics import HEADLINE
from training.evaluation.report.command import write_evaluation
from training.evaluation.report.glossary import FIGURES, OF_DIAGNOSIS, SHORT
from training.evaluation.report.pairs import EACH, refuse_project
from training.evaluation.retrieval import VALUES


@pytest.fixture(scope="module")
def written(collection_folder: Path, tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("pages") / "tiny"
    write_evaluation(tiny_bundle, read_collection(collection_folder), target, tmp_path_factory.mktemp("store"), (0,))
    return target


@pytest.fixture(scope="module")
def evaluation(written: Path) -> Evaluation:
    return Evaluation.from_json((written / "evaluation.json").read_bytes())


def test_evaluation__counts_queries_gallery_and_first_matches(evaluation: Evaluation) -> None:
    assert evaluation.measured.queries == {"bcc": 4, "mel": 4, "nv": 4}
    assert (evaluation.measured.lesions, evaluation.measured.gallery) == (6, 48)
    table = np.array(evaluation.confusion)
    assert table.sum() == 12
    right = np.trace(table) / 12
    assert right == pytest.approx(evaluation.measured.figures["clinical"]["p_at_1_micro"].value)


def test_evaluation__finds_colours_where_colours_tell_and_chance_at_random(evaluation: Evaluation) -> None:
    assert evaluation.measured.figures["clinical"]["p_at_1_macro"].value > 0.9
    assert evaluation.baselines["mean colour"]["p_at_1_macro"].value > 0.9
    assert evaluation.baselines["random"]["p_at_1_macro"].value < 0.8
    assert evaluation.baselines.keys() == {"frozen ImageNet", "mean colour", "random"}


def test_evaluation__of_a_model_that_hides_its_folds_says_so(evaluation: Evaluation) -> None:
    assert ["does not say which folds" in warning for warning in evaluation.warnings] == [True]


def test_evaluation__has_every_part(evaluation: Evaluation) -> None:
    assert [one.name for one in evaluation.reliability] == [
        "class head",
        "class head by prior",
        "votes of 16",
        "votes of 16 by prior",
    ]
    assert [one.name for one in evaluation.similarity] == ["clinical", "visual"]
    assert all(sum(b.count for b in one.bins) == 12 for one in evaluation.reliability)
    assert len(evaluation.robustness) == 12
    assert evaluation.leaks.shared_lesions == 0
    assert evaluation.measured.reconstruction is not None
    assert evaluation.measured.reconstruction.components == 4


def test_words__explain_every_figure(evaluation: Evaluation) -> None:
    assert set(evaluation.measured.figures["clinical"]) == set(FIGURES)
    assert set(HEADLINE) | {"p_at_1_micro"} == set(SHORT)
    assert set(OF_DIAGNOSIS) == set(VALUES)


def test_evaluation__survives_json(evaluation: Evaluation) -> None:
    assert Evaluation.from_json(evaluation.to_json()) == evaluation


def test_page__loads_nothing_from_elsewhere_and_holds_no_image_of_the_data(written: Path) -> None:
    page = (written / "index.html").read_text()
    assert not re.search(r"""(?:src|href)=["'](?!#|pairs\.html)""", re.sub(r"xlink:href", "link", page))
    assert "data:image" not in page
    assert "<script" not in page


def test_page__shows_the_figures_the_warning_and_the_licence(written: Path, evaluation: Evaluation) -> None:
    page = (written / "index.html").read_text()
    first = evaluation.measured.figures["clinical"]["p_at_1_macro"]
    assert f"<b>{first.value:.3f}</b><span>{first.low:.3f} to {first.high:.3f}</span>" in page
    assert f"<b>{evaluation.leaks.leaking['p_at_1_macro'].value:.3f}</b><span>LEAKING" in page
    assert "does not say which folds" in page
    assert evaluation.licence in page
    assert page.count("<svg") == 7
    assert "too small to tell" in page


def test_page__says_what_the_collection_calls_malignant(written: Path, evaluation: Evaluation) -> None:
    assert evaluation.malignant == ["akiec", "bcc", "mel"]
    page = (written / "index.html").read_text()
    assert "bcc <small>Basal cell carcinoma</small> <small>malignant</small>" in page
    assert "nv <small>Melanocytic nevus</small></td>" in page


def test_page__gives_squared_error_beside_ssim(written: Path, evaluation: Evaluation) -> None:
    assert evaluation.measured.reconstruction is not None
    ours, theirs = (evaluation.measured.reconstruction.overall[name].value for name in ("mse", "mse_pca"))
    change = "smaller" if theirs < ours else "larger"
    said = f"Here the squared error of the components is {abs(1 - theirs / ours) * 100:.0f} % {change}."
    assert said in (written / "index.html").read_text()


def test_page__has_no_id_twice(written: Path) -> None:
    own = re.findall(r'<(?:section|svg)[^>]* id="([^"]+)"', (written / "index.html").read_text())
    assert len(own) == len(set(own))


def test_pairs__show_images_beside_reconstructions_and_name_the_licence(written: Path, evaluation: Evaluation) -> None:
    page = (written / "pairs.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 2 * 12
    assert page.count("<figure>") <= 3 * EACH
    assert evaluation.licence in page


def test_refuse_project__knows_the_project_from_other_folders(tmp_path: Path) -> None:
    refuse_project(tmp_path)
    with pytest.raises(ValueError, match="inside the project"):
        refuse_project(Path(__file__).parent / "somewhere")
