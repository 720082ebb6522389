"""FABRIC for the WebUI: liked and disliked pictures steer the next generation.

Knows nothing and imports nothing: importing the package must be free of side effects.
"""

__version__ = "0.1.0"
