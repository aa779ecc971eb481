"""Collections of other clinics: trained on beside HAM10000, and queries from elsewhere against its gallery.

Training and measuring read them through `read_other_clinic`, so that both agree on the folds: neither download has a
`folds.csv`, so `training.data.folds.assigned` hashes the lesion's id (of MSK, whose lesions have no names, the image's)
into folds 0 to 4. Fold 0 is for measuring; train on the others only.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from casekin.collections import CollectionSpec, Columns, built_in_spec
from casekin.contracts.collection import Diagnosis
from casekin.errors import BadInput
from training.data.cases import LabelledCollection, read_collection

FOLDS = 5
TEST_FOLDS = (0,)
"""Of every collection: queries of the reported figures, never trained on and never chosen by."""
SCC = Diagnosis(code="scc", name="Squamous cell carcinoma", malignant=True, colour="#882255")
"""Of BCN20000; HAM10000 has no such diagnosis. It counts as malignant, and no match in HAM10000 can have it."""


@dataclass(frozen=True)
class OtherClinic:
    """A collection of another clinic than HAM10000's, in our folder of data."""

    name: str
    """Short, for the names of figures."""
    folder: str
    """Below the folder of all data sets."""
    title: str
    citation: str
    columns: Columns
    diagnoses: tuple[Diagnosis, ...] = ()
    """Those that HAM10000 lacks."""

    @property
    def spec(self) -> CollectionSpec:
        """Description of the collection: HAM10000's codes and names, without what only HAM10000 has."""
        base = built_in_spec("ham10000")
        return CollectionSpec(
            title=self.title,
            licence="CC BY-NC 4.0",
            citation=self.citation,
            columns=self.columns,
            diagnoses=[*base.diagnoses, *self.diagnoses],
        )


CLINICS = (
    OtherClinic(
        name="msk",
        folder="isic2018_task2",
        title="ISIC 2018 task 2 (MSK)",
        citation="Codella N, Rotemberg V, Tschandl P, et al. Skin lesion analysis toward melanoma detection 2018: a "
        "challenge hosted by the International Skin Imaging Collaboration. arXiv:1902.03368, 2019.",
        columns=Columns(id="image_id", diagnosis="dx", age="age", sex="sex", site="localization"),
    ),
    OtherClinic(
        name="bcn",
        folder="bcn20000_84px",
        title="BCN20000",
        citation="Combalia M, Codella NCF, Rotemberg V, et al. BCN20000: dermoscopic lesions in the wild. "
        "arXiv:1908.02288, 2019.",
        columns=Columns(id="image_id", lesion="lesion_id", diagnosis="dx", age="age", sex="sex", site="localization"),
        diagnoses=(SCC,),
    ),
)


def other_clinic(name: str) -> OtherClinic:
    """Return the clinic of that short name; raises `BadInput` for an unknown one."""
    for clinic in CLINICS:
        if clinic.name == name:
            return clinic
    raise BadInput(f"there is no other clinic {name!r}; there are {', '.join(one.name for one in CLINICS)}")


def read_other_clinic(clinic: OtherClinic, data: Path) -> LabelledCollection:
    """Return the cases of a clinic with their folds, from its folder below `data`; raises `BadInput` where it is not.

    Images of one lesion share a fold.
    """
    return read_collection(data / clinic.folder, clinic.spec, FOLDS)


def known_spec(folder: Path) -> CollectionSpec | Literal[""]:
    """Return the description of a clinic's folder by its name; of any other folder "": its own description counts."""
    return next((clinic.spec for clinic in CLINICS if clinic.folder == folder.name), "")
