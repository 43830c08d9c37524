//! Holds the console's sessions in memory.

use domain::{
    audit::AuditRecord,
    session::{Session, SessionKey},
};

use super::World;
use crate::ports::{Sessions, Unavailable};

impl Sessions for World {
    async fn open(&self, key: &SessionKey, session: &Session) -> Result<(), Unavailable> {
        self.call("open session", |state| drop(state.sessions.insert(key.clone(), session.clone())))
    }

    async fn find(&self, key: &SessionKey) -> Result<Option<Session>, Unavailable> {
        self.call("find session", |state| state.sessions.get(key).cloned())
    }

    async fn end(&self, key: &SessionKey) -> Result<Option<Session>, Unavailable> {
        self.call("end session", |state| state.sessions.remove(key))
    }

    async fn make_link(&self, key: &SessionKey, link: &Session, audit: &AuditRecord) -> Result<(), Unavailable> {
        self.call("make link", |state| {
            state.sessions.insert(key.clone(), link.clone());
            state.audit.push(audit.clone());
        })
    }
}
