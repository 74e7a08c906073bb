use chrono::TimeDelta;
use database::Area;
use database::testing::TestDatabase;
use domain::{Currency, Money};

use super::*;
use crate::reconcile::{Discrepancy, DiscrepancyKind, Movement};

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
}

fn date(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 7, day).unwrap()
}

fn open(wallet: Wallet, day: u32, seconds: i64) -> StatementDay {
    StatementDay::open(wallet, date(day), at(seconds), at(0))
}

fn compared(wallet: Wallet, day: u32, has_difference: bool) -> StatementDay {
    let discrepancy = Discrepancy {
        kind: DiscrepancyKind::AmountDiffers,
        movement: Movement::Refund,
        out_trade_no: "723198234567890123401".to_owned(),
        trade_no: "trade-1".to_owned(),
        refund_no: Some("somebody-elses".to_owned()),
        amount: Money::new(100, Currency::Cny).unwrap(),
    };
    let discrepancies = if has_difference { vec![discrepancy] } else { vec![] };
    StatementDay::compared(Reconciliation { wallet, date: date(day), lines: 4, matched: 2, recorded: 1, discrepancies }, at(9))
}

fn names(days: &[StatementDay]) -> Vec<(String, &'static str)> {
    days.iter().map(|day| (day.date.to_string(), day.wallet.as_str())).collect()
}

/// What holds for every book. It begins empty.
async fn keeps_days(book: &dyn StatementBook) {
    assert_eq!(book.newest(Wallet::Alipay).await.unwrap(), None);
    for day in [open(Wallet::Alipay, 2, 20), open(Wallet::Wechat, 1, 10), open(Wallet::Alipay, 1, 30)] {
        book.begin(day).await.unwrap();
    }
    book.begin(open(Wallet::Alipay, 1, 0)).await.unwrap();
    assert_eq!(book.newest(Wallet::Alipay).await.unwrap(), Some(date(2)));
    assert_eq!(book.newest(Wallet::Wechat).await.unwrap(), Some(date(1)));
    assert_eq!(names(&book.due(at(9), 9).await.unwrap()), []);
    let due = names(&book.due(at(30), 2).await.unwrap());
    assert_eq!(due, [("2026-07-01".to_owned(), "wechat"), ("2026-07-01".to_owned(), "alipay")], "a day is begun once");

    let waiting = StatementDay { tries: 3, next_at: Some(at(99)), word: Some("BILL_NOT_EXIST".to_owned()), ..open(Wallet::Wechat, 1, 0) };
    let different = compared(Wallet::Alipay, 1, true);
    let given_up = StatementDay { state: DayState::Missing, next_at: None, tries: 40, ..waiting.clone() };
    for day in [&waiting, &different, &compared(Wallet::Alipay, 2, false)] {
        book.put(day.clone()).await.unwrap();
    }
    assert_eq!(book.due(at(98), 9).await.unwrap(), []);
    assert_eq!(book.due(at(99), 9).await.unwrap(), std::slice::from_ref(&waiting));
    book.put(given_up.clone()).await.unwrap();
    assert_eq!(book.due(at(99) + TimeDelta::days(9), 9).await.unwrap(), [], "nobody is asked any more");

    let all = book.page(None, None, 9).await.unwrap();
    assert_eq!(all, [compared(Wallet::Alipay, 2, false), different.clone(), given_up.clone()]);
    assert_eq!(book.page(None, None, 2).await.unwrap(), all[..2]);
    assert_eq!(book.page(None, Some((date(2), Wallet::Alipay)), 9).await.unwrap(), all[1..]);
    assert_eq!(book.page(None, Some((date(1), Wallet::Alipay)), 9).await.unwrap(), all[2..]);
    assert_eq!(book.page(Some(DayState::Different), None, 9).await.unwrap(), [different]);
    assert_eq!(book.page(Some(DayState::Missing), None, 9).await.unwrap(), [given_up]);
    assert_eq!(book.page(Some(DayState::Open), None, 9).await.unwrap(), []);
}

async fn sql_book(place: &TestDatabase) -> SqlStatementBook {
    let database = place.open(Area::State).await.unwrap();
    // Alone in its area the step is counted without those of others.
    database.migrate(&[Migration { version: 1, ..STATEMENT_MIGRATION }]).await.unwrap();
    SqlStatementBook::new(database)
}

#[tokio::test]
async fn days_are_kept_in_memory() {
    keeps_days(&MemoryStatementBook::default()).await;
}

#[tokio::test]
async fn days_are_kept_on_sqlite() {
    let place = TestDatabase::sqlite();
    keeps_days(&sql_book(&place).await).await;
}

#[tokio::test]
async fn days_are_kept_on_postgres() {
    let place = TestDatabase::postgres().await;
    keeps_days(&sql_book(&place).await).await;
}
