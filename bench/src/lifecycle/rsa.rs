//! What one core does of the RSA that Paystream does, with the same library and the same kind of key.

use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey};
use serde::Serialize;

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
    /// Measures on one core.
    pub(super) fn measure() -> Result<Self, Trouble> {
        let key = RsaKeyPair::generate(KeySize::Rsa2048).doing("make an RSA key")?;
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref().to_vec());
        let random = SystemRandom::new();
        let mut signature = vec![0; key.public_modulus_len()];
        let sign_ns = each(|| key.sign(&RSA_PKCS1_SHA256, &random, &MESSAGE, &mut signature).doing("sign"))?;
        let verify_ns = each(|| public.verify(&MESSAGE, &signature).doing("verify"))?;
        Ok(Self { sign_ns, verify_ns })
    }

    /// The RSA work of so many of each.
    pub(super) fn of(self, signs: u64, verifies: u64) -> Duration {
        Duration::from_nanos(self.sign_ns * signs + self.verify_ns * verifies)
    }
}

fn each(mut operation: impl FnMut() -> Result<(), Trouble>) -> Result<u64, Trouble> {
    let started = Instant::now();
    let mut done = 0_u128;
    while started.elapsed() < LENGTH {
        operation()?;
        done += 1;
    }
    u64::try_from(started.elapsed().as_nanos() / done.max(1)).doing("count")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_costs_more_than_verifying() {
        let cost = RsaCost::measure().unwrap();
        assert!(cost.verify_ns > 0 && cost.sign_ns > cost.verify_ns);
        assert_eq!(RsaCost { sign_ns: 1000, verify_ns: 10 }.of(1, 2), Duration::from_nanos(1020));
    }
}
