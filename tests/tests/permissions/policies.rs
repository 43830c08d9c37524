//! Reads the policies in template.yaml.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Holds the deployment. YAML tags are dropped, so `!GetAtt X.Arn` is the text `X.Arn`, and `!If` is a list.
pub(crate) fn resources() -> Map<String, Value> {
    let template: Value = serde_saphyr::from_str(include_str!("../../../template.yaml")).unwrap();
    template["Resources"].as_object().unwrap().clone()
}

pub(crate) fn of_type<'a>(resources: &'a Map<String, Value>, kind: &str) -> BTreeMap<&'a str, &'a Value> {
    let wanted = resources.iter().filter(|(_, resource)| resource["Type"] == kind);
    wanted.map(|(name, resource)| (name.as_str(), &resource["Properties"])).collect()
}

pub(crate) fn statements(document: &Value) -> &Vec<Value> {
    document["Statement"].as_array().unwrap()
}

/// Returns all texts in a value. The value is a text, a list or a condition.
pub(crate) fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(list) => list.iter().flat_map(texts).collect(),
        Value::Object(object) => object.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// Returns the policies of each role, including managed policies, by the role's name.
pub(crate) fn policies(resources: &Map<String, Value>) -> BTreeMap<&str, Vec<&Value>> {
    let managed = of_type(resources, "AWS::IAM::ManagedPolicy");
    of_type(resources, "AWS::IAM::Role")
        .into_iter()
        .map(|(name, role)| {
            let inline = role["Policies"].as_array().into_iter().flatten().map(|policy| &policy["PolicyDocument"]);
            let attached = texts(&role["ManagedPolicyArns"]).into_iter().map(|name| &managed[name]["PolicyDocument"]);
            (name, inline.chain(attached).flat_map(statements).collect())
        })
        .collect()
}
