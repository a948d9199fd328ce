"""List the pages of a built book whose text or figures differ from those of another build.

    python .ci/changed_pages.py OLD NEW

prints the list as Markdown and writes it as a page, NEW/_changed.html.
"""

import html
import sys
from pathlib import Path

from bs4 import BeautifulSoup


def main(old: Path, new: Path) -> None:
    """Compare, print and write."""
    changed = [page for page in pages(new) if content(old / page) != content(new / page)]
    gone = [page for page in pages(old) if not (new / page).exists()]
    items = [f'<li><a href="{html.escape(page)}">{html.escape(page)}</a></li>' for page in changed]
    items += [f"<li>{html.escape(page)} (gone)</li>" for page in gone]
    body = f"<ul>{''.join(items)}</ul>" if items else "<p>No page changed.</p>"
    (new / "_changed.html").write_text(f"<!doctype html><title>Changed pages</title>{body}\n", encoding="utf-8")
    print(f"{len(changed)} pages changed or new, {len(gone)} gone\n")
    print("\n".join([*(f"- {page}" for page in changed), *(f"- {page} (gone)" for page in gone)]))


def pages(folder: Path) -> list[str]:
    """The book's own pages: what Sphinx makes besides, such as the search page, has no article of ours."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*.html"))
    return sorted(page for page in found if not page.startswith(("_", "genindex", "search")))


def content(page: Path) -> str:
    """What a reader sees of a page, figures included; nothing where there is none."""
    if not page.is_file():
        return ""
    article = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser").find("article")
    return str(article)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
