"""The database file: made late, shared by threads and processes, moved aside when it is damaged."""

import multiprocessing
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lib_fabric.errors import FabricError
from lib_fabric.library.storage import database as database_module
from lib_fabric.library.storage.database import Database
from lib_fabric.library.storage.schema import MIGRATIONS

ROOT = Path(__file__).resolve().parents[2]
INSERT = "INSERT INTO presets (owner, folded_name, content) VALUES ('', ?, ?)"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "history.sqlite3"


def _database(path, names=("from a file",)):
    """A database that is rebuilt with these rows."""
    database = Database(path)
    database.add_rebuild(
        lambda connection: connection.executemany(INSERT, [(name, "") for name in names])
    )
    return database


def _names(database):
    return database.read(
        lambda connection: [row[0] for row in connection.execute("SELECT folded_name FROM presets")]
    )


def _put(database, name, content="x" * 500):
    database.write(lambda connection: connection.execute(INSERT, (name, content)))


def _refusal(function, *args):
    with pytest.raises(FabricError) as caught:
        function(*args)
    assert caught.value.status_code == 500
    return str(caught.value)


def _broken(path):
    return sorted(each.name.split("-2")[0] for each in path.parent.glob("*.broken-*"))


def test_reading_where_nothing_was_stored_writes_nothing(path):
    assert _names(Database(path)) == []
    assert not path.parent.exists()


def test_a_new_file_is_filled_from_the_files(path):
    path.parent.mkdir()
    assert _names(_database(path)) == ["from a file"]
    assert _names(_database(path, ["not again"])) == ["from a file"]


def test_all_of_a_write_or_nothing(path):
    database = _database(path)

    def work(connection):
        connection.execute(INSERT, ("half", ""))
        raise FabricError("no")

    with pytest.raises(FabricError, match=r"^no$"):
        database.write(work)
    assert _names(database) == ["from a file"]


def test_the_result_is_handed_back(path):
    assert _database(path).write(lambda connection: 7) == 7


def _damage(path, start, data):
    with path.open("r+b") as file:
        file.seek(start)
        file.write(data)


DAMAGES = {
    "zeroed": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "emptied": lambda path: path.write_bytes(b""),
    "deleted": lambda path: path.unlink(),
    "noise": lambda path: path.write_bytes(os.urandom(9000)),
    "text": lambda path: path.write_text("hello"),
    "cut to a page": lambda path: os.truncate(path, 4096),
    "cut to half": lambda path: os.truncate(path, path.stat().st_size // 2),
    "cut inside a page": lambda path: os.truncate(path, path.stat().st_size - 100),
    "header": lambda path: _damage(path, 0, b"not a database at all"),
    "schema page": lambda path: _damage(path, 100, bytes(3996)),
    "every other page": lambda path: _damage(path, 4096, bytes(path.stat().st_size - 4096)),
    "last page": lambda path: _damage(path, path.stat().st_size - 4096, b"\xff" * 4096),
}


# Inside a row, where SQLite has no checksum: found when it is stumbled upon.
SILENT = ("cut inside a page", "last page")


@pytest.mark.parametrize("known", [True, False], ids=["while it is open", "at start"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_moved_aside_and_rebuilt(path, damage, known):
    database = _database(path)
    rows = [(f"row {number}", "x" * 500) for number in range(100)]
    database.write(lambda connection: connection.executemany(INSERT, rows))
    if not known:
        database = _database(path)
    DAMAGES[damage](path)
    names = _names(database)
    if damage in SILENT and "row 99" in names:
        assert len(names) == 101
        return
    if damage not in ("emptied", "deleted"):
        assert "history.sqlite3.broken" in _broken(path)
    assert names == ["from a file"]
    _put(database, "new")
    assert set(_names(_database(path))) == {"from a file", "new"}


def test_a_file_whose_version_is_lost_is_rebuilt(path):
    _put(_database(path), "lost")
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 0")
    assert _names(_database(path)) == ["from a file"]
    assert _broken(path) == ["history.sqlite3.broken"]


def test_a_file_whose_table_is_lost_is_rebuilt(path):
    database = _database(path)
    _put(database, "lost")
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE presets")
    assert _names(database) == ["from a file"]
    assert "history.sqlite3.broken" in _broken(path)


def _change_file(path, sql):
    with sqlite3.connect(path) as connection:
        connection.execute(sql)
    connection.close()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE presets SET folded_name = CAST(folded_name AS BLOB)",
        "UPDATE presets SET owner = CAST('' AS BLOB)",
        "INSERT INTO active_sets VALUES ('', '', '', '', '', 0.0, 'yesterday')",
        "INSERT INTO ratings VALUES (1, '', '', x'00', '', 0.0, '', NULL, '', '')",
        "INSERT INTO ratings VALUES (1, '', '', '', '', 'never', '', NULL, '', '')",
    ],
)
def test_a_value_of_a_garbled_type_is_damage_that_sqlite_does_not_see(path, sql):
    _put(Database(path), "kept")
    _change_file(path, sql)
    assert _names(_database(path)) == ["from a file"]
    assert _broken(path) == ["history.sqlite3.broken"]


def test_what_other_programs_add_to_the_file_is_no_damage(path):
    _put(Database(path), "kept")
    for sql in (
        "ANALYZE",
        'CREATE TABLE "a ""table""" (x, "y y" BLOB, z NUMERIC)',
        'INSERT INTO "a ""table""" VALUES (1, \'two\', 3.5)',
        # Nothing known is a value of every type, and a whole number is a REAL.
        "INSERT INTO ratings VALUES (1, '', '', '', '', 5, '', NULL, '', '')",
    ):
        _change_file(path, sql)
    assert _names(_database(path)) == ["kept"]
    assert _broken(path) == []


def test_a_committed_write_has_reached_the_disk(path):
    """SQLite waits for the disk at every step of a commit: 2 is FULL."""
    level = Database(path).write(
        lambda connection: connection.execute("PRAGMA synchronous").fetchone()
    )
    assert level == (2,)


def test_the_journal_leaves_with_its_file(path):
    _put(Database(path), "kept")
    path.write_bytes(b"\0" * 5000)
    journal = path.with_name(f"{path.name}-journal")
    journal.write_bytes(b"\0" * 700)
    assert _names(_database(path)) == ["from a file"]
    assert _broken(path) == ["history.sqlite3-journal.broken", "history.sqlite3.broken"]
    assert journal.stat().st_size != 700


def test_two_broken_files_are_both_kept(path):
    path.parent.mkdir()
    database = _database(path)
    for _ in range(3):
        _names(database)
        path.write_text("hello")
    _names(database)
    assert len(list(path.parent.glob("history.sqlite3.broken-*"))) == 3


def test_writing_into_a_damaged_file_repairs_it_first(path):
    database = _database(path)
    _put(database, "lost")
    path.write_bytes(b"hello" * 1000)
    _put(database, "new")
    assert _names(database) == ["from a file", "new"]


def test_a_crash_in_a_write_leaves_the_state_before(path):
    """SQLite's own promise; here to see that the settings of the connection keep it."""
    database = _database(path)
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path\n"
        "from lib_fabric.library.storage.database import Database\n"
        "def work(connection):\n"
        "    connection.execute('PRAGMA cache_size = 1')\n"
        "    for n in range(300):\n"
        "        connection.execute(\"INSERT INTO presets VALUES ('', ?, ?)\", (n, 'x' * 900))\n"
        "    os._exit(0)\n"
        "Database(Path(sys.argv[1])).write(work)\n"
    )
    _put(database, "before")
    subprocess.run([sys.executable, "-c", code, str(path), str(ROOT)], check=True)
    assert _names(database) == ["before", "from a file"]
    assert _broken(path) == []


def test_a_file_of_a_newer_version_is_left_alone(path):
    _put(_database(path), "kept")
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    before = path.read_bytes()
    newer = "the history was written by a newer version of FABRIC. Update FABRIC."
    assert _refusal(_names, _database(path)) == newer
    assert _refusal(_put, _database(path), "x") == newer
    assert path.read_bytes() == before


def test_a_newer_file_of_another_make_is_not_even_repaired(path):
    """Another journal, columns that hold what ours do not, tables of other names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE other (x TEXT)")
    connection.execute("INSERT INTO other VALUES (X'00')")
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    assert "newer version of FABRIC" in _refusal(_names, _database(path))
    assert "newer version of FABRIC" in _refusal(_put, _database(path), "x")
    assert path.read_bytes() == before
    assert _broken(path) == []


def test_an_older_file_gets_the_new_tables_and_keeps_its_rows(path, monkeypatch):
    _put(_database(path), "kept")
    more = (*MIGRATIONS, ("CREATE TABLE later (x)", "INSERT INTO later VALUES (1)"))
    monkeypatch.setattr(database_module, "MIGRATIONS", more)
    database = _database(path, ["not rebuilt"])
    assert _names(database) == ["from a file", "kept"]
    count = database.read(lambda c: c.execute("SELECT COUNT(*) FROM later").fetchone()[0])
    assert count == 1
    version = database.read(lambda c: c.execute("PRAGMA user_version").fetchone()[0])
    assert version == len(MIGRATIONS) + 1


def test_a_migration_that_fails_changes_nothing(path, monkeypatch):
    _put(_database(path), "kept")
    more = (*MIGRATIONS, ("CREATE TABLE later (x)", "INSERT INTO elsewhere VALUES (1)"))
    with monkeypatch.context() as patch:
        patch.setattr(database_module, "MIGRATIONS", (*MIGRATIONS, (more[-1][0], "SELECT wrong")))
        assert _refusal(_names, _database(path)).startswith("the history could not be read: ")
    assert _names(_database(path)) == ["from a file", "kept"]


# What the disk says, in words


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("in the way")
    sentence = _refusal(_put, Database(tmp_path / "file" / "history.sqlite3"), "x")
    assert sentence == "the history could not be saved: a file is in the way of its folder."


def test_a_folder_in_the_files_place(path):
    path.mkdir(parents=True)
    sentence = _refusal(_names, Database(path))
    assert sentence == "the history could not be read: its folder cannot be opened."


@pytest.mark.skipif(not hasattr(os, "setuid"), reason="needs a system with users")
def test_a_read_only_folder_still_reads():
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path\n"
        "from lib_fabric.library.storage.database import Database\n"
        "if os.getuid() == 0: os.setgid(65534); os.setuid(65534)\n"
        "database = Database(Path(sys.argv[1]))\n"
        "print(database.read(lambda c: c.execute('SELECT COUNT(*) FROM presets').fetchone()[0]))\n"
        "try: database.write(lambda c: c.execute('DELETE FROM presets'))\n"
        "except Exception as error: print(error)\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "history.sqlite3")
        _put(_database(path), "kept")
        for file in Path(folder).iterdir():
            file.chmod(0o444)
        Path(folder).chmod(0o555)
        command = [sys.executable, "-c", code, str(path), str(ROOT)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        Path(folder).chmod(0o755)
    assert done.stdout.splitlines() == [
        "2",
        "the history could not be saved: its folder is read-only.",
    ], done.stderr


def test_a_busy_file_is_waited_for_and_then_named(path, monkeypatch):
    monkeypatch.setattr(database_module, "BUSY_SECONDS", 0.2)
    database = _database(path)
    _put(database, "kept")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    sentence = "the history could not be saved: another program keeps it busy. Try again."
    assert _refusal(_put, database, "x") == sentence
    monkeypatch.setattr(database_module, "BUSY_SECONDS", 30.0)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(_put, database, "waited")
        other.execute("COMMIT")
        waiting.result(30)
    other.close()
    assert "waited" in _names(database)


# Many at once


def test_threads_write_at_once(path):
    database = _database(path)
    barrier = threading.Barrier(8)

    def work(number):
        barrier.wait()
        for turn in range(10):
            _put(database, f"{number} {turn}")
            _names(database)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert len(_names(database)) == 81


def _work_in_a_process(path, number, barrier, failures):
    try:
        database = _database(path)
        barrier.wait(60)
        for turn in range(20):
            _put(database, f"{number} {turn}")
            assert f"{number} {turn}" in _names(database)
    except BaseException as error:
        failures.put(repr(error))
        raise


def _in_processes(path, count=2):
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    barrier, failures = context.Barrier(count), context.Queue()
    processes = [
        context.Process(target=_work_in_a_process, args=(path, number, barrier, failures))
        for number in range(count)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * count, failures.get(timeout=5)


def test_two_processes_make_the_file_at_once(path):
    _in_processes(path)
    assert len(_names(_database(path))) == 41, "made twice, or rows lost"


def test_two_processes_repair_the_file_at_once(path):
    """The second must not move the first one's new file aside."""
    path.parent.mkdir()
    path.write_bytes(b"hello" * 1000)
    _in_processes(path)
    assert len(_names(_database(path))) == 41
    assert _broken(path) == ["history.sqlite3.broken"]


def test_a_repair_waits_while_another_program_repairs(path, monkeypatch):
    _put(_database(path), "kept")
    path.write_bytes(b"\0" * 5000)
    monkeypatch.setattr(database_module, "BUSY_SECONDS", 0.1)
    with database_module.file_lock(path.with_name(f"{path.name}.repair")):
        assert _refusal(_names, _database(path)) == (
            "the history could not be read: another program keeps it busy. Try again."
        )
        assert _broken(path) == []
    assert _names(_database(path)) == ["from a file"]


def test_threads_repair_the_file_at_once(path):
    path.parent.mkdir()
    for _ in range(20):
        path.write_bytes(b"hello" * 1000)
        database = _database(path)
        barrier = threading.Barrier(6)

        def work(number, database=database, barrier=barrier):
            barrier.wait()
            _put(database, f"row {number}")

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(work, range(6)))
        assert len(_names(database)) == 7


def test_a_garbled_letter_costs_no_other_row(path):
    database = _database(path)
    _put(database, "good")
    _put(database, "bad")
    database.write(
        lambda connection: connection.execute(
            "UPDATE presets SET folded_name = CAST(x'62ff64' AS TEXT) WHERE folded_name = 'bad'"
        )
    )
    assert sorted(_names(database)) == ["b\ufffdd", "from a file", "good"]
