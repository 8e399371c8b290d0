"""Ratings on the disk: saved at once, kept over crashes, by several writers."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from datetime import datetime, timedelta, timezone

import pytest

from pefomed_plugin.rubrics import REPORT
from pefomed_plugin.services.rating.store import STORE, RatingStore, StoreError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ratings" / STORE


def test_the_last_word_counts_and_what_is_not_said_stays(path):
    with RatingStore(path, REPORT) as store:
        store.save("anna", "a", rating=3)
        store.save("anna", "a", comment="invented words")
        store.save("anna", "a", rating=0)
        store.save("anna", "b", comment="only a comment")
        store.save("boris", "a", rating=4, comment="")
    with RatingStore(path, REPORT) as store:
        said = store.ratings_of("anna")
        assert (said["a"].rating, said["a"].comment) == (0, "invented words")
        assert (said["b"].rating, said["b"].comment) == (None, "only a comment")
        assert store.ratings_of("nobody") == {}
        assert store.counts() == {"anna": 1, "boris": 1}
        at = datetime.fromisoformat(said["a"].at)
        assert timedelta(0) <= datetime.now(timezone.utc) - at < timedelta(minutes=5)


def test_who_only_comments_is_no_rater(path):
    with RatingStore(path, REPORT) as store:
        store.save("anna", "a", comment="hm")
        assert store.counts() == {}


def test_threads_and_a_second_connection_lose_nothing(path):
    def rate(store, rater):
        for number in range(40):
            store.save(rater, str(number), rating=number % 5)

    with RatingStore(path, REPORT) as one, RatingStore(path, REPORT) as two:
        threads = [
            threading.Thread(target=rate, args=(store, f"rater{number}"))
            for number, store in enumerate((one, one, two, two))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert one.counts() == two.counts() == {f"rater{number}": 40 for number in range(4)}
        assert [one.ratings_of("rater3")[str(number)].rating for number in range(40)] == [n % 5 for n in range(40)]


def test_a_killed_process_has_kept_what_it_saved(path):
    code = (
        "import os, sys; from pathlib import Path; from pefomed_plugin.services.rating.store import RatingStore\n"
        "from pefomed_plugin.rubrics import REPORT\n"
        "store = RatingStore(Path(sys.argv[1]), REPORT)\n"
        "for n in range(25): store.save('anna', str(n), rating=n % 2)\n"
        f"os.kill(os.getpid(), {int(signal.SIGKILL)})"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False, env={**os.environ})
    assert done.returncode == -signal.SIGKILL
    with RatingStore(path, REPORT) as store:
        assert store.counts() == {"anna": 25}


@pytest.mark.parametrize("content", [b"no database, but a text that is longer than a header" * 4, None])
def test_other_files_are_refused_and_left_alone(path, content):
    path.parent.mkdir()
    if content is None:
        other = sqlite3.connect(str(path))
        other.execute("CREATE TABLE theirs (x)")
        other.close()
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"ratings\.sqlite.*choose another"):
        RatingStore(path, REPORT)
    assert path.read_bytes() == before


def test_a_store_of_a_later_version_is_refused(path):
    RatingStore(path, REPORT).close()
    later = sqlite3.connect(str(path))
    later.execute("PRAGMA user_version = 99")
    later.close()
    with pytest.raises(StoreError, match="another version"):
        RatingStore(path, REPORT)


def test_what_cannot_be_written_is_said(path, tmp_path):
    store = RatingStore(path, REPORT)
    store.close()
    with pytest.raises(StoreError, match=r"ratings\.sqlite"):
        store.save("anna", "a", rating=1)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot open"):
        RatingStore(tmp_path / "file" / STORE, REPORT)


def test_every_word_is_kept_and_the_last_one_can_be_taken_back(path):
    with RatingStore(path, REPORT) as store:
        store.save("anna", "a", rating=3)
        assert store.save("anna", "a", rating=3).number == store.save("anna", "a").number == 1  # nothing new
        second = store.save("anna", "a", cannot=True, comment="blurred")
        assert [word.rating for word in store.history()["anna", 1, "a"]] == [3, None]
        assert store.counts() == {"anna": 1}
        back = store.undo("anna", "a", second.number)
        assert (back.rating, back.cannot, back.comment) == (3, False, "blurred")
        assert [word.origin for word in store.history()["anna", 1, "a"]] == ["page", "page", "undone"]
        store.save("anna", "a", rating=1, number=2)
        assert store.ratings_of("anna")["a"].rating == 3 and store.ratings_of("anna", 2)["a"].rating == 1


def test_a_store_of_the_first_version_is_taken_over(path):
    path.parent.mkdir()
    old = sqlite3.connect(str(path))
    old.execute(
        "CREATE TABLE ratings (rater TEXT NOT NULL, sample_id TEXT NOT NULL, rating INTEGER, comment TEXT NOT NULL, "
        "at TEXT NOT NULL, PRIMARY KEY (rater, sample_id))"
    )
    old.execute("INSERT INTO ratings VALUES ('anna', 'a', 4, 'words', '2024-05-01T10:00:00+00:00')")
    old.execute("PRAGMA user_version = 1")
    old.commit()
    old.close()
    for _ in range(2):
        with RatingStore(path, REPORT) as store:
            word = store.ratings_of("anna")["a"]
            assert (word.rating, word.cannot, word.comment, word.origin) == (4, False, "words", "page")
            assert word.at == "2024-05-01T10:00:00+00:00" and store.counts() == {"anna": 1}
