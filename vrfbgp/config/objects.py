"""The user's objects, typed, each with its place in the files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from vrfbgp.config.documents import Positions
from vrfbgp.config.schema.base import Metadata
from vrfbgp.config.schema.bgp import BGPConfiguration
from vrfbgp.config.schema.felix import FelixConfiguration
from vrfbgp.config.schema.filter import BGPFilter
from vrfbgp.config.schema.gateway import EgressGateway
from vrfbgp.config.schema.kinds import Kind
from vrfbgp.config.schema.kubernetes import KubeNode, Secret
from vrfbgp.config.schema.network import ExternalNetwork
from vrfbgp.config.schema.node import CalicoNode
from vrfbgp.config.schema.peer import BGPPeer
from vrfbgp.config.schema.pool import IPPool
from vrfbgp.intent import Problem, Reason, Severity


class Named(Protocol):
    """What all models have in common."""

    @property
    def metadata(self) -> Metadata: ...


M = TypeVar("M", bound=Named, covariant=True)


@dataclass(frozen=True, slots=True)
class Entry(Generic[M]):
    """One object. `broken` holds why it was not fully understood, if it was kept nevertheless."""

    kind: Kind
    model: M
    positions: Positions = field(repr=False)
    broken: tuple[Problem, ...] = ()

    @property
    def name(self) -> str:
        return self.model.metadata.name

    @property
    def namespace(self) -> str:
        """ "" for a kind that has none."""
        return (self.model.metadata.namespace or "default") if self.kind.namespaced else ""

    @property
    def full_name(self) -> str:
        """`namespace/name`, or the name of an object without namespace."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    @property
    def subject(self) -> str:
        """How problems call it."""
        return f"{self.kind} {self.full_name}"

    def problem(self, severity: Severity, reason: Reason, text: str, *path: str | int) -> Problem:
        """A problem of this object, at one of its fields."""
        return Problem(severity, reason, self.subject, text, self.positions.place(path))

    def degraded(self, reason: Reason, text: str, *path: str | int) -> Problem:
        """A problem that takes this object alone out."""
        return self.problem(Severity.DEGRADED, reason, text, *path)

    def notice(self, reason: Reason, text: str, *path: str | int) -> Problem:
        """Something worth a line."""
        return self.problem(Severity.NOTICE, reason, text, *path)

    def refused(self, reason: Reason, text: str, *path: str | int) -> Problem:
        """A problem that keeps the whole config out."""
        return self.problem(Severity.REFUSED, reason, text, *path)


@dataclass(frozen=True, slots=True)
class Objects:
    """All objects that were understood, by kind, each kind sorted by namespace and name.

    `problems` is what reading them brought up; with one that is REFUSED among them, only a lenient
    `resolve` makes something of the rest.
    """

    networks: tuple[Entry[ExternalNetwork], ...] = ()
    peers: tuple[Entry[BGPPeer], ...] = ()
    bgp: tuple[Entry[BGPConfiguration], ...] = ()
    filters: tuple[Entry[BGPFilter], ...] = ()
    felix: tuple[Entry[FelixConfiguration], ...] = ()
    pools: tuple[Entry[IPPool], ...] = ()
    calico_nodes: tuple[Entry[CalicoNode], ...] = ()
    nodes: tuple[Entry[KubeNode], ...] = ()
    secrets: tuple[Entry[Secret], ...] = ()
    gateways: tuple[Entry[EgressGateway], ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def refused(self) -> bool:
        return any(problem.severity is Severity.REFUSED for problem in self.problems)


_MODELS: dict[type, str] = {
    ExternalNetwork: "networks",
    BGPPeer: "peers",
    BGPConfiguration: "bgp",
    BGPFilter: "filters",
    FelixConfiguration: "felix",
    IPPool: "pools",
    CalicoNode: "calico_nodes",
    KubeNode: "nodes",
    Secret: "secrets",
    EgressGateway: "gateways",
}


def collect(entries: list[Entry[Any]], problems: list[Problem]) -> Objects:
    """Sort entries into their kinds."""
    by_kind: dict[str, list[Entry[Any]]] = {attribute: [] for attribute in _MODELS.values()}
    for entry in entries:
        by_kind[_MODELS[type(entry.model)]].append(entry)
    ordered = {
        attribute: tuple(sorted(found, key=lambda entry: (entry.namespace, entry.name)))
        for attribute, found in by_kind.items()
    }
    return Objects(**ordered, problems=tuple(problems))
