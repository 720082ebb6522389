"""What is still held after a generation."""

import contextlib
import gc


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
