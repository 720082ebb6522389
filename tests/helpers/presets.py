"""The presets that a library has, for tests that look at all of them."""

from lib_fabric.library.presets import MAX_PRESETS_EACH_OWNER


def all_presets(presets, owner=""):
    """Every preset of an owner, in alphabetical order."""
    return presets.page(owner, 0, MAX_PRESETS_EACH_OWNER)


def preset_names(presets, owner=""):
    """The names of every preset of an owner, in alphabetical order."""
    return [each.name for each in all_presets(presets, owner)]
