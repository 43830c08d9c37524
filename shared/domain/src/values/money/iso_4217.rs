//! Lists the currencies of ISO 4217. `make currencies` makes this file; do not change it by hand.
//!
//! Current codes are from the official table in the Python package iso4217 1.16.20260101. Withdrawals and
//! successors are from Unicode's CLDR in Babel 2.19.0.

/// Holds the date of the official table.
pub const PUBLISHED: &str = "2026-01-01";

/// Maps the codes of money to their numbers, in order.
#[rustfmt::skip]
pub(super) const CURRENT: [(&str, &str); 164] = [
    ("AED", "784"), ("AFN", "971"), ("ALL", "008"), ("AMD", "051"), ("AOA", "973"), ("ARS", "032"), ("AUD", "036"),
    ("AWG", "533"), ("AZN", "944"), ("BAM", "977"), ("BBD", "052"), ("BDT", "050"), ("BHD", "048"), ("BIF", "108"),
    ("BMD", "060"), ("BND", "096"), ("BOB", "068"), ("BOV", "984"), ("BRL", "986"), ("BSD", "044"), ("BTN", "064"),
    ("BWP", "072"), ("BYN", "933"), ("BZD", "084"), ("CAD", "124"), ("CDF", "976"), ("CHE", "947"), ("CHF", "756"),
    ("CHW", "948"), ("CLF", "990"), ("CLP", "152"), ("CNY", "156"), ("COP", "170"), ("COU", "970"), ("CRC", "188"),
    ("CUP", "192"), ("CVE", "132"), ("CZK", "203"), ("DJF", "262"), ("DKK", "208"), ("DOP", "214"), ("DZD", "012"),
    ("EGP", "818"), ("ERN", "232"), ("ETB", "230"), ("EUR", "978"), ("FJD", "242"), ("FKP", "238"), ("GBP", "826"),
    ("GEL", "981"), ("GHS", "936"), ("GIP", "292"), ("GMD", "270"), ("GNF", "324"), ("GTQ", "320"), ("GYD", "328"),
    ("HKD", "344"), ("HNL", "340"), ("HTG", "332"), ("HUF", "348"), ("IDR", "360"), ("ILS", "376"), ("INR", "356"),
    ("IQD", "368"), ("IRR", "364"), ("ISK", "352"), ("JMD", "388"), ("JOD", "400"), ("JPY", "392"), ("KES", "404"),
    ("KGS", "417"), ("KHR", "116"), ("KMF", "174"), ("KPW", "408"), ("KRW", "410"), ("KWD", "414"), ("KYD", "136"),
    ("KZT", "398"), ("LAK", "418"), ("LBP", "422"), ("LKR", "144"), ("LRD", "430"), ("LSL", "426"), ("LYD", "434"),
    ("MAD", "504"), ("MDL", "498"), ("MGA", "969"), ("MKD", "807"), ("MMK", "104"), ("MNT", "496"), ("MOP", "446"),
    ("MRU", "929"), ("MUR", "480"), ("MVR", "462"), ("MWK", "454"), ("MXN", "484"), ("MXV", "979"), ("MYR", "458"),
    ("MZN", "943"), ("NAD", "516"), ("NGN", "566"), ("NIO", "558"), ("NOK", "578"), ("NPR", "524"), ("NZD", "554"),
    ("OMR", "512"), ("PAB", "590"), ("PEN", "604"), ("PGK", "598"), ("PHP", "608"), ("PKR", "586"), ("PLN", "985"),
    ("PYG", "600"), ("QAR", "634"), ("RON", "946"), ("RSD", "941"), ("RUB", "643"), ("RWF", "646"), ("SAR", "682"),
    ("SBD", "090"), ("SCR", "690"), ("SDG", "938"), ("SEK", "752"), ("SGD", "702"), ("SHP", "654"), ("SLE", "925"),
    ("SOS", "706"), ("SRD", "968"), ("SSP", "728"), ("STN", "930"), ("SVC", "222"), ("SYP", "760"), ("SZL", "748"),
    ("THB", "764"), ("TJS", "972"), ("TMT", "934"), ("TND", "788"), ("TOP", "776"), ("TRY", "949"), ("TTD", "780"),
    ("TWD", "901"), ("TZS", "834"), ("UAH", "980"), ("UGX", "800"), ("USD", "840"), ("USN", "997"), ("UYI", "940"),
    ("UYU", "858"), ("UYW", "927"), ("UZS", "860"), ("VED", "926"), ("VES", "928"), ("VND", "704"), ("VUV", "548"),
    ("WST", "882"), ("XAF", "950"), ("XCD", "951"), ("XCG", "532"), ("XOF", "952"), ("XPF", "953"), ("YER", "886"),
    ("ZAR", "710"), ("ZMW", "967"), ("ZWG", "924"),
];

/// Maps the codes of ISO 4217 that are no money to their names, in order.
#[rustfmt::skip]
pub(super) const NOT_MONEY: [(&str, &str); 14] = [
    ("XAD", "Arab Accounting Dinar"), ("XAG", "Silver"), ("XAU", "Gold"),
    ("XBA", "Bond Markets Unit European Composite Unit (EURCO)"),
    ("XBB", "Bond Markets Unit European Monetary Unit (E.M.U.-6)"),
    ("XBC", "Bond Markets Unit European Unit of Account 9 (E.U.A.-9)"),
    ("XBD", "Bond Markets Unit European Unit of Account 17 (E.U.A.-17)"), ("XDR", "SDR (Special Drawing Right)"),
    ("XPD", "Palladium"), ("XPT", "Platinum"), ("XSU", "Sucre"),
    ("XTS", "Codes specifically reserved for testing purposes"), ("XUA", "ADB Unit of Account"),
    ("XXX", "The codes assigned for transactions where no currency is involved"),
];

/// Lists the withdrawn codes in order, with the day on which each ended and its successor, if there is exactly one.
#[rustfmt::skip]
pub(super) const WITHDRAWN: [(&str, &str, &str); 128] = [
    ("ADP", "2001-12-31", "EUR"), ("AFA", "2002-12-31", "AFN"), ("ALK", "1965-08-16", "ALL"),
    ("ANG", "2025-06-30", "XCG"), ("AOK", "1991-03-01", "AOA"), ("AON", "2000-02-01", "AOA"),
    ("AOR", "2000-02-01", "AOA"), ("ARA", "1992-01-01", "ARS"), ("ARL", "1983-06-01", "ARS"),
    ("ARM", "1970-01-01", "ARS"), ("ARP", "1985-06-14", "ARS"), ("ATS", "2002-02-28", "EUR"),
    ("AZM", "2006-12-31", "AZN"), ("BAD", "1994-08-15", "BAM"), ("BAN", "1997-07-01", "BAM"),
    ("BEC", "1990-03-05", ""), ("BEF", "2002-02-28", "EUR"), ("BEL", "1990-03-05", ""), ("BGL", "1999-07-05", "EUR"),
    ("BGM", "1962-01-01", "EUR"), ("BGN", "2026-01-31", "EUR"), ("BGO", "1952-05-12", "EUR"),
    ("BOL", "1963-01-01", "BOB"), ("BOP", "1986-12-31", "BOB"), ("BRB", "1986-02-28", "BRL"),
    ("BRC", "1989-01-15", "BRL"), ("BRE", "1993-08-01", "BRL"), ("BRN", "1990-03-16", "BRL"),
    ("BRR", "1994-07-01", "BRL"), ("BRZ", "1967-02-13", "BRL"), ("BUK", "1989-06-18", ""),
    ("BYB", "2000-12-31", "BYN"), ("BYR", "2017-01-01", "BYN"), ("CLE", "1975-09-29", "CLP"),
    ("CSD", "2006-10-25", ""), ("CSK", "1993-03-01", ""), ("CUC", "2021-06-01", "CUP"), ("CYP", "2008-01-31", "EUR"),
    ("DDM", "1990-10-02", ""), ("DEM", "2002-05-15", "EUR"), ("ECS", "2000-10-02", "USD"), ("ECV", "2000-01-09", ""),
    ("EEK", "2010-12-31", "EUR"), ("ESA", "1981-12-31", ""), ("ESB", "1994-12-31", ""), ("ESP", "2002-02-28", "EUR"),
    ("FIM", "2002-02-28", "EUR"), ("FRF", "2002-02-17", "EUR"), ("GEK", "1995-09-25", "GEL"),
    ("GHC", "2007-12-31", "GHS"), ("GNS", "1986-01-06", "GNF"), ("GQE", "1986-06-01", "XAF"),
    ("GRD", "2002-02-28", "EUR"), ("GWE", "1976-02-28", "XOF"), ("GWP", "1997-03-31", "XOF"),
    ("HRD", "1995-01-01", "EUR"), ("HRK", "2023-01-14", "EUR"), ("IEP", "2002-02-09", "EUR"),
    ("ILP", "1980-02-22", ""), ("ILR", "1985-09-04", "ILS"), ("ISJ", "1981-01-01", "ISK"),
    ("ITL", "2002-02-28", "EUR"), ("KRH", "1962-06-10", "KRW"), ("KRO", "1953-02-15", "KRW"),
    ("LTL", "2014-12-31", "EUR"), ("LTT", "1993-06-25", "EUR"), ("LUC", "1990-03-05", ""),
    ("LUF", "2002-02-28", "EUR"), ("LUL", "1990-03-05", ""), ("LVL", "2013-12-31", "EUR"),
    ("LVR", "1993-10-17", "EUR"), ("MAF", "1959-10-17", "MAD"), ("MCF", "2002-02-17", "EUR"),
    ("MDC", "1993-11-29", "MDL"), ("MGF", "2004-12-31", "MGA"), ("MKN", "1993-05-20", "MKD"),
    ("MLF", "1984-08-31", "XOF"), ("MRO", "2018-06-30", "MRU"), ("MTL", "2008-01-31", "EUR"),
    ("MTP", "1968-06-07", "EUR"), ("MVP", "1981-07-01", "MVR"), ("MXP", "1992-12-31", "MXN"),
    ("MZE", "1980-06-16", "MZN"), ("MZM", "2006-12-31", "MZN"), ("NIC", "1991-04-30", "NIO"),
    ("NLG", "2002-02-28", "EUR"), ("PEI", "1991-07-01", "PEN"), ("PES", "1985-02-01", "PEN"),
    ("PLZ", "1994-12-31", "PLN"), ("PTE", "2002-02-28", "EUR"), ("RHD", "1980-04-18", "ZWG"),
    ("ROL", "2006-12-31", "RON"), ("RUR", "1998-12-31", "RUB"), ("SDD", "2007-06-30", "SDG"),
    ("SDP", "1998-06-01", "SDG"), ("SIT", "2007-01-14", "EUR"), ("SKK", "2009-01-01", "EUR"),
    ("SLL", "2023-12-31", "SLE"), ("SRG", "2003-12-31", "SRD"), ("STD", "2017-12-31", "STN"),
    ("SUR", "1992-10-01", ""), ("TJR", "2000-10-25", "TJS"), ("TMM", "2009-01-01", "TMT"), ("TPE", "2002-05-20", ""),
    ("TRL", "2005-12-31", "TRY"), ("UAK", "1993-10-17", "UAH"), ("UGS", "1987-05-15", "UGX"),
    ("USS", "2014-03-01", ""), ("UYP", "1993-03-01", "UYU"), ("VEB", "2008-06-30", "VES"),
    ("VEF", "2018-08-20", "VES"), ("VNN", "1985-09-14", "VND"), ("XEU", "1998-12-31", ""), ("XFO", "2003-04-01", ""),
    ("XFU", "2013-11-30", ""), ("XRE", "1999-11-30", ""), ("YDD", "1996-01-01", ""), ("YUD", "1990-01-01", ""),
    ("YUM", "2002-05-15", ""), ("YUN", "1992-07-24", ""), ("YUR", "1993-10-01", "BAM"), ("ZAL", "1995-03-13", ""),
    ("ZMK", "2013-01-01", "ZMW"), ("ZRN", "1998-07-31", ""), ("ZRZ", "1993-11-01", ""), ("ZWD", "2008-08-01", "ZWG"),
    ("ZWL", "2024-08-31", "ZWG"), ("ZWR", "2009-02-02", "ZWG"),
];
