"""How well feedback steers, measured by the protocols of the paper."""
