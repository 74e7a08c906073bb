use chrono::{DateTime, Utc};
use database::{Database, DatabaseError, Transaction, values};

use super::row::{INSERT, ParkedRow, insert_values, parked_columns};
use super::{ParkedMessage, ParkedState};
use crate::AdvanceError;

/// Where operators look at parked messages and act on them. What they ask for is done by the consumer itself, at its next run.
#[derive(Clone, Debug)]
pub struct ParkingDesk {
    views: Database,
}

/// Why nothing was done about a parked message.
#[derive(Debug, thiserror::Error)]
pub enum ParkingDeskError {
    /// There is none of this number: it was never here, or it was taken.
    #[error("there is no parked message of this number")]
    Unknown,
    /// It was skipped before: that is for good.
    #[error("the message was skipped before")]
    Skipped,
    /// The consumer has just changed it. Look again.
    #[error("the message changes just now")]
    Changed,
    /// A row holds what nobody writes there.
    #[error("the parked message is damaged: {0}")]
    Damaged(&'static str),
    /// Another process has gone on with operators' wishes meanwhile.
    #[error("another process has moved the checkpoint")]
    Overtaken,
    /// The tables did not answer.
    #[error("the parked messages cannot be reached")]
    Database(#[from] DatabaseError),
}

impl From<AdvanceError> for ParkingDeskError {
    fn from(error: AdvanceError) -> Self {
        match error {
            AdvanceError::Overtaken => Self::Overtaken,
            AdvanceError::Database(error) => Self::Database(error),
        }
    }
}

impl ParkingDesk {
    /// The tables of the step `consumers` of the area `Views`.
    pub fn new(views: Database) -> Self {
        Self { views }
    }

    /// The oldest messages in a state, or in any but skipped, at most `limit`.
    pub async fn list(&self, state: Option<ParkedState>, limit: u32) -> Result<Vec<ParkedMessage>, ParkingDeskError> {
        let sql = concat!(
            "select ",
            parked_columns!(),
            " from parked_message where (state = $1 or ($1 = '' and state <> 'skipped')) and consumer not like '%:rebuild' \
             order by consumer, position limit cast($2 as bigint)"
        );
        let word = state.map_or("", ParkedState::as_str);
        let rows: Vec<ParkedRow> = self.views.fetch_all(sql, values![word, limit]).await?;
        rows.into_iter().map(|row| row.read().map_err(ParkingDeskError::Damaged)).collect()
    }

    /// One message. Errors: [`ParkingDeskError::Unknown`].
    pub async fn show(&self, parked_id: &str) -> Result<ParkedMessage, ParkingDeskError> {
        let sql = concat!("select ", parked_columns!(), " from parked_message where parked_id = $1");
        let row: Option<ParkedRow> = self.views.fetch_optional(sql, values![parked_id]).await?;
        row.ok_or(ParkingDeskError::Unknown)?.read().map_err(ParkingDeskError::Damaged)
    }

    /// Has the queue of a message tried again from its first, at once and with all its tries.
    pub async fn redrive(&self, parked_id: &str, now: DateTime<Utc>) -> Result<(), ParkingDeskError> {
        let message = self.unskipped(parked_id).await?;
        let mut transaction = self.views.begin().await?;
        let touched = try_head_again(&mut transaction, &message.queue(), now).await?;
        transaction.commit().await?;
        if touched == 0 { Err(ParkingDeskError::Changed) } else { Ok(()) }
    }

    /// Passes a message over for good, and has what waits behind it tried.
    pub async fn skip(&self, parked_id: &str, reason: &str, now: DateTime<Utc>) -> Result<(), ParkingDeskError> {
        let message = self.unskipped(parked_id).await?;
        let mut transaction = self.views.begin().await?;
        let sql = "update parked_message set state = 'skipped', skip_reason = $4, retry_at = null \
             where parked_id = $1 and state = $2 and tries = $3";
        let values = values![parked_id, message.state.as_str(), message.tries, reason];
        if transaction.execute(sql, values).await? == 0 {
            transaction.rollback().await?;
            return Err(ParkingDeskError::Changed);
        }
        if message.state != ParkedState::Behind {
            try_head_again(&mut transaction, &message.queue(), now).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// See [`super::ParkedMessages::restore`].
    pub(super) async fn restore(&self, skipped: &ParkedMessage) -> Result<(), ParkingDeskError> {
        let mut transaction = self.views.begin_with_first().await?;
        if transaction.execute(INSERT, insert_values(skipped)).await? == 0 {
            transaction.rollback().await?;
            return Err(ParkingDeskError::Changed);
        }
        let sql = "update parked_message set skip_reason = $2 where parked_id = $1";
        transaction.execute(sql, values![&skipped.parked_id, skipped.skip_reason.clone()]).await?;
        transaction.commit().await?;
        Ok(())
    }

    pub(super) fn views(&self) -> &Database {
        &self.views
    }

    async fn unskipped(&self, parked_id: &str) -> Result<ParkedMessage, ParkingDeskError> {
        let message = self.show(parked_id).await?;
        if message.state == ParkedState::Skipped { Err(ParkingDeskError::Skipped) } else { Ok(message) }
    }
}

async fn try_head_again(transaction: &mut Transaction, queue: &str, now: DateTime<Utc>) -> Result<u64, DatabaseError> {
    let sql = "update parked_message set state = 'waiting', tries = 0, retry_at = $2 where queue = $1 and state <> 'skipped' \
         and position = (select min(position) from parked_message where queue = $1 and state <> 'skipped')";
    transaction.execute(sql, values![queue, now]).await
}
