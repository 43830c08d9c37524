//! Applies the metric filters of `template.yaml` to lines, as `CloudWatch` Logs would.
//!
//! The module understands only the constructs that the template uses. A test that meets any other construct fails.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use serde_json::{Map, Value};

const OURS: &str = "AWS::StackName";

/// Holds the deployment with each `Fn::ForEach` expanded. YAML tags are dropped, so `!Ref X` is the text `X`.
pub(super) struct Template {
    mappings: Value,
    resources: Map<String, Value>,
}

#[derive(Debug)]
pub(super) struct Filter {
    /// Names the log that the filter reads: a function, such as `ConversionRelay`, or `Api`.
    function: String,
    /// Holds the fields that a line must have, each with its required text. `None` allows any value.
    conditions: Vec<(String, Option<String>)>,
    pub(super) metric: String,
    value: String,
    dimensions: Vec<String>,
}

impl Template {
    pub(super) fn deployed() -> &'static Self {
        static DEPLOYED: LazyLock<Template> = LazyLock::new(|| {
            let mut template: Value = serde_saphyr::from_str(include_str!("../../../../template.yaml")).unwrap();
            let resources = written_out(template["Resources"].as_object().unwrap());
            Template { mappings: template["Mappings"].take(), resources }
        });
        &DEPLOYED
    }

    fn all(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.resources.values().filter(move |resource| resource["Type"] == kind).map(|resource| &resource["Properties"])
    }

    pub(super) fn filters(&self) -> Vec<Filter> {
        self.all("AWS::Logs::MetricFilter").map(Filter::of).collect()
    }

    pub(super) fn filters_of(&self, function: &str) -> Vec<Filter> {
        self.filters().into_iter().filter(|filter| filter.function == function).collect()
    }

    pub(super) fn functions(&self) -> BTreeSet<&str> {
        let serverless = |resource: &&Value| resource["Type"] == "AWS::Serverless::Function";
        let functions = self.resources.values().filter(serverless);
        functions.map(|function| logs(&function["Properties"]["LoggingConfig"]["LogGroup"])).collect()
    }

    /// Returns the series that alarms watch and the series that the dashboard shows.
    pub(super) fn used(&self) -> [BTreeSet<String>; 2] {
        ["AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard"].map(|kind| {
            let mut used = BTreeSet::new();
            self.all(kind).for_each(|properties| self.gather(properties, &mut used));
            used
        })
    }

    fn gather(&self, value: &Value, used: &mut BTreeSet<String>) {
        match value {
            Value::Object(object) if object.get("Namespace").is_some_and(|namespace| namespace == OURS) => {
                let dimensions = object.get("Dimensions").and_then(Value::as_array).into_iter().flatten();
                let names = dimensions.map(|dimension| dimension["Name"].as_str().unwrap());
                used.insert(series(&self.text(&object["MetricName"]), names));
            }
            Value::Array(list) if list.first().is_some_and(|first| first == OURS) => {
                used.insert(series(list[1].as_str().unwrap(), []));
            }
            Value::Array(list) if list.first().and_then(Value::as_str).is_some_and(|text| text.contains("SUM(${")) => {
                let schema = between(list[0].as_str().unwrap(), "SCHEMA(\"${AWS::StackName}\", ", ")");
                used.insert(series(&self.text(&list[1]["Metric"]), schema.split(", ")));
            }
            Value::String(text) if text.starts_with("SEARCH('{") => {
                let schema = between(text, "{\"${AWS::StackName}\",", "}");
                used.insert(series(between(text, "MetricName=\"", "\""), schema.split(',')));
            }
            Value::Array(list) => list.iter().for_each(|item| self.gather(item, used)),
            Value::Object(object) => object.values().for_each(|member| self.gather(member, used)),
            _ => {}
        }
    }

    /// Returns the text, or the text that `!FindInMap` finds in a mapping.
    fn text(&self, value: &Value) -> String {
        let found = value
            .as_array()
            .map(|path| path.iter().fold(&self.mappings, |mapping, key| &mapping[key.as_str().unwrap()]));
        found.unwrap_or(value).as_str().unwrap_or_else(|| panic!("{value} is no text and in no mapping")).to_owned()
    }
}

impl Filter {
    fn of(properties: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned();
        let [transformation] = properties["MetricTransformations"].as_array().unwrap().as_slice() else {
            panic!("a metric filter has exactly one transformation: {properties}");
        };
        assert_eq!(transformation["MetricNamespace"], OURS);
        let dimensions = transformation["Dimensions"].as_array().map_or(&[][..], Vec::as_slice);
        assert!(dimensions.len() <= 3 && transformation.get("DefaultValue").is_none(), "{transformation}");
        let dimension = |dimension: &Value| {
            let name = text(&dimension["Key"]);
            assert_eq!(dimension["Value"], format!("$.{name}"));
            name
        };
        let pattern = text(&properties["FilterPattern"]);
        let terms = pattern.strip_prefix("{ ").and_then(|rest| rest.strip_suffix(" }")).unwrap();
        let (metric, value) = (text(&transformation["MetricName"]), text(&transformation["MetricValue"]));
        let unit = if metric.ends_with("_ms") { "Milliseconds" } else { "Count" };
        assert_eq!(transformation["Unit"], unit, "{metric}");
        Self {
            function: logs(&properties["LogGroupName"]).to_owned(),
            conditions: terms.split(" && ").map(condition).collect(),
            metric,
            value,
            dimensions: dimensions.iter().map(dimension).collect(),
        }
    }

    pub(super) fn series(&self) -> String {
        series(&self.metric, self.dimensions.iter().map(String::as_str))
    }

    /// Returns true if the filter counts the line. Panics if the line is counted but lacks the number or the text of a
    /// dimension.
    pub(super) fn counts(&self, line: &Value) -> bool {
        let holds = |(field, expected): &(String, Option<String>)| match expected {
            None => line.get(field).is_some(),
            Some(text) => line.get(field).is_some_and(|value| value == text),
        };
        let counts = self.conditions.iter().all(holds);
        if counts {
            let field = self.value.strip_prefix("$.").unwrap_or_else(|| panic!("{} is no field", self.value));
            assert!(line[field].is_u64(), "{field} is no number: {line}");
            for dimension in &self.dimensions {
                let text = line[dimension].as_str();
                assert!(text.is_some_and(|text| !text.is_empty()), "{dimension} is no text: {line}");
            }
        }
        counts
    }
}

/// Reads `$.field = *` or `$.field = "text"`.
fn condition(term: &str) -> (String, Option<String>) {
    let unknown = || panic!("unknown term of a pattern: {term}");
    let (field, expected) = term.strip_prefix("$.").and_then(|rest| rest.split_once(" = ")).unwrap_or_else(unknown);
    assert!(field.bytes().all(|sign| sign == b'_' || sign.is_ascii_lowercase()), "unknown selector: {field}");
    let quoted = || expected.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_else(|| unknown().1);
    let text = (expected != "*").then(|| quoted().to_owned());
    assert!(text.as_ref().is_none_or(|text| !text.contains(['*', '"', '%'])), "unknown text: {term}");
    (field.to_owned(), text)
}

/// Names a metric with its dimensions, as in `postbacks by outcome, provider`.
fn series<'a>(metric: &str, dimensions: impl IntoIterator<Item = &'a str>) -> String {
    let dimensions: Vec<&str> = dimensions.into_iter().collect();
    if dimensions.is_empty() { metric.to_owned() } else { format!("{metric} by {}", dimensions.join(", ")) }
}

/// Returns the function of a log group, such as `Click` for `ClickLogs`.
fn logs(group: &Value) -> &str {
    let group = group.get("Ref").unwrap_or(group);
    group.as_str().and_then(|name| name.strip_suffix("Logs")).unwrap_or_else(|| panic!("no log group: {group}"))
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}"));
    rest.split_once(after).unwrap().0
}

/// Expands each `Fn::ForEach` of these resources.
fn written_out(resources: &Map<String, Value>) -> Map<String, Value> {
    let mut all = BTreeMap::new();
    for (id, resource) in resources {
        if !id.starts_with("Fn::ForEach::") {
            assert!(all.insert(id.clone(), resource.clone()).is_none(), "{id} is there twice");
            continue;
        }
        let (name, body) = (resource[0].as_str().unwrap(), resource[2].to_string());
        for item in resource[1].as_array().unwrap() {
            let item = item.as_str().unwrap();
            let alphanumeric: String = item.chars().filter(char::is_ascii_alphanumeric).collect();
            let body = body.replace(&format!("${{{name}}}"), item).replace(&format!("&{{{name}}}"), &alphanumeric);
            let body = body.replace(&format!("\"{name}\""), &format!("\"{item}\""));
            for (id, resource) in written_out(&serde_json::from_str(&body).unwrap()) {
                assert!(all.insert(id.clone(), resource).is_none(), "{id} is there twice");
            }
        }
    }
    all.into_iter().collect()
}
