"""``python -m translations``: collect the texts anew, bring the .po up to date, compile the .mo."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

NOTIFY = Path(__file__).parents[1] / "calsync/adapters/notify"
LANGUAGES = ("nl", "sv", "ko")
_METHODS = [("templates/**.txt", "jinja2.ext:babel_extract"), ("**.py", "python")]
_OPTIONS = {"templates/**.txt": {"newstyle_gettext": "true", "trimmed": "false"}}
_KEYWORDS: dict[str, None] = {"_": None, "N_": None, "translate": None, "gettext": None}


def po_file(language: str) -> Path:
    return NOTIFY / "locale" / language / "LC_MESSAGES/notices.po"


def collected() -> Catalog:
    """Every text that the templates and modules of notices ask to have translated."""
    catalog = Catalog(project="calsync", charset="utf-8")
    found: Iterator[tuple[str, int, object, list[str], str | None]] = extract_from_dir(
        NOTIFY,
        method_map=_METHODS,
        options_map=_OPTIONS,
        keywords=_KEYWORDS | {"ngettext": (1, 2)},
    )
    for name, _, text, comments, context in found:
        catalog.add(text, None, [(name, 0)], auto_comments=comments, context=context)
    return catalog


def updated(language: str) -> Catalog:
    """The translators' file of a language, with the texts as they are now."""
    path = po_file(language)
    if path.exists():
        with path.open("rb") as file:
            catalog = read_po(file, locale=language)
    else:
        catalog = Catalog(locale=language, project="calsync")
    catalog.update(collected(), no_fuzzy_matching=True)
    catalog.obsolete.clear()
    return catalog


def as_po(catalog: Catalog) -> bytes:
    catalog.fuzzy = False
    catalog.header_comment = f"# What calsync's notices say, in {catalog.locale.english_name}."
    buffer = io.BytesIO()
    write_po(buffer, catalog, width=100, no_location=True, sort_output=True, omit_header=False)
    lines = buffer.getvalue().decode().splitlines(keepends=True)
    # When it was made changes with each run; names and addresses nobody filled in.
    dated = (
        *('"POT-Creation-Date', '"PO-Revision-Date', '"Generated-By', '"Last-Translator'),
        *('"Language-Team', '"Report-Msgid-Bugs-To', '"Project-Id-Version'),
    )
    return "".join(line for line in lines if not line.startswith(dated)).encode()


def as_mo(po: bytes, language: str) -> bytes:
    catalog = read_po(io.BytesIO(po), locale=language)
    # The same from the same, on any day.
    catalog.creation_date = catalog.revision_date = datetime(2026, 1, 1, tzinfo=UTC)
    buffer = io.BytesIO()
    write_mo(buffer, catalog)
    return buffer.getvalue()


def untranslated(catalog: Catalog) -> list[str]:
    """The texts that lack words, or one of their plural forms."""
    return [
        str(one.id)
        for one in catalog
        if one.id and not (all(one.string) if isinstance(one.string, tuple) else one.string)
    ]


def main() -> None:
    for language in LANGUAGES:
        path = po_file(language)
        path.parent.mkdir(parents=True, exist_ok=True)
        po = as_po(updated(language))
        path.write_bytes(po)
        path.with_suffix(".mo").write_bytes(as_mo(po, language))
        missing = len(untranslated(updated(language)))
        print(f"{path}: {missing} texts without a translation")


if __name__ == "__main__":
    main()
