//! Reads random bytes from the operating system.

/// Returns `N` random bytes, fit for keys and tokens.
pub fn bytes<const N: usize>() -> Result<[u8; N], app::ports::Unavailable> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|fault| app::ports::Unavailable {
        service: "operating system's random bytes",
        reason: fault.to_string(),
    })?;
    Ok(bytes)
}
