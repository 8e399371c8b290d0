"""Archives: every file within is looked at under its own name, and what cannot be unpacked is said."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile

import pytest

from pefomed_plugin.services.privacy import archives
from pefomed_plugin.services.privacy.burned_in import find_reader
from pefomed_plugin.services.privacy.cleaning import Cleaner
from pefomed_plugin.services.privacy.recognisers import OWN, find_recogniser
from pefomed_plugin.services.privacy.scanning import Looker, scan
from pefomed_plugin.services.privacy.sources import find_sources

REPORT = b"Patient: Hans Mueller\nNo effusion.\n"


def zipped(**files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for name, content in files.items():
            packed.writestr(name.replace("__", "."), content)
    return buffer.getvalue()


def in_a_tar(name, content, mode="w"):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as packed:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        packed.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


WORD = "<w:p><w:r><w:t>Patient: Ha</w:t></w:r><w:r><w:t>ns M&#252;ller</w:t></w:r></w:p><w:p w:rsidR='00123456'/>"
FILES = {
    "a.zip": (zipped(x__txt=REPORT, y__txt=b"clear\n"), "a.zip/x.txt"),
    "a.zip.zip": (zipped(b__zip=zipped(x__txt=REPORT)), "a.zip.zip/b.zip/x.txt"),
    "shard.tar": (in_a_tar("0001.json", b'{"report": "Patient: Hans Mueller"}'), "shard.tar/0001.json"),
    "a.tgz": (in_a_tar("x/y.txt", REPORT, "w:gz"), "a.tgz/x/y.txt"),
    "rows.csv.gz": (gzip.compress(b"PatientName,finding\nMueller,none\n"), "rows.csv.gz/rows.csv"),
    "letter.docx": (
        zipped(**{"word/document.xml": WORD, "word/styles.xml": "<a>Hans Mueller</a>"}),
        "word/document.xml",
    ),
    "letter.odt": (zipped(**{"content.xml": "<text:p>Patient: Hans Mueller</text:p>"}), "content.xml"),
}


def looked_at(path):
    sources, links = find_sources([path])
    return sources, scan(sources, links, Looker(find_recogniser(OWN), find_reader("none")))


@pytest.mark.parametrize("name", FILES)
def test_files_of_an_archive_are_looked_at_and_not_copied(tmp_path, name):
    content, where = FILES[name]
    (tmp_path / name).write_bytes(content)
    sources, found = looked_at(tmp_path / name)
    assert [(one.kind, one.file.endswith(where)) for one in found.findings] == [("name", True)]
    assert found.files["archive"] and not found.unread and not found.not_looked_at
    done = Cleaner(Looker(find_recogniser(OWN), find_reader("none")), sources, tmp_path / "b").copy(sources)
    assert "unpack it" in next(iter(done.not_copied)) and (tmp_path / name).read_bytes() == content


def test_names_within_an_archive_count(tmp_path):
    (tmp_path / "Weber_Anna").mkdir()
    (tmp_path / "Weber_Anna" / "a.zip").write_bytes(zipped(Mueller_Hans__txt=b"clear\n"))
    found = looked_at(tmp_path)[1].findings
    assert [one.place for one in found] == ["folder name", "file name"] and "Mueller" not in found[1].file


def with_comment(of_the_file):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        member = zipfile.ZipInfo("x.txt")
        member.comment = REPORT if of_the_file else b""
        packed.writestr(member, b"clear\n")
        packed.comment = b"" if of_the_file else REPORT
    return buffer.getvalue()


def with_name_of_gzip():
    buffer = io.BytesIO()
    with gzip.GzipFile("Mueller_Hans.txt", "wb", fileobj=buffer) as file:
        file.write(b"clear\n")
    return buffer.getvalue()


def with_link_of_a_tar():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as packed:
        member = tarfile.TarInfo("a")
        member.type, member.linkname = tarfile.SYMTYPE, "../Mueller_Hans/a"
        packed.addfile(member)
    return buffer.getvalue()


CHANGED = '<w:ins w:id="1" w:author="Weber Anna" w:date="2026-01-01T00:00:00Z"><w:t>clear</w:t></w:ins>'
CREATOR = "<a><dc:creator>weber</dc:creator><cp:lastModifiedBy>python-docx</cp:lastModifiedBy></a>"
SAID_BESIDE = {
    "comment.zip": with_comment(False),
    "comment_of_a_file.zip": with_comment(True),
    "name.gz": with_name_of_gzip(),
    "link.tar": with_link_of_a_tar(),
    "author.docx": zipped(**{"word/document.xml": CHANGED}),
    "creator.docx": zipped(**{"docProps/core.xml": CREATOR}),
}


@pytest.mark.parametrize("name", SAID_BESIDE)
def test_what_an_archive_says_of_itself_and_of_who_wrote_it(tmp_path, name):
    (tmp_path / name).write_bytes(SAID_BESIDE[name])
    assert [one.kind for one in looked_at(tmp_path / name)[1].findings] == ["name"]


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.gz", "a.docx"])
def test_a_damaged_archive_is_no_success(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x1f\x8b damaged" if name == "a.gz" else b"PK damaged")
    found = looked_at(tmp_path / name)[1]
    assert "a damaged archive" in found.unread[0]


def test_an_archive_that_unpacks_to_too_much_is_no_success(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MOST_UNPACKED_BYTES", 10)
    (tmp_path / "a.zip").write_bytes(zipped(x__txt=REPORT))
    assert "unpacks to more than" in looked_at(tmp_path / "a.zip")[1].unread[0]


def test_archives_within_archives_end(tmp_path):
    content = REPORT
    for _ in range(5):
        content = zipped(a__zip=content)
    (tmp_path / "a.zip").write_bytes(content)
    (reason,) = looked_at(tmp_path / "a.zip")[1].not_looked_at
    assert "archives within each other" in reason
