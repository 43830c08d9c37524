//! Suggests a known name instead of an unknown one.

/// The least similarity (Jaro, from 0 to 1) at which a known name is suggested instead of an unknown one.
const ALIKE: f64 = 0.8;

/// Returns `. Did you mean `name`?` with the known name that is most similar to the written one. Returns `None` if no
/// known name is similar enough.
pub fn suggestion(written: &str, known: &[String]) -> Option<String> {
    let alike = known.iter().map(|name| (strsim::jaro(written, name), name));
    let (alike, name) = alike.max_by(|one, other| one.0.total_cmp(&other.0))?;
    (alike >= ALIKE).then(|| format!(". Did you mean `{name}`?"))
}
