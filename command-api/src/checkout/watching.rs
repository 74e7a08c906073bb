//! How many streams of a checkout are open: each costs memory and a look at its order for every append.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use domain::OrderId;

/// Streams of one checkout: its tabs, on all of the buyer's devices.
pub(crate) const MOST_OF_A_LINK: u32 = 16;
/// Streams to one address: whole offices share one.
pub(crate) const MOST_OF_AN_ADDRESS: u32 = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Counted {
    Link(OrderId),
    Address(Option<IpAddr>),
}

/// Counts the streams that are open in this process.
#[derive(Clone, Default)]
pub(crate) struct OpenWatches {
    open: Arc<Mutex<HashMap<Counted, u32>>>,
}

/// One stream; it counts until it is dropped.
pub(crate) struct OpenWatch {
    watches: OpenWatches,
    counted: [Counted; 2],
}

impl OpenWatches {
    /// One more stream of the order's checkout to `network`; `None` where there are too many already.
    pub(crate) fn open(&self, order_id: OrderId, network: Option<IpAddr>) -> Option<OpenWatch> {
        let counted = [Counted::Link(order_id), Counted::Address(network)];
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let limits = [MOST_OF_A_LINK, MOST_OF_AN_ADDRESS];
        if counted.iter().zip(limits).any(|(counted, limit)| open.get(counted).is_some_and(|count| *count >= limit)) {
            return None;
        }
        for counted in counted {
            *open.entry(counted).or_default() += 1;
        }
        drop(open);
        Some(OpenWatch { watches: self.clone(), counted })
    }
}

impl Drop for OpenWatch {
    fn drop(&mut self) {
        let mut open = self.watches.open.lock().unwrap_or_else(PoisonError::into_inner);
        for counted in self.counted {
            if let Some(count) = open.get_mut(&counted) {
                *count -= 1;
                if *count == 0 {
                    open.remove(&counted);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(number: &str) -> OrderId {
        OrderId::parse(number).unwrap()
    }

    #[test]
    fn a_link_has_so_many_streams_and_no_more_until_one_ends() {
        let watches = OpenWatches::default();
        let address = Some(IpAddr::from([192, 0, 2, 1]));
        let link = order("7231982345678901234");
        let mut open: Vec<OpenWatch> = (0..MOST_OF_A_LINK).map(|_| watches.open(link, address).unwrap()).collect();
        assert!(watches.open(link, None).is_none(), "from wherever");
        assert!(watches.open(order("7231982345678901235"), address).is_some(), "another link has its own");
        open.pop();
        assert!(watches.open(link, address).is_some());
        drop(open);
        assert!(watches.open.lock().unwrap().is_empty(), "nothing is kept of what has ended");
    }

    #[test]
    fn an_address_has_so_many_streams_over_all_links() {
        let watches = OpenWatches::default();
        let address = Some(IpAddr::from([192, 0, 2, 1]));
        let mut links = (0..).map(|number| order(&format!("72319823456789{number:05}")));
        let open: Vec<OpenWatch> = links.by_ref().take(256).map(|link| watches.open(link, address).unwrap()).collect();
        assert_eq!(open.len(), usize::try_from(MOST_OF_AN_ADDRESS).unwrap());
        let next = links.next().unwrap();
        assert!(watches.open(next, address).is_none());
        assert!(watches.open(next, Some(IpAddr::from([192, 0, 2, 2]))).is_some());
    }
}
