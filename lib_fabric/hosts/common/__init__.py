"""What the families of WebUIs have in common."""
