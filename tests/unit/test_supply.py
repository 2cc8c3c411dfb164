"""The audit never takes silence for good news, and the list of parts is whole and valid."""

from __future__ import annotations

import json
import os
import re
from email.message import Message
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

import pytest

from calsync import __version__
from supply import audit
from supply.__main__ import main
from supply.lock import LOCK, Pin, is_copyleft, licence_of, read_lock
from supply.sbom import problems, sbom

PINS = read_lock()


def parts() -> dict[str, Any]:
    return sbom(PINS, name="calsync", version=__version__, licence="Apache-2.0")


# --- advisories ------------------------------------------------------------------------------


def row(name: str, *ids: str, **more: Any) -> dict[str, Any]:
    vulns = [{"id": one, "fix_versions": ["2.0"]} for one in ids]
    return {"name": name, "version": "1.0", "vulns": vulns, **more}


@pytest.mark.parametrize(
    ("rows", "status"),
    [
        ([row("a"), row("B")], audit.CLEAN),
        ([row("a", "CVE-1"), row("b")], audit.AFFECTED),
        ([row("a")], audit.UNKNOWN),
        ([row("a"), {"name": "b", "skip_reason": "not found on PyPI"}], audit.UNKNOWN),
        ([row("a", "CVE-1"), {"name": "b", "skip_reason": "x"}], audit.AFFECTED),
        ([], audit.UNKNOWN),
    ],
)
def test_only_what_was_checked_is_clean(rows: list[dict[str, Any]], status: int) -> None:
    verdict = audit.judge(rows, ["a", "b"])
    assert verdict.status == status
    assert verdict.lines
    assert all("CVE-1, mended in 2.0" in line for line in verdict.lines if "CVE" in line)


def tool(folder: Path, script: str) -> Path:
    path = folder / "pip-audit"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_pip_audit_is_asked_about_every_package_by_hash(tmp_path: Path) -> None:
    rows = json.dumps({"dependencies": [row(pin.name) for pin in PINS]})
    (tmp_path / "rows.json").write_text(rows)
    asked = tool(tmp_path, f'echo "$@" > {tmp_path}/asked; cat {tmp_path}/rows.json')
    assert audit.advisories(asked, service="osv").status == audit.CLEAN
    said = (tmp_path / "asked").read_text()
    assert f"-r {LOCK}" in said
    assert "--require-hashes" in said
    assert "-s osv" in said


@pytest.mark.parametrize(
    "script", ["exit 0", "echo nothing; exit 0", "echo '{}'", "echo failed >&2; exit 1"]
)
def test_a_service_that_is_not_reached_is_no_good_news(tmp_path: Path, script: str) -> None:
    verdict = audit.advisories(tool(tmp_path, script), service="pypi")
    assert verdict.status == audit.UNKNOWN
    assert "was not reached" in verdict.lines[0]
    verdict = audit.advisories(tmp_path / "none", service="pypi")
    assert (verdict.status, "not installed" in verdict.lines[0]) == (audit.UNKNOWN, True)


def test_the_exit_status_says_the_worst(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "--tool", str(tmp_path / "none")]) == audit.UNKNOWN
    assert "advisories: NOT CHECKED" in capsys.readouterr().out
    rows = json.dumps({"dependencies": [row(PINS[0].name, "CVE-9")]})
    (tmp_path / "rows.json").write_text(rows)
    assert main(["audit", "--tool", str(tool(tmp_path, f"cat {tmp_path}/rows.json"))]) == 1
    assert f"{PINS[0].name} 1.0: CVE-9" in capsys.readouterr().out


# --- licences --------------------------------------------------------------------------------


class Package(Distribution):
    def __init__(self, **members: str) -> None:
        self._members = members

    @property
    def metadata(self) -> Any:
        message = Message()
        for name, value in self._members.items():
            message[name.replace("_", "-")] = value
        return message

    def read_text(self, filename: str) -> str | None:
        return None

    def locate_file(self, path: str | os.PathLike[str]) -> Path:
        return Path(path)


@pytest.mark.parametrize(
    ("members", "bad"),
    [
        ({"License_Expression": "GPL-3.0-or-later"}, True),
        ({"License_Expression": "MIT OR Apache-2.0"}, False),
        ({"Classifier": "License :: OSI Approved :: GNU Affero General Public License v3"}, True),
        ({"Classifier": "License :: OSI Approved :: MIT License"}, False),
        ({"License": "LGPLv2+\nlong text"}, True),
        ({"License": "BSD"}, False),
    ],
)
def test_a_copyleft_licence_is_seen_wherever_it_is_stated(
    members: dict[str, str], bad: bool
) -> None:
    assert is_copyleft(licence_of(Package(**members))) is bad


def test_no_package_of_the_lock_is_under_a_gpl() -> None:
    installed = [pin for pin in PINS if pin.installed() is not None]
    assert len(installed) > 20
    assert audit.licences(installed).status == audit.CLEAN
    strange = Pin("no-such-package-anywhere", "1", "", ("0" * 64,))
    assert audit.licences([strange]).status == audit.UNKNOWN


# --- the list of parts -----------------------------------------------------------------------


def test_every_locked_package_is_listed_with_every_hash() -> None:
    doc = parts()
    assert problems(doc) == []
    listed = {part["name"]: part for part in doc["components"]}
    assert listed.keys() == {pin.name for pin in PINS}
    text = LOCK.read_text(encoding="utf-8")
    marks = {
        mark["content"]
        for part in listed.values()
        for reference in part["externalReferences"]
        for mark in reference["hashes"]
    }
    assert marks == set(re.findall(r"sha256:([0-9a-f]{64})", text))
    assert all(
        part["licenses"] for name, part in listed.items() if Pin(name, "", "", ()).installed()
    )


def test_what_calsync_needs_leads_to_every_part() -> None:
    doc = parts()
    needs = {line["ref"]: line["dependsOn"] for line in doc["dependencies"]}
    reached, due = set(), [doc["metadata"]["component"]["bom-ref"]]
    while due:
        ref = due.pop()
        if ref not in reached:
            reached.add(ref)
            due += needs[ref]
    assert reached == needs.keys()


def test_the_same_lock_gives_the_same_bytes(tmp_path: Path) -> None:
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    assert main(["sbom", "--output", str(one)]) == main(["sbom", "--output", str(two)]) == 0
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda doc: doc.update(specVersion="1.0"),
        lambda doc: doc.update(serialNumber="x"),
        lambda doc: doc["components"].append(doc["components"][0]),
        lambda doc: doc["components"][0].pop("version"),
        lambda doc: doc["components"][0].update(purl="x"),
        lambda doc: doc["components"][0].update(licenses=[{"name": "MIT"}]),
        lambda doc: doc["dependencies"][0]["dependsOn"].append("pkg:pypi/x@1"),
        lambda doc: doc["components"][0]["externalReferences"][0]["hashes"][0].update(content="x"),
    ],
)
def test_a_list_that_is_wrong_is_seen(spoil: Any) -> None:
    doc = json.loads(json.dumps(parts()))
    spoil(doc)
    assert problems(doc)


def test_a_lock_without_hashes_is_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    path.write_text("a==1.0\n")
    with pytest.raises(ValueError, match="no pin with hashes"):
        read_lock(path)
