"""FelixConfiguration's fields that say nothing about external networks, by type.

They are Felix's: accepted as Calico 3.19 to 3.23 and Calico Enterprise spell them, checked for their type,
and not acted on.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from vrfbgp.config.documents import source_text
from vrfbgp.config.schema import forms
from vrfbgp.config.schema.base import Strict
from vrfbgp.config.schema.effect import Remark
from vrfbgp.config.schema.faults import wrong_type
from vrfbgp.config.schema.scalars import (
    Bool,
    Duration,
    Int,
    Items,
    LabelSelector,
    Port,
    StringMap,
    Text,
    one_of,
    one_of_any_case,
    shown,
    within,
)

FELIX = Remark("it is Felix's")


class HostPort(Strict):
    """A port of the host that stays open."""

    port: Port
    protocol: Text = ""
    net: Text = ""


class HealthTimeout(Strict):
    name: Text
    timeout: Duration


class ConntrackTimeouts(Strict):
    """Each a duration or `Auto`."""

    creation_grace_period: Text = ""
    generic_timeout: Text = ""
    icmp_timeout: Text = ""
    tcp_established: Text = ""
    tcp_fins_seen: Text = ""
    tcp_reset_seen: Text = ""
    tcp_syn_sent: Text = ""
    udp_timeout: Text = ""


def _int_or_string(value: Any) -> str:
    if isinstance(value, int | str) and not isinstance(value, bool):
        return source_text(value)
    raise wrong_type(f"must be a number or a string, is {shown(value)}")


IntOrString = Annotated[str, BeforeValidator(_int_or_string), forms.INTEGER_OR_STRING]

_BOOLEANS = """
allowIPIPPacketsFromWorkloads allowVXLANPacketsFromWorkloads bpfConnectTimeLoadBalancingEnabled
bpfDisableUnprivileged bpfEnabled bpfHostConntrackBypass bpfIPFragmentReassemblyEnabled
bpfKubeProxyEndpointSlicesEnabled bpfKubeProxyIptablesCleanupEnabled bpfPolicyDebugEnabled
debugDisableLogDropping disableConntrackInvalidCheck dnsLogsFileEnabled dnsLogsFileIncludeLabels
dnsLogsLatency endpointReportingEnabled flowLogsCollectProcessInfo flowLogsCollectProcessPath
flowLogsCollectTcpStats flowLogsCollectorDebugTrace flowLogsDestDomainsByClient
flowLogsDynamicAggregationEnabled flowLogsEnableHostEndpoint flowLogsEnableNetworkSets flowLogsFileEnabled
flowLogsFileEnabledForAllowed flowLogsFileEnabledForDenied flowLogsFileIncludeLabels
flowLogsFileIncludePolicies flowLogsFileIncludeService genericXDPEnabled healthEnabled ipipEnabled
ipsecAllowUnsecuredTraffic ipv6Support l7LogsFileEnabled l7ObservabilityEnabled logDropActionOverride
policyActivityLogsFileEnabled prometheusGoMetricsEnabled prometheusMetricsEnabled
prometheusProcessMetricsEnabled prometheusReporterEnabled prometheusWireGuardMetricsEnabled
removeExternalRoutes requireMTUFile routeSyncDisabled sidecarAccelerationEnabled syslogReporterEnabled
usageReportingEnabled useInternalDataplaneDriver vxlanEnabled wafEventLogsFileEnabled wireguardEnabled
wireguardEnabledV6 wireguardHostEncryptionEnabled wireguardThreadingEnabled xdpEnabled
"""

_DURATIONS = """
awsRequestTimeout bpfIPFragTimeout bpfKubeProxyMinSyncPeriod dataplaneWatchdogTimeout
debugSimulateCalcGraphHangAfter debugSimulateDataplaneApplyDelay debugSimulateDataplaneHangAfter
dnsCacheSaveInterval dnsExtraTTL dnsLogsFlushInterval dnsPacketsNfqueueMaxHoldDuration
egressGatewayPollInterval endpointReportingDelay flowLogsFlushInterval interfaceRefreshInterval
ipsecPolicyRefreshInterval ipsetsRefreshInterval iptablesLockProbeInterval iptablesLockTimeout
iptablesPostWriteCheckInterval iptablesRefreshInterval l7LogsFlushInterval
liveMigrationRouteConvergenceTime localSubnetL2ReachabilityRefreshInterval netlinkTimeout
nftablesRefreshInterval policyActivityLogsFlushInterval reportingInterval reportingTTL routeRefreshInterval
usageReportingInitialDelay usageReportingInterval wafEventLogsFlushInterval windowsDnsExtraTTL
wireguardKeepAlive xdpRefreshInterval
"""

_INTEGERS = """
awsSecondaryIPRoutingRulePriority bpfExportBufferSizeMB bpfExtToServiceConnmark bpfKubeProxyHealthzPort
bpfMaglevMaxEndpointsPerService bpfMaglevMaxServices bpfMapSizeConntrack bpfMapSizeConntrackCleanupQueue
bpfMapSizeIPSets bpfMapSizeIfState bpfMapSizeNATAffinity bpfMapSizeNATBackend bpfMapSizeNATFrontend
bpfMapSizePerCpuConntrack bpfMapSizeRoute captureMaxFiles captureMaxSizeBytes captureRotationSeconds
debugPort deletedMetricsRetentionSecs deviceRouteProtocol dnsCacheEpoch dnsLogsFileMaxFileSizeMB
dnsLogsFileMaxFiles dnsLogsFilePerNodeLimit dnsPacketsNfqueueID dnsPacketsNfqueueSize dnsPolicyNfqueueID
dnsPolicyNfqueueSize egressGatewayPollFailureCount egressIPRoutingRulePriority egressIPVXLANPort
egressIPVXLANVNI flowLogsAggregationThresholdBytes flowLogsFileDomainsLimit flowLogsFileMaxFileSizeMB
flowLogsFileMaxFiles flowLogsFileNatOutgoingPortLimit flowLogsFilePerFlowProcessArgsLimit
flowLogsFilePerFlowProcessLimit flowLogsMaxOriginalIPsIncluded goGCThreshold goMaxProcs goMemoryLimitMB
healthPort ipipMTU iptablesMarkMask ipv4ElevatedRoutePriority ipv4NormalRoutePriority
ipv6ElevatedRoutePriority ipv6NormalRoutePriority kubeMasqueradeBit l7LogsFileAggregationNumURLPath
l7LogsFileAggregationURLCharLimit l7LogsFileMaxFileSizeMB l7LogsFileMaxFiles l7LogsFilePerNodeLimit
logActionRateLimitBurst maxIpsetSize metadataPort nftablesMarkMask policyActivityLogsFileMaxFileSizeMB
policyActivityLogsFileMaxFiles prometheusMetricsPort prometheusReporterPort tproxyPort
tproxyUpstreamConnMark vxlanMTU vxlanMTUV6 vxlanPort vxlanVNI wafEventLogsFileMaxFileSizeMB
wafEventLogsFileMaxFiles wireguardListeningPort wireguardListeningPortV6 wireguardMTU wireguardMTUV6
wireguardRoutingRulePriority
"""

_STRINGS = """
bpfCTLBLogFilter bpfDNSPolicyMode bpfDataIfacePattern bpfDisableGROForIfaces bpfJITHardening
bpfL3IfacePattern captureDir cgroupV2Path dataplaneDriver debugHost debugMemoryProfilePath
deviceRouteSourceAddress deviceRouteSourceAddressIPv6 dnsCacheFile dnsLogsFileDirectory
egressIPHostIfacePattern endpointStatusPathPrefix featureDetectOverride featureGates flowLogsFileDirectory
flowLogsGoldmaneServer flowLogsPolicyEvaluationMode flowLogsPolicyScope flowLogsPositionFilePath healthHost
interfaceExclude interfacePrefix ipsecESPAlgorithm ipsecIKEAlgorithm iptablesLockFilePath
iptablesNATOutgoingInterfaceFilter l7LogsFileDirectory logActionRateLimit logDebugFilenameRegex logFilePath
logPrefix metadataAddr mtuIfacePattern natOutgoingAddress nfNetlinkBufSize
nftablesFlowTableDataIfacePattern openstackRegion policyActivityLogsFileDirectory policySyncPathPrefix
prometheusMetricsCAFile prometheusMetricsCertFile prometheusMetricsClientAuth prometheusMetricsHost
prometheusMetricsKeyFile prometheusReporterCAFile prometheusReporterCertFile prometheusReporterKeyFile
statsDumpFilePath syslogReporterAddress syslogReporterNetwork wafEventLogsFileDirectory windowsDnsCacheFile
windowsFlowLogsFileDirectory windowsFlowLogsPositionFilePath windowsNetworkName windowsStatsDumpFilePath
wireguardInterfaceName wireguardInterfaceNameV6
"""

_STRING_LISTS = """
bpfDSROptoutCIDRs bpfExcludeCIDRsFromNAT bpfForceTrackPacketsFromIfaces dnsTrustedServers externalNodesList
"""

_ENABLED = "Enabled Disabled"
_LOG = "Trace Debug Info Warning Error Fatal"

_WORDS = {
    "awsSrcDstCheck": "DoNothing Enable Disable",
    "bpfAttachType": "TC TCX",
    "bpfConnectTimeLoadBalancing": "TCP Enabled Disabled",
    "bpfConntrackLogLevel": "Off Debug",
    "bpfConntrackMode": "Auto Userspace BPFProgram",
    "bpfHostNetworkedNATWithoutCTLB": _ENABLED,
    "bpfOverlayHostSourceIP": "TunnelAddress HostAddress",
    "bpfProfiling": _ENABLED,
    "bpfRedirectToPeer": _ENABLED,
    "dnsPolicyMode": "NoDelay DelayDeniedPacket DelayDNSResponse Inline",
    "floatingIPs": _ENABLED,
    "flowLogsLocalReporter": _ENABLED,
    "ipForwarding": _ENABLED,
    "ipsecMode": "PSK",
    "istioAmbientMode": _ENABLED,
    "localSubnetL2Reachability": "Disabled PodsAndLoadBalancers",
    "natOutgoingExclusions": "IPPoolsOnly IPPoolsAndHostIPs",
    "nftablesDNSPolicyMode": "NoDelay DelayDeniedPacket DelayDNSResponse",
    "nftablesFlowTableOffload": "All Disabled",
    "nftablesMode": "Disabled Enabled Auto",
    "programClusterRoutes": _ENABLED,
    "windowsManageFirewallRules": _ENABLED,
}
"""As they are spelled, or "". """

_WORDS_IN_ANY_CASE = {
    "awsSecondaryIPSupport": "Enabled EnabledENIPerWorkload Disabled",
    "bpfEnforceRPF": "Disabled Strict Loose",
    "bpfExternalServiceMode": "Tunnel DSR",
    "bpfLogLevel": "Off Info Debug",
    "bpfMapSizeConntrackScaling": "Disabled DoubleIfFull",
    "chainInsertMode": "Insert Append",
    "defaultEndpointToHostAction": "Drop Accept Return",
    "dropActionOverride": "Drop LogAndDrop Accept LogAndAccept",
    "ipsecLogLevel": "None Notice Info Debug Verbose",
    "iptablesBackend": "Auto Legacy NFT",
    "iptablesFilterAllowAction": "Accept Return",
    "iptablesFilterDenyAction": "Drop Reject",
    "iptablesMangleAllowAction": "Accept Return",
    "l7LogsFileAggregationDestinationInfo": "IncludeL7DestinationInfo ExcludeL7DestinationInfo",
    "l7LogsFileAggregationHTTPHeaderInfo": "IncludeL7HTTPHeaderInfo ExcludeL7HTTPHeaderInfo",
    "l7LogsFileAggregationHTTPMethod": "IncludeL7HTTPMethod ExcludeL7HTTPMethod",
    "l7LogsFileAggregationResponseCode": "IncludeL7ResponseCode ExcludeL7ResponseCode",
    "l7LogsFileAggregationServiceInfo": "IncludeL7ServiceInfo ExcludeL7ServiceInfo",
    "l7LogsFileAggregationSourceInfo": "IncludeL7SourceInfo IncludeL7SourceInfoNoPort ExcludeL7SourceInfo",
    "l7LogsFileAggregationTLSSNI": "IncludeL7TLSSNI ExcludeL7TLSSNI",
    "l7LogsFileAggregationTrimURL": "IncludeL7FullURL TrimURLQuery TrimURLQueryAndPath ExcludeL7URL",
    "logSeverityFile": _LOG,
    "logSeverityScreen": _LOG,
    "logSeveritySys": _LOG,
    "nftablesFilterAllowAction": "Accept Return",
    "nftablesFilterDenyAction": "Drop Reject",
    "nftablesMangleAllowAction": "Accept Return",
    "routeSource": "WorkloadIPs CalicoIPAM",
    "serviceLoopPrevention": "Drop Reject Disabled",
    "tproxyMode": "Disabled Enabled EnabledAllServices",
    "workloadSourceSpoofing": "Disabled Any",
}

_OTHERS: dict[str, Any] = {
    "bpfConntrackTimeouts": ConntrackTimeouts,
    "bpfLogFilters": StringMap,
    "bpfPSNATPorts": IntOrString,
    "dnsLogsFileAggregationKind": Annotated[Int, within(0, 1)],
    "failsafeInboundHostPorts": Annotated[tuple[HostPort, ...], Items],
    "failsafeOutboundHostPorts": Annotated[tuple[HostPort, ...], Items],
    "flowLogsFileAggregationKindForAllowed": Annotated[Int, within(0, 2)],
    "flowLogsFileAggregationKindForDenied": Annotated[Int, within(0, 3)],
    "healthTimeoutOverrides": Annotated[tuple[HealthTimeout, ...], Items],
    "istioDSCPMark": IntOrString,
    "kubeNodePortRanges": Annotated[tuple[IntOrString, ...], Items],
    "natPortRange": IntOrString,
    "nodeSelector": LabelSelector,
}


def _fields() -> dict[str, Any]:
    types: dict[str, Any] = dict(_OTHERS)
    for names, kind in (
        (_BOOLEANS, Bool),
        (_DURATIONS, Duration),
        (_INTEGERS, Int),
        (_STRINGS, Text),
        (_STRING_LISTS, Annotated[tuple[Text, ...], Items]),
    ):
        types |= dict.fromkeys(names.split(), kind)
    for words, check in ((_WORDS, one_of), (_WORDS_IN_ANY_CASE, one_of_any_case)):
        types |= {name: Annotated[Text, check("", *text.split())] for name, text in words.items()}
    return {
        name: (Annotated[kind | None, Field(alias=name), FELIX], None) for name, kind in sorted(types.items())
    }


FIELDS = _fields()
"""What pydantic's `create_model` wants: the type and the default, by name."""
