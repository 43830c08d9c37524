//! Stores the console's sessions and the links to the portal.

use app::ports::{Sessions, Unavailable};
use aws_sdk_dynamodb::{Client, types::ReturnValue};
use domain::{
    audit::AuditRecord,
    session::{Session, SessionKey},
};

use super::{
    audit::DynamoAudit,
    from_item,
    item::{SESSION, SessionItem},
    key_of, read,
    write::{Requires, in_transaction, put, send_put},
};
use crate::aws::unavailable;

const PUT: &str = "DynamoDB PutItem sessions";
const GET: &str = "DynamoDB GetItem sessions";
const DELETE: &str = "DynamoDB DeleteItem sessions";
const LINK: &str = "DynamoDB TransactWriteItems sessions, audit";

/// Implements [`Sessions`] in a table.
#[derive(Debug, Clone)]
pub struct DynamoSessions {
    client: Client,
    table: String,
    audit: DynamoAudit,
}

impl DynamoSessions {
    /// Uses this table of sessions, and these audit records.
    pub fn new(client: Client, table: String, audit: DynamoAudit) -> Self {
        Self { client, table, audit }
    }
}

impl Sessions for DynamoSessions {
    async fn open(&self, key: &SessionKey, session: &Session) -> Result<(), Unavailable> {
        let put = || put(PUT, &self.table, &SessionItem::new(key, session), Requires::Nothing);
        send_put(&self.client, PUT, put).await.map(|_| ())
    }

    async fn find(&self, key: &SessionKey) -> Result<Option<Session>, Unavailable> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(key_of(SESSION, key.as_str())));
        let item: Option<SessionItem> = read::get(GET, get.consistent_read(true)).await?;
        Ok(item.map(|item| item.session))
    }

    async fn end(&self, key: &SessionKey) -> Result<Option<Session>, Unavailable> {
        let delete = self.client.delete_item().table_name(&self.table).set_key(Some(key_of(SESSION, key.as_str())));
        let deleted = delete.return_values(ReturnValue::AllOld).send().await.map_err(unavailable(DELETE))?;
        let item = deleted.attributes.map(|item| from_item::<SessionItem>(DELETE, item)).transpose()?;
        Ok(item.map(|item| item.session))
    }

    async fn make_link(&self, key: &SessionKey, link: &Session, audit: &AuditRecord) -> Result<(), Unavailable> {
        let put = put(LINK, &self.table, &SessionItem::new(key, link), Requires::Nothing)?;
        if self.audit.transact(LINK, vec![in_transaction(put)], audit).await? {
            return Ok(());
        }
        Err(Unavailable { service: LINK, reason: "another transaction was writing".into() })
    }
}
