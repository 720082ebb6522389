"""Names of the host's package of this name that extensions import."""
