"""The HTML of the accordion, as text."""
