//! `paystream reconcile`: a day of a channel beside the log, done by the server that runs with this configuration.

use std::path::Path;
use std::sync::Arc;

use chassis::clock::SystemClock;
use chassis::identity::Role;
use serde::Deserialize;

use crate::chosen::Trouble;
use crate::keys;
use crate::running;
use crate::settings::Settings;
use crate::terminal::say;

/// What the server answers.
#[derive(Debug, Deserialize)]
struct Answer {
    lines: u64,
    matched: u64,
    recorded: u64,
    discrepancies: Vec<Discrepancy>,
}

#[derive(Debug, Deserialize)]
struct Discrepancy {
    kind: String,
    movement: String,
    out_trade_no: String,
    trade_no: String,
    refund_no: Option<String>,
    amount_text: String,
    currency: String,
}

/// Has the day reconciled and prints what does not match, a line each. Errors also where something does not.
pub(crate) async fn run(config: Option<&Path>, channel: &str, date: &str) -> Result<(), Trouble> {
    let settings = Settings::load(config, &[])?;
    let server = format!("http://{}", running::reachable(settings.listen));
    let clock = Arc::new(SystemClock::default());
    running::follow(&clock, &server).await;
    let issuer = keys::issuer(&settings, clock)?;
    let made = issuer.issue("paystream-reconcile", &[Role::Operator]);
    let url = format!("{server}/api/v1/operations/reconciliations");
    let remote = |source| Trouble::Remote { url: server.clone(), source };
    // The server runs on this machine: no proxy leads to it.
    let client = reqwest::Client::builder().no_proxy().build().map_err(remote)?;
    let body = serde_json::json!({ "channel": channel, "date": date });
    let answer = client.post(&url).bearer_auth(made.token.expose()).json(&body).send().await.map_err(remote)?;
    if !answer.status().is_success() {
        return Err(Trouble::NotReconciled { url, answer: answer.text().await.map_err(remote)? });
    }
    let answer: Answer = answer.json().await.map_err(remote)?;
    for found in &answer.discrepancies {
        say(&found.line());
    }
    let Answer { lines, matched, recorded, ref discrepancies } = answer;
    say(&format!("{channel} {date}: {lines} lines, {matched} matched, {recorded} recorded now, {} discrepancies", discrepancies.len()));
    if discrepancies.is_empty() { Ok(()) } else { Err(Trouble::Discrepancies(discrepancies.len())) }
}

impl Discrepancy {
    fn line(&self) -> String {
        let refund = self.refund_no.as_ref().map_or_else(String::new, |refund_no| format!(" refund_no {refund_no}"));
        let Self { kind, movement, out_trade_no, trade_no, amount_text, currency, .. } = self;
        format!("{kind} {movement} {amount_text} {currency} out_trade_no {out_trade_no} trade_no {trade_no}{refund}")
    }
}
