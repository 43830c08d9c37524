//! Reads DynamoDB's expressions, as far as our clients write them.

use std::{cmp::Ordering, iter::Peekable, vec::IntoIter};

use serde_json::{Value, json};

use super::Item;

/// Resolves the `#names` and `:values` of a request.
#[derive(Debug)]
pub(super) struct Names<'a> {
    names: &'a Value,
    values: &'a Value,
}

impl<'a> Names<'a> {
    pub(super) fn of(request: &'a Value) -> Self {
        Self { names: &request["ExpressionAttributeNames"], values: &request["ExpressionAttributeValues"] }
    }

    fn path<'b>(&'b self, path: &'b str) -> Vec<&'b str> {
        path.split('.').map(|name| self.names[name].as_str().unwrap_or(name)).collect()
    }

    fn get<'b>(&self, path: &str, item: &'b Item) -> Option<&'b Value> {
        let path = self.path(path);
        let (first, rest) = path.split_first()?;
        rest.iter().try_fold(item.get(*first)?, |value, name| value["M"].get(name))
    }

    fn operand<'b>(&'b self, operand: &str, item: &'b Item) -> Option<&'b Value> {
        if operand.starts_with(':') { self.values.get(operand) } else { self.get(operand, item) }
    }
}

/// Holds a condition.
#[derive(Debug)]
pub(super) enum Condition {
    Any(Vec<Condition>),
    All(Vec<Condition>),
    Exists(String, bool),
    Compare(String, String, String),
}

type Tokens = Peekable<IntoIter<String>>;

impl Condition {
    pub(super) fn parse(expression: &str) -> Result<Self, String> {
        let mut tokens = tokens(expression).into_iter().peekable();
        let condition = Self::any(&mut tokens)?;
        tokens.next().map_or(Ok(condition), |left| Err(format!("unknown {left} in {expression}")))
    }

    fn any(tokens: &mut Tokens) -> Result<Self, String> {
        let mut either = vec![Self::all(tokens)?];
        while tokens.next_if(|token| token == "OR").is_some() {
            either.push(Self::all(tokens)?);
        }
        Ok(Self::Any(either))
    }

    fn all(tokens: &mut Tokens) -> Result<Self, String> {
        let mut both = vec![Self::one(tokens)?];
        while tokens.next_if(|token| token == "AND").is_some() {
            both.push(Self::one(tokens)?);
        }
        Ok(Self::All(both))
    }

    fn one(tokens: &mut Tokens) -> Result<Self, String> {
        let mut next = || tokens.next().ok_or_else(|| "the expression ends early".to_owned());
        let first = next()?;
        match first.as_str() {
            "(" => {
                let inner = Self::any(tokens)?;
                tokens.next_if(|token| token == ")").map(|_| inner).ok_or_else(|| "a bracket is not closed".to_owned())
            }
            "attribute_exists" | "attribute_not_exists" => {
                let (_, path, _) = (next()?, next()?, next()?);
                Ok(Self::Exists(path, first == "attribute_exists"))
            }
            _ => Ok(Self::Compare(first, next()?, next()?)),
        }
    }

    pub(super) fn holds(&self, names: &Names<'_>, item: &Item) -> bool {
        match self {
            Self::Any(either) => either.iter().any(|condition| condition.holds(names, item)),
            Self::All(both) => both.iter().all(|condition| condition.holds(names, item)),
            Self::Exists(path, wanted) => names.get(path, item).is_some() == *wanted,
            Self::Compare(left, operator, right) => {
                let (left, right) = (names.operand(left, item), names.operand(right, item));
                let ordering = left.zip(right).and_then(|(left, right)| compare(left, right));
                ordering.is_some_and(|ordering| match operator.as_str() {
                    "=" => ordering.is_eq(),
                    "<>" => ordering.is_ne(),
                    "<" => ordering.is_lt(),
                    "<=" => ordering.is_le(),
                    ">" => ordering.is_gt(),
                    ">=" => ordering.is_ge(),
                    _ => false,
                })
            }
        }
    }
}

fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    if let (Some(left), Some(right)) = (number(left), number(right)) {
        return Some(left.cmp(&right));
    }
    match (left["S"].as_str(), right["S"].as_str()) {
        (Some(left), Some(right)) => Some(left.cmp(right)),
        _ => (left == right).then_some(Ordering::Equal),
    }
}

fn number(value: &Value) -> Option<i128> {
    value["N"].as_str()?.parse().ok()
}

/// Carries out an update expression with the clauses `SET` (a value, or `if_not_exists`), `ADD` (numbers) and
/// `REMOVE`.
pub(super) fn update(expression: &str, names: &Names<'_>, item: &mut Item) -> Result<(), String> {
    let mut tokens = tokens(expression).into_iter().peekable();
    let mut clause = String::new();
    while let Some(token) = tokens.next() {
        let mut next = || tokens.next().ok_or_else(|| format!("{expression} ends early"));
        match (token.as_str(), clause.as_str()) {
            ("SET" | "ADD" | "REMOVE", _) => clause = token,
            (",", _) => {}
            (path, "SET") => {
                next()?;
                let mut value = next()?;
                let mut unless = None;
                if value == "if_not_exists" {
                    next()?;
                    unless = names.get(&next()?, item).cloned();
                    next()?;
                    value = next()?;
                    next()?;
                }
                let value = unless.or_else(|| names.operand(&value, item).cloned());
                set(item, &names.path(path), value.ok_or_else(|| format!("{path} is set to nothing"))?)?;
            }
            (path, "ADD") => {
                let more = names.values.get(next()?).and_then(number).unwrap_or_default();
                let sum = names.get(path, item).and_then(number).unwrap_or_default() + more;
                set(item, &names.path(path), json!({"N": sum.to_string()}))?;
            }
            (path, "REMOVE") => {
                item.remove(&names.path(path).join("."));
            }
            _ => return Err(format!("unknown {token} in {expression}")),
        }
    }
    Ok(())
}

fn set(item: &mut Item, path: &[&str], value: Value) -> Result<(), String> {
    match path {
        [] => Err("a path is empty".to_owned()),
        [name] => {
            item.insert((*name).to_owned(), value);
            Ok(())
        }
        [name, rest @ ..] => {
            let inner = item.get_mut(*name).and_then(|value| value["M"].as_object_mut());
            set(inner.ok_or_else(|| format!("{name} is not a map"))?, rest, value)
        }
    }
}

fn tokens(expression: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut word = String::new();
    let end = |word: &mut String, tokens: &mut Vec<String>| {
        if !word.is_empty() {
            tokens.push(std::mem::take(word));
        }
    };
    for c in expression.chars() {
        match c {
            '(' | ')' | ',' => {
                end(&mut word, &mut tokens);
                tokens.push(c.to_string());
            }
            _ if c.is_whitespace() => end(&mut word, &mut tokens),
            _ => word.push(c),
        }
    }
    end(&mut word, &mut tokens);
    tokens
}
