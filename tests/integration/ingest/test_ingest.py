"""`casekin ingest` against the real encoder and search, each a process of its own."""

import io
import re
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from casekin.clients import EncoderClient, SearchClient
from casekin.collections import open_collection
from casekin.ingest.storing import BATCH
from casekin.launcher.ports import free_port
from casekin.phantoms import write_phantoms
from tests.integration.ingest.conftest import Running, picture
from tests.warm_start import Started

MakeCollection = Callable[[dict[str, bytes]], Path]


def outcomes(running: Running) -> Counter[tuple[str, str]]:
    return Counter((line["outcome"], line["code"]) for line in running.report())


def finish(process: Started, status: int = 0, timeout: float = 90) -> tuple[str, str]:
    out, err = process.communicate(timeout=timeout)
    assert process.returncode == status, (process.returncode, out, err)
    return out, err


def wait_for_cases(running: Running, process: Started, count: int) -> None:
    deadline = time.monotonic() + 60
    with running.search as search:
        while search.collection().cases < count:
            assert process.poll() is None, "it ended before it could be interrupted"
            assert time.monotonic() < deadline
            time.sleep(0.01)


def many(count: int) -> dict[str, bytes]:
    """More than the first batch that is stored, those behind it, and those that are being encoded by then."""
    return {f"img_{number:04}.jpg": picture(number, size=(200, 150)) for number in range(count)}


def test_ingest__phantoms_then_again(running: Running, tmp_path: Path) -> None:
    folder = tmp_path / "phantoms"
    list(write_phantoms(folder, count=24, seed=7))
    out, err = finish(running.ingest(folder))
    assert "24 ingested, 0 replaced, 0 unchanged, 0 skipped" in out
    assert re.search(r"Phantoms \(synthetic\): 24 of 24, [\d.]+/s", err)
    loaded = open_collection(folder)
    rows = loaded.rows
    with running.search as search:
        first = search.collection()
        assert (first.cases, first.lesions) == (24, len({row.case.lesion_id for row in rows}))
        assert first.info.title == "Phantoms (synthetic)"
        assert first.info.diagnoses[0].name == "Melanoma"
        for row in rows:
            assert search.case(row.case.id) == row.case.model_copy(update={"collection": loaded.info.title})
        data, kind = search.image(rows[0].case.id)
        assert kind == "image/jpeg"
        assert Image.open(io.BytesIO(data)).size == (600, 450)

        with EncoderClient(running.urls["encoder"]) as encoder:
            expected = encoder.encode(rows[5].image.read(), reconstruction=False).latent
        (page,) = search.latents()
        latents = {case.id: latent for case, latent in zip(page.cases, page.latents, strict=True)}
        assert latents[rows[5].case.id] == pytest.approx(expected, abs=1e-5)

        out, _ = finish(running.ingest(folder))
        assert "0 ingested, 0 replaced, 24 unchanged, 0 skipped" in out
        assert search.collection() == first


def test_ingest__changed_metadata_and_changed_image_are_ingested_anew(
    running: Running, make_collection: MakeCollection
) -> None:
    folder = make_collection({f"img_{number}.jpg": picture(number) for number in range(6)})
    finish(running.ingest(folder))
    table = folder / "HAM10000_metadata.csv"
    table.write_text(table.read_text().replace("L0,img_1,mel", "L0,img_1,nv"))
    (folder / "img_4.jpg").write_bytes(picture(99))
    finish(running.ingest(folder))
    changed = [line["id"] for line in running.report() if line["outcome"] == "replaced"]
    assert changed == ["img_1", "img_4"]
    with running.search as search:
        assert search.case("img_1").diagnosis == "nv"
        assert search.collection().cases == 6


def test_ingest__a_second_collection_with_equal_ids_overwrites_nothing(
    running: Running, make_collection: MakeCollection
) -> None:
    folder = make_collection({f"img_{number}.jpg": picture(number) for number in range(3)})
    finish(running.ingest(folder))
    with running.search as search:
        first = search.collection()
        cases = [search.case(f"img_{number}") for number in range(3)]
        for number in range(2):
            (folder / f"img_{number}.jpg").write_bytes(picture(50 + number))
        other = ("--title", "Clinic B", "--licence", "CC0")
        process = running.ingest(folder, *other)
        out, _ = process.communicate(timeout=120)
        assert "0 ingested, 0 replaced, 0 unchanged, 3 skipped" in out
        assert "skipped, id-taken: 3" in out
        assert "collection 'HAM10000' has a case of this id already" in running.report()[0]["reason"]
        assert search.collection() == first
        assert [search.case(f"img_{number}") for number in range(3)] == cases
        table = folder / "HAM10000_metadata.csv"
        table.write_text(table.read_text().replace("img_2,nv", "new,wart"))
        (folder / "img_2.jpg").rename(folder / "new.jpg")
        out, _ = finish(running.ingest(folder, *other))
        assert "1 ingested, 0 replaced, 0 unchanged, 2 skipped" in out
        both = search.collection().info
        assert [source.title for source in both.sources] == ["HAM10000", "Clinic B"]
        assert "CC BY-NC" in (both.licence or "")
        assert both.diagnoses[:7] == first.info.diagnoses
        assert both.diagnoses[7].code == "wart"
        finish(running.ingest(folder, *other, "--take-over"))
        assert {line["id"]: line["outcome"] for line in running.report()} == {
            "img_0": "replaced",
            "img_1": "replaced",
            "new": "unchanged",
        }


def test_ingest__every_bad_image_is_named_and_the_rest_goes_in(
    running: Running, make_collection: MakeCollection
) -> None:
    animated = io.BytesIO()
    frames = [Image.new("RGB", (32, 32), shade) for shade in ("red", "blue")]
    frames[0].save(animated, "WEBP", save_all=True, append_images=frames[1:], duration=100)
    bomb = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(bomb, "PNG")
    bad = {
        "text.jpg": (b"This is no picture.", "unsupported-image"),
        "empty.jpg": (b"", "empty-upload"),
        "cut.jpg": (picture(1, size=(600, 450))[:2000], "corrupt-image"),
        "bomb.png": (bomb.getvalue(), "upload-too-large"),
        "large.jpg": (picture(2) + bytes(25_000_000), "upload-too-large"),
        "animated.webp": (animated.getvalue(), "unsupported-image"),
    }
    good = {f"good_{number}.jpg": picture(number) for number in range(5)} | {"good.png": picture(9, "PNG")}
    folder = make_collection({name: data for name, (data, _) in bad.items()} | good)
    (folder / "stray.jpg").write_bytes(picture(50))
    with (folder / "HAM10000_metadata.csv").open("a") as stream:
        stream.write("L9,missing,nv,histo,40,male,back\nL9,good_0,mel,histo,40,male,back\n")
    out, _ = finish(running.ingest(folder))
    assert "6 ingested, 0 replaced, 0 unchanged, 9 skipped" in out
    skipped = {Path(line["id"]).stem: line for line in running.report() if line["outcome"] == "skipped"}
    expected = {Path(name).stem: code for name, (_, code) in bad.items()}
    expected |= {"stray": "no-row", "missing": "no-image", "good_0": "doubled-id"}
    assert {name: line["code"] for name, line in skipped.items()} == expected
    assert all(line["reason"] for line in skipped.values())
    assert "skipped, upload-too-large: 2" in out
    with running.search as search:
        assert search.collection().cases == 6


def test_ingest__killed_goes_on_where_it_stopped(running: Running, make_collection: MakeCollection) -> None:
    folder = make_collection(many(400))
    process = running.ingest(folder)
    wait_for_cases(running, process, BATCH)
    process.kill()
    process.wait()
    with running.search as search:
        stored = search.collection().cases
        assert BATCH <= stored < 400
        finish(running.ingest(folder))
        again = outcomes(running)
        assert stored <= again["unchanged", ""] <= stored + BATCH  # search may have had one more already
        assert again.total() == search.collection().cases == 400


def test_ingest__ctrl_c_finishes_what_is_under_way(running: Running, make_collection: MakeCollection) -> None:
    folder = make_collection(many(400))
    process = running.ingest(folder)
    wait_for_cases(running, process, BATCH)
    process.send_signal(signal.SIGINT)
    out, err = finish(process, status=130)
    assert "the same command goes on where this stopped" in err
    with running.search as search:
        stored = search.collection().cases
        assert BATCH <= stored < 400
        assert f"{stored} ingested, 0 replaced, 0 unchanged" in out
        assert outcomes(running) == {("ingested", ""): stored}
        finish(running.ingest(folder))
        assert search.collection().cases == 400


def test_ingest__search_killed_in_mid_run_comes_back_and_nothing_is_missing(
    running: Running, make_collection: MakeCollection
) -> None:
    folder = make_collection(many(400))
    process = running.ingest(folder)
    wait_for_cases(running, process, BATCH)
    running.stop("search")
    _, err = finish(process, status=1)
    assert re.search(r"search at http://127\.0\.0\.1:\d+\S* does not answer", err)
    assert "goes on where this stopped" in err
    told = sum(line["outcome"] == "ingested" for line in running.report())
    running.start("search", SearchClient)
    with running.search as search:
        assert search.collection().cases >= told
        finish(running.ingest(folder))
        assert search.collection().cases == 400


def test_ingest__encoder_that_never_answers(running: Running, make_collection: MakeCollection) -> None:
    folder = make_collection({"a.jpg": picture(1)})
    running.urls["encoder"] = f"http://127.0.0.1:{free_port()}"
    _, err = finish(running.ingest(folder), status=1)
    assert f"encoder at {running.urls['encoder']}" in err
    assert "does not answer" in err


def test_ingest__own_folder_with_column_options(running: Running, tmp_path: Path) -> None:
    folder = tmp_path / "Our clinic"
    (folder / "pictures").mkdir(parents=True)
    for number in range(3):
        (folder / "pictures" / f"{number}.png").write_bytes(picture(number, "PNG"))
    (folder / "list.csv").write_text("Foto;Befund;Alter\npictures/0.png;Muttermal;40\n1.png;?;abc\n2;unknown;7\n")
    options = ["--image-column", "Foto", "--diagnosis-column", "Befund", "--age-column", "Alter", "--licence", "ours"]
    finish(running.ingest(folder, *options))
    with running.search as search:
        collection = search.collection()
        assert (collection.cases, collection.info.title, collection.info.licence) == (3, "Our clinic", "ours")
        assert [diagnosis.code for diagnosis in collection.info.diagnoses] == ["Muttermal", "?"]
        assert search.case("1").age is None
        assert search.case("2").diagnosis is None
    assert "'abc' is no number of years" in running.report()[1]["reason"]


def test_ingest__services_of_different_bundles_are_refused(
    running: Running, make_collection: MakeCollection, tmp_path: Path
) -> None:
    from tests.tiny_bundle import build_tiny_bundle

    running.urls.pop("encoder")
    running.bundle = build_tiny_bundle(tmp_path / "other", "tiny-2")
    running.start("encoder", EncoderClient)
    _, err = finish(running.ingest(make_collection({"a.jpg": picture(1)})), status=1)
    assert "the encoder serves bundle tiny-2, search holds cases of tiny-1" in err
