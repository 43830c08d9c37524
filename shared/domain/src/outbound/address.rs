//! Checks the addresses to which webhooks are sent. Only addresses that the whole internet can reach are allowed.
//!
//! A partner chooses the URL that we call from inside our network, so every address is checked before it is dialled. In
//! doubt, an address is refused. In IPv4, everything is allowed except the rows below. In IPv6, only global unicast
//! (`2000::/3`) is allowed, without the rows below, so new kinds of addresses outside it are refused. The rows also
//! refuse some ranges that are globally reachable (anycast of protocols, AS112, ORCHID, NAT64), because no partner's
//! server is there, and because translated ranges are another spelling of IPv4.
//!
//! The rows come from IANA's IPv4 and IPv6 special-purpose registries and from RFC 4291, as of October 2025.

use core::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

/// Says why an address cannot belong to a partner's server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockReason {
    /// The address is in "this host on this network": `0.0.0.0/8` or `::`.
    Unspecified,
    /// The address is the machine itself.
    Loopback,
    /// The address is in a private network: RFC 1918, or a unique local address in IPv6.
    Private,
    /// A carrier shares the address among its customers.
    CarrierNat,
    /// The address is reachable only on one link.
    LinkLocal,
    /// The address is reachable only within one site. This kind is deprecated.
    SiteLocal,
    /// A cloud gives its machines their credentials at this address.
    Metadata,
    /// The address is reserved for protocols, including their anycast addresses.
    Protocol,
    /// The address is for examples in documents.
    Documentation,
    /// The address is for measuring equipment.
    Benchmarking,
    /// The address belongs to a group of receivers.
    Multicast,
    /// The address reaches every machine of a network.
    Broadcast,
    /// The address was never assigned.
    Reserved,
    /// DNS servers at this address answer queries that should not leave a private network.
    As112,
    /// The address is for multicast tunnels (RFC 7450).
    MulticastTunnel,
    /// The address is an IPv4 address written as IPv6: mapped, compatible or translated.
    EmbeddedIpv4,
    /// The address is an IPv4 address behind a translator.
    Nat64,
    /// The address is an IPv4 address behind a 6to4 relay, or a 6to4 relay.
    SixToFour,
    /// The address is an IPv4 address behind a Teredo relay.
    Teredo,
    /// The address is the hash of a key, not a place in the network.
    Orchid,
    /// The address is the tag of an aircraft, not a place in the network.
    DroneTag,
    /// Packets to this address are dropped.
    Discard,
    /// The address is a segment of an operator's routing, not a place in the network.
    SegmentRouting,
    /// The address is outside `2000::/3`, the part of IPv6 that IANA assigns.
    NotGlobalUnicast,
}

impl BlockReason {
    /// Returns the reason in words for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Unspecified => "the unspecified network",
            Self::Loopback => "loopback",
            Self::Private => "a private network",
            Self::CarrierNat => "a carrier's shared network",
            Self::LinkLocal => "link-local",
            Self::SiteLocal => "site-local",
            Self::Metadata => "a cloud's metadata service",
            Self::Protocol => "set aside for protocols",
            Self::Documentation => "for documentation",
            Self::Benchmarking => "for benchmarks",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::Reserved => "reserved",
            Self::As112 => "an AS112 name server",
            Self::MulticastTunnel => "a multicast tunnel",
            Self::EmbeddedIpv4 => "an IPv4 address written as IPv6",
            Self::Nat64 => "an IPv4 address behind NAT64",
            Self::SixToFour => "6to4",
            Self::Teredo => "Teredo",
            Self::Orchid => "an ORCHID",
            Self::DroneTag => "a drone's tag",
            Self::Discard => "discarded on arrival",
            Self::SegmentRouting => "segment routing",
            Self::NotGlobalUnicast => "outside global unicast",
        }
    }
}

/// Reports an address that must not be dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub struct Blocked {
    /// Holds the address.
    pub address: IpAddr,
    /// Says why the address is refused.
    pub reason: BlockReason,
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not a public address ({})", self.address, self.reason.words())
    }
}

/// Checks that this address may be dialled.
///
/// Callers check every address to which a name resolves, and dial only the addresses that passed.
pub fn check(address: IpAddr) -> Result<(), Blocked> {
    let reason = match address {
        IpAddr::V4(v4) => refused_v4(v4),
        IpAddr::V6(v6) => refused_v6(v6),
    };
    match reason {
        None => Ok(()),
        Some(reason) => Err(Blocked { address, reason }),
    }
}

fn refused_v4(address: Ipv4Addr) -> Option<BlockReason> {
    IPV4.iter().find(|(net, _)| net.contains(&address)).map(|(_, reason)| *reason)
}

fn refused_v6(address: Ipv6Addr) -> Option<BlockReason> {
    let row = IPV6.iter().find(|(net, _)| net.contains(&address)).map(|(_, reason)| *reason);
    row.or_else(|| if GLOBAL_UNICAST.contains(&address) { None } else { Some(BlockReason::NotGlobalUnicast) })
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(s: [u16; 8], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]), prefix)
}

const GLOBAL_UNICAST: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

/// Lists the refused ranges of IPv4. If rows overlap, the narrower row comes first, because its reason is more exact.
const IPV4: [(Ipv4Net, BlockReason); 22] = [
    (v4(0, 0, 0, 0, 8), BlockReason::Unspecified),
    (v4(10, 0, 0, 0, 8), BlockReason::Private),
    (v4(100, 64, 0, 0, 10), BlockReason::CarrierNat),
    (v4(127, 0, 0, 0, 8), BlockReason::Loopback),
    // Azure's metadata service has a public unicast address, unlike those of other clouds.
    (v4(168, 63, 129, 16, 32), BlockReason::Metadata),
    (v4(169, 254, 169, 254, 32), BlockReason::Metadata),
    // Containers on AWS get the credentials of their role here.
    (v4(169, 254, 170, 0, 24), BlockReason::Metadata),
    (v4(169, 254, 0, 0, 16), BlockReason::LinkLocal),
    (v4(172, 16, 0, 0, 12), BlockReason::Private),
    (v4(192, 0, 0, 0, 24), BlockReason::Protocol),
    (v4(192, 0, 2, 0, 24), BlockReason::Documentation),
    (v4(192, 31, 196, 0, 24), BlockReason::As112),
    (v4(192, 52, 193, 0, 24), BlockReason::MulticastTunnel),
    (v4(192, 88, 99, 0, 24), BlockReason::SixToFour),
    (v4(192, 168, 0, 0, 16), BlockReason::Private),
    (v4(192, 175, 48, 0, 24), BlockReason::As112),
    (v4(198, 18, 0, 0, 15), BlockReason::Benchmarking),
    (v4(198, 51, 100, 0, 24), BlockReason::Documentation),
    (v4(203, 0, 113, 0, 24), BlockReason::Documentation),
    (v4(224, 0, 0, 0, 4), BlockReason::Multicast),
    (v4(255, 255, 255, 255, 32), BlockReason::Broadcast),
    (v4(240, 0, 0, 0, 4), BlockReason::Reserved),
];

/// Lists the refused ranges of IPv6. Everything outside [`GLOBAL_UNICAST`] is refused anyway; rows outside that range
/// only give a more exact reason.
const IPV6: [(Ipv6Net, BlockReason); 27] = [
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 128), BlockReason::Unspecified),
    (v6([0, 0, 0, 0, 0, 0, 0, 1], 128), BlockReason::Loopback),
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 96), BlockReason::EmbeddedIpv4),
    (v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96), BlockReason::EmbeddedIpv4),
    (v6([0, 0, 0, 0, 0xffff, 0, 0, 0], 96), BlockReason::EmbeddedIpv4),
    (v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96), BlockReason::Nat64),
    (v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48), BlockReason::Nat64),
    (v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64), BlockReason::Discard),
    (v6([0x100, 0, 0, 1, 0, 0, 0, 0], 64), BlockReason::Discard),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32), BlockReason::Teredo),
    (v6([0x2001, 2, 0, 0, 0, 0, 0, 0], 48), BlockReason::Benchmarking),
    (v6([0x2001, 3, 0, 0, 0, 0, 0, 0], 32), BlockReason::MulticastTunnel),
    (v6([0x2001, 4, 0x112, 0, 0, 0, 0, 0], 48), BlockReason::As112),
    (v6([0x2001, 0x10, 0, 0, 0, 0, 0, 0], 28), BlockReason::Orchid),
    (v6([0x2001, 0x20, 0, 0, 0, 0, 0, 0], 28), BlockReason::Orchid),
    (v6([0x2001, 0x30, 0, 0, 0, 0, 0, 0], 28), BlockReason::DroneTag),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), BlockReason::Protocol),
    (v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), BlockReason::Documentation),
    (v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), BlockReason::SixToFour),
    (v6([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0], 48), BlockReason::As112),
    (v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), BlockReason::Documentation),
    (v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16), BlockReason::SegmentRouting),
    (v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254], 128), BlockReason::Metadata),
    (v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), BlockReason::Private),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), BlockReason::LinkLocal),
    (v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10), BlockReason::SiteLocal),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), BlockReason::Multicast),
];

#[cfg(test)]
mod tests;
