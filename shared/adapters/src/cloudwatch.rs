//! Lists a stack's alarms by CloudWatch.

use app::ports::{Alarm, Alarms, Unavailable};
use aws_sdk_cloudwatch::{
    Client,
    types::{MetricAlarm, StateValue},
};
use domain::jiff::Timestamp;

use crate::aws::unavailable;

const LIST: &str = "CloudWatch DescribeAlarms";
/// Limits the alarms of one request, as CloudWatch does.
const MOST: i32 = 100;

/// Implements [`Alarms`] for the alarms that CloudFormation made for a stack.
#[derive(Debug, Clone)]
pub struct CloudWatchAlarms {
    client: Client,
    stack: String,
}

impl CloudWatchAlarms {
    /// Uses the stack of this name.
    pub fn new(client: Client, stack: String) -> Self {
        Self { client, stack }
    }
}

impl Alarms for CloudWatchAlarms {
    async fn ringing(&self) -> Result<Vec<Alarm>, Unavailable> {
        let prefix = format!("{}-", self.stack);
        let list = self.client.describe_alarms().state_value(StateValue::Alarm).alarm_name_prefix(&prefix);
        let answer = list.max_records(MOST).send().await.map_err(unavailable(LIST))?;
        let alarms = answer.metric_alarms.unwrap_or_default().into_iter();
        Ok(alarms.filter_map(|alarm| alarm_of(&prefix, alarm)).collect())
    }
}

/// Returns an alarm of the stack. The names of another stack may have the same beginning.
fn alarm_of(prefix: &str, alarm: MetricAlarm) -> Option<Alarm> {
    let whole = alarm.alarm_name?;
    let (name, _) = whole.strip_prefix(prefix)?.split_once('-').filter(|(_, random)| !random.contains('-'))?;
    let since = alarm.state_updated_timestamp.and_then(|at| Timestamp::from_second(at.secs()).ok());
    let address = alarm.alarm_arn.as_deref().and_then(|arn| address(arn, &whole));
    let says = alarm.alarm_description.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    Some(Alarm { name: name.to_owned(), says, since, address })
}

/// Returns the address of an alarm in the AWS console of its partition.
fn address(arn: &str, name: &str) -> Option<String> {
    let mut parts = arn.split(':').skip(1);
    let (partition, region) = (parts.next()?, parts.nth(1)?);
    let host = match partition {
        "aws" => "console.aws.amazon.com",
        "aws-cn" => "console.amazonaws.cn",
        "aws-us-gov" => "console.amazonaws-us-gov.com",
        _ => return None,
    };
    Some(format!("https://{region}.{host}/cloudwatch/home?region={region}#alarmsV2:alarm/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_of_a_stack_with_a_longer_name_are_left_out() {
        let named = |name: &str| {
            let arn = format!("arn:aws:cloudwatch:eu-west-1:1:alarm:{name}");
            let alarm = MetricAlarm::builder().alarm_name(name).alarm_arn(arn).alarm_description("Too\n many. ");
            alarm_of("gg3-", alarm.build())
        };
        let alarm = named("gg3-SweepMissingAlarm-1ABC").unwrap();
        assert_eq!((alarm.name.as_str(), alarm.says.as_str()), ("SweepMissingAlarm", "Too many."));
        let page = "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#alarmsV2:alarm/gg3-SweepMissingAlarm-1ABC";
        assert_eq!(alarm.address.as_deref(), Some(page));
        for other in ["gg3-staging-SweepMissingAlarm-1ABC", "gg3-mine", "other"] {
            assert_eq!(named(other), None, "{other}");
        }
    }
}
