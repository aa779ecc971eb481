from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from casekin.errors import BadInput
from training.config.guided import Config
from training.data.attribute_images import AttributeImages
from training.data.collection import Collection
from training.fit.feature_pca import CondenseConfig, condense
from training.fit.fit import module_for
from training.latent_space.embed import encode
from training.models.guided_vae import SILENT, GuidedVAE

SMALL = CondenseConfig(diagnosis_dimensions=6)


@pytest.fixture
def before(collection: Collection, tiny: Config) -> GuidedVAE:
    """Untrained."""
    torch.manual_seed(0)
    return module_for(tiny, collection).averaged.eval()


@pytest.mark.parametrize("rooted", [True, False])
def test_condense__reads_principal_components_of_unit_features_over_both_views(
    collection: Collection, before: GuidedVAE, tiny: Config, rooted: bool
) -> None:
    after = condense(before, collection, replace(SMALL, rooted=rooted), tiny.augment)
    images = torch.from_numpy(np.asarray(collection.pixels)).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        views = [before.encoder.pooled(images.flip(axis)) for axis in (3, 2)]  # left to right, and upside down
        ours = after.encoder(images).mean[:, :6].numpy()
    features = ((views[0] + views[1]) / 2).numpy()
    if rooted:
        features = np.sqrt(features + SILENT)
    train = collection.train_positions
    centred = features - features[train].mean(0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    theirs = centred @ PCA(6).fit(unit[train]).components_.T
    theirs *= 6**0.5 / np.linalg.norm(theirs, axis=1, keepdims=True)
    np.testing.assert_allclose(ours @ ours.T, theirs @ theirs.T, atol=1e-3)


def test_condense__has_one_view_where_there_is_an_up(collection: Collection, before: GuidedVAE, tiny: Config) -> None:
    for upright in (replace(tiny.augment, mirror=False), replace(tiny.augment, rotation=8.0)):
        assert not condense(before, collection, SMALL, upright).config.mirrored
    assert not condense(before, collection, replace(SMALL, mirrored=False), tiny.augment).config.mirrored
    assert condense(before, collection, SMALL, tiny.augment).config.mirrored


def test_condense__takes_over_all_else_and_has_a_head_that_tells_colours_apart(
    collection: Collection, before: GuidedVAE, tiny: Config
) -> None:
    after = condense(before, collection, SMALL, tiny.augment)
    guided, again = tiny.model.diagnosis_dimensions, after.config.diagnosis_dimensions
    assert (again, after.config.appearance_dimensions) == (6, tiny.model.appearance_dimensions)
    for kept in ("backbone", "appearance"):
        ours, theirs = (getattr(network.encoder, kept).state_dict() for network in (before, after))
        assert all(torch.equal(value, theirs[name]) for name, value in ours.items())
    images = torch.from_numpy(np.asarray(collection.pixels[:3])).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        latents = [network.encoder(images).mean for network in (before, after)]
        latents[0][:, :guided] = 0  # what the decoder made of the old diagnosis dimensions is forgotten
        torch.testing.assert_close(before.decoder(latents[0]), after.decoder(latents[1]))
    found = encode(after, collection, collection.train_positions)
    with torch.no_grad():
        guessed = after.logits(torch.from_numpy(found.means)).argmax(1).numpy()
    assert (guessed == found.labels).mean() > 0.9


def test_condense__says_how_far_the_changes_of_training_move_an_image(
    collection: Collection, before: GuidedVAE, tiny: Config
) -> None:
    still = replace(
        tiny.augment,
        scale=0.0,
        shift=0.0,
        brightness=0.0,
        contrast=0.0,
        saturation=0.0,
        tint=0.0,
        corners=0.0,
        degraded=0.0,
    )
    moving, resting = (
        encode(condense(before, collection, SMALL, changes), collection).log_variances[:, :6]
        for changes in (tiny.augment, replace(still, mirror=False, rotation=0.0))
    )
    assert (moving == moving[0]).all()  # the same of every image
    assert (resting <= -7.9).all()
    assert (moving > -6).all()


def seen(collection: Collection) -> AttributeImages:
    """Two attributes of the images of the collection: a melanoma's, and a nevus', which is not known of them all."""
    melanoma = np.array([case.diagnosis == "mel" for case in collection.cases], float)
    nevus = np.array([case.diagnosis == "nv" for case in collection.cases], float)
    nevus[::12] = np.nan
    return AttributeImages(
        names=("Streaks", "Globules"),
        values=np.stack([melanoma, nevus], 1),
        pixels=np.asarray(collection.pixels),
        groups=np.array([case.lesion for case in collection.cases]),
        folds=np.array([case.fold for case in collection.cases]),
        title="made up",
    )


def test_condense__appends_a_narrow_dimension_for_each_attribute(
    collection: Collection, before: GuidedVAE, tiny: Config
) -> None:
    plain = condense(before, collection, SMALL, tiny.augment)
    after = condense(before, collection, SMALL, tiny.augment, attributes=seen(collection))
    assert after.config.diagnosis_dimensions == 8
    assert after.head.in_features == 8
    ours, theirs = (encode(network, collection).means for network in (after, plain))
    held_out = [row for row, case in enumerate(collection.cases) if row not in collection.train_positions]
    melanoma = np.array([collection.cases[row].diagnosis == "mel" for row in held_out])
    assert ours[held_out, 6][melanoma].min() > ours[held_out, 6][~melanoma].max()
    spread = ours[collection.train_positions].std(0)
    assert (spread[6:8] < 0.7 * spread[5]).all()
    # Beside them the components are what they were, but for the common length.
    direction, before_it = (values[:, :6] / np.linalg.norm(values[:, :6], axis=1)[:, None] for values in (ours, theirs))
    np.testing.assert_allclose(direction, before_it, atol=1e-4)


def test_condense__refuses_an_attribute_of_too_few_images(
    collection: Collection, before: GuidedVAE, tiny: Config
) -> None:
    few = seen(collection)
    few.values[10:, 1] = 0
    with pytest.raises(BadInput, match=r"Globules: \d images have it and \d+ have not; learning it needs 10 of each"):
        condense(before, collection, SMALL, tiny.augment, attributes=few)


def test_condense__learns_attributes_from_training_folds_only(
    collection: Collection, before: GuidedVAE, tiny: Config
) -> None:
    given = seen(collection)
    wrong = given.values.copy()
    wrong[~np.isin(given.folds, tiny.data.train_folds)] = 0.5
    one, other = (
        condense(before, collection, SMALL, tiny.augment, attributes=images)
        for images in (given, replace(given, values=wrong))
    )
    assert torch.equal(one.encoder.diagnosis.weight, other.encoder.diagnosis.weight)


def test_condense__is_the_same_at_each_call(collection: Collection, before: GuidedVAE, tiny: Config) -> None:
    one, other = (condense(before, collection, SMALL, tiny.augment) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_condense__wants_more_images_than_dimensions(collection: Collection, before: GuidedVAE, tiny: Config) -> None:
    with pytest.raises(BadInput, match="36 training images span no 40 diagnosis dimensions"):
        condense(before, collection, replace(SMALL, diagnosis_dimensions=40), tiny.augment)
