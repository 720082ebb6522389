"""What each press does: to the ratings, to the library, to the widgets. Knows no gradio."""
