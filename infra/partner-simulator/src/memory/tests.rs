use proptest::prelude::*;

use super::*;
use crate::script::Answer;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn incoming(body: usize) -> Incoming {
    Incoming {
        at_ms: 0,
        method: "GET".to_owned(),
        target: "/acme".to_owned(),
        headers: HeaderMap::new(),
        body: vec![b'x'; body],
    }
}

fn act(status: u16, times: u32) -> Act {
    Act::try_from(&Answer::status(status).times(times)).unwrap()
}

proptest! {
    /// The newest requests of each name are kept within the limit, and every request is counted.
    #[test]
    fn remembered_requests_stay_within_their_limit(calls in prop::collection::vec((0..4_u8, 0..3_000_usize), 0..200)) {
        let limits = Limits { remembered_bytes: 20_000, ..Limits::default() };
        let mut memory = Memory::new(limits, Vec::new());
        let mut received = [0_u64; 4];
        for (number, body) in calls {
            memory.receive(&name(&format!("name-{number}")), incoming(body)).unwrap();
            received[usize::from(number)] += 1;
            prop_assert!(memory.bytes <= limits.remembered_bytes);
        }
        let mut bytes = 0;
        for (number, count) in received.iter().enumerate() {
            let kept = memory.requests(&name(&format!("name-{number}")));
            prop_assert_eq!(kept.received, *count);
            let numbers: Vec<u64> = kept.requests.iter().map(|request| request.number).collect();
            let first = count + 1 - u64::try_from(numbers.len()).unwrap();
            prop_assert_eq!(numbers, (first..=*count).collect::<Vec<_>>());
            bytes += kept.requests.iter().map(size).sum::<usize>();
        }
        prop_assert_eq!(bytes, memory.bytes);
    }

    /// The answers come in order, each as often as the script says. Then the last answer is repeated for ever.
    #[test]
    fn answers_come_in_order_and_the_last_is_repeated(script in prop::collection::vec((200..600_u16, 1..4_u32), 1..6)) {
        let mut memory = Memory::new(Limits::default(), Vec::new());
        let acts = script.iter().map(|(status, times)| act(*status, *times)).collect();
        memory.set_script(&name("acme"), Some(acts), None).unwrap();
        let each = script.iter().flat_map(|(status, times)| std::iter::repeat_n(*status, *times as usize));
        let last = script.last().map(|(status, _)| *status).unwrap();
        for status in each.chain([last; 3]) {
            let (act, _) = memory.receive(&name("acme"), incoming(0)).unwrap();
            prop_assert_eq!(act.label, status.to_string());
        }
    }
}

#[test]
fn a_busy_name_does_not_displace_other_names_requests() {
    let mut memory = Memory::new(Limits { remembered_bytes: 20_000, ..Limits::default() }, Vec::new());
    memory.receive(&name("quiet"), incoming(0)).unwrap();
    for _ in 0..100 {
        memory.receive(&name("busy"), incoming(1_000)).unwrap();
    }
    assert_eq!(memory.requests(&name("quiet")).requests.len(), 1);
    assert!(memory.requests(&name("busy")).requests.len() > 5);
}

#[test]
fn a_name_beyond_the_limit_waits_until_another_is_forgotten() {
    let mut memory = Memory::new(Limits { names: 1, ..Limits::default() }, Vec::new());
    memory.receive(&name("first"), incoming(0)).unwrap();
    assert_eq!(memory.set_script(&name("second"), None, None), Err(TooManyNames));
    assert_eq!(memory.receive(&name("second"), incoming(0)).err(), Some(TooManyNames));
    memory.forget(&name("first"));
    memory.receive(&name("second"), incoming(0)).unwrap();
    assert_eq!(memory.requests(&name("first")), Requests::default());
}

#[test]
fn a_part_that_a_new_script_leaves_out_stays() {
    let mut memory = Memory::new(Limits::default(), Vec::new());
    let secret: Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
    memory.set_script(&name("acme"), Some(vec![act(500, 1)]), None).unwrap();
    memory.set_script(&name("acme"), None, Some(vec![secret])).unwrap();
    memory.forget_requests(&name("acme"));
    let (act, signature) = memory.receive(&name("acme"), incoming(0)).unwrap();
    assert_eq!(act.label, "500");
    assert!(matches!(signature, Signature::Refused(_)), "{signature}");
}
