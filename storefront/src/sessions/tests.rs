use chassis::health::{Check, Finding};
use chassis::identity::{Role, TokenError};
use database::testing::TestDatabase;
use database::values;
use std::net::IpAddr;

use super::*;
use crate::demo;
use crate::testing::Process;

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

fn address(last: u8) -> ClientAddress {
    ClientAddress(Some(IpAddr::from([192, 0, 2, last])))
}

impl Process {
    async fn sign_in(&self, name: &str) -> TokenPair {
        self.sessions.sign_in(name, secret(demo::PASSWORD), ClientAddress(None)).await.unwrap()
    }

    fn judge(&self, pair: &TokenPair) -> Result<(String, Vec<Role>), TokenError> {
        self.verifier.verify(pair.access_token.expose()).map(|identity| (identity.subject, identity.roles))
    }

    async fn refresh(&self, pair: &TokenPair) -> Result<TokenPair, SessionError> {
        self.sessions.refresh(&pair.refresh_token, ClientAddress(None)).await
    }

    async fn sign_out(&self, pair: &TokenPair) {
        let token_id = self.verifier.verify(pair.access_token.expose()).unwrap().token_id;
        self.sessions.sign_out(&token_id).await.unwrap();
    }

    async fn count(&self, sql: &'static str) -> i64 {
        let (count,): (i64,) = self.database.fetch_one(sql, values![]).await.unwrap();
        count
    }
}

async fn start(test: &TestDatabase) -> Process {
    Process::start(test, &SessionConfig::default()).await
}

fn is_refused(refreshed: &Result<TokenPair, SessionError>) -> bool {
    matches!(refreshed, Err(SessionError::RefreshRefused))
}

async fn the_right_password_gives_tokens_with_the_accounts_roles(test: TestDatabase) {
    let process = start(&test).await;
    for (name, role) in [("alice", Role::Buyer), ("OLIVIA", Role::Operator), ("erp", Role::Service)] {
        let pair = process.sign_in(name).await;
        assert_eq!(process.judge(&pair), Ok((name.to_lowercase(), vec![role])));
        assert_eq!(pair.expires_in_s, 900);
    }
}

async fn a_refresh_token_is_good_once_and_brings_new_tokens(test: TestDatabase) {
    let process = start(&test).await;
    let first = process.sign_in("alice").await;
    process.clock.advance(TimeDelta::minutes(10));
    let second = process.refresh(&first).await.unwrap();
    assert_ne!(first.refresh_token, second.refresh_token);
    process.clock.advance(TimeDelta::minutes(10));
    assert_eq!(process.judge(&first), Err(TokenError::Expired));
    assert_eq!(process.judge(&second), Ok(("alice".to_owned(), vec![Role::Buyer])));
    assert!(process.refresh(&second).await.is_ok());
}

async fn a_refresh_token_that_comes_twice_ends_its_session_and_no_other(test: TestDatabase) {
    let process = start(&test).await;
    let (first, other) = (process.sign_in("alice").await, process.sign_in("alice").await);
    let second = process.refresh(&first).await.unwrap();
    assert!(is_refused(&process.refresh(&first).await));
    for pair in [&first, &second] {
        assert_eq!(process.judge(pair), Err(TokenError::Revoked));
        assert!(is_refused(&process.refresh(pair).await));
    }
    assert!(process.judge(&other).is_ok() && process.refresh(&other).await.is_ok());
}

async fn of_many_refreshes_at_once_one_succeeds(test: TestDatabase) {
    let process = start(&test).await;
    let pair = process.sign_in("alice").await;
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (sessions, token) = (Arc::clone(&process.sessions), pair.refresh_token.clone());
            tokio::spawn(async move { sessions.refresh(&token, ClientAddress(None)).await })
        })
        .collect();
    let mut refreshed = Vec::new();
    for task in tasks {
        match task.await.unwrap() {
            Ok(pair) => refreshed.push(pair),
            other => assert!(is_refused(&other), "{other:?}"),
        }
    }
    assert_eq!(refreshed.len(), 1);
    assert_eq!(process.judge(&refreshed[0]), Err(TokenError::Revoked));
}

async fn signing_out_ends_all_tokens_of_the_session(test: TestDatabase) {
    let process = start(&test).await;
    let (first, other) = (process.sign_in("alice").await, process.sign_in("bob").await);
    let second = process.refresh(&first).await.unwrap();
    process.sign_out(&second).await;
    for pair in [&first, &second] {
        assert_eq!(process.judge(pair), Err(TokenError::Revoked));
        assert!(is_refused(&process.refresh(pair).await));
    }
    assert!(process.judge(&other).is_ok() && process.refresh(&other).await.is_ok());
}

async fn every_process_knows_of_a_revocation_once_it_has_read_the_list(test: TestDatabase) {
    let (here, pair, there) = {
        let here = start(&test).await;
        let pair = here.sign_in("alice").await;
        let there = here.beside().await;
        (here, pair, there)
    };
    assert!(there.judge(&pair).is_ok());
    here.sign_out(&pair).await;
    there.revoked.poll().await.unwrap();
    assert_eq!(there.judge(&pair), Err(TokenError::Revoked));
    // And one that starts later.
    assert_eq!(here.beside().await.judge(&pair), Err(TokenError::Revoked));
}

async fn a_token_of_elsewhere_is_revoked_alone_and_for_long(test: TestDatabase) {
    let process = start(&test).await;
    let token = process.issuer.issue_for("alice", &[Role::Buyer], TimeDelta::days(300));
    let pair = process.sign_in("alice").await;
    for _ in 0..2 {
        process.sessions.sign_out(&token.token_id).await.unwrap();
    }
    assert!(process.judge(&pair).is_ok());
    process.clock.advance(TimeDelta::days(299));
    process.sessions.purge().await.unwrap();
    process.revoked.poll().await.unwrap();
    assert_eq!(process.verifier.verify(token.token.expose()), Err(TokenError::Revoked));
}

async fn what_has_ended_long_ago_is_deleted_and_nothing_else(test: TestDatabase) {
    let process = start(&test).await;
    let kept = process.sign_in("alice").await;
    let gone = process.sign_in("bob").await;
    process.sign_out(&gone).await;
    process.clock.advance(TimeDelta::days(29));
    let refreshed = process.refresh(&kept).await.unwrap();
    process.sessions.purge().await.unwrap();
    assert_eq!(process.count("select count(*) from session").await, 2);
    assert_eq!(process.count("select count(*) from revoked_token").await, 0);
    process.clock.advance(TimeDelta::days(2));
    process.sessions.purge().await.unwrap();
    assert_eq!(process.count("select count(*) from session").await, 1);
    assert_eq!(process.count("select count(*) from refresh_token").await, 1);
    assert!(process.refresh(&refreshed).await.is_ok());
}

macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            use super::TestDatabase;
            $(#[tokio::test]
            async fn $name() {
                super::$name(TestDatabase::sqlite()).await;
            })*
        }
        mod postgres {
            use super::TestDatabase;
            $(#[tokio::test]
            async fn $name() {
                super::$name(TestDatabase::postgres().await).await;
            })*
        }
    };
}

on_both!(
    the_right_password_gives_tokens_with_the_accounts_roles,
    a_refresh_token_is_good_once_and_brings_new_tokens,
    a_refresh_token_that_comes_twice_ends_its_session_and_no_other,
    of_many_refreshes_at_once_one_succeeds,
    signing_out_ends_all_tokens_of_the_session,
    every_process_knows_of_a_revocation_once_it_has_read_the_list,
    a_token_of_elsewhere_is_revoked_alone_and_for_long,
    what_has_ended_long_ago_is_deleted_and_nothing_else,
);

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_are_told_alike() {
    let test = TestDatabase::sqlite();
    let process = start(&test).await;
    for (name, password) in [("alice", "demo-passwor"), ("alice", "Demo-password"), ("nobody", demo::PASSWORD), ("爱丽丝", "x")] {
        let refused = process.sessions.sign_in(name, secret(password), ClientAddress(None)).await;
        assert!(matches!(refused, Err(SessionError::WrongCredentials)), "{name}: {refused:?}");
    }
}

#[tokio::test]
async fn wrong_passwords_make_the_name_wait_and_right_ones_do_not() {
    let test = TestDatabase::sqlite();
    let limits = SessionLimits { failures_per_name_per_minute: 3, attempts_per_address_per_minute: 1000 };
    let process = Process::start(&test, &SessionConfig { limits, ..SessionConfig::default() }).await;
    for _ in 0..5 {
        process.sign_in("alice").await;
    }
    // Another spelling is the same name, and another address makes no difference.
    for (name, last) in [("alice", 1), ("Alice", 2), ("ALICE", 3)] {
        let refused = process.sessions.sign_in(name, secret("wrong"), address(last)).await;
        assert!(matches!(refused, Err(SessionError::WrongCredentials)), "{refused:?}");
    }
    let refused = process.sessions.sign_in("alice", secret(demo::PASSWORD), address(4)).await;
    assert!(matches!(refused, Err(SessionError::TooMany(RetryAfter { seconds: 20 }))), "{refused:?}");
    process.sign_in("bob").await;
    process.clock.advance(TimeDelta::seconds(20));
    process.sign_in("alice").await;
}

#[tokio::test]
async fn one_address_tries_so_often_and_no_more() {
    let test = TestDatabase::sqlite();
    let limits = SessionLimits { failures_per_name_per_minute: 10, attempts_per_address_per_minute: 3 };
    let process = Process::start(&test, &SessionConfig { limits, ..SessionConfig::default() }).await;
    let pair = process.sessions.sign_in("alice", secret(demo::PASSWORD), address(1)).await.unwrap();
    for _ in 0..2 {
        assert!(is_refused(&process.sessions.refresh(&secret("guess"), address(1)).await));
    }
    let refused = process.sessions.refresh(&pair.refresh_token, address(1)).await;
    assert!(matches!(refused, Err(SessionError::TooMany(_))), "{refused:?}");
    let refused = process.sessions.sign_in("alice", secret(demo::PASSWORD), address(1)).await;
    assert!(matches!(refused, Err(SessionError::TooMany(_))), "{refused:?}");
    assert!(process.sessions.refresh(&pair.refresh_token, address(2)).await.is_ok());
}

#[tokio::test]
async fn a_refresh_token_ends_by_itself() {
    let test = TestDatabase::sqlite();
    let process = start(&test).await;
    let (early, late) = (process.sign_in("alice").await, process.sign_in("alice").await);
    process.clock.advance(TimeDelta::days(30) - TimeDelta::microseconds(1));
    let refreshed = process.refresh(&early).await.unwrap();
    process.clock.advance(TimeDelta::microseconds(1));
    assert!(is_refused(&process.refresh(&late).await));
    // Coming too late is no theft: nothing else ends by it.
    assert!(process.judge(&refreshed).is_ok());
}

#[tokio::test]
async fn a_refresh_brings_the_roles_that_the_account_has_by_then() {
    let test = TestDatabase::sqlite();
    let process = start(&test).await;
    let pair = process.sign_in("alice").await;
    process.database.execute("update account_role set role = 'auditor' where account_id = 'alice'", values![]).await.unwrap();
    let refreshed = process.refresh(&pair).await.unwrap();
    assert_eq!(process.judge(&refreshed), Ok(("alice".to_owned(), vec![Role::Auditor])));
}

#[tokio::test]
async fn an_accounts_sessions_go_with_it() {
    let test = TestDatabase::sqlite();
    let process = start(&test).await;
    let pair = process.sign_in("alice").await;
    process.database.execute("delete from account where account_id = 'alice'", values![]).await.unwrap();
    assert!(is_refused(&process.refresh(&pair).await));
}

#[tokio::test]
async fn neither_password_nor_token_lies_in_a_table() {
    let test = TestDatabase::sqlite();
    let process = start(&test).await;
    let pair = process.sign_in("alice").await;
    process.database.close().await;
    let path = test.url().sqlite_path().unwrap();
    let bytes = std::fs::read(path).unwrap();
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("alice"));
    assert!(!holds(demo::PASSWORD) && !holds(pair.refresh_token.expose()) && !holds(pair.access_token.expose()));
}

#[tokio::test]
async fn without_the_store_nothing_is_signed_in_or_out_and_readiness_says_so() {
    let test = TestDatabase::sqlite();
    let process = start(&test).await;
    let pair = process.sign_in("alice").await;
    assert_eq!(process.revoked.check().await, Finding::Ready);
    process.database.close().await;
    let is_failed = |error: &SessionError| matches!(error, SessionError::Failed(failed) if failed.is_temporary());
    assert!(is_failed(&process.sessions.sign_in("alice", secret(demo::PASSWORD), ClientAddress(None)).await.unwrap_err()));
    assert!(is_failed(&process.refresh(&pair).await.unwrap_err()));
    assert!(is_failed(&process.sessions.sign_out("some-token").await.unwrap_err()));
    process.clock.advance(KNOWN_WITHIN + TimeDelta::milliseconds(1));
    assert!(matches!(process.revoked.check().await, Finding::Missing(_)));
}

#[tokio::test]
async fn a_leap_of_the_clock_does_not_make_the_list_look_lost() {
    let test = TestDatabase::sqlite();
    let process = start(&test).await;
    process.clock.advance(TimeDelta::hours(1));
    assert_eq!(process.revoked.check().await, Finding::Ready);
}

#[tokio::test]
async fn a_running_process_learns_of_revocations_by_itself() {
    assert!(revocation::POLL_INTERVAL.as_millis() * 2 < u128::try_from(KNOWN_WITHIN.num_milliseconds()).unwrap());
    let test = TestDatabase::sqlite();
    let here = start(&test).await;
    let (pair, there, shutdown) = (here.sign_in("alice").await, here.beside().await, Shutdown::new());
    let running = tokio::spawn({
        let (list, shutdown) = (Arc::clone(&there.revoked), shutdown.clone());
        async move { list.run_every(Duration::from_millis(1), &shutdown).await }
    });
    here.sign_out(&pair).await;
    let learned = async {
        while there.judge(&pair).is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), learned).await.unwrap();
    assert_eq!(there.judge(&pair), Err(TokenError::Revoked));
    shutdown.trigger();
    running.await.unwrap();
}

#[tokio::test]
async fn the_loops_end_with_the_process() {
    let test = TestDatabase::sqlite();
    let (process, shutdown) = (start(&test).await, Shutdown::new());
    shutdown.trigger();
    process.revoked.run(&shutdown).await;
    process.sessions.run(&shutdown).await;
}
