"""Presets that other extensions have left."""
