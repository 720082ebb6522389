"""The parsed command line, as the host keeps it."""

from modules.cmd_args import parser
from modules.paths_internal import data_path, launch_arguments

cmd_opts = parser.parse_args(launch_arguments())
cmd_opts.gradio_allowed_path = cmd_opts.gradio_allowed_path or [data_path]
