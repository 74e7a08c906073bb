//! Seeds that once found something, and new ones for as long as there is time.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::process::Command;
use std::time::{Duration, Instant};

use simulation::{Report, START_S, run, run_from};

/// Seeds with their steps that broke an invariant once, each with what was wrong.
const REGRESSIONS: &[(u64, u64)] = &[
    // An order was cancelled and its selection ordered anew: the first order's key then answered with the second.
    (2, 2000),
    // One key came twice at once with two contents: both were answered, each with the same attempt.
    (10_088, 2000),
    // One key came twice at once while its business key's order was cancelled: it made a second order.
    (20_093, 2000),
    // A record was counted as asked when another question of its order was answered.
    (111_094_579_277_704, 1200),
    // A process that stood still granted a coupon after the payment had gone back, and died.
    (65_590_021_666_194, 700),
    // Two runs of one relay at once: what it knew of the messages before was of another place than its session.
    (93_565_743_934_189, 600),
    // Two looks at one record with two late payments at once: their refunds had one id.
    (97_693_359_489_872, 400),
    // A look that stood still over an operator's retry told of the refund's first end once more.
    (56_503_373_646_526, 1300),
    // The same of stock that was held for a late payment and let go again.
    (115_572_411_858_360, 2800),
    // A late payment that went back let go what an earlier one had revived the order with.
    (63_838_002_641_267, 2700),
    // A code that was scanned in time and paid later, while assigned money had settled its record.
    (242_422_984_054_268, 1900),
    // A business was ordered anew while its late payment revived the order that had ended.
    (82_474_468_672_295, 1900),
];

/// Steps of each seed: long enough for a life or two of every order, short enough that many seeds are tried.
const STEPS: u64 = 2000;

/// In so many steps all of that happens.
const ENOUGH_STEPS: u64 = 80_000;

/// How long new seeds are tried; `PAYSTREAM_TEST_LONG=1` asks for more.
const SHORT: Duration = Duration::from_secs(40);
const LONG: Duration = Duration::from_mins(10);

/// What a run of some length must have seen, or it proves little.
const MUST_HAPPEN: [&str; 54] = [
    "CouponGranted",
    "CouponReleased",
    "CouponReserved",
    "CouponUsed",
    "CouponWithdrawn",
    "CourseSelected",
    "IdempotencyKeyClaimed",
    "IdempotencyKeyFreed",
    "IdempotencyKeyHeld",
    "IdempotencyKeyRecorded",
    "IdempotencyKeyRedirected",
    "LatePaymentReceived",
    "OrderCancelled",
    "OrderClosing",
    "OrderCreated",
    "OrderExpired",
    "OrderPaid",
    "OrderRevived",
    "PayRecordClosed absent_after_grace",
    "PayRecordClosed channel_closed",
    "PayRecordClosed never_shown",
    "PayRecordClosed unproven",
    "PayRecordClosing",
    "PayRecordFailed",
    "PayRecordIssued",
    "PayRecordPrepared",
    "PaymentConfirmed assigned",
    "PaymentConfirmed notification",
    "PaymentConfirmed nothing_to_pay",
    "PaymentConfirmed query",
    "RefundAccepted",
    "RefundFailed",
    "RefundNeedsOperator",
    "RefundObserved",
    "RefundRequested amount_mismatch",
    "RefundRequested operator",
    "RefundRetried",
    "RefundSettled",
    "RefundSucceeded",
    "StockReceived",
    "StockReleased",
    "StockReserved",
    "StockSold",
    "SurplusPaymentReceived amount_mismatch",
    "SurplusResolved",
    "UnknownCaptureAssigned",
    "UnknownCaptureMatched",
    "UnknownCaptureReceived",
    "UnknownCaptureRefunded",
    "UnknownCaptureResolved",
    "message given up",
    "message parked",
    "message parked behind another",
    "message taken after it was parked",
];

fn missing(report: &Report) -> BTreeSet<&'static str> {
    MUST_HAPPEN.into_iter().filter(|kind| !report.kinds.contains_key(*kind)).collect()
}

#[track_caller]
fn holds(seed: u64, steps: u64) -> Report {
    run(seed, steps).unwrap_or_else(|failure| panic!("{failure}"))
}

#[test]
fn seeds_that_once_broke_something_hold() {
    for (seed, steps) in REGRESSIONS {
        holds(*seed, *steps);
    }
}

#[test]
fn the_same_seed_makes_the_same_run() {
    let (first, again, other) = (holds(7, 1500), holds(7, 1500), holds(8, 1500));
    assert_eq!(first, again);
    assert_ne!(first.log_hash, other.log_hash);
}

/// The last minutes before a leap day, in UTC.
const LEAP_DAY_S: i64 = 1_835_394_000;

/// The hash of the log of one run in a process of its own, in a time zone.
#[track_caller]
fn hash_in(time_zone: &str, start_s: i64) -> String {
    let start_s = start_s.to_string();
    let run = Command::new(env!("CARGO_BIN_EXE_simulate"))
        .env("TZ", time_zone)
        .args(["--seconds", "0", "--threads", "1", "--seed", "29", "--steps", "700", "--start-s", &start_s])
        .output()
        .expect("the simulator runs");
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(run.status.success(), "{said}");
    let hash = said.lines().find_map(|line| line.strip_prefix("log hash "));
    hash.unwrap_or_else(|| panic!("no hash: {said}")).to_owned()
}

#[test]
fn no_time_zone_changes_a_run_on_any_day() {
    for start_s in [START_S, LEAP_DAY_S] {
        let hash = hash_in("UTC", start_s);
        assert_eq!(hash, format!("{:016x}", run_from(start_s, 29, 700).unwrap_or_else(|failure| panic!("{failure}")).log_hash));
        for time_zone in ["Asia/Shanghai", "America/Los_Angeles"] {
            assert_eq!(hash_in(time_zone, start_s), hash, "{time_zone} from {start_s}");
        }
    }
    assert_ne!(hash_in("UTC", START_S), hash_in("UTC", LEAP_DAY_S));
}

#[test]
#[expect(clippy::print_stderr, reason = "speed and coverage are what the run is asked to tell")]
fn new_seeds_hold() {
    let limit = if std::env::var_os("PAYSTREAM_TEST_LONG").is_some_and(|long| long == "1") { LONG } else { SHORT };
    let given = std::env::var("PAYSTREAM_TEST_SEED").ok().filter(|seed| !seed.is_empty());
    let given = given.map(|seed| seed.parse::<u64>().expect("PAYSTREAM_TEST_SEED is a number"));
    let first = given.unwrap_or_else(|| RandomState::new().hash_one("a first seed") >> 16);
    let begun = Instant::now();
    let mut all = holds(first, STEPS);
    let mut seeds = 1;
    // A slow machine goes on until it has done enough to be worth anything.
    while begun.elapsed() < limit || (!missing(&all).is_empty() && all.steps < ENOUGH_STEPS) {
        all = all.and(&holds(first + seeds, STEPS));
        seeds += 1;
    }
    let seconds = begun.elapsed().as_secs().max(1);
    let (speed, hours) = (all.steps / seconds, all.simulated_hours() * 60 / seconds);
    eprintln!("seeds {first} and {} more, {all}; {speed} steps/s, {hours} simulated hours per real minute", seeds - 1);
    assert!(missing(&all).is_empty(), "this never happened: {:?}", missing(&all));
}
