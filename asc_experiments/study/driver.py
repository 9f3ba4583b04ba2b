"""The driver of a study: asks Optuna, runs trials, tells it; goes on after any interruption to the asked total."""

from __future__ import annotations

import traceback
from collections.abc import Callable

import optuna
from filelock import FileLock
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from asc_experiments.base.errors import AscError, nearest
from asc_experiments.base.ownership import this_process
from asc_experiments.base.progress import say
from asc_experiments.distill import TeacherBank, Workbench
from asc_experiments.study.file import StudyFile
from asc_experiments.study.space import SearchSpace
from asc_experiments.study.status import (
    ASKED,
    CORPUS,
    DEFINITION,
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
        experiments = [self.context.experiment_id, self.context.bank.experiment_id]
        swept = self.bench.tracking.sweep(experiments)
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
        query = f"attributes.status = 'FINISHED' AND tags.`asc.kind` = '{TRIAL_KIND}' AND tags.`{TRIAL}` = '{number}'"
        records = self.bench.tracking.search([self.context.experiment_id], query, limit=1)
        return records[0].metrics.get(OBJECTIVE_VALUE) if records else None

    def _ask_again(self, trial: Trial) -> None:
        """End a trial as interrupted and put its parameters first in the queue."""
        params = dict(trial.params)
        trial.set_user_attr(INTERRUPTED, True)
        self.study.tell(trial, state=TrialState.FAIL)
        if params:
            self.study.enqueue_trial(params)

    def _enqueue_first(self) -> None:
        """Queue the study file's own trials, once."""
        if not self.study.get_trials(deepcopy=False):
            for params in self.file.enqueue:
                self.study.enqueue_trial(dict(params))


def _open_study(file: StudyFile, bench: Workbench, storage: BaseStorage) -> optuna.Study:
    wanted = {DEFINITION: file.definition_digest(), CORPUS: bench.store.corpus_digest}
    if file.name in optuna.get_all_study_names(storage):
        known = optuna.load_study(study_name=file.name, storage=storage).user_attrs
        for key, what in ((DEFINITION, "settings"), (CORPUS, "corpus content")):
            if known.get(key, wanted[key]) != wanted[key]:
                where = f"study '{file.name}'"
                raise AscError(where, f"was begun with other {what}", "give it another name: --set name=…")
    study = optuna.create_study(
        study_name=file.name,
        storage=storage,
        sampler=_sampler(file),
        pruner=_pruner(file),
        direction=file.objective.direction,
        load_if_exists=True,
    )
    for key, value in (wanted | {ASKED: file.trials, METRIC: file.objective.logged_name}).items():
        if study.user_attrs.get(key) != value:
            study.set_user_attr(key, value)
    return study


def _sampler(file: StudyFile) -> optuna.samplers.BaseSampler:
    if file.sampler == "random":
        return optuna.samplers.RandomSampler(seed=file.sampler_seed)
    return optuna.samplers.TPESampler(seed=file.sampler_seed)


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
