"""Pictures whose colours are stored otherwise than those of the others: CMYK scans, grey ones among
coloured ones, palettes, 16 bits.

All are brought to RGB before a network sees them. But where only one class has grey pictures, grey
is what a network learns.
"""

from collections import Counter

from hf_resnet.checks.finding import Finding
from hf_resnet.checks.survey import Survey

ODD = 0.1
"""A mode is odd that a smaller share of the pictures has."""

_IN_WORDS = {
    "1": "black and white",
    "L": "grey",
    "LA": "grey with transparency",
    "P": "a palette",
    "PA": "a palette with transparency",
    "RGB": "RGB",
    "RGBA": "RGB with transparency",
    "CMYK": "CMYK, as for printing",
}


def find(survey: Survey) -> list[Finding]:
    """Pictures of a rare mode; the score is the share of the pictures that have another."""
    good_M = survey.good_M.tolist()
    counts = Counter(survey.modes[number] for number in good_M)
    if not counts:
        return []
    usual, most = counts.most_common(1)[0]
    share = {mode: count / len(good_M) for mode, count in counts.items()}
    found = [
        Finding(
            f"stored as {_words(survey.modes[number])}, while {most / len(good_M):.0%} of the "
            f"pictures are {_words(usual)}",
            1 - share[survey.modes[number]],
            picture=number,
        )
        for number in good_M
        if share[survey.modes[number]] < ODD and survey.modes[number] != usual
    ]
    return sorted(found, key=lambda finding: -finding.score)


def _words(mode: str) -> str:
    return _IN_WORDS.get(mode, f"{mode} (more than 8 bits)" if mode[:1] in "IF" else mode)
