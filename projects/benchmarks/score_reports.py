"""BLEU, ROUGE-L and CIDEr of made-up reports: our time as a ratio to plain pycocoevalcap in the same run.

    python projects/benchmarks/score_reports.py --reports 10000

The texts are tokens already, so neither side starts Java. Needs the extra ``metrics``.
"""

from __future__ import annotations

import argparse
import random
import time
from typing import Callable

from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge

from pefomed_plugin.scoring import lexical

_FINDINGS = (
    "the lungs are clear",
    "no pleural effusion or pneumothorax",
    "heart size is normal",
    "aorta is tortuous",
    "there is a {n} mm nodule in the {side} {place} lobe",
    "{side} base opacity unchanged since prior x-ray",
    "degenerative changes of the thoracic spine at t{n}",
    "the {side} hemidiaphragm is elevated",
    "blunting of the {side} costophrenic angle",
    "low lung volumes with bibasilar atelectasis",
)


def made_up_report(draw: random.Random) -> str:
    """About 45 tokens, in the manner of a chest X-ray report."""
    return " ".join(
        draw.choice(_FINDINGS).format(
            n=draw.randint(2, 60), side=draw.choice(("left", "right")), place=draw.choice(("upper", "middle", "lower"))
        )
        for _ in range(draw.randint(5, 10))
    )


def ours(references: list[str], hypotheses: list[str]) -> tuple[float, ...]:
    """BLEU-4, ROUGE-L and CIDEr as the plugin computes them."""
    return tuple(
        float(corpus or 0)
        for corpus, _ in (
            lexical._bleu(references, hypotheses)[3],
            lexical._rouge(references, hypotheses),
            lexical._cider(references, hypotheses, {}),
        )
    )


def plain(references: list[str], hypotheses: list[str]) -> tuple[float, ...]:
    """The same from pycocoevalcap alone."""
    wanted, said = ({number: [text] for number, text in enumerate(texts)} for texts in (references, hypotheses))
    return (
        float(Bleu(4).compute_score(wanted, said, verbose=0)[0][3]),
        float(Rouge().compute_score(wanted, said)[0]),
        float(Cider().compute_score(wanted, said)[0]),
    )


def timed(score: Callable[..., tuple[float, ...]], *texts: list[str]) -> tuple[float, tuple[float, ...]]:
    """Processor seconds and values."""
    start = time.process_time()
    values = score(*texts)
    return time.process_time() - start, values


def main() -> None:
    """Print both times, their ratio, and that the values agree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reports", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    draw = random.Random(chosen.seed)
    references = [made_up_report(draw) for _ in range(chosen.reports)]
    hypotheses = [made_up_report(draw) for _ in range(chosen.reports)]
    plain_s, plain_values = timed(plain, references, hypotheses)
    ours_s, our_values = timed(ours, references, hypotheses)
    difference = max(abs(one - other) for one, other in zip(our_values, plain_values))
    if difference > 1e-9:
        raise SystemExit(f"the values differ by {difference}: {our_values} against {plain_values}")
    print(
        f"{chosen.reports} reports: pycocoevalcap {plain_s:.2f} s, ours {ours_s:.2f} s, ratio {ours_s / plain_s:.2f}; "
        f"values equal within {1e-9:.0e}"
    )


if __name__ == "__main__":
    main()
