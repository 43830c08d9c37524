//! Stores the console's sessions, and the links that open a partner's portal.

use domain::{
    audit::AuditRecord,
    session::{Session, SessionKey},
};

use super::Unavailable;

/// The console's sessions and links. Each is deleted some days after it has expired.
pub trait Sessions: Send + Sync {
    /// Stores a session. MUST be durable before it returns.
    fn open(&self, key: &SessionKey, session: &Session) -> impl Future<Output = Result<(), Unavailable>> + Send;

    /// Reads a session. MUST see every write that returned before. MAY return an expired session.
    fn find(&self, key: &SessionKey) -> impl Future<Output = Result<Option<Session>, Unavailable>> + Send;

    /// Deletes a session or a link and returns it. If several callers delete it at the same time, exactly one of them
    /// MUST get it. MAY return an expired one.
    fn end(&self, key: &SessionKey) -> impl Future<Output = Result<Option<Session>, Unavailable>> + Send;

    /// Stores a link and the audit record. MUST do both or neither, and MUST be durable before it returns.
    fn make_link(
        &self,
        key: &SessionKey,
        link: &Session,
        audit: &AuditRecord,
    ) -> impl Future<Output = Result<(), Unavailable>> + Send;
}
