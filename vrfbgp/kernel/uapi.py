"""The kernel's numbers, under the names its headers give them.

Python's standard library has none of these, and they are an ABI: they never change.
"""

from __future__ import annotations

from typing import Final

# linux/socket.h, asm-generic/socket.h
SO_SNDBUFFORCE: Final = 32
SO_RCVBUFFORCE: Final = 33

# linux/netlink.h
NETLINK_ROUTE: Final = 0
SOL_NETLINK: Final = 270
NETLINK_ADD_MEMBERSHIP: Final = 1
NETLINK_CAP_ACK: Final = 10
NETLINK_EXT_ACK: Final = 11
NETLINK_GET_STRICT_CHK: Final = 12
NLMSG_NOOP: Final = 1
NLMSG_ERROR: Final = 2
NLMSG_DONE: Final = 3
NLM_F_REQUEST: Final = 0x01
NLM_F_ACK: Final = 0x04
NLM_F_DUMP_INTR: Final = 0x10
NLM_F_DUMP: Final = 0x300
NLM_F_REPLACE: Final = 0x100
NLM_F_EXCL: Final = 0x200
NLM_F_CREATE: Final = 0x400
NLM_F_CAPPED: Final = 0x100
NLM_F_ACK_TLVS: Final = 0x200
NLMSGERR_ATTR_MSG: Final = 1
NLA_TYPE_MASK: Final = 0x3FFF

# linux/rtnetlink.h: messages
RTM_NEWLINK: Final = 16
RTM_DELLINK: Final = 17
RTM_GETLINK: Final = 18
RTM_NEWADDR: Final = 20
RTM_DELADDR: Final = 21
RTM_GETADDR: Final = 22
RTM_NEWROUTE: Final = 24
RTM_DELROUTE: Final = 25
RTM_GETROUTE: Final = 26
RTM_NEWRULE: Final = 32
RTM_DELRULE: Final = 33
RTM_GETRULE: Final = 34
RTM_NEWNEXTHOP: Final = 104
RTM_DELNEXTHOP: Final = 105
RTM_GETNEXTHOP: Final = 106

# linux/rtnetlink.h: multicast groups
RTNLGRP_LINK: Final = 1
RTNLGRP_IPV4_IFADDR: Final = 5
RTNLGRP_IPV4_ROUTE: Final = 7
RTNLGRP_IPV4_RULE: Final = 8
RTNLGRP_IPV6_IFADDR: Final = 9
RTNLGRP_IPV6_ROUTE: Final = 11
RTNLGRP_IPV6_RULE: Final = 19
RTNLGRP_NEXTHOP: Final = 32

# linux/rtnetlink.h: routes
RTN_UNICAST: Final = 1
ROUTE_KINDS: Final = {
    1: "unicast",
    2: "local",
    3: "broadcast",
    4: "anycast",
    5: "multicast",
    6: "blackhole",
    7: "unreachable",
    8: "prohibit",
    9: "throw",
    10: "nat",
    11: "xresolve",
}
"""rtm_type, as iproute2 prints it."""
KINDS_WITH_NEXTHOP: Final = frozenset({"unicast", "local", "broadcast", "anycast", "multicast"})
RT_SCOPE_UNIVERSE: Final = 0
RT_SCOPE_LINK: Final = 253
RT_SCOPE_NOWHERE: Final = 255
RTM_F_CLONED: Final = 0x200
RTM_F_LOOKUP_TABLE: Final = 0x1000
RTM_F_FIB_MATCH: Final = 0x2000
RTA_DST: Final = 1
RTA_SRC: Final = 2
RTA_IIF: Final = 3
RTA_OIF: Final = 4
RTA_GATEWAY: Final = 5
RTA_PRIORITY: Final = 6
RTA_PREFSRC: Final = 7
RTA_MULTIPATH: Final = 9
RTA_TABLE: Final = 15
RTA_VIA: Final = 18
RTA_NH_ID: Final = 30
RTNH_F_ONLINK: Final = 4
IP6_RT_PRIO_USER: Final = 1024
"""What IPv6 makes of a metric of 0 (linux/ipv6_route.h)."""

# linux/nexthop.h
NHA_ID: Final = 1
NHA_GROUP: Final = 2
NHA_GROUP_TYPE: Final = 3
NHA_BLACKHOLE: Final = 4
NHA_OIF: Final = 5
NHA_GATEWAY: Final = 6
NHA_ENCAP: Final = 8
NHA_FDB: Final = 11

# linux/fib_rules.h
FIB_RULE_INVERT: Final = 2

# linux/if_link.h, linux/if.h
IFLA_IFNAME: Final = 3
IFLA_EXT_MASK: Final = 29
RTEXT_FILTER_SKIP_STATS: Final = 8
IFF_UP: Final = 0x1
IFF_LOWER_UP: Final = 0x10000

# linux/capability.h
CAP_NET_ADMIN: Final = 12
