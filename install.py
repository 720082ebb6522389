"""Run by the WebUI before it loads the extension.

There is nothing to install: FABRIC uses only what the WebUI itself ships (torch, gradio, numpy,
Pillow). The file exists so that this is said somewhere, and stays true.
"""
