"""Which kinds there are: those that are read, those that are left alone, and what resembles them."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from pydantic import BaseModel

from vrfbgp.config.schema.bgp import BGPConfiguration
from vrfbgp.config.schema.effect import inner_model
from vrfbgp.config.schema.felix import FelixConfiguration
from vrfbgp.config.schema.filter import BGPFilter
from vrfbgp.config.schema.gateway import EgressGateway
from vrfbgp.config.schema.kubernetes import KubeNode, Secret
from vrfbgp.config.schema.network import ExternalNetwork
from vrfbgp.config.schema.node import CalicoNode
from vrfbgp.config.schema.peer import BGPPeer
from vrfbgp.config.schema.pool import IPPool

CALICO = "projectcalico.org/v3"
CALICO_CRD = "crd.projectcalico.org/v1"
"""The same objects as Kubernetes stores them; a dump of a cluster without Calico's API server has these."""
OPERATOR = "operator.tigera.io/v1"
CORE = "v1"
OURS = "vrfbgp.io/v1alpha1"
VERSIONS = (CALICO, OPERATOR, CORE, OURS)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind that is read. `namespaced`: two objects of one name in two namespaces are two objects."""

    name: str
    version: str
    """The apiVersion that it has in Calico or Kubernetes."""
    model: type[BaseModel]
    namespaced: bool = False

    @property
    def spec(self) -> type[BaseModel] | None:
        """The model of its `spec`, if it has one; `effect.table` lists the fields."""
        field = self.model.model_fields.get("spec")
        return inner_model(field) if field else None

    @property
    def versions(self) -> tuple[str, ...]:
        if self.version == CORE:
            return (CORE,)
        return (CALICO, CALICO_CRD, OURS) if self.version == CALICO else (self.version, OURS)

    @property
    def spec_only(self) -> bool:
        """Whether all that is read of it, but its metadata, is in `spec`."""
        holding = [name for name, field in self.model.model_fields.items() if inner_model(field)]
        return holding == ["metadata", "spec"]

    def __str__(self) -> str:
        return self.name


KINDS = (
    Kind("ExternalNetwork", CALICO, ExternalNetwork),
    Kind("BGPPeer", CALICO, BGPPeer),
    Kind("BGPConfiguration", CALICO, BGPConfiguration),
    Kind("BGPFilter", CALICO, BGPFilter),
    Kind("FelixConfiguration", CALICO, FelixConfiguration),
    Kind("IPPool", CALICO, IPPool),
    Kind("Node", CALICO, CalicoNode),
    Kind("EgressGateway", OPERATOR, EgressGateway, namespaced=True),
    Kind("Node", CORE, KubeNode),
    Kind("Secret", CORE, Secret, namespaced=True),
)

_CALICO_NAMES = """
AdminNetworkPolicy AlertException AuthorizationReview BFDConfiguration BlockAffinity CalicoNodeStatus
ClusterInformation DeepPacketInspection EarlyNetworkConfiguration EgressGatewayPolicy GlobalAlert
GlobalAlertTemplate GlobalNetworkPolicy GlobalNetworkSet GlobalReport GlobalReportType GlobalThreatFeed
HostEndpoint IPAMBlock IPAMConfig IPAMConfiguration IPAMHandle IPReservation KubeControllersConfiguration
LicenseKey LicenseUsageReport ManagedCluster Network NetworkPolicy NetworkSet PacketCapture
PolicyRecommendationScope Profile RemoteClusterConfiguration SecurityEventWebhook
StagedGlobalNetworkPolicy StagedKubernetesNetworkPolicy StagedNetworkPolicy Tier UISettings
UISettingsGroup WorkloadEndpoint APIServer AmazonCloudIntegration ApplicationLayer Authentication
Compliance GatewayAPI Goldmane ImageSet Installation IntrusionDetection LogCollector LogStorage
ManagementCluster ManagementClusterConnection Manager Monitor NonClusterHost PacketCaptureAPI
PolicyRecommendation Tenant TigeraStatus TLSPassThroughRoute TLSTerminatedRoute Whisker
"""

CALICO_KINDS = frozenset(_CALICO_NAMES.split())
"""Calico's kinds that say nothing about external networks."""

GROUPS = ("projectcalico.org", "crd.projectcalico.org", "operator.tigera.io", "vrfbgp.io")
"""The API groups of the kinds that are read, the core one left out."""


def find(version: str, name: str) -> Kind | None:
    """The kind of an object that says so exactly."""
    return next((kind for kind in KINDS if kind.name == name and version in kind.versions), None)


def resembling(version: str, name: str) -> tuple[Kind, str] | None:
    """The kind, and its apiVersion, that was probably meant by an object that is of none of ours.

    None if it is another's: a kind of Kubernetes, another kind of Calico's, or of a group that is none of
    ours (MetalLB has a BGPPeer, too).
    """
    group, _, _ = version.rpartition("/")
    if name in CALICO_KINDS or (name, version) == ("Network", CORE):
        return None
    near = difflib.get_close_matches(group, GROUPS, n=1, cutoff=0.8) if group else [""]
    foreign = not near and "." in group and not group.endswith("k8s.io")
    if foreign:
        return None
    kind = _near_kind(name, near[0] if near else group)
    # Kubernetes has kinds of its own in its own groups; only a name that is just ours is a mistake there.
    if kind is None or (not near and kind.version == CORE):
        return None
    return kind, OURS if near == ["vrfbgp.io"] and OURS in kind.versions else kind.version


def _near_kind(name: str, group: str) -> Kind | None:
    by_name: dict[str, Kind] = {}
    for kind in KINDS:
        if kind.name not in by_name or kind.version.rpartition("/")[0] == group:
            by_name[kind.name] = kind
    lowered = {key.lower(): key for key in by_name}
    found = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.8)
    return by_name[lowered[found[0]]] if found else None
