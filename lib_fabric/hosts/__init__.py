"""The WebUIs that FABRIC runs in: the only package that knows their modules."""
