"""Writes made-up bitext to standard output: English, tab, translation, about 200 bytes a pair.

    python3 docs/make_bitext.py 2000000 | zstd > swa.tsv.zst

Of every 1,000 lines, 25 repeat the line before, 10 are copies, 10 are in the wrong script, 10 have a
translation that is far too short, 5 have no letters, 5 no translation, and 1 has no tab at all; so it
is known what a filter has to find. The words are random letters, the same ones at every run.
"""

import random
import sys

draw = random.Random(1)


def words(letters: str) -> list[str]:
    return ["".join(draw.choices(letters, k=draw.randint(2, 9))) for _ in range(20_000)]


ENGLISH = words("etaoinshrdlucmwfgypbvk")
FOREIGN = words("aiueonmkwslytzhgbjdrfp")
CYRILLIC = words("оеаинтсрвлкмдпуяы")


def sentence(vocabulary: list[str]) -> str:
    return " ".join(draw.choices(vocabulary, k=draw.randint(12, 18))).capitalize() + "."


def line(number: int) -> str:
    kind = number % 1000
    english, foreign = sentence(ENGLISH), sentence(FOREIGN)
    if 100 <= kind < 110:
        foreign = english.upper()
    elif 200 <= kind < 210:
        foreign = sentence(CYRILLIC)
    elif 300 <= kind < 310:
        foreign = foreign.split()[0]
    elif 400 <= kind < 405:
        foreign = "1234567890 " * 9
    elif 500 <= kind < 505:
        foreign = ""
    elif kind == 600:
        return english
    return f"{english}\t{foreign}"


before = ""
for number in range(int(sys.argv[1])):
    now = before if number % 1000 >= 950 and number % 2 == 1 else line(number)
    print(now)
    before = now
