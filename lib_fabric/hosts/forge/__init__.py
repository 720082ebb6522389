"""Forge, Forge Neo and reForge: how they generate."""
