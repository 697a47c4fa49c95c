"""Golden values for SQuAD: the official scorer's results, and a reference implementation's windows and spans.

    python generate.py SCORER

writes golden.json beside this file. SCORER is a copy of the official `evaluate-v1.1.py`; it is not in this
repository, and its SHA-256 is checked. The copy comes from github.com/deeppavlov/stand_squad_en (commit
1abeaf1fe1be69eba2e7d711a792eff44c51325c); the one in github.com/csarron/QAModels differs in brackets, a blank line
and the text of a message. Windows and spans come from transformers 4.35.2, whose
`squad_convert_examples_to_features` and `compute_predictions_logits` are the port of BERT's `run_squad.py`.

All questions are made up.
"""

import argparse
import contextlib
import hashlib
import importlib.util
import io
import json
import pathlib
import platform
import random
import sys
import tempfile
import unicodedata

import transformers
from transformers import BertTokenizer
from transformers.data.metrics.squad_metrics import compute_predictions_logits
from transformers.data.processors.squad import (
    SquadResult,
    SquadV1Processor,
    squad_convert_examples_to_features,
)

SCORER_SHA256 = "7d88347dfbb5cca9842e297321eeed6debae0c7db4da758df3780d65733a872a"
HERE = pathlib.Path(__file__).resolve().parent

# ---------------------------------------------------------------------------------------------- the scorer

# (answers, predictions of the three files; None: no prediction). A context is made of the answers.
QUESTIONS = [
    # Lower case, articles at every place, white space of every kind.
    (["The Red Harbour"], ["red  harbour", "the the RED a harbour an", "Red\u00a0Harbour\u2009"]),
    (["a ship", "ship a\tsail"], ["the ship", "SHIP\x1csail", "ship\u3000sail\u2028"]),
    (["theatre", "another day"], ["the atre", "an other day", "Theatre."]),
    # Punctuation: removed, not replaced; ASCII only.
    (["well-known"], ["wellknown", "well known", "well\u2013known"]),
    (["Dr. A. Who's boat"], ["dr whos boat", "Dr A Who s boat", "\u201cdr whos boat\u201d"]),
    (["snake_case #1 (100%)"], ["snakecase 1 100", "snake case 1", "snake_case \u20ac1 100"]),
    (["a-b"], ["ab", "b", "a b"]),
    # Multisets: words that come twice.
    (["to be or not to be"], ["to to be", "be be be be", "not to be or to be"]),
    (["row row row"], ["row", "row row row row", "row the row"]),
    # The best answer, each measure by itself.
    (["north gate", "gate of the north", "gate"], ["the gate", "gate of north", "old north gate tower"]),
    (["42", "forty two", "about 42 people"], ["forty-two", "42 people", "Forty Two"]),
    # Normalised to nothing.
    (["The"], ["", "a", "word"]),
    (["..."], ["!", "the", "."]),
    (["quay"], ["", "...", "an"]),
    # Lower case beyond ASCII: one character becomes two; the last sigma of a word.
    (["\u0130zmir"], ["i\u0307zmir", "izmir", "\u0130ZM\u0130R"]),
    (["\u039f\u0394\u039f\u03a3 \u03a3\u03a9\u039a\u03a1\u0391\u03a4\u039f\u03a5\u03a3"],
     ["\u03bf\u03b4\u03bf\u03c2", "\u03bf\u03b4\u03bf\u03c3 \u03c3\u03c9\u03ba\u03c1\u03b1\u03c4\u03bf\u03c5\u03c2",
      "\u039f\u0394\u039f\u03a3. \u03a3\u03c9\u03ba\u03c1\u03ac\u03c4\u03bf\u03c5\u03a3"]),
    (["Stra\u00dfe"], ["STRASSE", "STRA\u1e9eE", "stra\u00dfe"]),
    # Words: a decomposed accent ends one (so "a" is an article), a superscript number does not.
    (["a\u0301rbol"], ["\u0301rbol", "\u00e1rbol", "a \u0301rbol"]),
    (["a\u00b2 the\u00bd an\u0661"], ["a\u00b2 the\u00bd an\u0661", "\u00b2 \u00bd \u0661", "a 2"]),
    (["a\u24d0 \u0915a\u093e"], ["\u24d0 \u0915a\u093e", "a\u24d0 \u0915", "\u24d0 \u093e"]),
    (["\u6771\u4eac the \u5927\u962a"], ["\u6771\u4eac \u5927\u962a", "\u6771\u4eac\u5927\u962a", "\u6771\u4eac"]),
    (["the\u0345n"], ["\u0345n", "the\u0345n", "\u03b9n"]),
    # Without a prediction in one file each.
    (["left"], [None, "left", "right"]),
    (["right"], ["right", None, "left"]),
    (["centre"], ["centre", "center", None]),
    # An article between signs that are no words leaves a blank.
    (["\u201ca\u201d list"], ["\u201c \u201d list", "\u201c\u201d list", "\u201d list"]),
]


def scorer_data():
    paragraphs = []
    for i, (answers, _) in enumerate(QUESTIONS):
        context, found = f"Paragraph {i} says:", []
        for text in answers:
            context += " "
            found.append({"answer_start": len(context), "text": text})
            context += text + ";"
        question = {"id": f"q{i:02}", "question": f"What is number {i}?", "answers": found}
        paragraphs.append({"context": context, "qas": [question]})
    half = len(paragraphs) // 2
    data = [
        {"title": "First", "paragraphs": paragraphs[:half]},
        {"title": "Second", "paragraphs": paragraphs[half:]},
    ]
    return {"version": "1.1", "data": data}


def run_scorer(path):
    source = path.read_bytes()
    if hashlib.sha256(source).hexdigest() != SCORER_SHA256:
        sys.exit(f"{path}: not the expected evaluate-v1.1.py; its SHA-256 must be {SCORER_SHA256}")
    spec = importlib.util.spec_from_file_location("official", path)
    official = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(official)

    data = scorer_data()
    files = []
    for column in range(3):
        predictions = {
            f"q{i:02}": texts[column] for i, (_, texts) in enumerate(QUESTIONS) if texts[column] is not None
        }
        predictions[f"unknown{column}"] = "nobody asked"
        files.append(predictions)
    gold = {f"q{i:02}": answers[-1] for i, (answers, _) in enumerate(QUESTIONS)}
    files.append(gold)

    runs = []
    for predictions in files:
        with contextlib.redirect_stderr(io.StringIO()):
            result = official.evaluate(data["data"], predictions)
        by_question = []
        for i, (answers, _) in enumerate(QUESTIONS):
            text = predictions.get(f"q{i:02}")
            best = [0.0, 0.0]
            if text is not None:
                metrics = (official.exact_match_score, official.f1_score)
                best = [float(official.metric_max_over_ground_truths(m, text, answers)) for m in metrics]
            by_question.append(best)
        runs.append({"predictions": predictions, "by_question": by_question, **result})
    texts = sorted({t for answers, p in QUESTIONS for t in answers + p if t is not None})
    return {"data": data, "runs": runs, "normalized": {t: official.normalize_answer(t) for t in texts}}


def ranges(contains):
    """Code points (without surrogates) for which `contains` holds, as [first, last, first, last, …]."""
    found = []
    for c in list(range(0xD800)) + list(range(0xE000, 0x110000)):
        if contains(chr(c)):
            if found and found[-1] == c - 1:
                found[-1] = c
            else:
                found += [c, c]
    return found


def unicode_tables():
    changed = [c for c in map(chr, range(0x110000)) if c.lower() != c]
    return {
        "version": unicodedata.unidata_version,
        "unassigned": ranges(lambda c: unicodedata.category(c) in ("Cn", "Co")),
        "word": ranges(str.isalnum),
        "space": ranges(lambda c: not c.split()),
        "upper": "".join(c for c in changed if len(c.lower()) == 1),
        "lower": "".join(c.lower() for c in changed if len(c.lower()) == 1),
        "longer": {c: c.lower() for c in changed if len(c.lower()) > 1},
    }


# -------------------------------------------------------------------------------------- windows and spans

VOCAB = """[PAD] [UNK] [CLS] [SEP] [MASK] the a of in to and by river lake town old bridge built was is stone
##s ##ed ##er fish boat mill wheel water north south east west 17 ##42 ##50 , . ? - ( ) where when who what why
cafe zur ##ich mayor said that many people cross each day""".split()

PIECES = (
    "The old bridge in Z\u00fcrich was built by fishers (1742-1750) and a miller. The mayor said that many people "
    "cross the river by boat each day, to the old stone mill in the north of the town. The caf\u00e9s of the town "
    "and the waterwheels, old and stoned, cross the lake."
)
PLAIN = (
    "The mayor of the old town said that many people cross the river by boat each day. A boat is in the lake, "
    "and the old mill is in the north. The bridge was built of stone; the wheel was built in the south."
)
# (context, question, answer); the answer is the first such piece of the context.
SPAN_QUESTIONS = [
    (PIECES, "Where is the old bridge?", "Z\u00fcrich"),
    (PIECES, "When was the bridge built by fishers and a miller in the town?", "1742"),
    (PIECES, "Who built the bridge?", "fishers"),
    (PIECES, "What is old?", "old stone mill"),
    (PIECES, "What is of the town?", "caf\u00e9s of the town"),
    (PIECES, "What cross the lake?", "the waterwheels, old and stoned"),
    (PIECES, "Why?", "people cross the river by boat each day, to the old stone mill in the north"),
    (PIECES, "Where?", "lake"),
    (PLAIN, "Who said that?", "The mayor"),
    (PLAIN, "What is in the north?", "the old mill"),
    (PLAIN, "What was built in the south?", "wheel"),
]
# (max_len, stride, max_question)
WINDOWS = [(24, 5, 6), (20, 8, 4), (64, 16, 8), (80, 32, 16)]
# (n_best, max_answer)
SPANS = [(20, 30), (5, 4), (2, 30), (1, 1)]


def span_data():
    articles = []
    for title, context in (("Pieces", PIECES), ("Plain", PLAIN)):
        qas = []
        for i, (where, question, text) in enumerate(SPAN_QUESTIONS):
            if where != context:
                continue
            answers = [{"answer_start": context.index(text), "text": text}]
            qas.append({"id": f"s{i:02}", "question": question, "answers": answers})
        articles.append({"title": title, "paragraphs": [{"context": context, "qas": qas}]})
    return {"version": "1.1", "data": articles}


def run_windows():
    draws = random.Random(20)
    data, cases = span_data(), []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "vocab.txt").write_text("\n".join(VOCAB) + "\n", encoding="utf-8")
        tokenizer = BertTokenizer(str(folder / "vocab.txt"), do_lower_case=True, model_max_length=10**9)
        (folder / "data.json").write_text(json.dumps(data), encoding="utf-8")
        processor = SquadV1Processor()
        ids = [f"s{i:02}" for i in range(len(SPAN_QUESTIONS))]
        for max_len, stride, max_question in WINDOWS:
            features = {}
            for training in (True, False):
                read = processor.get_train_examples if training else processor.get_dev_examples
                examples = read(str(folder), filename="data.json")
                features[training] = squad_convert_examples_to_features(
                    examples, tokenizer, max_len, stride, max_question, training, threads=1, tqdm_enabled=False
                )
            windows = [
                {
                    "question": ids.index(f.qas_id),
                    "tokens": f.input_ids,
                    "segments": f.token_type_ids,
                    "real": f.attention_mask,
                    "max_context": sorted(place for place, yes in f.token_is_max_context.items() if yes),
                    "span": [f.start_position, f.end_position],
                }
                for f in features[True]
            ]
            # Few levels give many ties, many levels few.
            high = 6 if len(cases) % 2 else 200
            logits = [
                [[draws.randint(-high, high) / 4 for _ in range(max_len)] for _ in features[False]]
                for _ in range(2)
            ]
            results = [
                SquadResult(f.unique_id, starts, ends) for f, starts, ends in zip(features[False], *logits)
            ]
            predictions = []
            for n_best, max_answer in SPANS:
                best_file = folder / "nbest.json"
                texts = compute_predictions_logits(
                    examples, features[False], results, n_best, max_answer, True, str(folder / "p.json"),
                    str(best_file), None, False, False, 0.0, tokenizer,
                )  # fmt: skip
                best = json.loads(best_file.read_text())
                predictions.append(
                    {
                        "n_best": n_best,
                        "max_answer": max_answer,
                        "texts": dict(texts),
                        "scores": {i: n[0]["start_logit"] + n[0]["end_logit"] for i, n in best.items()},
                    }
                )
            cases.append(
                {
                    "max_len": max_len,
                    "stride": stride,
                    "max_question": max_question,
                    "windows": windows,
                    "starts": [int(4 * x) for row in logits[0] for x in row],
                    "ends": [int(4 * x) for row in logits[1] for x in row],
                    "predictions": predictions,
                }
            )
    return {"vocab": VOCAB, "data": data, "cases": cases}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scorer", type=pathlib.Path, metavar="SCORER", help="a copy of evaluate-v1.1.py")
    arguments = parser.parse_args()
    golden = {
        "generator": "reference/squad/generate.py",
        "versions": {"python": platform.python_version(), "transformers": transformers.__version__},
        "scorer": {"sha256": SCORER_SHA256, **run_scorer(arguments.scorer)},
        "unicode": unicode_tables(),
        "windows": run_windows(),
    }
    text = json.dumps(golden, ensure_ascii=True, separators=(",", ":"))
    (HERE / "golden.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
