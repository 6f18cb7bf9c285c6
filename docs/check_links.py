"""Do the links between the documents lead somewhere, headings included?

    python3 docs/check_links.py

Prints every link to a file or heading that is not there, and ends with an error if there is one.
Links to other sites are not followed. Needs nothing but Python.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGES = ["*.md", "docs/*.md", "datasets/*.md", "crates/*/README.md"]


def prose(page):
    """A page without its code."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)


def anchors(page):
    """The headings of a page, as GitHub names them."""
    names, counts = set(), {}
    for heading in re.findall(r"^#{1,6} (.*)$", prose(page), flags=re.M):
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        name = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        count = counts.get(name, 0)
        counts[name] = count + 1
        names.add(f"{name}-{count}" if count else name)
    return names


def broken(page):
    """The links of a page that lead nowhere."""
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, heading = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (heading and target.suffix == ".md" and heading not in anchors(target)):
            yield link


def main():
    pages = sorted(page for pattern in PAGES for page in ROOT.glob(pattern))
    found = [f"{page.relative_to(ROOT)}: {link}" for page in pages for link in broken(page)]
    print("\n".join(found) or f"{len(pages)} pages, all links lead somewhere")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
