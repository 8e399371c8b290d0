"""What is run first on a machine with a GPU: ``python -m projects.benchmarks.gpu_check [--sections ...]``.

From the repository's root, with the bundled toolkit's packages. Needs no weights, no data and no network: real sizes,
random numbers. Each line is PASS, FAIL or INFO; what was found is written after every section, and at the end stands a
block for docs/speed.md. Sections, in the order of what they decide:

  env      versions, card, precision, which attention kernel torch takes
  tiny     golden model: loss and gradients on the GPU in fp32, bf16 and fp16 against the CPU
  step     real size: ours and upstream's order of work against float32; no wait in a step
  shapes   30 steps of changing shapes
  speed    ms a step, kernels, share of the card's peak; every way beside upstream's order; compiled
  decode   ms a token against the time to read the weights; the precision of load()
  memory   peak against `pefomed estimate`; the largest batch that docs/memory.md promises
"""

from __future__ import annotations

import argparse
import os
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

SECTIONS = ("env", "tiny", "step", "shapes", "speed", "decode", "memory")


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; 1 if anything failed, 2 without a GPU."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=SECTIONS)
    parser.add_argument("--minutes", type=float, default=9, help="start no section after so many")
    parser.add_argument("--out", type=Path, default=Path("output/gpu_check"), help="folder of the results")
    given = parser.parse_args(arguments)
    os.environ.setdefault("PEFOMED_TOOLKIT", "bundled")
    import torch

    if not torch.cuda.is_available():
        print("torch sees no GPU; nvidia-smi says whether the machine does")
        return 2
    from projects.benchmarks.gpu_check import equality, memory, timing
    from projects.benchmarks.gpu_check.report import Report, markdown
    from projects.benchmarks.gpu_check.state import Model

    start, report, model = time.monotonic(), Report(given.out / "gpu_check.json"), Model(given.out / "inputs")
    for name in (section for section in SECTIONS if section in given.sections):
        report.section = name
        check = next(getattr(module, name) for module in (equality, timing, memory) if hasattr(module, name))
        began = time.monotonic()
        if began - start > 60 * given.minutes:
            report.info("not started: no time left")
            continue
        try:
            check(report, model)
        except Exception as error:  # the other sections still run
            where = traceback.format_exc().strip().splitlines()[-3].strip()
            report.verdict(
                False, "the section itself", error=f"{type(error).__name__}: {str(error)[:300]}", where=where
            )
        report.info("took", s=time.monotonic() - began)
        report.write()
    block = "\n".join(markdown(report.findings, torch.cuda.get_device_name(), equality.versions())) + "\n"
    (given.out / "gpu_check.md").write_text(block, encoding="utf-8")
    print(f"{block}\n{report.failed} failed; {report.path}")
    return 1 if report.failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
