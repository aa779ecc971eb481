from dataclasses import replace

import pytest

from training.config.guided import AugmentConfig, Config, SoupMember, named, on_split


def test_further__differs_from_the_first_in_name_and_what_it_says() -> None:
    config = on_split(replace(named("guided"), soup=(SoupMember("long", seed=3, epochs=25, mixed=0.5),)), "prove")
    (run,) = config.soup_members()
    assert run.name == "guided-prove-long"
    first, second = config.flat(), run.flat()
    assert {name for name in first if first[name] != second[name]} == {
        "name",
        "seed",
        "augment.mixed",
        "optimiser.epochs",
    }
    assert run.soup_members() == []


def test_config__refuses_to_decode_blends() -> None:
    with pytest.raises(ValueError, match=r"1\.025 of a batch"):
        Config(augment=AugmentConfig(mixed=0.9))


@pytest.mark.parametrize(("changes", "expected"), [({}, True), ({"mirror": False}, False), ({"rotation": 8.0}, False)])
def test_has_no_up__only_where_an_image_may_be_turned_over(changes: dict[str, float], expected: bool) -> None:
    assert replace(AugmentConfig(), **changes).is_orientation_free is expected
