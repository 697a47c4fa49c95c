"""Packs the State of the Union addresses into the embedded corpus.

    python3 pack.py SOURCE_DIR ../../crates/acclip-data/assets/sotu.jsonl.gz

SOURCE_DIR holds one UTF-8 text file per address, named YEAR_first_last_PARTY.txt
(`1797_john_adams_f.txt`). The result holds one JSON object a line, sorted by file name:

    {"name": "1797 John Adams", "text": "…"}

The output depends only on the input files and on the version of zlib: no time stamp, no file name,
compression level 9. The file in the repository was made with Python 3.11.7 and zlib 1.2.13.
"""

import gzip
import json
import pathlib
import re
import sys

# Names that the rule in `title` spells wrong.
SPELLING = {"William Mc Kinley": "William McKinley"}

# A fraction that lost its second half on the way to plain text: "4 and 4 1\x02 per cent bonds" (1890).
REPAIRS = {"1\x02 per cent": "1/2 per cent"}

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffd]")


def title(stem: str) -> str:
    """`1963_john_f_kennedy_d` -> `1963 John F. Kennedy`: the last part is the party, and is dropped."""
    year, *words, _party = stem.split("_")
    name = " ".join(w.upper() + "." if len(w) == 1 else w.capitalize() for w in words)
    return f"{year} {SPELLING.get(name, name)}"


def clean(raw: bytes, file: str) -> str:
    """Decodes one address, mends the known damage, and refuses any damage that is not known."""
    text = raw.decode("utf-8").replace("\r\n", "\n")
    for wrong, right in REPAIRS.items():
        text = text.replace(wrong, right)
    if found := CONTROL.search(text):
        raise SystemExit(f"{file}: control character {found[0]!r} at {found.start()}: add it to REPAIRS")
    if not text.strip():
        raise SystemExit(f"{file}: no text")
    return text.strip()


def main() -> None:
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    source, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    files = sorted(source.glob("*.txt"), key=lambda file: file.name)
    if not files:
        raise SystemExit(f"{source}: no .txt file")

    lines = []
    for file in files:
        document = {"name": title(file.stem), "text": clean(file.read_bytes(), file.name)}
        lines.append(json.dumps(document, ensure_ascii=False) + "\n")
    if len(set(json.loads(line)["name"] for line in lines)) != len(lines):
        raise SystemExit("two addresses share a name")

    packed = gzip.compress("".join(lines).encode("utf-8"), compresslevel=9, mtime=0)
    out.write_bytes(packed)
    print(f"{out}: {len(lines)} documents, {len(packed)} bytes")


if __name__ == "__main__":
    main()
