//! What the RSA that Paystream does costs, with the same library and the same kind of key.
//!
//! All cores do it at once, as under the load: two cores that share one unit are slower together than alone. The time is that of
//! the threads on the cores, so that another process beside them makes it no longer.

use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair};
use serde::Serialize;

use crate::thread_cost;
use crate::trouble::{Doing, Trouble};

/// How long each of the two is done.
const LENGTH: Duration = Duration::from_millis(700);

/// The bytes that are signed: about those of a request to Alipay.
const MESSAGE: [u8; 700] = [0x61; 700];

/// What one of each takes, in nanoseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct RsaCost {
    pub(super) sign_ns: u64,
    pub(super) verify_ns: u64,
}

impl RsaCost {
    /// Measures on `cores` at once; answers what one of each took on average.
    pub(super) fn measure(cores: usize) -> Result<Self, Trouble> {
        let threads: Vec<_> = (0..cores.max(1)).map(|_| std::thread::spawn(Self::measure_one)).collect();
        let mut costs = Vec::with_capacity(threads.len());
        for thread in threads {
            costs.push(thread.join().map_err(|_| Trouble::new("a thread that measures RSA broke off"))??);
        }
        let average = |of: fn(&Self) -> u64| costs.iter().map(of).sum::<u64>() / costs.len() as u64;
        Ok(Self { sign_ns: average(|cost| cost.sign_ns), verify_ns: average(|cost| cost.verify_ns) })
    }

    fn measure_one() -> Result<Self, Trouble> {
        let key = RsaKeyPair::generate(KeySize::Rsa2048).doing("make an RSA key")?;
        // Parsed once, as the gateway does.
        let public = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref()).doing("read an RSA key")?;
        let random = SystemRandom::new();
        let mut signature = vec![0; key.public_modulus_len()];
        let sign_ns = thread_cost::each(LENGTH, || key.sign(&RSA_PKCS1_SHA256, &random, &MESSAGE, &mut signature).doing("sign"))?;
        let verify_ns = thread_cost::each(LENGTH, || public.verify_sig(&MESSAGE, &signature).doing("verify"))?;
        Ok(Self { sign_ns, verify_ns })
    }

    /// The RSA work of so many of each.
    pub(super) fn of(self, signs: u64, verifies: u64) -> Duration {
        Duration::from_nanos(self.sign_ns * signs + self.verify_ns * verifies)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_costs_more_than_verifying() {
        let cost = RsaCost::measure(1).unwrap();
        assert!(cost.verify_ns > 0 && cost.sign_ns > cost.verify_ns);
        assert_eq!(RsaCost { sign_ns: 1000, verify_ns: 10 }.of(1, 2), Duration::from_nanos(1020));
    }
}
