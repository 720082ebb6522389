"""What is still held after a generation."""

import contextlib
import gc

from lib_fabric.steering.state_cache import StateCache


@contextlib.contextmanager
def count_held(*types):
    """A function that counts the instances of exactly these types made since, and still there."""
    gc.collect()
    # What was there before is neither searched nor counted: there are millions.
    gc.freeze()

    def count():
        gc.collect()
        return sum(type(each) in types for each in gc.get_objects())

    try:
        yield count
    finally:
        gc.unfreeze()


class NotingCache(StateCache):
    """Notes (key, states) of all that is put into it."""

    def __init__(self, *args):
        self.kept = []
        super().__init__(*args)

    def put(self, level, key, states):
        super().put(level, key, states)
        self.kept.append((key, self.get(level, key, next(iter(states.values())).keys.device)))
