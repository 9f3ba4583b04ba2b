"""The code on the pages that say how to add something does what they say."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
USES = {
    "add-an-architecture.md": (
        "from asc_experiments.models import build_model\n"
        "import torch\n"
        "print(tuple(build_model('tiny_net', 3, channels=4)(torch.zeros(2, 1, 64, 65)).shape))",
        "(2, 3)",
    ),
    "add-an-augmentation.md": (
        "from asc_experiments.augment import AugmentationContext\n"
        "batch = Batch(np.arange(2), np.zeros(2, dtype=bool), 15_500.0, AugmentationContext())\n"
        "batch.waveforms = torch.zeros(2, 32_000)\n"
        "Hum(hum_level=0.5).apply(batch, np.random.default_rng(0))\n"
        "print(tuple(batch.waveforms.shape), bool(batch.waveforms.abs().max() > 0))",
        "(2, 32000) True",
    ),
    "add-a-loss.md": (
        "from asc_experiments.training import LOSSES\n"
        "batch = DistillationBatch(torch.zeros(2, 3), torch.tensor([0, 1]), torch.ones(2, 3))\n"
        "print(SoftMSE(mse_labels=0).per_clip(batch, nn.Module()).tolist(), *LOSSES)\n"
        "inside = DistillationBatch(batch.logits, batch.labels, batch.logits, torch.ones(2, 4), (torch.ones(2, 5),))\n"
        "print(tuple(Cosine().per_clip(inside, Cosine().heads(4, [5])).shape))",
        "[1.0, 1.0] kl features soft_mse cosine\n(2,)",
    ),
    "add-a-metric.md": (
        "from asc_experiments.training import score\n"
        "logits, labels = 9.0 * np.eye(2)[[0, 1, 1, 1]], np.array([0, 1, 0, 1])\n"
        "card = score(logits, labels, ['a', 'a', 's4', 's4'], {'a': 'real', 's4': 'unseen'}, ('bus', 'park'))\n"
        "print(round(card['f1/overall'], 4), round(card['f1/device/a'], 4), round(card['brier/scene/park'], 4))",
        "0.7333 1.0 0.0",
    ),
    "see-runs-elsewhere.md": (
        "import tempfile\n"
        "from pathlib import Path, PurePosixPath\n"
        "about = {'run_id': 'r', 'name': 'seed 7', 'kind': 'seed', 'experiment': 'x', 'group': 'trial 3', 'page': ''}\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    logger = CsvFiles()\n"
        "    place = PurePosixPath('x/trial 3/seed 7')\n"
        "    logger.start(StartedRun(**about, place=place, tags={}, workspace=Path(folder)))\n"
        "    logger.scalars(1, {'train/loss': 0.5}, 0.0)\n"
        "    logger.finish('FINISHED', {'epochs': 3}, {})\n"
        "    print(*(Path(folder) / 'csv/x/trial 3/seed 7.csv').read_text().split())",
        "run,r,x 1,train/loss,0.5 setting,epochs,3 status,FINISHED,",
    ),
}


@pytest.mark.parametrize("page", USES)
def test_code_of_the_page_works(page: str) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (HOW_TO / page).read_text(), re.DOTALL)
    use, expected = USES[page]
    program = "\n".join([*blocks, use])
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == expected, done.stderr
