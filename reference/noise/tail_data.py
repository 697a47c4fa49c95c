"""Writes tail_data.json: the published data sets that the tail estimators are tested on.

    python tail_data.py danish.txt

`danish.txt` holds the 2167 Danish fire losses, one a line, written in R by

    load("evir/data/danish.rda"); writeLines(format(as.numeric(danish), digits = 17))

from the package evir 1.7-4 (github.com/cran/evir). The other sets come with the Python package
powerlaw 2.0.0 (folder reference_data), as published by Aaron Clauset. Counts are kept as
[value, number of times] pairs. Sources and published values: README-tail.md.
"""

import collections
import json
import pathlib
import sys

import powerlaw

folder = pathlib.Path(powerlaw.__file__).parent / "reference_data"


def numbers(name):
    return [float(line) for line in (folder / f"{name}.txt").read_text().split()]


def plain(x):
    return int(x) if x == int(x) else x


def pairs(name):
    counts = collections.Counter(int(x) for x in numbers(name))
    return sorted(counts.items())


danish = [float(x) for x in pathlib.Path(sys.argv[1]).read_text().split()]
assert len(danish) == 2167

data = {
    "generator": "reference/noise/tail_data.py, powerlaw 2.0.0, evir 1.7-4",
    "danish_above_10": sorted(x for x in danish if x > 10.0),
    "words": pairs("words"),
    "terrorism": pairs("terrorism"),
    "blackouts": sorted(plain(x) for x in numbers("blackouts")),
    "surnames": sorted(plain(x) for x in numbers("surnames")),
    "flares": pairs("flares"),
    "cities": pairs("cities"),
}
path = pathlib.Path(__file__).parent / "tail_data.json"
path.write_text(json.dumps(data, separators=(",", ":")) + "\n")
