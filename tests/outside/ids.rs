//! Ids survive JavaScript (T19). That they are strings in every reply is held by the tests' client for each reply it reads.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::harness::browser::{Browser, Screen};
use super::harness::journey::create_business_order;
use super::harness::{Api, Config, Paystream, run};

const ORDERS: usize = 10_000;
const CALLERS: usize = 32;

/// Reads a list of JSON texts as a front end does, and gives each order id back through numbers' worst enemy.
const ROUND_TRIP: &str = "pages.map(page => JSON.parse(page).items.map(order => JSON.parse(JSON.stringify(order)).order_id)).flat()";

#[test]
fn ten_thousand_order_ids_pass_through_javascript_unchanged() {
    run(async {
        let server = Paystream::start("ids", Config::default()).await;
        let service = Arc::new(server.service());
        let callers = (0..CALLERS).map(|caller| {
            let service = Arc::clone(&service);
            tokio::spawn(async move { create_share(&service, caller).await })
        });
        let mut made = BTreeSet::new();
        let mut last = 0_u64;
        for (order_id, position) in join_all(callers).await.into_iter().flat_map(Result::unwrap) {
            last = last.max(position);
            made.insert(order_id);
        }
        assert_eq!(made.len(), ORDERS);
        assert!(made.iter().any(|order_id| order_id.parse::<u64>().unwrap() > 1 << 53), "the ids are too small to be lost");

        let pages = all_pages(&server.buyer("member-1"), last).await;
        let returned = through_javascript(&server, &pages).await;
        assert_eq!(returned.len(), ORDERS);
        assert_eq!(returned.into_iter().collect::<BTreeSet<_>>(), made);
    });
}

async fn create_share(service: &Api, caller: usize) -> Vec<(String, u64)> {
    let mut made = Vec::new();
    for number in (caller..ORDERS).step_by(CALLERS) {
        let order = create_business_order(service, "member-1", &format!("seat-{number}")).await.expect(201);
        made.push((order.field("order_id"), order.position().parse().unwrap()));
    }
    made
}

/// The list of all orders, page by page, each as the text that the server sent.
async fn all_pages(buyer: &Api, last: u64) -> Vec<String> {
    let (mut pages, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = super::harness::eventually("the view has all orders", async || {
            let reply = buyer.get(&format!("/api/v1/orders?limit=200{cursor}")).after(&last.to_string()).send().await;
            if reply.status == 200 { Ok(reply) } else { Err(reply.to_string()) }
        })
        .await;
        pages.push(page.text());
        match &page.json()["next_cursor"] {
            Value::Null => return pages,
            next => cursor = format!("&cursor={}", next.as_str().unwrap()),
        }
    }
}

/// By node where there is one, else in the browser.
async fn through_javascript(server: &Paystream, pages: &[String]) -> Vec<String> {
    let script =
        format!("const pages = JSON.parse(require('fs').readFileSync(0, 'utf8')); process.stdout.write(JSON.stringify({ROUND_TRIP}))");
    let node = Command::new("node").args(["-e", &script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let answer = if let Ok(mut child) = node {
        child.stdin.take().unwrap().write_all(json!(pages).to_string().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        serde_json::from_slice(&output.stdout).unwrap()
    } else {
        let browser = Browser::open("ids", Screen::Desktop).await;
        browser.goto(&format!("{}/healthz", server.api().base())).await;
        let answer = browser.run(&format!("const pages = arguments[0]; return {ROUND_TRIP}"), vec![json!(pages)]).await;
        browser.close().await;
        answer
    };
    answer.as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect()
}
