use chassis::clock::Clock;
use domain::pay_record::PayRecordStatus;
use domain::{Channel, Currency, Money};
use followers::MemoryLeases;
use gateway::{GatewayError, Operation, Statement, StatementLine, StatementLineKind};

use super::*;
use crate::reconcile::DiscrepancyKind;
use crate::testing::*;

/// A world with this process manager, on the evening (in Beijing) of 20 July.
struct Stage {
    world: World,
    leases: Arc<MemoryLeases>,
    manager: DailyStatements,
}

impl Stage {
    async fn new() -> Self {
        let world = World::new().await;
        let leases = Arc::new(MemoryLeases::default());
        let manager = DailyStatements::new(world.other_process(), leases.clone(), "one".to_owned());
        Self { world, leases, manager }
    }

    fn over(world: World, commands: Commands) -> Self {
        let leases = Arc::new(MemoryLeases::default());
        let manager = DailyStatements::new(commands, leases.clone(), "one".to_owned());
        Self { world, leases, manager }
    }

    /// It is `moment` now, and the manager runs until it has nothing to do.
    async fn at(&self, moment: &str) {
        let moment: DateTime<Utc> = moment.parse().unwrap();
        self.world.clock.advance(moment - self.world.clock.now());
        while !self.manager.run_once().await.unwrap().caught_up {}
    }

    fn answers(&self, date: &str, lines: Vec<StatementLine>) {
        self.world.channel.statements(Ok(Statement { date: date.parse().unwrap(), lines }));
    }

    fn refuses(&self, code: &str) {
        let (channel, operation, code) = (Channel::AlipayQr, Operation::DownloadStatement, code.to_owned());
        self.world.channel.statements(Err(GatewayError::Refused { channel, operation, code }));
    }

    async fn days(&self) -> Vec<(String, &'static str)> {
        let days = self.manager.book.page(None, None, 100).await.unwrap();
        days.into_iter().map(|day| (day.date.to_string(), day.state.as_str())).collect()
    }

    async fn newest(&self) -> StatementDay {
        self.manager.book.page(None, None, 1).await.unwrap().remove(0)
    }
}

fn line(out_trade_no: &str, trade_no: &str, amount: i64) -> StatementLine {
    StatementLine {
        kind: StatementLineKind::Payment,
        out_trade_no: out_trade_no.to_owned(),
        trade_no: trade_no.to_owned(),
        amount: Money::new(amount, Currency::Cny).unwrap(),
        fee_minor: 0,
        at: Some(paid_at()),
    }
}

#[tokio::test]
async fn a_day_is_compared_by_itself_once_its_statement_is_there_and_what_was_dark_is_recorded() {
    let stage = Stage::new().await;
    let pay_no = stage.world.pending().await;
    stage.answers("2026-07-19", vec![]);
    stage.at("2026-07-20T08:10:00Z").await;
    assert_eq!(stage.days().await, [("2026-07-19".to_owned(), "matched")], "the first day is the one that is ready");
    stage.at("2026-07-21T01:29:59Z").await;
    assert_eq!(stage.days().await.len(), 1, "half past nine in Beijing has not come");

    stage.answers("2026-07-20", vec![line(&pay_no.to_string(), "trade-1", COURSE_PRICE)]);
    stage.world.channel.queries(Ok(paid("trade-1", COURSE_PRICE)));
    stage.at("2026-07-21T01:31:00Z").await;
    let day = stage.newest().await;
    assert_eq!((day.date.to_string(), day.state, day.tries), ("2026-07-20".to_owned(), DayState::Matched, 0));
    assert_eq!(day.result.unwrap().recorded, 1);
    assert_ne!(stage.world.status(pay_no).await, PayRecordStatus::Pending);
    let head = stage.world.head().await;
    stage.at("2026-07-21T12:00:00Z").await;
    assert_eq!((stage.days().await.len(), stage.world.head().await), (2, head), "once is enough");
}

#[tokio::test]
async fn days_that_were_missed_are_taken_up_from_the_oldest_on() {
    let stage = Stage::new().await;
    stage.answers("2026-07-19", vec![]);
    stage.at("2026-07-20T08:10:00Z").await;
    for day in ["2026-07-20", "2026-07-21", "2026-07-22"] {
        stage.answers(day, vec![]);
    }
    stage.at("2026-07-23T12:00:00Z").await;
    let days: Vec<String> = stage.days().await.into_iter().map(|(date, _)| date).collect();
    assert_eq!(days, ["2026-07-22", "2026-07-21", "2026-07-20", "2026-07-19"]);
}

#[tokio::test]
async fn what_does_not_match_stands_in_the_list_until_it_does() {
    let stage = Stage::new().await;
    stage.answers("2026-07-19", vec![line("SHOP-7", "trade-9", 100)]);
    stage.at("2026-07-20T08:10:00Z").await;
    let day = stage.newest().await;
    let found = day.result.unwrap().discrepancies;
    assert_eq!((day.state, found.len(), found[0].kind), (DayState::Different, 1, DiscrepancyKind::ChannelOnly));
    stage.answers("2026-07-19", vec![]);
    let (operator, date) = (crate::Caller::Operator("olga".to_owned()), day.date);
    stage.world.commands.reconcile(&operator, Channel::AlipayQr, date, CORRELATION).await.unwrap();
    assert_eq!(stage.days().await, [("2026-07-19".to_owned(), "matched")], "an operator has it compared once more");
}

#[tokio::test]
async fn a_statement_that_is_not_there_is_asked_for_again_often_then_rarely_and_then_no_more() {
    let stage = Stage::new().await;
    stage.refuses("BILL_NOT_EXIST");
    stage.at("2026-07-20T08:10:00Z").await;
    let day = stage.newest().await;
    assert_eq!((day.state, day.tries, day.word.as_deref()), (DayState::Open, 1, Some("BILL_NOT_EXIST")));
    assert_eq!(day.next_at, Some("2026-07-20T08:40:00Z".parse().unwrap()));
    stage.at("2026-07-20T08:39:59Z").await;
    assert_eq!(stage.newest().await.tries, 1);
    stage.world.channel.statements(Err(unknown(Operation::DownloadStatement)));
    stage.at("2026-07-20T08:41:00Z").await;
    let day = stage.newest().await;
    assert_eq!((day.tries, day.word.as_deref()), (2, Some("channel_unavailable")));
    // The day after, six hours pass between two questions; the next day's are answered.
    stage.refuses("BILL_NOT_EXIST");
    stage.answers("2026-07-20", vec![]);
    stage.at("2026-07-21T02:00:00Z").await;
    let [newest, oldest] = stage.manager.book.page(None, None, 2).await.unwrap().try_into().unwrap();
    assert_eq!((newest.state, oldest.tries, oldest.next_at), (DayState::Matched, 3, Some("2026-07-21T08:00:00Z".parse().unwrap())));
    // After a week nobody asks any more; that nothing moved is what the log says too.
    for _ in 0..8 {
        stage.refuses("BILL_NOT_EXIST");
    }
    stage.at("2026-07-27T12:00:00Z").await;
    let oldest = stage.manager.book.page(None, None, 100).await.unwrap().pop().unwrap();
    assert_eq!((oldest.date.to_string(), oldest.state, oldest.next_at), ("2026-07-19".to_owned(), DayState::Matched, None));
}

#[tokio::test]
async fn a_day_with_money_and_without_a_statement_is_missing_in_the_end() {
    let stage = Stage::new().await;
    let pay_no = stage.world.pending().await;
    stage.world.pay(pay_no).await;
    stage.answers("2026-07-19", vec![]);
    stage.at("2026-07-20T08:10:00Z").await;
    for _ in 0..9 {
        stage.refuses("BILL_NOT_EXIST");
    }
    stage.at("2026-07-29T12:00:00Z").await;
    let days = stage.days().await;
    let of_payment = days.iter().find(|(date, _)| date == "2026-07-20").unwrap();
    assert_eq!(of_payment.1, "missing", "{days:?}");
}

#[tokio::test]
async fn one_process_at_a_time_compares() {
    let stage = Stage::new().await;
    let now = stage.world.clock.now();
    assert!(stage.leases.try_acquire(NAME, "another", now, now + TimeDelta::hours(1)).await.unwrap());
    stage.answers("2026-07-19", vec![]);
    stage.at("2026-07-20T08:10:00Z").await;
    assert_eq!(stage.days().await, [("2026-07-19".to_owned(), "open")]);
    stage.at("2026-07-20T09:30:00Z").await;
    assert_eq!(stage.days().await, [("2026-07-19".to_owned(), "matched")]);
}

#[tokio::test]
async fn both_protocols_of_wechat_pay_have_one_statement_and_each_wallet_its_own() {
    let world = World::new().await;
    let both =
        world.with_channels(|channels, one| channels.with(Channel::WechatNative, one.clone()).with(Channel::WechatNativeV2, one.clone()));
    let stage = Stage::over(world, both);
    for _ in 0..2 {
        stage.answers("2026-07-19", vec![]);
    }
    stage.at("2026-07-20T08:10:00Z").await;
    let days = stage.manager.book.page(None, None, 100).await.unwrap();
    assert_eq!(days.iter().map(|day| day.wallet).collect::<Vec<_>>(), [Wallet::Alipay, Wallet::Wechat]);
    let world = World::new().await;
    let old = world.with_channels(|_, one| crate::Channels::default().with_earlier(Channel::WechatNativeV2, one.clone()));
    let stage = Stage::over(world, old);
    stage.answers("2026-07-19", vec![]);
    stage.at("2026-07-20T08:10:00Z").await;
    assert_eq!(stage.newest().await.wallet, Wallet::WechatV2, "what is offered no more is compared still");
}

/// A week after the first try of a day that was never compared: with that one it is asked for five times.
const AFTER_A_WEEK: [&str; 4] = ["2026-07-27T12:00:00Z", "2026-07-27T18:00:00Z", "2026-07-28T00:00:00Z", "2026-07-28T06:00:00Z"];

/// Nobody asks any more after a week and so many tries.
async fn ends_as(stage: &Stage, answer: impl Fn(&Stage), word: &str) -> &'static str {
    let asked = async |moment: &str| {
        // More than there are days: each is asked for once at a moment.
        for _ in 0..12 {
            answer(stage);
        }
        stage.at(moment).await;
    };
    asked("2026-07-20T08:10:00Z").await;
    for moment in AFTER_A_WEEK {
        asked(moment).await;
    }
    let oldest = stage.manager.book.page(None, None, 100).await.unwrap().pop().unwrap();
    assert_eq!((oldest.date.to_string(), oldest.next_at, oldest.word.as_deref()), ("2026-07-19".to_owned(), None, Some(word)));
    oldest.state.as_str()
}

#[tokio::test]
async fn only_where_the_channel_says_that_there_is_none_a_quiet_day_matches_without_a_statement() {
    for word in ["BILL_NOT_EXIST", "20002"] {
        let stage = Stage::new().await;
        assert_eq!(ends_as(&stage, |stage| stage.refuses(word), word).await, "matched", "{word}");
    }
    for word in ["isv.insufficient-isv-permissions", "NO_AUTH", "STATEMENT_CREATING", "paystream.no_statements"] {
        let stage = Stage::new().await;
        assert_eq!(ends_as(&stage, |stage| stage.refuses(word), word).await, "missing", "{word}");
    }
    let stage = Stage::new().await;
    let silent = |stage: &Stage| stage.world.channel.statements(Err(unknown(Operation::DownloadStatement)));
    assert_eq!(ends_as(&stage, silent, "channel_unavailable").await, "missing");
}

#[tokio::test]
async fn a_day_of_a_wallet_that_is_configured_no_more_is_missing_in_the_end() {
    let stage = Stage::new().await;
    stage.refuses("BILL_NOT_EXIST");
    stage.at("2026-07-20T08:10:00Z").await;
    let Stage { world, manager, .. } = stage;
    let without = world.without_channels();
    assert!(Arc::ptr_eq(&without.ports.statements, &manager.book));
    let stage = Stage::over(world, without);
    for moment in AFTER_A_WEEK {
        assert_eq!(stage.newest().await.state, DayState::Open);
        stage.at(moment).await;
    }
    let day = stage.newest().await;
    assert_eq!((day.state, day.word.as_deref()), (DayState::Missing, Some("channel_not_configured")));
}

#[tokio::test]
async fn a_day_with_a_line_that_is_not_answered_for_stays_open_until_it_is() {
    let stage = Stage::new().await;
    let pay_no = stage.world.pending().await;
    let lines = || vec![line(&pay_no.to_string(), "trade-1", COURSE_PRICE)];
    stage.answers("2026-07-19", lines());
    stage.world.channel.queries(Err(unknown(Operation::Query)));
    stage.at("2026-07-20T08:10:00Z").await;
    let day = stage.newest().await;
    assert_eq!((day.state, day.tries, day.word.as_deref()), (DayState::Open, 1, Some("channel_unavailable")));
    assert_eq!(day.next_at, Some("2026-07-20T08:40:00Z".parse().unwrap()));
    let result = day.result.unwrap();
    assert_eq!((result.unanswered, result.discrepancies.len()), (1, 1), "what is known is shown");
    // A statement that does not come then takes nothing of that away.
    stage.refuses("BILL_NOT_EXIST");
    stage.at("2026-07-20T08:41:00Z").await;
    let day = stage.newest().await;
    assert_eq!((day.state, day.tries, day.result.unwrap().unanswered), (DayState::Open, 2, 1));
    stage.answers("2026-07-19", lines());
    stage.world.channel.queries(Ok(paid("trade-1", COURSE_PRICE)));
    stage.at("2026-07-20T09:12:00Z").await;
    let day = stage.newest().await;
    assert_eq!((day.state, day.next_at, day.word), (DayState::Matched, None, None));
    assert_eq!(day.result.unwrap().recorded, 1);
    assert_eq!(stage.world.record(pay_no).await.captures.len(), 1);
}

#[tokio::test]
async fn a_line_that_is_never_answered_for_needs_an_operator_in_the_end() {
    for comes_last in [true, false] {
        let stage = Stage::new().await;
        let pay_no = stage.world.pending().await;
        let silent = || {
            stage.answers("2026-07-19", vec![line(&pay_no.to_string(), "trade-1", COURSE_PRICE)]);
            stage.world.channel.queries(Err(unknown(Operation::Query)));
        };
        silent();
        stage.at("2026-07-20T08:10:00Z").await;
        assert_eq!(stage.newest().await.state, DayState::Open);
        let moments = if comes_last { &AFTER_A_WEEK[..] } else { &AFTER_A_WEEK[..1] };
        for moment in moments {
            if comes_last {
                silent();
            } else {
                stage.refuses("BILL_NOT_EXIST");
            }
            stage.at(moment).await;
        }
        let oldest = stage.manager.book.page(None, None, 100).await.unwrap().pop().unwrap();
        assert_eq!((oldest.state, oldest.next_at, oldest.result.unwrap().unanswered), (DayState::Different, None, 1));
    }
}

/// Nothing ran for twenty days after the day before: these moments are those at which its days are asked for then.
const LATE: [&str; 5] =
    ["2026-08-09T12:00:00Z", "2026-08-09T18:00:00Z", "2026-08-10T00:00:00Z", "2026-08-10T06:00:00Z", "2026-08-10T12:00:00Z"];

impl Stage {
    /// A shop that has compared a day and then stood still.
    async fn stood_still() -> Self {
        let stage = Self::new().await;
        stage.answers("2026-07-19", vec![]);
        stage.at("2026-07-20T08:10:00Z").await;
        stage
    }

    async fn of(&self, date: &str) -> StatementDay {
        let days = self.manager.book.page(None, None, 100).await.unwrap();
        days.into_iter().find(|day| day.date.to_string() == date).unwrap()
    }

    /// About each of the twenty days.
    fn is_silent(&self) {
        for _ in 0..20 {
            self.world.channel.statements(Err(unknown(Operation::DownloadStatement)));
        }
    }
}

#[tokio::test]
async fn a_day_that_is_taken_up_late_is_not_ended_by_a_network_that_is_not_up_yet() {
    let stage = Stage::stood_still().await;
    stage.is_silent();
    stage.at(LATE[0]).await;
    let days = stage.days().await;
    assert_eq!((days.len(), days.iter().filter(|(_, state)| *state == "open").count()), (21, 20), "{days:?}");
    let day = stage.of("2026-07-20").await;
    assert_eq!((day.tries, day.next_at), (1, Some(LATE[1].parse().unwrap())));
    stage.at(LATE[1]).await;
    assert!(stage.days().await.iter().all(|(_, state)| *state == "matched"));
}

#[tokio::test]
async fn a_day_that_is_taken_up_late_ends_after_a_day_of_silence() {
    let stage = Stage::stood_still().await;
    for (asked, moment) in (1..).zip(LATE) {
        stage.is_silent();
        stage.at(moment).await;
        let day = stage.of("2026-07-20").await;
        let expected = if asked < LATE.len() { DayState::Open } else { DayState::Missing };
        assert_eq!((day.state, day.next_at.is_some()), (expected, expected == DayState::Open), "{moment}");
    }
    // That there is none is an answer.
    let stage = Stage::stood_still().await;
    stage.refuses("BILL_NOT_EXIST");
    stage.at(LATE[0]).await;
    assert_eq!(stage.of("2026-07-20").await.state, DayState::Matched);
    assert_eq!(stage.of("2026-07-20").await.word.as_deref(), Some("BILL_NOT_EXIST"));
}

#[tokio::test]
async fn a_line_of_a_day_that_is_taken_up_late_is_asked_about_as_often() {
    let stage = Stage::stood_still().await;
    let pay_no = stage.world.pending().await;
    for (asked, moment) in (1..).zip(LATE) {
        stage.answers("2026-07-20", vec![line(&pay_no.to_string(), "trade-1", COURSE_PRICE)]);
        stage.world.channel.queries(Err(unknown(Operation::Query)));
        stage.at(moment).await;
        let day = stage.of("2026-07-20").await;
        let expected = if asked < LATE.len() { DayState::Open } else { DayState::Different };
        assert_eq!((day.state, day.result.unwrap().unanswered), (expected, 1), "{moment}");
    }
}

#[tokio::test]
async fn a_line_of_a_product_that_is_configured_no_more_is_shown_with_the_rest_of_its_day() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    let other = world.with_channels(|_, one| crate::Channels::default().with(Channel::AlipayWap, one.clone()));
    let stage = Stage::over(world, other);
    stage.answers("2026-07-19", vec![line(&pay_no.to_string(), "trade-1", COURSE_PRICE)]);
    stage.at("2026-07-20T08:10:00Z").await;
    let day = stage.newest().await;
    assert_eq!((day.state, day.next_at, day.word), (DayState::Different, None, None));
    assert_eq!(day.result.unwrap().discrepancies[0].kind, DiscrepancyKind::ChannelOnly);
}

#[tokio::test]
async fn a_comparison_by_hand_with_a_line_that_is_not_answered_for_is_taken_up_again() {
    let stage = Stage::new().await;
    let pay_no = stage.world.pending().await;
    stage.answers("2026-07-19", vec![]);
    stage.at("2026-07-20T08:10:00Z").await;
    let (olga, date) = (crate::Caller::Operator("olga".to_owned()), "2026-07-19".parse().unwrap());
    let lines = || vec![line(&pay_no.to_string(), "trade-1", COURSE_PRICE)];
    stage.answers("2026-07-19", lines());
    stage.world.channel.queries(Err(unknown(Operation::Query)));
    stage.world.commands.reconcile(&olga, Channel::AlipayQr, date, CORRELATION).await.unwrap();
    assert_eq!(stage.days().await, [("2026-07-19".to_owned(), "open")]);
    stage.answers("2026-07-19", lines());
    stage.world.channel.queries(Ok(paid("trade-1", COURSE_PRICE)));
    stage.at("2026-07-20T08:41:00Z").await;
    assert_eq!(stage.days().await, [("2026-07-19".to_owned(), "matched")]);
}

#[tokio::test]
async fn days_before_one_that_was_compared_by_hand_are_taken_up_too() {
    let stage = Stage::new().await;
    stage.answers("2026-07-19", vec![]);
    stage.at("2026-07-20T08:10:00Z").await;
    // Nothing runs for five days, and then an operator is sooner.
    stage.world.clock.advance("2026-07-26T02:00:00Z".parse::<DateTime<Utc>>().unwrap() - stage.world.clock.now());
    let (olga, yesterday) = (crate::Caller::Operator("olga".to_owned()), "2026-07-25".parse().unwrap());
    stage.world.commands.reconcile(&olga, Channel::AlipayQr, yesterday, CORRELATION).await.unwrap();
    stage.at("2026-07-26T02:01:00Z").await;
    let days: Vec<String> = stage.days().await.into_iter().map(|(date, _)| date).collect();
    let all = ["2026-07-25", "2026-07-24", "2026-07-23", "2026-07-22", "2026-07-21", "2026-07-20", "2026-07-19"];
    assert_eq!(days, all);
    // Sixty days are taken up at most.
    stage.at("2026-11-01T02:00:00Z").await;
    let days: Vec<String> = stage.days().await.into_iter().map(|(date, _)| date).collect();
    assert_eq!((days.len(), days[0].as_str(), days[59].as_str(), days[60].as_str()), (67, "2026-10-31", "2026-09-02", "2026-07-25"));
}

#[tokio::test]
async fn an_orderly_stop_gives_the_lease_back() {
    let stage = Stage::new().await;
    let now = stage.world.clock.now();
    assert!(stage.leases.try_acquire(NAME, "one", now, now + LEASE).await.unwrap());
    stage.manager.release().await.unwrap();
    assert!(stage.leases.try_acquire(NAME, "another", now, now + LEASE).await.unwrap());
}

#[tokio::test]
async fn what_an_operator_has_compared_meanwhile_stays() {
    let stage = Stage::new().await;
    let pay_no = stage.world.pending().await;
    stage.answers("2026-07-19", vec![line(&pay_no.to_string(), "trade-1", COURSE_PRICE)]);
    stage.answers("2026-07-19", vec![]);
    stage.world.channel.queries(Err(unknown(Operation::Query)));
    let commands = stage.world.commands.clone();
    stage.world.channel.meanwhile(async move {
        let (olga, date) = (crate::Caller::Operator("olga".to_owned()), "2026-07-19".parse().unwrap());
        commands.reconcile(&olga, Channel::AlipayQr, date, CORRELATION).await.unwrap();
    });
    stage.at("2026-07-20T08:10:00Z").await;
    let day = stage.newest().await;
    assert_eq!((day.state, day.tries, day.result.unwrap().lines), (DayState::Matched, 0, 0));
}
