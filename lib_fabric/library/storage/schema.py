"""The tables, version by version. Never change an entry that was released: add one.

Knows nothing.
"""

from __future__ import annotations

# ratings.words: what a search looks into, folded by history.py.
# active_sets.pictures, presets.*: JSON, written and checked by their modules.
_FIRST = (
    """CREATE TABLE ratings (
        position INTEGER PRIMARY KEY,
        owner TEXT NOT NULL,
        tab TEXT NOT NULL,
        picture_id TEXT NOT NULL,
        verdict TEXT NOT NULL,
        rated_at REAL NOT NULL,
        prompt TEXT NOT NULL,
        seed TEXT,
        checkpoint TEXT NOT NULL,
        words TEXT NOT NULL,
        UNIQUE (owner, tab, picture_id)
    )""",
    "CREATE INDEX ratings_by_time ON ratings (owner, tab, rated_at DESC, position DESC)",
    "CREATE INDEX ratings_by_picture ON ratings (picture_id)",
    """CREATE TABLE active_sets (
        owner TEXT NOT NULL,
        browser_key TEXT NOT NULL,
        page_key TEXT NOT NULL,
        tab TEXT NOT NULL,
        pictures TEXT NOT NULL,
        saved_at REAL NOT NULL,
        used_at REAL NOT NULL,
        PRIMARY KEY (owner, browser_key, page_key, tab)
    )""",
    "CREATE INDEX active_sets_by_time ON active_sets (owner, used_at DESC)",
    """CREATE TABLE presets (
        owner TEXT NOT NULL,
        folded_name TEXT NOT NULL,
        content TEXT NOT NULL,
        PRIMARY KEY (owner, folded_name)
    )""",
)
# Who may open a picture by its id; filled by owners.py.
_OWNERS = (
    """CREATE TABLE picture_owners (
        picture_id TEXT NOT NULL,
        owner TEXT NOT NULL,
        PRIMARY KEY (picture_id, owner)
    )""",
)
MIGRATIONS: tuple[tuple[str, ...], ...] = (_FIRST, _OWNERS)
