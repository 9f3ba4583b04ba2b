"""The model card of a registered version: Markdown for people who meet the model in the registry and nowhere else.

What it is, what for and what not, how well it does and on which devices, who taught it, what it costs, how to load it,
and where it comes from (after Mitchell et al., "Model Cards for Model Reporting", FAT* 2019). MLflow's pages render it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from asc_experiments import __version__
from asc_experiments.corpus.audio import SAMPLE_RATE, in_seconds
from asc_experiments.metrics import (
    ACCURACY,
    DEVICE,
    DG,
    ECE,
    GAIN,
    GENERAL,
    GROUP,
    MACRO_ACCURACY,
    OVERALL_ACCURACY,
    OVERALL_ECE,
    UNSEEN_ACCURACY,
    MetricKey,
    accuracy_of,
    further_metrics,
    value_in_words,
)
from asc_experiments.statistics import Evidence, dg_floor, level
from asc_experiments.statistics.calibration_floor import FEWEST_CLIPS, calibration_floor
from asc_experiments.tracking.client.limits import DESCRIPTION
from asc_experiments.tracking.client.links import page_of_run
from asc_experiments.tracking.client.records import RunRecord
from asc_experiments.tracking.registry.candidate import Candidate, made_up_in_words
from asc_experiments.tracking.registry.gates import BYTES_AT, interval_in_words
from asc_experiments.tracking.trials import DIRECTION, OBJECTIVE, SPLIT, STUDY, TEACHER_KEY, TRAIN_SPLIT, TRIAL, keys_of

FILE = "model_card.md"
CUT = f"\n\n*Cut here. The whole card is `{FILE}` among the artifacts of the trial's run.*\n"


@dataclass(frozen=True)
class About:
    """What a card tells besides the candidate itself.

    Attributes:
        model, version: what it is registered as.
        gates: it passed, in words.
        decision: why it is champion or is not, in words.
    """

    model: str
    version: int
    gates: Sequence[str]
    decision: str


def model_card(candidate: Candidate, about: About) -> str:
    """The whole card of a version."""
    return "\n\n".join(_sections(candidate, about)) + "\n"


def description(card: str) -> str:
    """A card as far as a registry takes it: whole sections, and where the rest is."""
    if len(card) <= DESCRIPTION:
        return card
    end = card.rfind("\n\n## ", 0, DESCRIPTION - len(CUT))
    return card[: end if end > 0 else DESCRIPTION - len(CUT)] + CUT


def _sections(candidate: Candidate, about: About) -> list[str]:
    """The sections, those first that must not be cut."""
    return [
        _what(candidate, about),
        _standing(candidate),
        _use(candidate),
        _accuracy(candidate),
        *_devices(candidate),
        _limits(candidate),
        _cost(candidate, about),
        _teachers(candidate),
        _loading(candidate, about),
        _origin(candidate),
    ]


def _what(candidate: Candidate, about: About) -> str:
    recipe, tags = candidate.network.recipe, candidate.trial.tags
    count = candidate.students()
    one_of = "this is its one student"
    if count > 1:
        one_of = f"this is the best of its {count} students, whose mean says better what to expect"
    keys = keys_of(candidate.trial)
    taught = f"{len(keys)} teacher{'s' if keys[1:] else ''} (below)" if keys else "labels alone"
    objective = f"`{tags[OBJECTIVE]}`, {tags[DIRECTION]}d, on the **{tags[SPLIT]}** split"
    honest = "Chosen on held-out training clips; the figures below are of the test fold, which chose nothing."
    if candidate.warning:
        honest = f"**{candidate.warning}**"
    return (
        f"# {about.model}, version {about.version}\n\n"
        f"A low-complexity acoustic scene classifier: {recipe.arch} of size {recipe.size}, augmented with "
        f"`{recipe.augment}`, taught by {taught}. It answers to {_clip(candidate)} with one of "
        f"{len(candidate.network.scenes)} scenes: {', '.join(candidate.network.scenes)}.\n\n"
        f"Trial {tags[TRIAL]} of study `{tags[STUDY]}` reached the best {objective}; {one_of}. {honest}\n\n"
        f"{about.decision}"
    ).rstrip()


def _clip(candidate: Candidate) -> str:
    """What the network hears at a time, in words."""
    samples = candidate.network.samples
    return f"{'one second' if samples == SAMPLE_RATE else in_seconds(samples)} of sound"


def _standing(candidate: Candidate) -> str:
    """What may be said of it before its figures: what it learned, what is doubtful, whether it is the winner."""
    own = candidate.learned
    said = [f"**{own.nothing}**" if own.nothing else f"{own.sentence[0].upper()}{own.sentence[1:]}"] if own else []
    said += [f"**{candidate.flattery}**"] if candidate.flattery else []
    said += [f"**{doubt}**" for doubt in candidate.doubts]
    said.append(candidate.winner_in_words)
    said += [candidate.teaching] if candidate.teaching else []
    return "## What may be said of it\n\n" + "\n".join(f"- {sentence}" for sentence in said)


def _use(candidate: Candidate) -> str:
    return (
        "## Use\n\n"
        "For research on scene classification, and for telling surroundings like those of the corpus apart on small "
        "devices. Not for decisions about people, for surveillance, or where a wrong scene does harm: it detects no "
        "events, no speech and no one, and answers with one of its scenes whatever it hears."
    )


def _accuracy(candidate: Candidate) -> str:
    own, trial = candidate.own.metrics, candidate.trial.metrics
    names = [OVERALL_ACCURACY, MACRO_ACCURACY]
    names += sorted(ACCURACY.of(GROUP).members(own).values())
    names += sorted(ACCURACY.of(DEVICE).members(own).values())
    rows = [
        [MetricKey.parse(name).clips.replace("/", " "), *_measured(candidate, name), _mean(trial, candidate, name)]
        for name in names
        if name in own
    ]
    if DG in own:
        rows.append(["DG", *_measured(candidate, DG), _mean(trial, candidate, DG)])
    if not rows:
        return "## Accuracy\n\nNot measured."
    interval = "95 % interval" if candidate.picked_from < 2 else "interval (see below)"
    headings = ["test fold, in %", "this network", interval, "clips", "trial: mean ± std"]
    said = f"{_explained(candidate)} {_calibration(candidate)}{_further(candidate)}"
    return f"## Accuracy\n\n{_table(headings, rows)}\n\n{said}"


def _devices(candidate: Candidate) -> list[str]:
    """What its networks for devices give, a section; none where one network serves all."""
    own, networks = candidate.own.metrics, sorted(candidate.network.of_devices)
    if not networks:
        return []
    names = [OVERALL_ACCURACY, MACRO_ACCURACY, *(accuracy_of(DEVICE, device) for device in networks)]
    rows = [
        [MetricKey.parse(name).clips.replace("/", " "), _percent(own[general]), _percent(own[name]), _gain(own, name)]
        for name in names
        if name in own and (general := f"{GENERAL}/{name}") in own
    ]
    headings = ["test fold, in %", "one network for all", "with those for devices", "gain in points, 95 % interval"]
    return [
        f"## Devices\n\nBesides the network for any device it holds one for each of {', '.join(networks)}, fine-tuned "
        f"from it; each costs what the other does, and one answers at a time. Recordings of a device that is not "
        f"named, or not known, go to the first.\n\n{_table(headings, rows)}\n\nThe interval is of this very model at "
        f"other places."
    ]


def _gain(own: Mapping[str, float], name: str) -> str:
    values = [own.get(f"{GAIN}/{end}{name}") for end in ("", "low/", "high/")]
    if values[0] is None:
        return ""
    said = f"{100 * values[0]:+.1f}"
    return said if None in values else f"{said} [{100 * values[1]:+.1f}, {100 * values[2]:+.1f}]"  # type: ignore[operator]


def _further(candidate: Candidate) -> str:
    """The metrics of other packages, in a sentence each."""
    own = candidate.own.metrics
    told = [(metric, value_in_words(str(metric.key), own[str(metric.key)])) for metric in further_metrics(own)]
    return "".join(f" {metric.title} ({metric.meaning}): {value}." for metric, value in told)


def _measured(candidate: Candidate, name: str) -> list[str]:
    """A metric of the network, its interval and the number of clips; the last two empty where its answers are gone."""
    value, table = _percent(candidate.own.metrics[name]), candidate.evidence
    if table is None or not table.concerns(name):
        return [value, "", ""]
    known = level(table, name, fixed_students=True)
    interval = (
        f"{_percent(max(0.0, known.low))} – {_percent(min(1.0, known.high))}" if known.is_known and known.error else ""
    )
    return [value, interval, f"{table.counts(name)[0]:,}"]


def _explained(candidate: Candidate) -> str:
    """What the intervals and DG mean, and what DG shows by chance."""
    table = candidate.evidence
    if table is None:
        return "DG is the standard deviation over devices."
    return (
        f"Each interval is a {interval_in_words(candidate.picked_from)}; these clips are of {len(table.places):,} "
        f"places, and none is given where every place does the same. DG is the standard deviation over devices; a "
        f"network equally good on every device shows about {_percent(dg_floor(table))} by the luck of so many clips."
    )


def _calibration(candidate: Candidate) -> str:
    """The expected calibration error, overall and per group of clips enough, where it was measured."""
    own, table = candidate.own.metrics, candidate.evidence
    groups = {group: name for group, name in ECE.of(GROUP).members(own).items() if _has_clips_enough(table, group)}
    if OVERALL_ECE not in own:
        return "How well its probabilities are calibrated was not measured."
    per_group = ", ".join(f"{group} {own[name]:.3f}" for group, name in sorted(groups.items()))
    return (
        f"Expected calibration error (0 to 1, 15 bins; how far a probability is from the accuracy): "
        f"{own[OVERALL_ECE]:.3f} overall" + (f" ({per_group})" if per_group else "") + ". "
        f"{_calibrated(candidate)}The probabilities are not calibrated afterwards."
    )


def _has_clips_enough(table: Evidence | None, group: str) -> bool:
    """Whether the calibration error of a group is more than the luck of a few clips."""
    metric = accuracy_of(GROUP, group)
    return table is not None and table.concerns(metric) and table.counts(metric)[0] >= FEWEST_CLIPS


def _calibrated(candidate: Candidate) -> str:
    """What a perfectly calibrated network would show; empty where its clips were not counted."""
    table, accuracy = candidate.evidence, candidate.own.metrics.get(OVERALL_ACCURACY)
    if table is None or accuracy is None:
        return ""
    clips = table.counts(OVERALL_ACCURACY)[0]
    floor = calibration_floor(clips, accuracy, len(table.scenes))
    return f"A perfectly calibrated network of this accuracy would show about {floor:.3f} on {clips:,} clips. "


def _mean(trial: Mapping[str, float], candidate: Candidate, name: str) -> str:
    std = candidate.spread(name)
    return _percent(trial.get(name)) + ("" if std is None else f" ± {_percent(std)}")


def _limits(candidate: Candidate) -> str:
    data = candidate.data
    trained = f"{data.training_clips:,} clips" if data.training_clips else "the clips"
    unseen, mean = candidate.own.metrics.get(UNSEEN_ACCURACY), candidate.trial.metrics.get(UNSEEN_ACCURACY)
    heard = "" if unseen is None else f"right on unseen ones of the test fold: {_percent(unseen)} %"
    if heard and mean is not None and candidate.students() > 1:
        heard += f", and {_percent(mean)} % on average over the {candidate.students()} students of its trial"
    heard = f" ({heard})" if heard else ""
    of_what = "a synthetic corpus: nothing is known of real recordings"
    if data.label_noise is None:
        of_what = "a single corpus: other cities, seasons and languages are not covered"
    return (
        "## Limits\n\n"
        f"- It hears windows of {_clip(candidate)}, as long as the clips that it was trained on; for longer sounds "
        "their probabilities are averaged, shorter ones are repeated.\n"
        f"- Microphones it has not heard in training may cost accuracy{heard}.\n"
        f"- Trained on {trained} of {of_what}.\n"
        "- A sound below 32 kHz is resampled, and lacks the high frequencies it was trained with."
    )


def _cost(candidate: Candidate, about: About) -> str:
    costs = candidate.complexity
    count = costs.parameters
    sizes = ", ".join(f"{size * count:,} at {precision}" for precision, size in BYTES_AT.items())
    gates = "\n".join(f"- {gate}" for gate in about.gates)
    passed = f"Gates it passed, measured on this network:\n\n{gates}" if gates else "No gates were set."
    by_rule = f"{costs.macs_torchinfo / 1e6:.2f} million as torchinfo and the challenge do"
    if candidate.network.samples != SAMPLE_RATE:
        by_rule += " (whose limit is for one second)"
    return (
        f"## Cost\n\n{count:,} parameters; for {_clip(candidate)} {costs.macs / 1e6:.2f} million MACs as ptflops "
        f"counts, {by_rule}; bytes of parameters: {sizes} (as registered). Accuracy at less than float32 was not "
        "measured here.\n\n"
        f"{passed}"
    )


def _teachers(candidate: Candidate) -> str:
    keys = keys_of(candidate.trial)
    if not keys:
        return "## Teachers\n\nNone: it learned from labels alone."
    runs = {record.tags[TEACHER_KEY]: record for record in candidate.teachers}
    rows = []
    for key in keys:
        record = runs.get(key)
        metrics = record.metrics if record else {}
        figures = [_percent(metrics.get(name)) for name in (OVERALL_ACCURACY, UNSEEN_ACCURACY)]
        rows.append([_run_link(record, record.name) if record else "gone from the bank", f"`{key}`", *figures])
    return f"## Teachers\n\n{_table(['teacher', 'key', 'overall, in %', 'unseen, in %'], rows)}"


def _loading(candidate: Candidate, about: About) -> str:
    uri = f"models:/{about.model}/{about.version}"
    request = '{"dataframe_records": [{"waveform": [0.0, 0.01, -0.01], "sampling_rate": 44100}]}'
    return f"""## Loading it

In the environment of the program, made active (`. .venv/bin/activate` in a clone; `mlflow models serve` looks for
`uvicorn` there), with `MLFLOW_TRACKING_URI` saying where the registry is:

```
asc predict {uri} FOLDER
mlflow models serve --model-uri {uri} --env-manager local --port 5001
curl http://127.0.0.1:5001/invocations -H 'Content-Type: application/json' \\
  -d '{request}'
```

```python
import mlflow, pandas, soundfile
model = mlflow.pyfunc.load_model("{uri}")
samples, rate = soundfile.read("mono.wav")
model.predict(pandas.DataFrame({{"waveform": [samples], "sampling_rate": [rate]}}))
```

A row per sound, mono, of any length; without `sampling_rate` it is at 32,000 Hz. An array of (rows, samples) at that
rate goes to `model.get_raw_model().predict(array)`.{_device_column(candidate)}"""


def _device_column(candidate: Candidate) -> str:
    """How a caller says which device recorded a sound; empty where one network serves all."""
    if not candidate.network.of_devices:
        return ""
    return " Where the recording device is known, its name goes into a column `device`, or to `asc predict --device`."


def _origin(candidate: Candidate) -> str:
    data = candidate.data
    clips = [
        f"{number:,} {what}" for number, what in (
            (data.training_clips, "for training"), (data.validation_clips, "held out for validation"),
            (data.test_clips, "in the test fold"),
        ) if number is not None
    ]  # fmt: skip
    listed = candidate.own.tags.get(TRAIN_SPLIT)
    if listed is not None and clips:
        clips[0] += f" (those of the list `{listed}`)"
    held = "" if candidate.held_out is None else f"; held out: `{json.dumps(dict(candidate.held_out))}`"
    made_up = made_up_in_words(data.label_noise)
    facts = {
        "corpus": f"{data.name or 'not logged'}{made_up}, digest `{data.digest or 'not logged'}`",
        "clips": ", ".join(clips) + held,
        "trial": _run_link(candidate.trial, f"{candidate.trial.name} of {candidate.trial.tags[STUDY]}"),
        "this network": f"{_run_link(candidate.own, candidate.own.name)}, logged model `{candidate.model_id}`",
        "seed": str(candidate.network.recipe.seed),
        "written by": f"asc_experiments {__version__}",
    }
    return "## Where it comes from\n\n" + "\n".join(f"- {name}: {value}" for name, value in facts.items())


def _run_link(record: RunRecord, name: str) -> str:
    """A link that leads to a run from any page of any MLflow server."""
    return f"[{name}]({page_of_run(record.experiment_id, record.run_id)})"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(cells) + " |" for cells in (headings, ["---"] * len(headings), *rows)]
    return "\n".join(lines)
