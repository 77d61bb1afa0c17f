"""The site of the documentation: `sphinx-build -W -b html docs build/site`.

Pages are Markdown, read by MyST. The references are made at each build: of the YAML from the models
that check it, of the commands from click, of the Python API from the source by griffe, which reads
it and imports nothing. So TensorFlow is not imported, and nothing is fetched.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

project = "lensnet"
html_title = "lensnet"
extensions = ["myst_parser"]
extensions += ["yaml_reference", "dataset_reference", "command_reference", "python_reference"]
exclude_patterns = ["extensions"]
html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_copyright = False
html_copy_source = False
pygments_style = "friendly"
pygments_dark_style = "monokai"
# Of links to headings, `page.md#heading`, as GitHub makes them.
myst_heading_anchors = 4
nitpicky = True
# Options such as --resume keep their two hyphens, and quotes are those of YAML.
smartquotes = False
