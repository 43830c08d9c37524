//! The address guard: a webhook may only be sent to an address that the whole internet can reach.
//!
//! A partner chooses the URL that we call from inside our network, so every address that is dialled passes here first.
//! The rule errs towards refusing. IPv4: everything but the rows below. IPv6: nothing but global unicast, `2000::/3`,
//! without the rows below, so that a range nobody has thought of yet is refused as well. Also refused are the rows that
//! the registries call globally reachable (anycast of protocols, AS112, ORCHID, NAT64): no partner's server lives there,
//! and the translated ones are another spelling of an IPv4 address.
//!
//! The rows are those of IANA's IPv4 and IPv6 special-purpose registries and of RFC 4291, as of October 2025.

use core::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

/// Why an address is no address of a partner's server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// "This host on this network", `0.0.0.0/8` and `::`.
    Unspecified,
    /// The machine itself.
    Loopback,
    /// A private network: RFC 1918, and unique local addresses in IPv6.
    Private,
    /// Shared by a carrier's customers.
    CarrierNat,
    /// Reachable on one link only.
    LinkLocal,
    /// Reachable within one site only; deprecated.
    SiteLocal,
    /// Where a cloud tells its machines their credentials.
    Metadata,
    /// Set aside for protocols, their anycast addresses included.
    Protocol,
    /// For examples in documents.
    Documentation,
    /// For measuring equipment.
    Benchmarking,
    /// More than one receiver.
    Multicast,
    /// Every machine of a network.
    Broadcast,
    /// Never assigned.
    Reserved,
    /// DNS servers that answer for what must not be asked.
    As112,
    /// Tunnels for multicast, RFC 7450.
    MulticastTunnel,
    /// An IPv4 address in IPv6 clothes: mapped, compatible or translated.
    EmbeddedIpv4,
    /// An IPv4 address behind a translator.
    Nat64,
    /// An IPv4 address behind a 6to4 relay, or such a relay.
    SixToFour,
    /// An IPv4 address behind a Teredo relay.
    Teredo,
    /// A hash of a key, not a place.
    Orchid,
    /// The tag of an aircraft, not a place.
    DroneTag,
    /// Thrown away on arrival.
    Discard,
    /// A segment of somebody's routing, not a place.
    SegmentRouting,
    /// Outside the part of IPv6 that is given out, `2000::/3`.
    NotGlobalUnicast,
}

impl Reason {
    /// What a human should read.
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

/// An address that must not be dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub struct Blocked {
    /// The address.
    pub address: IpAddr,
    /// Why.
    pub reason: Reason,
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is no public address ({})", self.address, self.reason.words())
    }
}

/// Whether this address may be dialled.
///
/// Give it every address that a name resolves to, and dial exactly what was checked.
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

fn refused_v4(address: Ipv4Addr) -> Option<Reason> {
    IPV4.iter().find(|(net, _)| net.contains(&address)).map(|(_, reason)| *reason)
}

fn refused_v6(address: Ipv6Addr) -> Option<Reason> {
    let row = IPV6.iter().find(|(net, _)| net.contains(&address)).map(|(_, reason)| *reason);
    row.or_else(|| if GLOBAL_UNICAST.contains(&address) { None } else { Some(Reason::NotGlobalUnicast) })
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(s: [u16; 8], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]), prefix)
}

const GLOBAL_UNICAST: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

/// What is refused of IPv4; of rows that overlap, the narrower stands first, for its better reason.
const IPV4: [(Ipv4Net, Reason); 22] = [
    (v4(0, 0, 0, 0, 8), Reason::Unspecified),
    (v4(10, 0, 0, 0, 8), Reason::Private),
    (v4(100, 64, 0, 0, 10), Reason::CarrierNat),
    (v4(127, 0, 0, 0, 8), Reason::Loopback),
    // Azure's, the one metadata service that has a public unicast address.
    (v4(168, 63, 129, 16, 32), Reason::Metadata),
    (v4(169, 254, 169, 254, 32), Reason::Metadata),
    // Where containers on AWS ask for their role's credentials.
    (v4(169, 254, 170, 0, 24), Reason::Metadata),
    (v4(169, 254, 0, 0, 16), Reason::LinkLocal),
    (v4(172, 16, 0, 0, 12), Reason::Private),
    (v4(192, 0, 0, 0, 24), Reason::Protocol),
    (v4(192, 0, 2, 0, 24), Reason::Documentation),
    (v4(192, 31, 196, 0, 24), Reason::As112),
    (v4(192, 52, 193, 0, 24), Reason::MulticastTunnel),
    (v4(192, 88, 99, 0, 24), Reason::SixToFour),
    (v4(192, 168, 0, 0, 16), Reason::Private),
    (v4(192, 175, 48, 0, 24), Reason::As112),
    (v4(198, 18, 0, 0, 15), Reason::Benchmarking),
    (v4(198, 51, 100, 0, 24), Reason::Documentation),
    (v4(203, 0, 113, 0, 24), Reason::Documentation),
    (v4(224, 0, 0, 0, 4), Reason::Multicast),
    (v4(255, 255, 255, 255, 32), Reason::Broadcast),
    (v4(240, 0, 0, 0, 4), Reason::Reserved),
];

/// What is refused of IPv6 beyond all that is not [`GLOBAL_UNICAST`]; rows outside it are here for their reasons.
const IPV6: [(Ipv6Net, Reason); 27] = [
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 128), Reason::Unspecified),
    (v6([0, 0, 0, 0, 0, 0, 0, 1], 128), Reason::Loopback),
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 96), Reason::EmbeddedIpv4),
    (v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96), Reason::EmbeddedIpv4),
    (v6([0, 0, 0, 0, 0xffff, 0, 0, 0], 96), Reason::EmbeddedIpv4),
    (v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96), Reason::Nat64),
    (v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48), Reason::Nat64),
    (v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64), Reason::Discard),
    (v6([0x100, 0, 0, 1, 0, 0, 0, 0], 64), Reason::Discard),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32), Reason::Teredo),
    (v6([0x2001, 2, 0, 0, 0, 0, 0, 0], 48), Reason::Benchmarking),
    (v6([0x2001, 3, 0, 0, 0, 0, 0, 0], 32), Reason::MulticastTunnel),
    (v6([0x2001, 4, 0x112, 0, 0, 0, 0, 0], 48), Reason::As112),
    (v6([0x2001, 0x10, 0, 0, 0, 0, 0, 0], 28), Reason::Orchid),
    (v6([0x2001, 0x20, 0, 0, 0, 0, 0, 0], 28), Reason::Orchid),
    (v6([0x2001, 0x30, 0, 0, 0, 0, 0, 0], 28), Reason::DroneTag),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), Reason::Protocol),
    (v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), Reason::Documentation),
    (v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), Reason::SixToFour),
    (v6([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0], 48), Reason::As112),
    (v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), Reason::Documentation),
    (v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16), Reason::SegmentRouting),
    (v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254], 128), Reason::Metadata),
    (v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), Reason::Private),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), Reason::LinkLocal),
    (v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10), Reason::SiteLocal),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), Reason::Multicast),
];

#[cfg(test)]
mod tests;
