"""What the package's page shows: URLs, and the README without links that would be dead there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

RELATIVE_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?![a-z]+:|#)([^)\s]+)\)")
PAGES = {
    "Releases": "https://pypi.org/project/wslink/#history",
    "JavaScript package": "https://www.npmjs.com/package/wslink",
}
IN_THE_SDIST = "The pages and examples that this text names are in the source distribution, in `docs/` and `examples/`."


def project_urls(repository: str) -> dict[str, str]:
    """The project's URLs; those of a repository only where there is one.

    Args:
        repository: address of the public repository, without a slash at its end; "" for none.
    """
    if not repository:
        return dict(PAGES)
    return {
        "Repository": repository,
        "Documentation": f"{repository}/blob/HEAD/docs/README.md",
        "Changelog": f"{repository}/blob/HEAD/CHANGELOG.md",
        "Issues": f"{repository}/issues",
        **PAGES,
    }


def page_readme(readme: str, repository: str) -> str:
    """The README for a page that is not the repository's.

    Relative links lead into the repository; where none is known they become plain text and pictures are left out.
    """
    if repository:
        return RELATIVE_LINK.sub(lambda link: _absolute(repository, *link.groups()), readme)
    plain = RELATIVE_LINK.sub(lambda link: "" if link[1] else link[2], readme)
    closed = re.sub(r"\n{3,}", "\n\n", plain).rstrip()
    return f"{closed}\n\n{IN_THE_SDIST}\n"


def _absolute(repository: str, mark: str, text: str, target: str) -> str:
    return f"{mark}[{text}]({repository}/{'raw' if mark else 'blob'}/HEAD/{target})"


class CustomMetadataHook(MetadataHookInterface):
    """Fills in `readme` and `urls` from README.md and the hook's `repository` in pyproject.toml."""

    def update(self, metadata: dict[str, Any]) -> None:
        repository = self.config["repository"]
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": page_readme(text, repository)}
        metadata["urls"] = project_urls(repository)
