"""Rollouts that others write: the weights that they write with are published, and nothing is ever written with others.

    with Cluster(config) as cluster:
        cluster.write_for(policy, folder, on_warning=print)   # from here on `sample(policy, ...)` is theirs

Whatever asks the policy for completions gets them so, evaluations and probes too: each call looks at the weights that the policy
has at that moment, publishes them if their digest is another, and names it in every part.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

from sanmai.cluster.canary import SCORED, canary_of, drawn_fails
from sanmai.cluster.config import ClusterConfig
from sanmai.cluster.links import Link
from sanmai.cluster.parts import Part, completion_of, in_call, parts_of, request_json, sampling_json
from sanmai.cluster.pool import Pool
from sanmai.cluster.processes import ProcessLink, Stem
from sanmai.cluster.published import Publication, digest_of, frozen, publish, trained
from sanmai.cluster.trainers import Trainers
from sanmai.policies.team import Team
from sanmai.policies.text.asking import Completion, Request, SamplingConfig
from sanmai.policies.text.policy import TextPolicy
from sanmai.types import RunError

FOLDER = "published"
"""In the run's folder while the run goes on: weights that samplers read, and what the samplers say."""
_KEPT = 3
User = TypeVar("User", bound="Closes")


class Closes(Protocol):
    """Something that has an end."""

    def close(self) -> None: ...



class Cluster:
    """Trainers and samplers for the time of a run; nothing where the configuration wants this process alone."""

    def __init__(self, config: ClusterConfig) -> None:
        """Raises InputError: what the samplers need is not installed."""
        if config.transport == "ray":
            from sanmai.cluster.rays import require_ray

            require_ray()
        self.config = config
        self.samplers: Samplers | None = None
        self._trainers = Trainers(config)
        self._policy: TextPolicy | None = None
        self._users: list[Any] = []

    def write_for(
        self, policy: TextPolicy, folder: Path, *, on_warning: Callable[[str], None], links: Sequence[Link] | None = None
    ) -> None:
        """From here on, what is asked of the policy is written by the samplers, which are started when something is.

        Args:
            folder: of the run.
            links: the samplers, instead of those that the configuration names.
        """
        policy.sampling_parts = self.config.num_parts
        if not self.config.is_apart:
            self._trainers.write_for(policy, self.config.num_parts)
            return
        work = folder / FOLDER
        self.samplers = Samplers(self.config, policy, work, links or links_of(self.config, work, policy), on_warning)
        self._policy, policy.sampler = policy, self.samplers

    def closing(self, user: User) -> User:
        """Who is closed with the samplers, before them."""
        self._users.append(user)
        return user

    @property
    def team(self) -> Team | None:
        """The trainers; None: this process trains alone."""
        return self._trainers.team

    def __enter__(self) -> Self:
        self._trainers.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None = None, *_: object) -> None:
        for user in self._users:
            user.close()
        if self._policy is not None:
            self._policy.sampler = None
        if self.samplers is not None:
            self.samplers.close()
        self._trainers.__exit__(kind)


class Samplers:
    """Writes completions of one policy; fills the protocol of policies/text/asking.py."""

    takes_cuts = False

    def __init__(
        self, config: ClusterConfig, policy: TextPolicy, work: Path, links: Sequence[Link], on_warning: Callable[[str], None]
    ) -> None:
        self._config, self._policy, self._work, self._warn = config, policy, work, on_warning
        self._published: list[Publication] = []
        """Those that can still be asked for, the newest last."""
        self._version = 0
        self._scored: set[tuple[str, str, float]] = set()
        self._held: ContextVar[Publication | None] = ContextVar("publication", default=None)
        self._lock = threading.Lock()
        self._has_begun = False
        self._frozen = ""
        self._told: set[str] = set()
        begin = {"do": "begin", "model": model_json(policy, config)}
        self._pool = Pool(links, begin, config, check=self._check, on_look=self._tell)

    def sample(
        self, requests: Sequence[Request], config: SamplingConfig, *, segment: int | None = None
    ) -> Iterator[Completion]:
        publication = self._held.get() or self.publish()
        deadline = time.monotonic() + config.timeout_seconds
        parts = parts_of(requests, config.concurrent, self._config.num_parts)
        questions = [partial(_question, part, config, deadline, segment) for part in parts]
        try:
            for number, answer in self._pool.write(questions, publication):
                if self._policy.cache_works is None:
                    self._policy.cache_works = answer.get("cache_works")
                try:
                    done = in_call(parts[number], [completion_of(values) for values in answer["done"]])
                except ValueError as error:
                    raise RunError(f"part {number + 1} of {len(parts)}: {error}") from None
                if answer.get("is_to_be_scored") and self._held.get() is None:
                    self._score(str(answer.get("by")), publication, requests, done, config)
                yield from done
        finally:
            self._tell()

    def publish(self) -> Publication:
        """The weights that the policy has now, for samplers to read; the same as before where they are the same.

        To be called by the thread that trains. Of several trainers the leader gathers what all of them hold.
        """
        with self._lock, self._policy.whole():
            self._begin()
            digest = digest_of(trained(self._policy))
            known = next((p for p in self._published if p.digest == digest), None)
            if known is None:
                self._version += 1
                canary, is_plain = canary_of(self._policy), self._config.transport == "http"
                known = publish(self._policy, digest, self._version, self._work, canary, is_plain=is_plain)
            self._published = [*(p for p in self._published if p is not known), known]
            while len(self._published) > _KEPT + self._config.staleness:
                self._published.pop(0).remove()
            return known

    @contextmanager
    def holding(self, publication: Publication) -> Generator[None]:
        """Within, in this thread, completions are written with these weights, whatever the policy's are."""
        token = self._held.set(publication)
        try:
            yield
        finally:
            self._held.reset(token)

    def _score(
        self, name: str, publication: Publication, requests: Sequence[Request], done: Sequence[Completion], config: SamplingConfig
    ) -> None:
        """Hold what a sampler says of its first completions by these weights against the trainer's log-probs of them.

        So it is seen whether it draws from the whole distribution and tells the log-probs of that one, at each temperature: at 1
        raw log-probs are those. Not where the weights have moved on since.
        """
        looked_at = (publication.digest, name, config.temperature)
        if looked_at in self._scored:
            return
        self._scored = {one for one in self._scored if one[0] == publication.digest} | {looked_at}
        chosen = [c for c in done if c.tokens][:SCORED]
        with self._policy.whole():
            why = drawn_fails(self._policy, requests, chosen, config.temperature)
        if why:
            raise RunError(f"{name} does not draw from what it says: {why}")

    def close(self) -> None:
        self._pool.close()
        self._tell()
        shutil.rmtree(self._work, ignore_errors=True)

    def _begin(self) -> None:
        if not self._has_begun:
            self._has_begun = True
            shutil.rmtree(self._work, ignore_errors=True)  # what a run that was killed has left
            self._work.mkdir(parents=True)
            self._frozen = digest_of(frozen(self._policy))

    def _check(self, name: str, told: Mapping[str, Any]) -> None:
        """A sampler that has loaded the model says what it found."""
        if told.get("frozen", self._frozen) != self._frozen:
            raise RunError(f"{name}: what is not trained of {self._policy.config.name!r} differs there: it is another model")
        stops = sorted(self._policy.stop_tokens)
        if told.get("stops", stops) != stops:
            raise RunError(f"{name}: it would stop at the tokens {told['stops']}; the policy stops at {stops}")
        if (path := told.get("path", self._policy.path)) != self._policy.path:
            self._pool.notices.put(f"samplers take the {path}, and the trainer the {self._policy.path}")

    def _tell(self) -> None:
        """Report what was lost, in the thread that trains."""
        while self._held.get() is None and not self._pool.notices.empty():
            notice = self._pool.notices.get()
            if notice not in self._told:
                self._told.add(notice)
                self._warn(notice)


def model_json(policy: TextPolicy, config: ClusterConfig) -> dict[str, Any]:
    """Settings by which a sampler loads the model, wherever its working folder is."""
    own = policy.config
    name = str(Path(own.name).resolve()) if Path(own.name).exists() else own.name
    return own.model_copy(update={"name": name, "threads": config.threads}).model_dump()


def links_of(config: ClusterConfig, work: Path, policy: TextPolicy) -> Sequence[Link]:
    """The samplers that a configuration names, not started yet.

    Raises:
        InputError: what they need is not installed.
    """
    if config.transport == "http":
        from sanmai.cluster.vllm import VllmLink

        return [VllmLink(number, url, tuple(policy.stop_tokens)) for number, url in enumerate(config.urls, 1)]
    if config.transport == "ray":
        from sanmai.cluster.rays import Actors, RayLink

        actors, device = Actors(config), "cuda" if config.gpus else "cpu"
        return [RayLink(number, actors, device) for number in range(1, config.samplers + 1)]
    stem, devices = Stem(work / "samplers.log"), config.devices or (None,)
    return [
        ProcessLink(number, stem, work / f"sampler-{number}.log", devices[(number - 1) % len(devices)])
        for number in range(1, config.samplers + 1)
    ]


def _question(part: Part, config: SamplingConfig, deadline: float, segment: int | None) -> dict[str, Any]:
    return {
        "do": "write", "requests": [request_json(request) for request in part.requests],
        "sampling": sampling_json(config, part, deadline - time.monotonic()), "segment": segment,
    }  # fmt: skip
