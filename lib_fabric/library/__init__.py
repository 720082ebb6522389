"""What was rated and is kept: pictures, history, presets. Knows files, not torch, not gradio."""
