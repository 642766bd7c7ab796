"""Messages as numbers: words, what may stand in for each, and a small network that reads them. Built in lesson 11b."""

import csv
import os
import re
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from utils.data import Split, device
from utils.download import obtain
from utils.formats import member

ABSENT, UNKNOWN = 0, 1  # the first two numbers of every vocabulary: no word, and a word that training never saw
SETS = {
    "messages": ("ham", "spam"),
    "sms_spam": ("ham", "spam"),
    "ag_news_test": ("world", "sports", "business", "technology"),
}
LOOKALIKE = str.maketrans("aeio", "4310")
ALIKE = """
free gratis complimentary | win gain earn get receive | won gained earned received | prize gift reward present |
cash money funds | call ring phone contact | now today immediately soon | claim collect redeem obtain |
click tap press open | offer deal bargain | urgent important pressing | buy purchase order get |
cheap inexpensive bargain affordable | reply answer respond | text txt message write | link page site address |
card account | confirm verify check | chosen selected picked drawn | winner champion | lottery draw raffle |
loan credit | pay send transfer | fee charge cost | save keep | guaranteed sure certain | apply ask register |
join enter | start begin | ends closes expires finishes | lucky fortunate | exclusive special private |
discount reduction saving | congratulations well hello | customer client member | number code |
holiday trip cruise vacation | secret hidden private | bonus extra | play try | hot nice lovely |
phone mobile telephone | house home | job work | fast quick quickly | week month | great good fine |
guys people friends | awarded given | service help | latest newest new | stop end quit | please kindly |
tone ringtone
"""


class Texts(NamedTuple):
    """What `load_texts` returns.

    train, test  each a Split (x, y): the numbers of the words (N, length) int64, 0 where there is none, and labels (N,)
    classes      the name of each label
    words        the vocabulary: words[number]; those of the training texts, after "" (no word) and "?" (unknown)
    said         the words of each test text as they were written
    substitutes  which words may stand in for each, (words, choices) int64; its own number where there are no more.
                 Words of like meaning, and the unknown word, which is what a misspelt one becomes.
    """

    name: str
    train: Split
    test: Split
    classes: tuple[str, ...]
    words: tuple[str, ...]
    said: tuple[list[str], ...]
    substitutes: Tensor

    def __repr__(self):
        return (
            f"{self.name}: {len(self.train.y):,} training and {len(self.test.y):,} test texts of up to "
            f"{self.train.x.shape[1]} words, a vocabulary of {len(self.words):,}, {len(self.classes)} classes"
        )


def split_words(text: str) -> list[str]:
    """The words of a text in small letters; a number becomes "0"."""
    return ["0" if word.isdigit() else word for word in re.findall(r"[a-z0-9]+", text.lower())]


def encode(text: str, words: Sequence[str], length: int) -> list[int]:
    """The numbers of a text's first `length` words, filled up with 0. To encode many, see `load_texts`."""
    place = {word: number for number, word in enumerate(words)}
    found = [place.get(word, UNKNOWN) for word in split_words(text)][:length]
    return found + [ABSENT] * (length - len(found))


def misspell(word: str) -> str:
    """The word with one letter replaced by a digit that looks like it; as it is if there is no such letter."""
    return re.sub("[aeio]", lambda letter: letter[0].translate(LOOKALIKE), word, count=1)


def rewritten(x: Tensor, original: Tensor, said: Sequence[str], words: Sequence[str]) -> str:
    """The text that `said` has become, changed words in capitals; an unknown one is the word that was said, misspelt.

    x, original  numbers (length,) after and before the change
    said         the words as they were written
    """
    now = zip(x.tolist(), original.tolist(), said, strict=False)
    return " ".join(old if a == b else (misspell(old) if a == UNKNOWN else words[a]).upper() for a, b, old in now)


def substitutes(words: Sequence[str]) -> Tensor:
    """Which words may stand in for each, (words, choices) int64: words of like meaning, and a misspelling."""
    place = {word: number for number, word in enumerate(words)}
    found: list[list[int]] = [[] for _ in words]
    for group in ALIKE.split("|"):
        numbers = [place[word] for word in group.split() if word in place]
        for number in numbers:
            found[number] += [other for other in numbers if other != number and other not in found[number]]
    for word, number in place.items():
        if number > UNKNOWN and misspell(word) not in (word, *place):
            found[number].append(UNKNOWN)
    most = max(map(len, found))
    return torch.tensor([row + [number] * (most - len(row)) for number, row in enumerate(found)])


def load_texts(name: str | None = None, *, length: int = 32) -> Texts:
    """The texts `name` as numbers. Without a name: what COURSE_TEXTS says, else "messages".

    | name         | what                                                 | training | test  |
    |--------------|------------------------------------------------------|----------|-------|
    | messages     | short messages, written for this course (in `utils`) | 150      | 150   |
    | sms_spam     | real SMS, some of them spam (UCI 228)                | 3,000    | 2,574 |
    | ag_news_test | news of four topics (the test file of AG News)       | 4,000    | 3,600 |

    The last two come from DIR/NAME.csv if COURSE_DATA names a folder DIR that has this file: with a header `label,text`
    (Kaggle's spam.csv, for one, which has two messages fewer), or without one, label (from 1), title and text. Else
    they are downloaded as `utils.data.load` does it.

    length  words of a text that are kept

    Raises ValueError (unknown name, a file that cannot be used), FileNotFoundError, ConnectionError or OSError, which
    say what to do.
    """
    name = name or os.environ.get("COURSE_TEXTS") or "messages"
    if name not in SETS:
        raise ValueError(f"there are no texts {name!r}: choose one of {', '.join(SETS)}")
    [path] = [Path(__file__).with_name("messages.csv")] if name == "messages" else obtain(name, f"{name}.csv")
    known = {str(number): number for number in range(len(SETS[name]))} | dict(map(reversed, enumerate(SETS[name])))
    try:
        rows = _rows(path)
        y, said = torch.tensor([known[row[0]] for row in rows]), [split_words(row[1])[:length] for row in rows]
    except (KeyError, IndexError, ValueError, OSError, zipfile.BadZipFile) as problem:
        raise ValueError(f"cannot use {path} ({problem}): it needs a label and a text in each row") from None
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0)).tolist()
    half = {"messages": 150, "sms_spam": 3000, "ag_news_test": 4000}[name]
    count = Counter(word for i in order[:half] for word in said[i])
    words = ("", "?", *sorted(word for word, often in count.items() if often > 1))  # else "?" is never trained
    place = {word: number for number, word in enumerate(words)}
    x = torch.tensor([[place.get(w, UNKNOWN) for w in text] + [ABSENT] * (length - len(text)) for text in said])
    there = device()
    train, test = (Split(x[part].to(there), y[part].to(there)) for part in (order[:half], order[half:]))
    return Texts(
        name, train, test, SETS[name], words, tuple(said[i] for i in order[half:]), substitutes(words).to(there)
    )


def _rows(path: Path) -> list[list[str]]:
    """Label and text of each message in a file of one of the three forms that `load_texts` reads."""
    if path.suffix == ".zip":  # UCI's archive: a line each, label, tab, text
        with zipfile.ZipFile(path) as archive:
            lines = member(archive, "SMSSpamCollection").decode(errors="replace").split("\n")
        return [line.split("\t", 1) for line in lines if line]
    with open(path, encoding="utf-8", errors="replace", newline="") as file:
        rows = [row for row in csv.reader(file) if row]
    return rows[1:] if rows[0][0] == "label" else [[str(int(row[0]) - 1), " ".join(row[1:])] for row in rows]


class Reader(nn.Module):
    """The mean of the words' vectors, and two layers: from numbers (N, length) to logits. It learns its vectors."""

    def __init__(self, texts: Texts, width: int = 32):
        super().__init__()
        self.vectors = nn.Embedding(len(texts.words), width, padding_idx=ABSENT)
        self.head = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, len(texts.classes)))
        self.to(texts.train.x.device)

    def read(self, vectors: Tensor, x: Tensor) -> Tensor:
        """Logits from vectors (N, length, width) of the words `x`, which say where there is none."""
        there = (x != ABSENT)[..., None].to(vectors)
        return self.head((vectors * there).sum(1) / there.sum(1).clamp_min(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.read(self.vectors(x), x)
