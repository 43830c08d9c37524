use std::vec;

use ipnet::IpNet;
use proptest::prelude::*;

use super::*;
use crate::prelude::*;

/// Repeats every row of IANA's IPv4 and IPv6 special-purpose registries and of RFC 4291's reserved ranges. The rows
/// were typed a second time on purpose. The first flag is true if the address just before the range is public, and the
/// second flag is true if the address just after the range is public.
const ROWS: [(&str, bool, bool, BlockReason); 51] = [
    // These rows are from the IPv4 Special-Purpose Address Registry.
    ("0.0.0.0/8", true, true, BlockReason::Unspecified),
    ("0.0.0.0/32", true, false, BlockReason::Unspecified),
    ("10.0.0.0/8", true, true, BlockReason::Private),
    ("100.64.0.0/10", true, true, BlockReason::CarrierNat),
    ("127.0.0.0/8", true, true, BlockReason::Loopback),
    ("169.254.0.0/16", true, true, BlockReason::LinkLocal),
    ("172.16.0.0/12", true, true, BlockReason::Private),
    ("192.0.0.0/24", true, true, BlockReason::Protocol),
    ("192.0.0.0/29", true, false, BlockReason::Protocol),
    ("192.0.0.8/32", false, false, BlockReason::Protocol),
    ("192.0.0.9/32", false, false, BlockReason::Protocol),
    ("192.0.0.10/32", false, false, BlockReason::Protocol),
    ("192.0.0.170/32", false, false, BlockReason::Protocol),
    ("192.0.0.171/32", false, false, BlockReason::Protocol),
    ("192.0.2.0/24", true, true, BlockReason::Documentation),
    ("192.31.196.0/24", true, true, BlockReason::As112),
    ("192.52.193.0/24", true, true, BlockReason::MulticastTunnel),
    ("192.88.99.0/24", true, true, BlockReason::SixToFour),
    ("192.168.0.0/16", true, true, BlockReason::Private),
    ("192.175.48.0/24", true, true, BlockReason::As112),
    ("198.18.0.0/15", true, true, BlockReason::Benchmarking),
    ("198.51.100.0/24", true, true, BlockReason::Documentation),
    ("203.0.113.0/24", true, true, BlockReason::Documentation),
    ("240.0.0.0/4", false, true, BlockReason::Reserved),
    ("255.255.255.255/32", false, true, BlockReason::Broadcast),
    // Multicast has a registry of its own.
    ("224.0.0.0/4", true, false, BlockReason::Multicast),
    // These rows are from the IPv6 Special-Purpose Address Registry.
    ("::1/128", false, false, BlockReason::Loopback),
    ("::/128", true, false, BlockReason::Unspecified),
    ("::ffff:0:0/96", false, false, BlockReason::EmbeddedIpv4),
    ("64:ff9b::/96", false, false, BlockReason::Nat64),
    ("64:ff9b:1::/48", false, false, BlockReason::Nat64),
    ("100::/64", false, false, BlockReason::Discard),
    ("100:0:0:1::/64", false, false, BlockReason::Discard),
    ("2001::/23", true, true, BlockReason::Protocol),
    ("2001::/32", true, false, BlockReason::Teredo),
    ("2001:1::1/128", false, false, BlockReason::Protocol),
    ("2001:1::2/128", false, false, BlockReason::Protocol),
    ("2001:1::3/128", false, false, BlockReason::Protocol),
    ("2001:2::/48", false, false, BlockReason::Benchmarking),
    ("2001:3::/32", false, false, BlockReason::MulticastTunnel),
    ("2001:4:112::/48", false, false, BlockReason::As112),
    ("2001:10::/28", false, false, BlockReason::Orchid),
    ("2001:20::/28", false, false, BlockReason::Orchid),
    ("2001:30::/28", false, false, BlockReason::DroneTag),
    ("2001:db8::/32", true, true, BlockReason::Documentation),
    ("2002::/16", true, true, BlockReason::SixToFour),
    ("2620:4f:8000::/48", true, true, BlockReason::As112),
    ("3fff::/20", true, true, BlockReason::Documentation),
    ("5f00::/16", false, false, BlockReason::SegmentRouting),
    ("fc00::/7", false, false, BlockReason::Private),
    ("fe80::/10", false, false, BlockReason::LinkLocal),
];

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn before(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(v4) => Some(IpAddr::V4(u32::from(v4).checked_sub(1)?.into())),
        IpAddr::V6(v6) => Some(IpAddr::V6(u128::from(v6).checked_sub(1)?.into())),
    }
}

fn after(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(v4) => Some(IpAddr::V4(u32::from(v4).checked_add(1)?.into())),
        IpAddr::V6(v6) => Some(IpAddr::V6(u128::from(v6).checked_add(1)?.into())),
    }
}

/// Returns the last address of a network, which may be its broadcast address.
fn last(net: IpNet) -> IpAddr {
    match net {
        IpNet::V4(v4) => v4.broadcast().into(),
        IpNet::V6(v6) => v6.broadcast().into(),
    }
}

#[test]
fn every_registry_row_is_refused_and_not_its_neighbours() {
    for (text, public_before, public_after, _) in ROWS {
        let net = net(text);
        assert!(check(net.network()).is_err(), "first of {text}");
        assert!(check(last(net)).is_err(), "last of {text}");
        if let Some(address) = before(net.network()) {
            assert_eq!(check(address).is_ok(), public_before, "{address}, before {text}");
        }
        if let Some(address) = after(last(net)) {
            assert_eq!(check(address).is_ok(), public_after, "{address}, after {text}");
        }
    }
}

#[test]
fn every_row_is_refused_for_its_own_reason() {
    for (text, _, _, reason) in ROWS {
        // The first address of a wide row may belong to a narrower row. So may the last address of 240.0.0.0/4.
        let address = if text == "240.0.0.0/4" { net(text).network() } else { last(net(text)) };
        assert_eq!(check(address), Err(Blocked { address, reason }), "{text}");
    }
}

#[test]
fn common_bypasses_are_refused() {
    for (address, reason) in [
        ("169.254.169.254", BlockReason::Metadata),
        ("169.254.170.2", BlockReason::Metadata),
        ("169.254.170.23", BlockReason::Metadata),
        ("168.63.129.16", BlockReason::Metadata),
        ("fd00:ec2::254", BlockReason::Metadata),
        ("100.100.100.200", BlockReason::CarrierNat),
        ("::127.0.0.1", BlockReason::EmbeddedIpv4),
        ("::ffff:127.0.0.1", BlockReason::EmbeddedIpv4),
        ("::ffff:8.8.8.8", BlockReason::EmbeddedIpv4),
        ("::ffff:0:127.0.0.1", BlockReason::EmbeddedIpv4),
        ("::5efe:127.0.0.1", BlockReason::NotGlobalUnicast),
        ("64:ff9b::127.0.0.1", BlockReason::Nat64),
        ("64:ff9b:1::10.0.0.1", BlockReason::Nat64),
        ("2002:7f00:1::", BlockReason::SixToFour),
        ("2001:0:7f00:1::", BlockReason::Teredo),
        ("fec0::1", BlockReason::SiteLocal),
        ("ff02::1", BlockReason::Multicast),
        ("ff0e::1", BlockReason::Multicast),
        ("4000::1", BlockReason::NotGlobalUnicast),
        ("200::1", BlockReason::NotGlobalUnicast),
        ("fe00::1", BlockReason::NotGlobalUnicast),
    ] {
        let address = address.parse().unwrap();
        assert_eq!(check(address), Err(Blocked { address, reason }));
    }
}

#[test]
fn ordinary_public_addresses_pass() {
    for address in [
        "1.1.1.1",
        "8.8.8.8",
        "93.184.215.14",
        "168.63.129.15",
        "168.63.129.17",
        "223.255.255.255",
        "2000::",
        "2001:200::1",
        "2001:4860:4860::8888",
        "2600:1f18::1",
        "2606:4700:4700::1111",
        "2a00:1450:4001::1",
        "3ffe:ffff::1",
    ] {
        assert_eq!(check(address.parse().unwrap()), Ok(()), "{address}");
    }
}

#[test]
fn a_refusal_says_which_address_and_why() {
    let blocked = check("10.0.0.7".parse().unwrap()).unwrap_err();
    assert_eq!(blocked.to_string(), "10.0.0.7 is not a public address (a private network)");
}

fn any_address() -> impl Strategy<Value = IpAddr> {
    let rows = ROWS.map(|(text, ..)| net(text));
    let within = (prop::sample::select(rows.to_vec()), any::<u128>()).prop_map(|(net, bits)| match net {
        IpNet::V4(net) => {
            let host = u32::try_from(bits >> 96).unwrap_or_default() & u32::from(net.hostmask());
            IpAddr::V4((u32::from(net.network()) | host).into())
        }
        IpNet::V6(net) => IpAddr::V6((u128::from(net.network()) | bits & u128::from(net.hostmask())).into()),
    });
    prop_oneof![within, any::<u32>().prop_map(|bits| IpAddr::V4(bits.into())), any::<IpAddr>()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    /// Compares with the crate `iprfc`, another author's copy of the registries.
    #[test]
    fn every_address_in_the_registries_is_refused(address in any_address()) {
        if iprfc::RFC6890.contains(&address) {
            prop_assert!(check(address).is_err(), "{}", address);
        }
    }

    #[test]
    fn every_address_that_std_calls_special_is_refused(address in any_address()) {
        let special = match address {
            IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_broadcast()
                || v4.is_documentation() || v4.is_unspecified() || v4.is_multicast(),
            IpAddr::V6(v6) => v6.is_loopback() || v6.is_unspecified() || v6.is_multicast() || v6.is_unique_local()
                || v6.is_unicast_link_local() || v6.to_ipv4().is_some(),
        };
        prop_assert!(!special || check(address).is_err(), "{}", address);
    }

    #[test]
    fn public_ipv4_addresses_are_refused_in_ipv6_spellings(bits: u32) {
        let [a, b] = [(bits >> 16) as u16, (bits & 0xffff) as u16];
        let spellings = vec![
            [0, 0, 0, 0, 0, 0, a, b],
            [0, 0, 0, 0, 0, 0xffff, a, b],
            [0, 0, 0, 0, 0xffff, 0, a, b],
            [0, 0, 0, 0, 0, 0x5efe, a, b],
            [0x64, 0xff9b, 0, 0, 0, 0, a, b],
            [0x64, 0xff9b, 1, 0, 0, 0, a, b],
            [0x2002, a, b, 0, 0, 0, 0, 0],
            [0x2001, 0, a, b, 0, 0, 0, 0],
        ];
        for segments in spellings {
            prop_assert!(check(IpAddr::V6(segments.into())).is_err(), "{:?}", segments);
        }
    }

    #[test]
    fn addresses_outside_global_unicast_are_refused(bits: u128) {
        let address = IpAddr::V6(bits.into());
        prop_assert!(check(address).is_err() || bits >> 125 == 1, "{}", address);
    }
}
