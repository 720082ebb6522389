"""What the library lies on: files, texts, one SQLite file, work in the background."""
