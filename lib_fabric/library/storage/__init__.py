"""What the library lies on: files, records, one SQLite file, work in the background."""
