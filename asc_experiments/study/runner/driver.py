"""The driver of a study: asks Optuna, has trials done, tells it; resumes after any interruption, to the asked total."""

from __future__ import annotations

import contextlib
import time
import traceback
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import replace
from functools import partial

from optuna.storages import BaseStorage
from optuna.trial import Trial, TrialState

from asc_experiments.base.errors import AscError
from asc_experiments.base.progress import say
from asc_experiments.distill import TeacherBank, TrainingContext
from asc_experiments.metrics import value_in_words
from asc_experiments.study.definition.study_file import StudyFile
from asc_experiments.study.executors.jobs import Pruned, Reporter, TakenOver
from asc_experiments.study.executors.local import InProcess, WorkerPool, WorkError
from asc_experiments.study.runner.active_trial import ActiveTrial
from asc_experiments.study.runner.cells import TrialSeeds
from asc_experiments.study.runner.experiment_page import describe_study
from asc_experiments.study.runner.recovery import (
    NUMBER_IN_FILE,
    ask_as_owner,
    ask_failed_again,
    end_lost_replicates,
    enqueue,
    requeue,
    settle,
    settle_trial,
    tell,
    withdraw,
)
from asc_experiments.study.runner.replication import replicate
from asc_experiments.study.runner.stores import (
    identity_in_optuna,
    refuse_replaced,
    refuse_without_runs,
    settle_apart,
    take_over,
    unless_replaced,
)
from asc_experiments.study.runner.trial_runner import Steps, TrialContext, run_trial
from asc_experiments.study.runner.validation import check_study, open_study
from asc_experiments.study.search.samplers import sampler, set_constraints
from asc_experiments.study.search.search_space import SearchSpace
from asc_experiments.study.search.suggestions import exact_params
from asc_experiments.study.storage.failures import in_one_line, study_outage
from asc_experiments.study.storage.open_storage import locks_of, study_lock
from asc_experiments.study.storage.trial_status import AGAIN_OF, StudyStatus, study_status
from asc_experiments.tracking.study_progress import tell_asked
from asc_experiments.training.network import complexity_of

_AHEAD = 2
"""Active trials per worker: some wait for a teacher that another one is training."""
_LOOK_EVERY_S = 5.0


class Driver:
    """Runs one study on one machine.

    Opening it validates everything that can be validated; only then does it write.

    Args:
        file: the study.
        bench: corpus, split and tracking server; its split must be the study's.
        storage: where Optuna keeps the study.
        executor: what does the trainings: in this process, or in worker processes.
        retry_deleted: whether finished trials whose runs were deleted in the tracking server are run again.

    Raises:
        AscError: if the objective's metric does not exist on this corpus, a study of that name was begun with
            another definition or corpus, or its runs are not in the tracking server.
    """

    def __init__(
        self,
        file: StudyFile,
        bench: TrainingContext,
        storage: BaseStorage,
        executor: InProcess | WorkerPool | None = None,
        retry_deleted: bool = False,
    ) -> None:
        with in_one_line(file.name):
            refuse_without_runs(file.name, storage, bench.tracking, retry_deleted)
        bench = replace(bench, locks=locks_of(storage))
        self.file = file
        self.bench = bench
        self.space = SearchSpace(file)
        self.executor = executor or InProcess()
        bank = TeacherBank(bench.tracking)
        check_study(self.space, bench, bank)
        for recipe in self.space.recipes:
            bench.weights_for(recipe)  # fetched now, or refused before hours of training
        self.queue, self.asked = self.space.queue()
        self._lock = partial(study_lock, storage, bench.cache)
        with in_one_line(file.name), self._lock(f"study-{file.name}"):
            self.study = open_study(self.space, self.asked, bench, storage)
        experiment_id = bench.tracking.experiment(file.name)
        take_over(self.study, bench.tracking, experiment_id)
        tell_asked(bench.tracking, experiment_id, self.asked)
        if not study_status(self.study).finished:  # else the description says what was found before
            describe_study(file, self.study, bench, experiment_id)
        self.context = TrialContext(file, bench, bank, experiment_id, self.executor, identity_in_optuna(self.study))
        self._retry_deleted = retry_deleted
        self._active: list[ActiveTrial] = []

    def run(self, timeout: float | None = None, retry_failed: bool = False) -> StudyStatus:
        """Run trials until the asked total is reached.

        Interrupted (Ctrl-C, SIGTERM), it ends what it was doing truthfully and raises on; killed, the next call does.

        Args:
            timeout: seconds after which no further trial is begun.
            retry_failed: whether trials that failed are tried once more.

        Raises:
            Outage: if the tracking server or the storage is away for longer than they are waited for, or a disk full.
        """
        with in_one_line(self.file.name), unless_replaced(self.study, self.context.identity):
            return self._run(timeout, retry_failed)

    def _run(self, timeout: float | None, retry_failed: bool) -> StudyStatus:
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._lock(f"study-{self.file.name}"):
            self._settle_lost()
            settle_apart(self.study, self.bench.tracking, self.context.experiment_id, self._retry_deleted)
            enqueue(self.study, self.queue, self.asked)
            if self.file.sampler == "grid" and self.asked < len(self.queue):
                left_out = f"{len(self.queue) - self.asked} of {len(self.queue)} cells"
                say(f"study {self.file.name}: {left_out} are left out; asc study plan lists them")
            if too_many := self.space.too_many:
                say(f"study {self.file.name}: {too_many}")
            if self.context.measured is not None:
                say(f"study {self.file.name}: {self.context.measured.note}")
            if shared := self.bench.corpus.shared_places().note:
                say(f"study {self.file.name}: {shared}")
            if retry_failed:
                say(f"study {self.file.name}: {ask_failed_again(self.study)} failed trials once more")
        try:
            self._run_all(deadline)
            if self._is_whole(deadline) and self.file.replicate is not None:
                with self._lock(f"replicates-{self.file.name}"):
                    end_lost_replicates(self.bench.tracking, self.context.experiment_id)
                    replicate(self.study, self.space, self.context, self.file.replicate)
        except BaseException as stop:
            self._stop(stop)
            raise
        self.executor.shutdown()
        self.bench.tracking.sweep()
        describe_study(self.file, self.study, self.bench, self.context.experiment_id)
        return study_status(self.study)

    def _run_all(self, deadline: float | None) -> None:
        while True:
            while self._has_room() and not _is_past(deadline) and (trial := self._ask()) is not None:
                self._begin(trial)
            if not self._active:
                with self._lock(f"study-{self.file.name}"):
                    others_died = self._settle_lost()
                if not others_died or _is_past(deadline):
                    break
                continue
            futures = {future for each in self._active for future in each.waits_for if not future.done()}
            wait(futures, _LOOK_EVERY_S, FIRST_COMPLETED)
            for each in [each for each in self._active if each.is_ready]:
                self._advance(each)

    def _settle_lost(self) -> bool:
        """Settle what killed drivers, and hosts that are gone, left; whether there were trials among it."""
        trials, runs = settle(self.study, self.bench.tracking, self.context.experiment_id)
        if trials or runs:
            say(f"study {self.file.name}: {trials} killed trials settled, {runs} runs ended as KILLED")
        return trials > 0

    def _is_whole(self, deadline: float | None) -> bool:
        """Whether all trials are done and there is time for more; says what is missing."""
        status = study_status(self.study)
        if _is_past(deadline) and (status.done < self.asked or self.file.replicate is not None):
            say(f"study {self.file.name}: the time is up; the same command resumes")
        elif status.running:
            say(f"study {self.file.name}: active in another process: {status.running}")
        return status.done >= self.asked and not _is_past(deadline)

    def _has_room(self) -> bool:
        waiting = {future for each in self._active for future in each.waits_for if not future.done()}
        workers = self.executor.workers
        return len(waiting) < workers and len(self._active) < (1 if workers == 1 else _AHEAD * workers)

    def _ask(self) -> Trial | None:
        """The next trial, owned by this process; None where the total is reached or others are working on the rest."""
        with self._lock(f"study-{self.file.name}"):
            refuse_replaced(self.study, self.context.identity)
            status = study_status(self.study)
            if status.done + status.running >= self.asked:
                return None
            trial = ask_as_owner(self.study)
            self.study.sampler = sampler(self.file, trial.number)
            return trial

    def _begin(self, trial: Trial) -> None:
        active = ActiveTrial(trial, self._steps(trial))
        self._active.append(active)
        self._advance(active)

    def _steps(self, trial: Trial) -> Steps[tuple[float, ...]]:
        """A trial from its plan to its values. (A generator, so that a plan that fails is a trial that fails.)"""
        plan = self.space.plan(trial)
        on = f" on {plan.train_split}" if plan.train_split else ""
        say(f"trial {trial.number}: student {plan.student.name_but_seed} from {plan.teacher_names}{on}")
        complexity = None
        if self.file.constraints:
            complexity = complexity_of(plan.student, self.bench.corpus.scenes, self.bench.clip_samples)
            set_constraints(self.file, trial, complexity)
        seeds = TrialSeeds(self.study, trial, partial(self._lock, f"study-{self.file.name}"), self.file.seeds)
        reporter = self._reporter(trial)
        again_of = trial.user_attrs.get(AGAIN_OF)
        params = exact_params(trial.params, trial.distributions)
        return (
            yield from run_trial(
                self.context, plan, trial.number, params, seeds, complexity, reporter, again_of=again_of
            )
        )

    def _reporter(self, trial: Trial) -> Reporter | None:
        """Who tells the pruner; nobody tells it of the baseline, which the others are to be compared with."""
        if self.file.pruner == "none" or trial.user_attrs.get(NUMBER_IN_FILE) == 0:
            return None
        return Reporter(trial, self.file.objective.logged_name)

    def _advance(self, each: ActiveTrial) -> None:
        """Take a trial's next steps, until it waits for something or is over."""
        try:
            if not self._has_ended(each):
                return
        except TakenOver as reason:  # the one who took it over has told it
            say(f"trial {each.trial.number}: {reason}")
            withdraw(self.bench.tracking, self.context.experiment_id, each.trial)
        self._active.remove(each)
        status = study_status(self.study)
        best = (
            ""
            if status.best_value is None
            else f", best {status.metric} {value_in_words(status.metric, status.best_value)}"
        )
        if best and status.measured is not None and status.measured.warning:
            best += f" on only {status.measured.clips} clips"
        say(f"study {self.file.name}: {status.done} of {status.asked} trials done{best}")

    def _has_ended(self, each: ActiveTrial) -> bool:
        """Take a trial's next steps and, where it ends by them, tell how; whether it has.

        Raises:
            Outage: if it ended by no fault of its own.
            TakenOver: if another driver told it.
        """
        trial = each.trial
        try:
            each.advance()
            return False
        except StopIteration as end:
            tell(self.study, trial, end.value)
        except TakenOver:
            raise
        except Pruned as reason:
            tell(self.study, trial, state=TrialState.PRUNED)
            say(f"trial {trial.number}: {reason}")
        except Exception as error:  # whatever a trial dies of, the study continues and says so
            if (outage := study_outage(error, self.file.name)) is not None:
                raise outage from None
            self.bench.tracking.check_answers()  # else the next would fail as well: stop, and ask all again later
            self.bench.tracking.check_experiment(self.context.experiment_id, self.file.name)
            tell(self.study, trial, state=TrialState.FAIL)
            _say_failed(trial.number, error)
        return True

    def _stop(self, reason: BaseException) -> None:
        """End what is active: first the trainings, then their trials; all are re-queued."""
        self.executor.stop()
        with contextlib.suppress(Exception):  # the server is gone: the next call sweeps
            self.bench.tracking.check_answers()
            self.bench.tracking.sweep()
        for each in self._active:
            with contextlib.suppress(BaseException):  # what is thrown in; or the server is gone: the sweep ends the run
                each.steps.throw(reason if isinstance(reason, KeyboardInterrupt | SystemExit) else KeyboardInterrupt())
        try:
            with self._lock(f"study-{self.file.name}"):
                for each in self._active:
                    try:
                        self._settle(each.trial)
                    except TakenOver as reason:
                        say(f"trial {each.trial.number}: {reason}")
        except Exception as error:  # the storage is gone: the next call asks them again
            if not isinstance(error, KeyError):  # that is a study which was deleted meanwhile
                say(f"study {self.file.name}: what was active will be re-queued ({type(error).__name__})")
        self._active.clear()

    def _settle(self, trial: Trial) -> None:
        """End a trial as its run ended; without the tracking server, which would know, it is re-queued."""
        try:
            self.bench.tracking.check_answers()
        except AscError:
            requeue(self.study, trial)
        else:
            settle_trial(self.study, self.bench.tracking, self.context.experiment_id, trial)


def _say_failed(number: int, error: Exception) -> None:
    """Say what a trial died of; with its traceback where it is no error that the user can correct."""
    text = str(error) if isinstance(error, WorkError) else f"{type(error).__name__}: {error}"
    say(f"trial {number}: failed ({text})")
    if not isinstance(error, AscError):
        say(error.trace if isinstance(error, WorkError) else "".join(traceback.format_exception(error)))


def _is_past(deadline: float | None) -> bool:
    return deadline is not None and time.monotonic() >= deadline
