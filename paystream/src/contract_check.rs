//! `paystream contract-check`: tries the log's contract at a real store, on places of its own there.
//!
//! It reads no configuration, so that it can be run wherever the store can be reached.

use std::sync::{Arc, Mutex, PoisonError};

use chassis::clock::{Clock, SystemClock};
use chassis::ids::{IdSource, SystemIds};
use event_store::LogUrl;
use event_store::contract::{CHECKS, Outcome, OwnPlaces, OwnPlacesError};

use crate::chosen::Trouble;
use crate::terminal::say;

/// Tries each promise and says what came of it. Errors: a store that cannot be used, or promises that it breaks.
pub(crate) async fn run(store: &str) -> Result<(), Trouble> {
    let url = LogUrl::parse(store).map_err(Trouble::StoreUrl)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let run = SystemIds::new(Arc::clone(&clock)).event_id();
    let shown = url.to_string();
    let places = OwnPlaces::new(url, Arc::new(move || clock.now()), run);
    say(&format!("{shown}: what lies there is not opened; this uses {}.", places.describe()));
    let panics = Panics::listen();
    let mut broken = 0;
    let mut ended = Ok(());
    for (number, check) in CHECKS.iter().enumerate() {
        let sentence = check.name().replace('_', " ");
        match places.attempt(number, check).await {
            Ok(Ok(Outcome::Kept)) => say(&format!("ok      {sentence}")),
            Ok(Ok(Outcome::NotPromised)) => say(&format!("-       {sentence}: this store does not promise it")),
            Ok(Err(said)) => {
                broken += 1;
                say(&format!("failed  {sentence}: {}", panics.first().unwrap_or(said)));
            }
            Err(error) => {
                ended = Err(error);
                break;
            }
        }
    }
    let unusable = |source: OwnPlacesError| Trouble::ContractPlace { place: shown.clone(), source };
    // Why it ended is told before what may be left of it.
    let cleared = places.clear();
    ended.and(cleared).map_err(unusable)?;
    match broken {
        0 => {
            say("The contract is kept.");
            Ok(())
        }
        count => Err(Trouble::ContractBroken(count)),
    }
}

/// What breaks is told by panics, and where it broke; they are kept for the one line that a check has.
struct Panics(Arc<Mutex<Vec<String>>>);

impl Panics {
    fn listen() -> Self {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&heard);
        std::panic::set_hook(Box::new(move |panic| {
            told.lock().unwrap_or_else(PoisonError::into_inner).push(panic.to_string().replace('\n', " "));
        }));
        Self(heard)
    }

    /// The first since this was asked last: what came after it may be its consequence.
    fn first(&self) -> Option<String> {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *heard).into_iter().next()
    }
}
