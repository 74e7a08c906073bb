//! The days that channels count, and when their statements are looked at.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveTime, TimeDelta, Utc};
use gateway::says_no_statement;

use crate::wallet::Wallet;

/// Both wallets count days in Beijing.
const BEIJING_S: i32 = 8 * 3600;

/// When a day is looked at again that came to no end: often on the first day of its statement, then rarely.
const SOON: (TimeDelta, TimeDelta) = (TimeDelta::days(1), TimeDelta::minutes(30));
/// The same after that, and until when.
const LATER: (TimeDelta, TimeDelta) = (TimeDelta::days(7), TimeDelta::hours(6));

/// How often at least a channel is asked about a day before its silence ends it: a day that is taken up late, since nothing
/// ran, has as many tries as fill a day.
const LEAST_TRIES: u32 = 5;

/// How long after the end of a day its statement is there: both channels say when they are done with it, and are given
/// half an hour more.
fn made_after(wallet: Wallet) -> TimeDelta {
    match wallet {
        Wallet::Alipay => TimeDelta::minutes(9 * 60 + 30),
        Wallet::Wechat | Wallet::WechatV2 => TimeDelta::minutes(10 * 60 + 30),
    }
}

/// From when on the channel has a day's statement; none where the calendar ends.
pub(crate) fn ready_at(wallet: Wallet, date: NaiveDate) -> Option<DateTime<Utc>> {
    day(date)?.1.checked_add_signed(made_after(wallet))
}

/// The newest day whose statement the channel has.
pub(crate) fn newest_ready(wallet: Wallet, now: DateTime<Utc>) -> Option<NaiveDate> {
    let beijing = FixedOffset::east_opt(BEIJING_S)?;
    (now - made_after(wallet)).with_timezone(&beijing).date_naive().pred_opt()
}

/// When a day is looked at again for which the channel had no answer now, after so many `tries`; `None` once it is looked at
/// no more.
pub(super) fn look_again_at(wallet: Wallet, date: NaiveDate, tries: u32, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    look_again_by_age(wallet, date, now).or_else(|| (tries < LEAST_TRIES).then(|| now + LATER.1))
}

/// The same where the channel said `word` instead of giving a statement: that there is none needs no second try.
pub(crate) fn ask_again_at(wallet: Wallet, date: NaiveDate, tries: u32, word: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if says_no_statement(word) { look_again_by_age(wallet, date, now) } else { look_again_at(wallet, date, tries, now) }
}

fn look_again_by_age(wallet: Wallet, date: NaiveDate, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let age = now - ready_at(wallet, date).unwrap_or(now);
    [SOON, LATER].into_iter().find(|(until, _)| age < *until).map(|(_, pause)| now + pause)
}

/// The first moment of a day in Beijing, and that of the next; none where the calendar ends.
pub(super) fn day(date: NaiveDate) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let beijing = FixedOffset::east_opt(BEIJING_S)?;
    let midnight = |date: NaiveDate| Some(date.and_time(NaiveTime::MIN).and_local_timezone(beijing).single()?.to_utc());
    Some((midnight(date)?, midnight(date.succ_opt()?)?))
}
