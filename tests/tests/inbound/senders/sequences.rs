//! Holds the calls of each sender that has a preset, as that sender makes them, with our answers.

/// Holds the calls of one sender, with our answers.
pub(super) struct Sequence {
    /// Names the preset.
    pub(super) sender: &'static str,
    /// Holds the query that every call has, with `{t}` and `{a}` for transaction and amount.
    pub(super) query: &'static str,
    /// Lists the calls in the order in which they come: the transaction, the amount, what the sender adds, and our
    /// answer.
    pub(super) calls: &'static [(&'static str, &'static str, &'static str, &'static str)],
    /// Lists the recorded transactions with their state and amount after all calls.
    pub(super) stand: &'static [(&'static str, &'static str)],
}

pub(super) const SEQUENCES: [Sequence; 14] = [
    Sequence {
        sender: "adgate",
        query: "user_id=u&s2=c&transaction_id={t}&currency=USD&amount_decimal={a}",
        calls: &[
            ("1", "2.50", "state=pending", "accepted pending"),
            ("1", "2.50", "state=pending", "duplicate pending"),
            ("1", "2.50", "state=approved", "accepted approved"),
            ("1", "2.50", "state=rejected", "accepted rejected"),
            ("1", "2.50", "state=pending", "duplicate rejected"),
            ("1", "2.50", "state=approved", "duplicate rejected"),
            ("1", "2.50", "state=rejected", "duplicate rejected"),
            // This sender never changes an amount, so a different amount is a mistake.
            ("2", "2.50", "state=pending", "accepted pending"),
            ("2", "3.00", "state=approved", "conflict amount_decimal"),
            // Events without a payout have the amount 0.
            ("3", "0", "event_id=7&state=approved", "accepted approved"),
            ("r-1", "-2.50", "state=approved", "400 negative_amount"),
            ("4", "2.50", "state=reversed", "400 unknown_status"),
        ],
        stand: &[("1", "rejected 2.50"), ("2", "pending 2.50"), ("3", "approved 0")],
    },
    Sequence {
        sender: "adgem",
        query: "user_id=u&click_id=c&transaction_id={t}&currency=USD&amount_decimal={a}",
        calls: &[
            ("1", "0.50", "event_id=9", "accepted"),
            ("1", "0.50", "event_id=9", "duplicate"),
            ("1", "0.75", "event_id=9", "conflict amount_decimal"),
            ("1", "0.50", "event_id=9", "duplicate"),
            ("2", "0.50", "event_id={goal_id}", "400 macro_not_replaced"),
            ("2", "0.50", "", "accepted"),
            ("r-1", "-0.50", "event_id=9", "400 negative_amount"),
        ],
        stand: &[("1", "approved 0.50"), ("2", "approved 0.50")],
    },
    Sequence {
        sender: "affise",
        query: "sub2=u&sub1=c&transaction_id={t}&currency=EUR&amount_decimal={a}",
        calls: &[
            ("1", "10", "status=2", "accepted pending"),
            // `On hold` still means pending.
            ("1", "10", "status=5", "duplicate pending"),
            ("1", "10", "status=1", "accepted approved"),
            ("1", "10", "status=3", "accepted rejected"),
            ("1", "10", "status=1", "duplicate rejected"),
            ("1", "10", "status=3", "duplicate rejected"),
            // The rejection arrives before the calls that were made earlier.
            ("2", "10", "status=3", "accepted rejected"),
            ("2", "10", "status=2", "duplicate rejected"),
            ("2", "10", "status=1", "conflict status"),
            ("r-1", "-10", "status=3", "400 negative_amount"),
        ],
        stand: &[("1", "rejected 10"), ("2", "rejected 10")],
    },
    Sequence {
        sender: "appsflyer",
        // No call has a transaction id. One is derived from user, click and event.
        query: "user_id=u&clickid=c&currency=USD&amount_decimal={a}&event_id={t}",
        calls: &[
            ("purchase", "9.99", "", "accepted"),
            ("purchase", "9.99", "", "duplicate"),
            ("purchase", "19.99", "", "conflict amount_decimal"),
            ("level", "0", "", "accepted"),
            ("purchase", "9.99", "is_rejected=1&reject_reason=bots", "400 status_not_agreed"),
            ("refund", "-9.99", "", "400 negative_amount"),
        ],
        stand: &[("level", "approved 0"), ("purchase", "approved 9.99")],
    },
    Sequence {
        sender: "ayet",
        query: "external_identifier=u&click_id=c&transaction_id={t}&currency=USD&amount_decimal={a}",
        calls: &[
            ("1", "1.5", "", "accepted"),
            ("1", "1.5", "", "duplicate"),
            ("r-1", "-1.5", "is_chargeback=1", "accepted"),
            ("r-1", "-1.5", "", "duplicate"),
            ("r-1", "-1.0", "", "conflict amount_decimal"),
            ("1", "1.5", "is_chargeback=0", "duplicate"),
            ("1", "1.5", "is_chargeback=1", "400 status_not_agreed"),
        ],
        stand: &[("1", "approved 1.5"), ("r-1", "approved -1.5")],
    },
    Sequence {
        sender: "binom",
        query: "user_id=u&click_id=c&transaction_id={t}&currency=USD&amount_decimal={a}",
        calls: &[
            ("1", "5", "", "accepted"),
            ("1", "5.00", "", "duplicate"),
            ("1", "6", "", "conflict amount_decimal"),
            // Each network of the account has its own words, which the sender passes on. They cannot be known before
            // they are agreed.
            ("2", "5", "cnv_status=approved", "accepted"),
            ("2", "5", "cnv_status=trash", "400 status_not_agreed"),
            ("2", "5", "cnv_status={cnv_status}", "400 status_not_agreed"),
            ("r-1", "-5", "", "400 negative_amount"),
        ],
        stand: &[("1", "approved 5"), ("2", "approved 5")],
    },
    Sequence {
        sender: "bitlabs",
        query: "uid=u&click_id=c&transaction_id={t}&currency=USD&amount_decimal={a}&hash=abc",
        calls: &[
            // Stateful callbacks repeat the transaction.
            ("1", "1.00", "state=PENDING&reference=", "accepted pending"),
            ("1", "1.00", "state=COMPLETED&reference=", "accepted approved"),
            ("1", "1.00", "state=RECONCILED&reference=", "accepted rejected"),
            ("1", "1.00", "state=PENDING&reference=", "duplicate rejected"),
            ("1", "1.00", "state=RECONCILED&reference=", "duplicate rejected"),
            // Other callbacks reverse a transaction by a second transaction.
            ("2", "1.00", "state=NONE&reference=", "accepted approved"),
            ("2-a", "-0.40", "state=NONE&reference=2", "accepted approved"),
            ("2-a", "-0.40", "state=NONE&reference=2", "duplicate approved"),
            ("2-b", "-0.60", "state=NONE&reference=2", "accepted approved"),
            ("2-c", "-0.01", "state=NONE&reference=2", "conflict amount_decimal"),
            ("3-a", "-0.01", "state=NONE&reference=3", "accepted approved"),
            ("4-a", "-0.01", "state=RECONCILED&reference=2", "400 negative_amount"),
        ],
        stand: &[
            ("1", "rejected 1.00"),
            ("2", "approved 1.00"),
            ("2-a", "approved -0.40"),
            ("2-b", "approved -0.60"),
            ("3-a", "approved -0.01"),
        ],
    },
    Sequence {
        sender: "cpx",
        query: "ext_user_id=u&subid_1=c&transaction_id={t}&currency=USD&amount_decimal={a}",
        calls: &[
            ("1", "0.75", "status=1", "accepted approved"),
            ("1", "0.75", "status=1", "duplicate approved"),
            ("1", "0.75", "status=2", "accepted rejected"),
            ("1", "0.75", "status=1", "duplicate rejected"),
            ("1", "0.75", "status=2", "duplicate rejected"),
            ("2", "0.75", "status=2", "accepted rejected"),
            ("2", "0.75", "status=1", "conflict status"),
            ("r-1", "-0.75", "status=2", "400 negative_amount"),
        ],
        stand: &[("1", "rejected 0.75"), ("2", "rejected 0.75")],
    },
    Sequence {
        sender: "everflow",
        query: "sub2=u&sub1=c&transaction_id={t}&currency=USD&amount_decimal={a}",
        calls: &[
            ("1", "100", "status=pending", "accepted pending"),
            ("1", "90", "status=approved", "accepted approved"),
            ("1", "100", "status=pending", "duplicate approved"),
            ("1", "80", "status=approved", "conflict amount_decimal"),
            ("1", "100", "status=invalid", "conflict amount_decimal"),
            ("1", "90", "status=invalid", "accepted rejected"),
            ("1", "90", "status=rejected", "duplicate rejected"),
            ("1", "90", "status=approved", "duplicate rejected"),
            // A URL without the status reports approvals only.
            ("2", "5", "", "accepted approved"),
            ("2", "5", "status=approved", "duplicate approved"),
            ("r-1", "-90", "status=approved", "400 negative_amount"),
        ],
        stand: &[("1", "rejected 90"), ("2", "approved 5")],
    },
    Sequence {
        sender: "keitaro",
        query: "user_id=u&click_id=c&transaction_id={t}&currency=USD&amount_decimal={a}",
        calls: &[
            ("1", "30", "status=lead", "accepted pending"),
            ("1", "30", "status=sale", "accepted approved"),
            ("1", "30", "status=rejected", "accepted rejected"),
            ("1", "30", "status=lead", "duplicate rejected"),
            ("1", "30", "status=sale", "duplicate rejected"),
            ("1", "30", "status=rejected", "duplicate rejected"),
            // A rebill is another transaction.
            ("2", "30", "status=rebill", "accepted approved"),
            ("3", "30", "status={status}", "400 macro_not_replaced"),
            ("r-1", "-30", "status=rejected", "400 negative_amount"),
        ],
        stand: &[("1", "rejected 30"), ("2", "approved 30")],
    },
    Sequence {
        sender: "redtrack",
        query: "user_id=u&click_id=c&transaction_id={t}&currency=USD&amount_decimal={a}",
        calls: &[
            ("1", "3", "", "accepted"),
            ("1", "3", "", "duplicate"),
            // The account adds a repeated payout to the first one.
            ("1", "6", "", "conflict amount_decimal"),
            ("2", "3", "event_id=lead", "accepted"),
            ("r-1", "-3", "", "400 negative_amount"),
        ],
        stand: &[("1", "approved 3"), ("2", "approved 3")],
    },
    Sequence {
        sender: "tapjoy",
        query: "snuid=u&id={t}&currency={a}&currency_code=USD",
        calls: &[
            // The sender knows no click id. The call is refused until the URL has one.
            ("1", "10", "verifier=x", "400 missing"),
            ("1", "10", "verifier=x&click_id=c", "accepted"),
            // The sender repeats the call for 4 days if it does not see our answer.
            ("1", "10", "verifier=x&click_id=c", "duplicate"),
            ("1", "10", "verifier=y&click_id=c", "duplicate"),
            ("1", "20", "verifier=z&click_id=c", "conflict currency"),
            ("2", "-10", "verifier=x&click_id=c", "400 negative_amount"),
        ],
        stand: &[("1", "approved 10")],
    },
    Sequence {
        sender: "tune",
        query: "aff_sub=u&aff_click_id=c&transaction_id={t}&currency=USD&amount_decimal={a}",
        calls: &[
            ("1", "12", "status=pending", "accepted pending"),
            ("1", "11.5", "status=approved", "accepted approved"),
            ("1", "11.5", "status=rejected", "accepted rejected"),
            ("1", "12", "status=pending", "duplicate rejected"),
            ("1", "11.5", "status=approved", "duplicate rejected"),
            ("1", "11.5", "status=rejected", "duplicate rejected"),
            ("r-1", "-12", "status=rejected", "400 negative_amount"),
        ],
        stand: &[("1", "rejected 11.5")],
    },
    Sequence {
        sender: "voluum",
        query: "user_id=u&click_id=c&transaction_id={t}&currency=USD&amount_decimal={a}",
        calls: &[
            ("1", "7.5", "", "accepted"),
            ("1", "7.50", "", "duplicate"),
            ("1", "8", "", "conflict amount_decimal"),
            ("{transaction.id}", "7.5", "", "400 macro_not_replaced"),
            ("r-1", "-7.5", "", "400 negative_amount"),
        ],
        stand: &[("1", "approved 7.5")],
    },
];
