"""What the site gets besides the pages in ``docs/``: generated reference pages, and files of the top level.

Pages link to files outside of ``docs/`` by the path that works in a clone; here such a link leads to the site's copy.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from posixpath import relpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from docs.site.generated import PAGES, page  # noqa: E402

COPIES = {
    "project/contributing.md": "CONTRIBUTING.md",
    "project/security.md": "SECURITY.md",
    "project/changelog.md": "CHANGELOG.md",
    "project/findings.md": "findings/README.md",
    "how-to/write-a-study-file.md": "studies/README.md",
}
"""Files outside of ``docs/`` that are pages of the site."""
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s#:]+)(#[^)\s]*)?\)")


def on_startup(command: str, dirty: bool) -> None:
    """Take the program from this clone; MkDocs takes back what a hook's import did to the path."""
    sys.path.insert(0, str(ROOT))


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages and the copies."""
    for name in PAGES:
        files.append(File.generated(config, name, content=page(name)))
    for name, source in COPIES.items():
        files.append(File.generated(config, name, content=(ROOT / source).read_text()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links to files outside of ``docs/`` lead to their copies; one that has none is its text."""
    name = page.file.src_uri
    source = COPIES.get(name, f"docs/{name}")
    pages = {original: copy for copy, original in COPIES.items()}

    def rewritten(match: re.Match[str]) -> str:
        text, target, anchor = match[1], match[2], match[3] or ""
        meant = os.path.normpath(os.path.join(os.path.dirname(source), target))
        inside = pages.get(meant) or (meant.removeprefix("docs/") if meant.startswith("docs/") else "")
        if inside:
            return f"[{text}]({relpath(inside, os.path.dirname(name) or '.')}{anchor})"
        return text if (ROOT / meant).exists() else match[0]

    return _LINK.sub(rewritten, markdown)
