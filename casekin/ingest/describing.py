"""What search should say of the collection after this ingest."""

from casekin.contracts.search import Collection, CollectionInfo


def described(before: Collection, new: CollectionInfo) -> CollectionInfo:
    """`new`; where another collection is in already, its diagnoses and labels stay beside those of `new`."""
    old = before.info
    if before.cases == 0 or old.title == new.title:
        return new
    codes = {diagnosis.code for diagnosis in new.diagnoses}
    kept = [diagnosis for diagnosis in old.diagnoses if diagnosis.code not in codes]
    fields = old.labels.keys() | new.labels.keys()
    labels = {field: old.labels.get(field, {}) | new.labels.get(field, {}) for field in sorted(fields)}
    evidence = old.evidence_weights | new.evidence_weights
    return new.model_copy(update={"diagnoses": [*new.diagnoses, *kept], "labels": labels, "evidence_weights": evidence})
