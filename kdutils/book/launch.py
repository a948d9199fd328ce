"""A Sphinx extension: chapters open on Colab and Binder once `_config.yml` names the repository that they lie in."""

from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config

LAUNCHERS = {"colab_url": "https://colab.research.google.com", "binderhub_url": "https://mybinder.org"}


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("config-inited", _name_launchers)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _name_launchers(app: Sphinx, config: Config) -> None:
    """Let the theme make its buttons; it would make links to nowhere without a repository."""
    options = config.html_theme_options
    if options.get("repository_url"):
        options["launch_buttons"] = options.get("launch_buttons", {}) | LAUNCHERS
