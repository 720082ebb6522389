"""AUTOMATIC1111's own way to generate."""
