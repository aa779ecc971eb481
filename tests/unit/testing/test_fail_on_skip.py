"""``--fail-on-skip``: in CI a test skips only for what cannot be had there."""

from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[2] / "conftest.py"


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeconftest(CONFTEST.read_text(encoding="utf-8"))
    pytester.makepyfile(
        """
        import pytest

        def test_data(): pytest.skip("needs the real data in /nowhere")
        def test_server(): pytest.skip("no Qdrant server: set CASEKIN_QDRANT_URL to run this on one")
        @pytest.mark.skipif(True, reason="not today")
        def test_marked(): pass
        @pytest.fixture
        def absent(): pytest.skip("needs Chromium: apt-get install chromium")
        def test_fixture(absent): pass
        @pytest.mark.xfail(reason="known")
        def test_known(): assert False
        def test_plain(): pass
        """
    )
    return pytester


def test_fail_on_skip__fails_every_skip_but_the_listed_ones(suite: pytest.Pytester) -> None:
    result = suite.runpytest("--fail-on-skip")
    counts = result.parseoutcomes()
    assert (counts["passed"], counts["skipped"], counts["xfailed"]) == (1, 1, 1)
    assert counts.get("failed", 0) + counts.get("errors", 0) == 3
    result.stdout.fnmatch_lines(["*must not skip here: needs the real data in /nowhere*"])


def test_without_it_skips_stay_skips(suite: pytest.Pytester) -> None:
    counts = suite.runpytest().parseoutcomes()
    assert (counts["passed"], counts["skipped"], counts["xfailed"]) == (1, 4, 1)
