use chrono::TimeDelta;
use database::testing::TestDatabase;
use database::{Area, Database, values};
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
    StatementDay::compared(
        Reconciliation { wallet, date: date(day), lines: 4, matched: 2, recorded: 1, unanswered: 0, discrepancies },
        0,
        at(9),
    )
}

fn names(days: &[StatementDay]) -> Vec<(String, &'static str)> {
    days.iter().map(|day| (day.date.to_string(), day.wallet.as_str())).collect()
}

/// What holds for every book. It begins empty.
async fn keeps_days(book: &dyn StatementBook) {
    assert_eq!(book.oldest(Wallet::Alipay).await.unwrap(), None);
    for day in [open(Wallet::Alipay, 2, 20), open(Wallet::Wechat, 1, 10), open(Wallet::Alipay, 1, 30)] {
        book.begin(day).await.unwrap();
    }
    book.begin(open(Wallet::Alipay, 1, 0)).await.unwrap();
    assert_eq!(book.oldest(Wallet::Alipay).await.unwrap(), Some(date(1)));
    assert_eq!(book.oldest(Wallet::WechatV2).await.unwrap(), None);
    assert_eq!(book.kept_since(Wallet::Alipay, date(1)).await.unwrap(), [date(1), date(2)].into());
    assert_eq!(book.kept_since(Wallet::Alipay, date(2)).await.unwrap(), [date(2)].into());
    assert_eq!(book.kept_since(Wallet::Wechat, date(2)).await.unwrap(), [].into());
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

/// Nobody's later word is written over.
async fn replaces_open_days_only(book: &dyn StatementBook) {
    let read = open(Wallet::Alipay, 1, 10);
    let vain = StatementDay { tries: 1, next_at: Some(at(99)), word: Some("BILL_NOT_EXIST".to_owned()), looked_at: at(50), ..read.clone() };
    assert!(!book.replace_open(vain.clone(), &read).await.unwrap(), "nothing is kept of it");
    book.begin(read.clone()).await.unwrap();
    assert!(book.replace_open(vain.clone(), &read).await.unwrap());
    assert_eq!(book.page(None, None, 9).await.unwrap(), std::slice::from_ref(&vain));
    // Another process has tried it since, or somebody looked at it by hand and it is open still.
    assert!(!book.replace_open(StatementDay { looked_at: at(60), ..vain.clone() }, &read).await.unwrap());
    let by_hand = StatementDay { tries: 0, looked_at: at(70), ..vain.clone() };
    book.put(by_hand.clone()).await.unwrap();
    assert!(!book.replace_open(vain.clone(), &vain).await.unwrap());
    assert!(!book.replace_open(vain.clone(), &read).await.unwrap());
    let matched = StatementDay { looked_at: by_hand.looked_at, ..compared(Wallet::Alipay, 1, false) };
    book.put(matched.clone()).await.unwrap();
    assert!(!book.replace_open(vain, &by_hand).await.unwrap());
    assert_eq!(book.page(None, None, 9).await.unwrap(), [matched]);
}

async fn sql_book(place: &TestDatabase) -> SqlStatementBook {
    sql_book_and_database(place).await.0
}

async fn sql_book_and_database(place: &TestDatabase) -> (SqlStatementBook, Database) {
    let database = place.open(Area::State).await.unwrap();
    // Alone in its area the step is counted without those of others.
    database.migrate(&[Migration { version: 1, ..STATEMENT_MIGRATION }]).await.unwrap();
    (SqlStatementBook::new(database.clone()), database)
}

/// Rows of a version that knows another wallet, and writes results otherwise.
async fn newer_rows_hide_nothing(place: &TestDatabase) {
    let (book, database) = sql_book_and_database(place).await;
    let newer = "insert into statement_day (wallet, statement_date, state, tries, next_at, looked_at) values ($1, $2, 'open', 0, $3, $3)";
    for day in 1..6 {
        database.execute(newer, values!["unionpay", date(day).to_string(), at(0)]).await.unwrap();
    }
    for day in [2, 5] {
        book.begin(open(Wallet::Alipay, day, 10)).await.unwrap();
    }
    assert_eq!(names(&book.due(at(10), 1).await.unwrap()), [("2026-07-02".to_owned(), "alipay")]);
    let all = [("2026-07-05".to_owned(), "alipay"), ("2026-07-02".to_owned(), "alipay")];
    assert_eq!(names(&book.page(None, None, 2).await.unwrap()), all);
    assert_eq!(names(&book.page(None, None, 9).await.unwrap()), all);
    assert_eq!(names(&book.page(None, Some((date(5), Wallet::Alipay)), 1).await.unwrap()), all[1..]);
    assert_eq!(book.page(None, None, 0).await.unwrap(), []);
    database.execute("update statement_day set result = $1 where wallet = 'alipay'", values!["[]"]).await.unwrap();
    assert_eq!(names(&book.due(at(10), 1).await.unwrap()), [("2026-07-02".to_owned(), "alipay")]);
    assert_eq!(book.page(None, None, 9).await.unwrap(), [], "it is not guessed");
}

#[tokio::test]
async fn newer_rows_hide_nothing_on_sqlite() {
    newer_rows_hide_nothing(&TestDatabase::sqlite()).await;
}

#[tokio::test]
async fn newer_rows_hide_nothing_on_postgres() {
    newer_rows_hide_nothing(&TestDatabase::postgres().await).await;
}

#[tokio::test]
async fn open_days_are_replaced_in_memory() {
    replaces_open_days_only(&MemoryStatementBook::default()).await;
}

#[tokio::test]
async fn open_days_are_replaced_on_sqlite() {
    let place = TestDatabase::sqlite();
    replaces_open_days_only(&sql_book(&place).await).await;
}

#[tokio::test]
async fn open_days_are_replaced_on_postgres() {
    let place = TestDatabase::postgres().await;
    replaces_open_days_only(&sql_book(&place).await).await;
}

#[test]
fn what_is_kept_of_a_result_is_read_back_and_an_older_one_too() {
    let result = Reconciliation { unanswered: 1, ..compared(Wallet::Alipay, 1, true).result.unwrap() };
    let text = row::written(&result);
    assert_eq!(row::read(Wallet::Alipay, date(1), &text), Some(result.clone()));
    let older = text.replace("\"unanswered\":1,", "");
    assert_ne!(older, text);
    assert_eq!(row::read(Wallet::Alipay, date(1), &older), Some(Reconciliation { unanswered: 0, ..result }));
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
