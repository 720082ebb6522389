"""Plays rounds of feedback for one stated preference against a WebUI's API."""
