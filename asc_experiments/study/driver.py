"""The driver of a study: asks Optuna, runs trials, tells it; goes on after any interruption to the asked total."""

from __future__ import annotations

import traceback
from collections.abc import Callable

import optuna
from filelock import FileLock
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from asc_experiments.base.errors import AscError, nearest
from asc_experiments.base.hashing import digest_json
from asc_experiments.base.ownership import this_process
from asc_experiments.base.progress import say
from asc_experiments.distill import TeacherBank, Workbench
from asc_experiments.study.file import StudyFile
from asc_experiments.study.space import SearchSpace
from asc_experiments.study.status import (
    ASKED,
    CORPUS,
    DEFINITION,
    DIRS,
    INTERRUPTED,
    METRIC,
    OWNER,
    StudyStatus,
    study_status,
    was_interrupted,
)
from asc_experiments.study.trial import Pruned, TrialContext, run_trial
from asc_experiments.tracking.trials import OBJECTIVE_VALUE, TRIAL, TRIAL_KIND
from asc_experiments.training.scorecard import metric_names

_QUEUED_WITH = "fixed_params"
"""The system attribute under which Optuna keeps the parameters of a queued trial."""
_NUMBER_IN_FILE, _AGAIN = "asc.enqueued", "asc.asked_again"


class Driver:
    """Runs one study on one machine.

    Opening it validates everything that can be validated; only then does it write.

    Args:
        file: the study.
        bench: corpus, split and tracking server; its split must be the study's.
        storage: where Optuna keeps the study.

    Raises:
        AscError: if the objective's metric does not exist on this corpus, or a study of that name was begun with
            another definition or corpus.
    """

    def __init__(self, file: StudyFile, bench: Workbench, storage: BaseStorage) -> None:
        self.file = file
        self.bench = bench
        self.space = SearchSpace(file)
        _check_metric(file, bench)
        _check_impulse_responses(self.space, bench)
        locks = bench.cache / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        self.lock = FileLock(locks / f"study-{file.name}.lock")
        with self.lock:
            self.study = _open_study(file, bench, storage)
        bank = TeacherBank(bench.tracking)
        self.context = TrialContext(file, bench, bank, bench.tracking.experiment(file.name))

    def run(self) -> StudyStatus:
        """Run trials until the asked total is reached.

        Interrupted (Ctrl-C, SIGTERM), it ends what it was doing truthfully and raises on; killed, the next call does.
        """
        with self.lock:
            self._recover()
            self._enqueue_first()
        while (trial := self._ask()) is not None:
            self._run_one(trial)
            status = study_status(self.study)
            best = "" if status.best_value is None else f", best {status.metric} {status.best_value:.4f}"
            say(f"study {self.file.name}: {status.done} of {status.asked} trials done{best}")
        return study_status(self.study)

    def _ask(self) -> Trial | None:
        """The next trial, owned by this process; None where the total is reached or others are working on the rest."""
        with self.lock:
            status = study_status(self.study)
            if status.done + status.running >= self.file.trials:
                return None
            # A new sampler per trial, seeded by its number: with one per process, a resumed or second driver would draw
            # the same points again.
            self.study.sampler = _sampler(self.file, len(self.study.get_trials(deepcopy=False)))
            trial = self.study.ask()
            trial.set_user_attr(OWNER, this_process())
            return trial

    def _run_one(self, trial: Trial) -> None:
        try:
            plan = self.space.plan(trial)
            teachers = " + ".join(recipe.name for recipe in plan.teachers)
            say(f"trial {trial.number}: student {plan.student.name} from {teachers}")
            value = run_trial(self.context, plan, trial.number, trial.params, self._reporter(trial))
        except Pruned:
            self.study.tell(trial, state=TrialState.PRUNED)
        except (KeyboardInterrupt, SystemExit):
            with self.lock:
                self._ask_again(trial)
            raise
        except Exception as error:  # whatever a trial dies of, the study goes on and says so
            self._stop_without_server(trial)
            self.study.tell(trial, state=TrialState.FAIL)
            say(f"trial {trial.number}: failed ({type(error).__name__}: {error})")
            if not isinstance(error, AscError):
                say(traceback.format_exc())
        else:
            self.study.tell(trial, value)

    def _stop_without_server(self, trial: Trial) -> None:
        """A trial that failed because the tracking server is gone is asked again later: the next would fail as well.

        Raises:
            AscError: if the server does not answer.
        """
        try:
            self.bench.tracking.check_answers()
        except AscError:
            with self.lock:
                self._ask_again(trial)
            raise

    def _reporter(self, trial: Trial) -> Callable[[int, float], bool]:
        def report(epoch: int, value: float) -> bool:
            trial.report(value, epoch)
            return trial.should_prune()

        return report

    def _recover(self) -> None:
        """Settle what a killed driver left: runs end as KILLED, trials are told or asked again."""
        swept = self.bench.tracking.sweep()
        abandoned = [t for t in self.study.get_trials(deepcopy=False) if _is_abandoned(t)]
        for frozen in abandoned:
            value = self._logged_value(frozen.number)
            trial = Trial(self.study, frozen._trial_id)
            if value is None:
                self._ask_again(trial)
            else:  # killed between the last line in MLflow and the first in Optuna
                self.study.tell(trial, value)
        if swept or abandoned:
            say(f"study {self.file.name}: {len(abandoned)} killed trials settled, {swept} runs ended as KILLED")

    def _logged_value(self, number: int) -> float | None:
        """The objective of a trial that had finished in the tracking server."""
        query = (
            f"attributes.status = 'FINISHED' AND tags.`asc.kind` = '{TRIAL_KIND}' AND tags.`{TRIAL}` = '{number}'"
            f" AND attributes.start_time >= {self._begun_ms()}"  # not of an older study of that name
        )
        records = self.bench.tracking.search([self.context.experiment_id], query, limit=1)
        return records[0].metrics.get(OBJECTIVE_VALUE) if records else None

    def _begun_ms(self) -> int:
        """When this study's first trial was asked for, in milliseconds of the epoch."""
        starts = [t.datetime_start for t in self.study.get_trials(deepcopy=False) if t.datetime_start]
        return int(min(starts).timestamp() * 1_000)

    def _ask_again(self, trial: Trial) -> None:
        """Queue a trial's parameters again, those it was queued with and those it was given, and end it as interrupted.

        Marked as interrupted last but for the end itself: killed in between, nothing is lost and nothing asked twice.
        """
        frozen = self.study.get_trials(deepcopy=False)[trial.number]
        params = dict(frozen.system_attrs.get(_QUEUED_WITH, {})) | dict(trial.params)
        if params and _AGAIN not in trial.user_attrs:
            self.study.enqueue_trial(params)
            trial.set_user_attr(_AGAIN, True)
        trial.set_user_attr(INTERRUPTED, True)
        self.study.tell(trial, state=TrialState.FAIL)

    def _enqueue_first(self) -> None:
        """Queue the study file's own trials, each once, also where an earlier driver was killed while it did."""
        queued = [trial.user_attrs.get(_NUMBER_IN_FILE) for trial in self.study.get_trials(deepcopy=False)]
        for number, params in enumerate(self.file.enqueue):
            if number not in queued:
                self.study.enqueue_trial(dict(params), user_attrs={_NUMBER_IN_FILE: number})


def _open_study(file: StudyFile, bench: Workbench, storage: BaseStorage) -> optuna.Study:
    digests = {found.digest for recipe in SearchSpace(file).recipes() if (found := bench.responses_for(recipe))}
    dirs = digests.pop() if digests else "none"
    wanted = {DEFINITION: file.definition_digest(), CORPUS: bench.store.corpus_digest, DIRS: dirs}
    if file.name in optuna.get_all_study_names(storage):
        known = optuna.load_study(study_name=file.name, storage=storage).user_attrs
        for key, what in ((DEFINITION, "settings"), (CORPUS, "corpus content"), (DIRS, "impulse responses")):
            if known.get(key, wanted[key]) != wanted[key]:
                where = f"study '{file.name}'"
                raise AscError(where, f"was begun with other {what}", "give it another name: --set name=…")
    study = optuna.create_study(
        study_name=file.name,
        storage=storage,
        pruner=_pruner(file),
        direction=file.objective.direction,
        load_if_exists=True,
    )
    for key, value in (wanted | {ASKED: file.trials, METRIC: file.objective.logged_name}).items():
        if study.user_attrs.get(key) != value:
            study.set_user_attr(key, value)
    return study


def _sampler(file: StudyFile, number: int) -> optuna.samplers.BaseSampler:
    seed = int(digest_json([file.sampler_seed, number], length=8), 16)
    if file.sampler == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    return optuna.samplers.TPESampler(seed=seed)


def _pruner(file: StudyFile) -> optuna.pruners.BasePruner:
    if file.pruner == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=3)
    if file.pruner == "hyperband":
        return optuna.pruners.HyperbandPruner()
    return optuna.pruners.NopPruner()


def _is_abandoned(trial: FrozenTrial) -> bool:
    return trial.state == TrialState.RUNNING and was_interrupted(trial)


def _check_metric(file: StudyFile, bench: Workbench) -> None:
    rows = bench.rows[1] if file.objective.split == "validation" else bench.corpus.test_rows
    devices = sorted(set(bench.corpus.device_of[rows].tolist()))
    groups = [bench.device_groups[device] for device in devices]
    names = metric_names(devices, groups, bench.corpus.scenes)
    if file.objective.metric not in names:
        what = f"unknown metric '{file.objective.metric}' on the {file.objective.split} split"
        raise AscError(f"study '{file.name}': objective", what, nearest(file.objective.metric, names))


def _check_impulse_responses(space: SearchSpace, bench: Workbench) -> None:
    for recipe in space.recipes():
        bench.responses_for(recipe)
