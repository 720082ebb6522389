"""The stand-in's `modules` package: the host's names, our own code."""
