"""All tests run on the bundled toolkit; those of ``tests/toolkit`` start a checkout in processes of its own."""

import os

os.environ["PEFOMED_TOOLKIT"] = "bundled"
for name in ("PEFOMED_DATA", "PEFOMED_LLAMA", "PEFOMED_VIT", "PEFOMED_CKPT", "PEFOMED_SAMPLE"):
    os.environ.pop(name, None)
