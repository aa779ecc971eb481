"""The service over HTTP: every route, and each wrong input with its code."""

import io
import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest
from asgi_lifespan import LifespanManager
from PIL import Image

from casekin.clients.search import SearchClient
from casekin.contracts.collection import CollectionInfo, Diagnosis
from casekin.contracts.conditions import AnyOf, Between, Not
from casekin.contracts.search import Example, SearchRequest
from casekin.errors import BadInput, NotFound, StorageFull, UploadTooLarge, WrongLatent, WrongWeights
from services.search.app import create_app
from services.search.settings import SearchSettings
from tests.integration.search.conftest import settings_in
from tests.integration.search.made import batch, collection, image, stored
from tests.serving import serving

CASES = collection(48)
DEEP = '{"kind": "not", "of": ' * 11 + '{"kind": "between", "low": 1}' + "}" * 11


def any_of(field: str, *values: str) -> AnyOf:
    return AnyOf(field=field, values=values)


@pytest.fixture
async def http(settings: SearchSettings) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(settings)
    async with (
        LifespanManager(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://search") as client,
    ):
        yield client


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchClient]:
    """A service with `CASES`, for tests that change nothing."""
    settings = settings_in(tmp_path_factory.mktemp("filled"))
    with serving(create_app(settings)) as url, SearchClient(url, attempts=1) as client:
        client.put_cases(*batch(CASES))
        yield client


@pytest.fixture
def client(settings: SearchSettings) -> Iterator[SearchClient]:
    with serving(create_app(settings)) as url, SearchClient(url, user="dr.who", attempts=1) as client:
        client.put_cases(*batch(CASES))
        yield client


async def test_probes__answer(http: httpx.AsyncClient) -> None:
    assert (await http.get("/health")).json() == {"status": "ok"}
    assert (await http.get("/ready")).json() == {"status": "ready"}
    assert "http_requests" in (await http.get("/metrics")).text


async def test_empty_collection__says_so(http: httpx.AsyncClient) -> None:
    said = (await http.get("/v1/collection")).json()
    assert (said["cases"], said["lesions"], said["info"]["title"]) == (0, 0, "cases")
    assert (await http.post("/v1/facets", json={})).json()["age_min"] is None
    assert (await http.get("/v1/latents")).json()["cases"] == []


def test_client__meets_every_route(filled: SearchClient) -> None:
    client = filled
    collection_now = client.collection()
    lesions = {one.case.lesion_id or one.case.id for one in CASES}
    assert (collection_now.cases, collection_now.lesions) == (48, len(lesions))
    assert client.case("ISIC_0000005") == CASES[5].case
    assert client.digests(["ISIC_0000005", "none"]) == {"ISIC_0000005": CASES[5].digest}
    pages = list(client.latents(page_size=20))
    assert [len(page.cases) for page in pages] == [20, 20, 8]
    assert [case for page in pages for case in page.cases] == [one.case for one in CASES]
    assert [x for page in pages for x in page.latents] == [one.latent.tolist() for one in CASES]


def test_search__over_http(filled: SearchClient) -> None:
    query = CASES[30]
    request = SearchRequest(
        bundle_version="made-1",
        latents=((query.latent + 0.1).tolist(),),
        filters=(AnyOf(field="sex", values=("female",), keep_unknown=True), Between(low=20, keep_unknown=True)),
        own_lesion=CASES[31].case.lesion_id,
        k=7,
    )
    answer = filled.search(request)
    assert len(answer.matches) == 7
    assert [m.distance for m in answer.matches] == sorted(m.distance for m in answer.matches)
    assert all(m.case.sex in ("female", None) and (m.case.age is None or m.case.age >= 20) for m in answer.matches)
    assert all(m.case.lesion_id != request.own_lesion for m in answer.matches)
    assert {one.case.lesion_id for one in answer.own} == {request.own_lesion}
    assert sum(one.count for one in answer.statistics.diagnoses) == answer.statistics.neighbours
    assert answer.revision == filled.collection().revision


def test_search__promises_what_the_bundle_measured_and_nothing_under_filters(filled: SearchClient) -> None:
    plain = SearchRequest(bundle_version="made-1", latents=([9.0, 9.0, 9.0, 9.0],))
    told = filled.search(plain).statistics
    assert (told.neighbours, told.uncalibrated) == (16, None)
    assert told.conformal is not None
    assert told.out_of_distribution is not None
    assert told.out_of_distribution.is_out_of_distribution
    assert "Far from every case of the collection" in told.out_of_distribution.reasons
    filtered = filled.search(plain.model_copy(update={"filters": (Between(low=0, keep_unknown=True),)})).statistics
    assert (filtered.conformal, filtered.out_of_distribution) == (None, None)
    assert "filters change" in str(filtered.uncalibrated)


def test_facets__of_a_field_ignore_its_own_condition(filled: SearchClient) -> None:
    face, aged = AnyOf(field="site", values=("face",)), Between(low=40)
    whole, chosen = filled.facets(()), filled.facets((face, aged))
    assert whole.passing == 48
    assert {one.value: one.count for one in whole.fields["site"]} == {"back": 12, "face": 12, "hand": 12, None: 12}
    old = [one.case for one in CASES if one.case.age is not None and one.case.age >= 40]
    assert {one.value: one.count for one in chosen.fields["site"]} == {
        value: sum(case.site == value for case in old) for value in ("back", "face", "hand", None)
    }
    assert chosen.passing == sum(case.site == "face" for case in old)
    faces = [one.case for one in CASES if one.case.site == "face"]
    assert chosen.age_unknown == sum(case.age is None for case in faces)
    assert (whole.age_min, whole.age_max) == (0, 85)
    counts = [one.count for one in whole.fields["diagnosis"]]
    assert counts == sorted(counts, reverse=True)
    elsewhere = filled.facets((Not(of=face),))
    assert {one.value: one.count for one in elsewhere.fields["site"]} == {
        one.value: one.count for one in whole.fields["site"]
    }, "a condition that excludes a value leaves it to be chosen too"
    assert elsewhere.passing == 36


def test_images__come_back_without_metadata_and_are_audited(client: SearchClient, settings: SearchSettings) -> None:
    data, media = client.image("ISIC_0000007")
    assert media == "image/jpeg"
    assert Image.open(io.BytesIO(data)).tobytes() == Image.open(io.BytesIO(image("ISIC_0000007"))).tobytes()
    client.thumbnail("ISIC_0000007", user="nurse")
    assert settings.audit_file is not None
    lines = [json.loads(line) for line in settings.audit_file.read_text().splitlines()]
    assert [(x["who"], x["what"], x["subject"]) for x in lines] == [
        ("dr.who", "view image", "ISIC_0000007"),
        ("nurse", "view thumbnail", "ISIC_0000007"),
    ]


async def test_images__are_never_kept_by_who_gets_them(http: httpx.AsyncClient, settings: SearchSettings) -> None:
    """A view that a browser's copy served would not be audited."""
    made, images = batch(CASES[:1])
    files = [("images", (case_id, data)) for case_id, data in images.items()]
    put = await http.put("/v1/cases", data={"batch": made.model_dump_json()}, files=files)
    assert put.status_code == 200, put.text
    for _ in range(2):
        for what in ("image", "thumbnail"):
            answer = await http.get(f"/v1/cases/ISIC_0000000/{what}")
            assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert settings.audit_file is not None
    assert len(settings.audit_file.read_text().splitlines()) == 4


def test_collection__keeps_its_description(client: SearchClient, settings: SearchSettings) -> None:
    info = CollectionInfo(
        title="HAM", licence="CC BY-NC 4.0", diagnoses=[Diagnosis(code="df", name="Dermatofibroma", malignant=False)]
    )
    assert client.describe_collection(info).info == info
    assert (
        client.search(
            SearchRequest(
                bundle_version="made-1", latents=([0] * 4,), filters=(AnyOf(field="diagnosis", values=("df",)),)
            )
        ).matches
        == []
    ), "a diagnosis of the vocabulary may have no case yet"


def test_put__again_changes_no_case(client: SearchClient, settings: SearchSettings) -> None:
    before = sorted(path for path in (settings.data / "images").rglob("*.original"))
    receipt = client.put_cases(*batch(CASES[:20]))
    assert receipt.stored == 20
    assert client.collection().cases == 48
    assert sorted((settings.data / "images").rglob("*.original")) == before


def test_put__a_changed_image_replaces_the_old_one(client: SearchClient, settings: SearchSettings) -> None:
    made, _ = batch(CASES[:1])
    client.put_cases(made, {"ISIC_0000000": image("another")})
    data, _ = client.image("ISIC_0000000")
    assert Image.open(io.BytesIO(data)).tobytes() == Image.open(io.BytesIO(image("another"))).tobytes()
    assert len(list((settings.data / "images").rglob("ISIC_0000000~*"))) == 2


def test_put__a_bad_batch_names_the_case_and_writes_nothing(client: SearchClient, settings: SearchSettings) -> None:
    new = [stored(f"new-{i}", [i, 0, 0, 0], diagnosis="nv") for i in range(3)]
    made, images = batch(new)
    files, revision = sorted(settings.data.rglob("*.original")), client.collection().revision
    truncated = image("new-2")[:900]
    first = made.cases[0]
    far = made.model_copy(update={"cases": [first.model_copy(update={"latent": [1e9, 0, 0, 0]})]})
    attempts: list[tuple[Callable[[], object], str]] = [
        (lambda: client.put_cases(made, {**images, "new-1": b"not an image"}), "case new-1: the upload is text"),
        (lambda: client.put_cases(made, {**images, "new-2": truncated}), "case new-2"),
        (lambda: client.put_cases(made, {**images, "new-2": b""}), "case new-2: 0 bytes"),
        (lambda: client.put_cases(made, {k: images[k] for k in ("new-0", "new-2")}), "no image for new-1"),
        (lambda: client.put_cases(made, {**images, "x": image("x")}), "images of no case: x"),
        (lambda: client.put_cases(*batch([*new, new[0]])), "new-0 more than once"),
        (lambda: client.put_cases(*batch([*new, stored("short", [1, 2])])), "case short: the latent has 2 numbers"),
        (lambda: client.put_cases(far, images), r"case 'new-0': latent.0: .*equal to 1000000 \(got 1000000000.0\)"),
        (lambda: client.put_cases(*batch(new, version="other-2")), "bundle other-2.*bundle made-1"),
    ]
    for wrong, text in attempts:
        with pytest.raises(BadInput, match=text):
            wrong()
    assert sorted(settings.data.rglob("*.original")) == files
    assert client.collection().revision == revision


def test_put__a_batch_over_the_limit_is_refused(settings: SearchSettings) -> None:
    small = settings.model_copy(update={"batch_mb": 1})
    with serving(create_app(small)) as url, SearchClient(url, attempts=1) as client:
        made, images = batch(CASES[:1])
        with pytest.raises(UploadTooLarge, match="the limit is 1 MB"):
            client.put_cases(made, {"ISIC_0000000": images["ISIC_0000000"] + bytes(1_100_000)})


def test_put__stops_before_the_disk_is_full(settings: SearchSettings) -> None:
    greedy = settings.model_copy(update={"reserve_mb": 1_000_000_000})
    with serving(create_app(greedy)) as url, SearchClient(url, attempts=1) as client:
        with pytest.raises(StorageFull, match="must stay free"):
            client.put_cases(*batch(CASES[:3]))
        assert client.collection().cases == 0


@pytest.mark.parametrize(
    ("wrong", "error", "text"),
    [
        ({"bundle_version": "other-2"}, WrongLatent, "bundle other-2, this collection of bundle made-1"),
        ({"latents": ([0.0] * 3,)}, WrongLatent, "3 numbers; bundle made-1 has 4 dimensions"),
        ({"latents": ([0.0] * 4, [0.0, 0.0, 1e7, 0.0])}, WrongLatent, r"latents.1.2: .* 1000000 \(got 10000000.0\)"),
        ({"preset": "custom"}, WrongWeights, "needs weights: 4"),
        ({"weights": [1.0] * 4}, WrongWeights, "the preset is clinical"),
        ({"preset": "custom", "weights": [1.0]}, WrongWeights, "1 weights were sent"),
        ({"preset": "custom", "weights": [1.0, -1.0, 0.0, 0.0]}, WrongWeights, "weight 1 is -1"),
        ({"preset": "custom", "weights": [0.0] * 4}, WrongWeights, "the largest weight is 0"),
        ({"filters": (any_of("site", "moon"),)}, BadInput, "no 'moon'; it has back, face, hand"),
        ({"filters": (Not(of=any_of("sex", "x")),)}, BadInput, "no 'x'; it has female, male"),
        ({"filters": (any_of("lesion_id", "HAM_9"),)}, BadInput, "lesion_id: the collection has no 'HAM_9'"),
        (
            {"filters": (any_of("attributes.lens", "D3"),)},
            BadInput,
            "cannot be filtered by 'attributes.lens'; they can by",
        ),
        ({"latents": (), "case": "nobody"}, NotFound, "no case nobody in the collection"),
        ({"examples": (Example(case="nobody", weight=1),)}, NotFound, "no case nobody in the collection"),
    ],
)
def test_search__wrong_input_is_named(
    filled: SearchClient, wrong: dict[str, object], error: type[Exception], text: str
) -> None:
    right = SearchRequest(bundle_version="made-1", latents=([0.0] * 4,))
    with pytest.raises(error, match=text):
        filled.search(right.model_copy(update=wrong))


@pytest.mark.parametrize(
    ("body", "code", "text"),
    [
        ('"latents": [[0, 0, 0, NaN]]', "wrong-latent", "latents.0.3: Input should be a finite number"),
        (
            '"latents": [[0, 0, 0, 0]], "preset": "custom", "weights": [NaN, 0, 0, 1]',
            "wrong-weights",
            "weights.0: Input should be a finite number",
        ),
        ('"latents": [[0, 0, 0, 0]], "k": 0', "bad-input", "k"),
        ('"latents": [[0, 0, 0, 0]], "k": 1000000', "bad-input", "200"),
        ('"latents": [[0, 0, 0, 0]], "offset": 1000000', "bad-input", "1000"),
        (
            '"latents": [[0, 0, 0, 0]], "filters": [{"kind": "any_of", "field": "colour", "values": ["red"]}]',
            "bad-input",
            "there is no field 'colour'; fields are diagnosis, site",
        ),
        ('"latents": [[0, 0, 0, 0]], "filters": [{"kind": "any_of", "field": "site"}]', "bad-input", "name a value"),
        (
            '"latents": [[0, 0, 0, 0]], "filters": [{"kind": "between", "low": 50, "high": 40}]',
            "bad-input",
            "low 50 is above high 40",
        ),
        (f'"latents": [[0, 0, 0, 0]], "filters": [{DEEP}]', "bad-input", "conditions lie 12 deep"),
        ('"latents": [[0, 0, 0, 0]], "case": "ISIC_0000000"', "bad-input", "from latents or from a case"),
        ('"k": 3', "bad-input", "from latents or from a case"),
        ('"latents": [[0, 0, 0, 0]], "examples": [{"case": "a", "weight": 0}]', "bad-input", "example a has weight 0"),
        ('"latents": [[0, 0, 0, 0]], "diversity": 0.5, "k": 150, "offset": 100', "bad-input", "at most 200"),
        ('"latents": [[0, 0, 0, 0]], "diversity": 2', "bad-input", "diversity"),
        ("not json", "bad-input", ""),
    ],
)
async def test_search__out_of_contract_is_refused(http: httpx.AsyncClient, body: str, code: str, text: str) -> None:
    content = f'{{"bundle_version": "made-1", {body}}}'
    answer = await http.post("/v1/search", content=content, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
    assert text in answer.json()["detail"]


async def test_put__without_a_readable_batch_is_refused(http: httpx.AsyncClient) -> None:
    for data in ({}, {"batch": "{}"}, {"batch": "nonsense"}):
        answer = await http.put("/v1/cases", data=data, files=[("images", ("a", b"x"))])
        assert (answer.status_code, answer.json()["code"]) == (422, "bad-input"), answer.text
        assert "batch" in answer.json()["detail"]


def test_unknown_case__is_not_found(filled: SearchClient) -> None:
    for ask in (filled.case, filled.image, filled.thumbnail):
        with pytest.raises(NotFound, match="no case nobody"):
            ask("nobody")


def test_restart__finds_all_again(settings: SearchSettings) -> None:
    with serving(create_app(settings)) as url, SearchClient(url) as client:
        client.put_cases(*batch(CASES))
        client.describe_collection(CollectionInfo(title="Kept"))
        before = client.collection()
    with serving(create_app(settings)) as url, SearchClient(url) as client:
        assert client.collection() == before
        assert client.case("ISIC_0000011") == CASES[11].case
        assert client.image("ISIC_0000011")[1] == "image/jpeg"


def test_key__is_asked_for(settings: SearchSettings, tmp_path: Path) -> None:
    locked = SearchSettings(bundle=settings.bundle, data=tmp_path / "locked", api_key="0123456789abcdef")
    with serving(create_app(locked)) as url:
        assert httpx.get(f"{url}/v1/collection").status_code == 401
        assert httpx.get(f"{url}/v1/collection", headers={"Authorization": "Bearer 0123456789abcdef"}).is_success
