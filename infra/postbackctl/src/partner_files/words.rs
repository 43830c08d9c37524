//! What is wrong with a file's shape in our words, whatever the deserializer calls it.

/// A deserializer's message in our words; as it is where it is none that is known.
pub(super) fn of(message: &str) -> String {
    let found = missing(message)
        .map(|key| format!("{key} is missing"))
        .or_else(|| unknown(message))
        .or_else(|| of_another_type(message));
    found.unwrap_or_else(|| message.to_owned())
}

/// The key that is missing, if that is what a message says.
pub(super) fn missing(message: &str) -> Option<&str> {
    message.strip_prefix("missing field `")?.strip_suffix('`')
}

/// A key or a value that there is not, and those that there are.
fn unknown(message: &str) -> Option<String> {
    let (what, rest) = match message.strip_prefix("unknown field `") {
        Some(rest) => ("no such key", rest),
        None => ("no such value", message.strip_prefix("unknown variant `")?),
    };
    let (_, there_are) = rest.split_once("`, ")?;
    let names: Vec<&str> = there_are.split('`').skip(1).step_by(2).collect();
    Some(match names.as_slice() {
        [] => format!("there is {what}: nothing stands here"),
        names => format!("there is {what}; there is {}", names.join(", ")),
    })
}

fn of_another_type(message: &str) -> Option<String> {
    if message.starts_with("invalid length ") {
        // A list is read as a struct whose keys are in order, which nobody means.
        return Some("must be keys and values, not a list".to_owned());
    }
    let rest = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "))?;
    let (found, expected) = rest.rsplit_once(", expected ")?;
    Some(format!("must be {}, not {}", wanted(expected), given(found)))
}

fn wanted(expected: &str) -> &str {
    match expected {
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a string" | "string or map" | "variant identifier" => "a text",
        "u8" | "u16" | "u32" | "u64" => "a whole number, 0 or more",
        // Whatever else the file has is a struct, or an enum whose kind is one of its keys.
        _ => "keys and values",
    }
}

fn given(found: &str) -> &str {
    match found {
        "null" | "unit value" | "Option value" => "nothing",
        "sequence" => "a list",
        "map" => "keys and values",
        found => match found.split_once('`') {
            Some((_, value)) => value.trim_end_matches('`'),
            None => found.strip_prefix("string ").unwrap_or(found),
        },
    }
}
