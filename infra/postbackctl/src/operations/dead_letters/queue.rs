//! The names of dead-letter queues as arguments.

use app::ports::DeadLetterQueue;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

/// Reads the name of a dead-letter queue.
pub(crate) fn parser() -> impl TypedValueParser<Value = DeadLetterQueue> {
    let values = DeadLetterQueue::ALL.map(|queue| PossibleValue::new(queue.name()).help(help(queue)));
    PossibleValuesParser::new(values)
        .try_map(|name| DeadLetterQueue::ALL.into_iter().find(|queue| queue.name() == name).ok_or("unknown queue"))
}

fn help(queue: DeadLetterQueue) -> &'static str {
    match queue {
        DeadLetterQueue::Conversion => "Accepted postbacks that could not be converted",
        DeadLetterQueue::Gg3Conversions => "Conversions that GG3 received twenty times and never deleted",
        DeadLetterQueue::Gg3Events => "Events that are malformed or failed twenty times",
        DeadLetterQueue::BrokenLinks => {
            "Events from links with an unknown partner, or with an id that is missing or cannot be used"
        }
        DeadLetterQueue::UnknownTypes => "Events of unknown types",
        DeadLetterQueue::Webhooks => "First attempts of webhooks that failed twenty times to be made",
        DeadLetterQueue::WebhookRetries => "Resends of webhooks that failed twenty times to be made",
        DeadLetterQueue::Lookup => "Changes that cannot be read for the lookups",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dead_letter_queue_of_the_template_is_known() {
        let template = include_str!("../../../../../template.yaml");
        let named = |name: &str| template.contains(&format!("QueueName: !Sub ${{AWS::StackName}}-{name}\n"));
        let known = DeadLetterQueue::ALL.map(DeadLetterQueue::name);
        let deployed =
            template.lines().filter_map(|line| line.trim().strip_prefix("QueueName: !Sub ${AWS::StackName}-"));
        for queue in deployed.filter(|queue| queue.ends_with("-dead-letters")) {
            assert!(known.contains(&queue), "{queue}");
        }
        for queue in DeadLetterQueue::ALL.iter().filter(|queue| named(queue.name())) {
            assert!(named(queue.source()), "{queue:?}");
        }
    }
}
