"""The accordion and the thumbs: gradio components and the answers to presses. Knows no host."""
