"""What a request may hold: tables of bad and of unusual inputs, for unit and integration tests."""
