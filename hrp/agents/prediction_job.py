"""Nightly predictions of every deployed strategy."""

from __future__ import annotations

from hrp.agents.jobs import Job, JobResult
from hrp.errors import EXIT_FAILED, EXIT_NOT_READY, ModelError


class DailyPredictionJob(Job):
    """Predict the universe with the champion of each deployed strategy.

    The version is resolved once and pinned: a second run for the session predicts with the version of the first.
    A strategy whose model fails is reported and the others go on.
    """

    name = "predictions"
    requires = ("features",)

    def execute(self) -> JobResult:
        strategies = self.api.get_deployed_strategies()
        if not strategies:
            alert = "no strategy is deployed; deploy one: hrp models promote MODEL VERSION --strategy TITLE"
            return JobResult("no_deployed_strategies", exit_code=EXIT_NOT_READY, alert=alert)
        counts: dict[str, int] = {}
        versions: dict[str, int] = {}
        errors: dict[str, str] = {}
        notices: list[str] = []
        left_out: dict[str, dict[str, str]] = {}
        codes: list[int] = []
        for strategy in strategies:
            try:
                champion = self.api.resolve_champion(strategy, self.session)
                predicted, omitted = self.api.predict_session(strategy, champion.version, self.session, self.run_id)
            except ModelError as error:
                errors[strategy.hypothesis_id] = str(error)
                codes.append(error.exit_code)
            else:
                counts[strategy.hypothesis_id] = len(predicted)
                versions[strategy.hypothesis_id] = champion.version.version
                left_out |= {strategy.hypothesis_id: omitted} if omitted else {}
                notices += [champion.notice] if champion.notice else []
        facts = {
            "predictions": counts,
            "model_versions": versions,
            "left_out": left_out,
            "errors": errors,
            "notices": notices,
        }
        alert = "; ".join([*(f"{name}: {text}" for name, text in errors.items()), *notices])
        if not errors:
            return JobResult("success", facts, sum(counts.values()), alert=alert)
        status = "partial_failure" if counts else "failure"
        return JobResult(status, facts, sum(counts.values()), max(codes, default=EXIT_FAILED), alert)
