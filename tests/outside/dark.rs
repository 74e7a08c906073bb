//! A service that was dark: what was paid while nobody listened is found, however long it took (T7).

use std::time::{Duration, Instant};

use super::harness::audit::{assert_well_formed, count};
use super::harness::journey::open_order;
use super::harness::random::unique;
use super::harness::{Config, Paystream, eventually, run};

/// All roles but the sandbox, which goes on while they are dark.
const WITHOUT_SANDBOX: &[&str] = &["serve", "--roles", "command-api,query-api,projections,process-managers"];
const ONLY_SANDBOX: &[&str] = &["serve", "--roles", "sandbox"];

/// Orders of each darkness; every other one is paid in it.
const ORDERS: usize = 12;

#[test]
#[expect(clippy::print_stderr, reason = "how long it took to catch up is what the test is to tell")]
fn nothing_that_was_paid_in_the_dark_is_missing() {
    run(async {
        let sandbox = Paystream::start("dark-sandbox", Config::in_roles(ONLY_SANDBOX)).await;
        let config = Config::in_roles(WITHOUT_SANDBOX).with("PAYSTREAM_SANDBOX_URL", sandbox.api().base());
        let mut server = Paystream::start("dark", config).await;
        // Shorter than the channel's ladder of notifications, longer than it, and longer than any ladder.
        for dark in [Duration::from_hours(23), Duration::from_hours(26), Duration::from_hours(7 * 24)] {
            let mut orders = Vec::with_capacity(ORDERS);
            for _ in 0..ORDERS {
                // A token of before the last darkness is too old.
                orders.push(open_order(&server.buyer(&unique("dark"))).await);
            }
            server.kill9();
            let (paid, unpaid): (Vec<_>, Vec<_>) = orders.iter().enumerate().partition(|(number, _)| number % 2 == 0);
            for (number, order) in &paid {
                // Nobody takes the notifications, or the channel sends none.
                let notify = if number % 4 == 0 { "once" } else { "never" };
                sandbox.api().sandbox_pay(&order.pay_no, notify).await.expect(200);
                sandbox.api().advance_clock(Duration::from_mins(3)).await;
            }
            sandbox.api().advance_clock(dark).await;

            let woken = Instant::now();
            server.restart().await;
            let auditor = server.as_role(&unique("audrey"), "auditor");
            let events = eventually("what was paid is found, and what was not has ended", async || {
                let events = auditor.events().await;
                let of = |event_type: &str, order_id: &str| {
                    let of_it: Vec<_> = events.iter().filter(|event| event["data"]["order_id"] == order_id).cloned().collect();
                    count(&of_it, event_type)
                };
                let missing = paid.iter().filter(|(_, order)| of("OrderPaid", &order.order_id) == 0).count();
                let open = unpaid.iter().filter(|(_, order)| of("OrderExpired", &order.order_id) == 0).count();
                if missing + open == 0 { Ok(events.clone()) } else { Err(format!("{missing} payments, {open} ends")) }
            })
            .await;
            eprintln!("dark for {} h: {} payments found in {} ms", dark.as_secs() / 3600, paid.len(), woken.elapsed().as_millis());
            for (_, order) in &paid {
                let of_it: Vec<_> = events.iter().filter(|event| event["data"]["order_id"] == order.order_id).cloned().collect();
                assert_eq!((count(&of_it, "PaymentConfirmed"), count(&of_it, "OrderExpired")), (1, 0));
            }
            assert_well_formed(&events);
        }
    });
}
