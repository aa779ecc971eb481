"""The audit log: one line a view, on disk at once, for its owner only."""

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from casekin.service.audit import AuditLog


def test_audit__every_record_is_a_line(tmp_path: Path) -> None:
    file = tmp_path / "audit" / "search.jsonl"
    audit = AuditLog(file)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: audit.record("dr.a", "image", f"case-{i}"), range(200)))
    audit.close()
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert {line["subject"] for line in lines} == {f"case-{i}" for i in range(200)}
    assert set(lines[0]) == {"at", "who", "what", "subject"}


def test_audit__is_appended_and_private(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    for who in ("first", "second"):
        audit = AuditLog(file)
        audit.record(who, "image", "case")
        audit.close()
    assert [json.loads(line)["who"] for line in file.read_text().splitlines()] == ["first", "second"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
