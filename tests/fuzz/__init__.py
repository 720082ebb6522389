"""Random requests, random sequences of presses and generations, and a long mixed load.

`python -m tests.fuzz` (or `make fuzz`) says how.
"""
