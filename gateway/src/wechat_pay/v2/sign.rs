//! Signatures with the API key: a digest over all members and the key itself.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use chassis::secret::Secret;
use md5::{Digest as _, Md5};

use super::xml::Members;

/// The member that holds the signature.
pub(super) const SIGN: &str = "sign";

/// The member that names the digest.
pub(super) const SIGN_TYPE: &str = "sign_type";

/// The digits of signatures.
const UPPER: &[u8; 16] = b"0123456789ABCDEF";

/// The digits of everything else.
pub(super) const LOWER: &[u8; 16] = b"0123456789abcdef";

/// How texts are signed. Configuration says which; a message never chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digest {
    /// MD5 over the text.
    Md5,
    /// HMAC with SHA-256 over the text, keyed with the API key.
    HmacSha256,
}

impl Digest {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Md5, Self::HmacSha256];

    /// The channel's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::HmacSha256 => "HMAC-SHA256",
        }
    }

    /// Reads the channel's word; `None` for any other.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|digest| digest.as_str() == word)
    }

    /// The characters of a signature.
    fn length(self) -> usize {
        match self {
            Self::Md5 => 32,
            Self::HmacSha256 => 64,
        }
    }

    fn of(self, text: &str, key: &str) -> String {
        match self {
            Self::Md5 => hex(&Md5::digest(text.as_bytes()), UPPER),
            Self::HmacSha256 => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
                hex(hmac::sign(&key, text.as_bytes()).as_ref(), UPPER)
            }
        }
    }
}

/// Why a message is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SignatureError {
    /// It has no signature.
    #[error("the message is not signed")]
    Missing,
    /// It names another digest than the configured one, or its signature is one of the other digest.
    #[error("the message is signed with another digest than the configured one")]
    OtherDigest,
    /// The signature is not one of our keys.
    #[error("the message's signature does not hold")]
    Forged,
}

/// The API keys and the digest. The first key signs; any verifies, while one follows another.
#[derive(Clone, Debug)]
pub(super) struct Signer {
    digest: Digest,
    keys: Vec<Secret<String>>,
}

impl Signer {
    /// The keys are not looked at; no key signs with an empty one.
    pub(super) fn new(digest: Digest, keys: Vec<Secret<String>>) -> Self {
        Self { digest, keys }
    }

    pub(super) fn digest(&self) -> Digest {
        self.digest
    }

    /// The keys, the one that signs first.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.expose().as_str())
    }

    /// The signature of the members, whatever their order.
    pub(super) fn sign<'a>(&self, members: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
        let key = self.keys().next().unwrap_or_default();
        self.digest.of(&string_to_sign(members, key), key)
    }

    /// Whether one of the keys signed the members. Errors: the first thing that is wrong.
    pub(super) fn verify(&self, members: &Members) -> Result<(), SignatureError> {
        let sign = members.get(SIGN).filter(|sign| !sign.is_empty()).ok_or(SignatureError::Missing)?;
        let named = members.get(SIGN_TYPE).filter(|word| !word.is_empty());
        if named.is_some_and(|word| word != self.digest.as_str()) {
            return Err(SignatureError::OtherDigest);
        }
        let pairs = || members.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let signed = |key| self.digest.of(&string_to_sign(pairs(), key), key);
        // Every key is tried, so that how long it takes does not tell which one it was.
        let holds = self.keys().map(|key| is_equal(&signed(key), sign)).fold(false, |any, holds| any | holds);
        // The length only chooses the word for the refusal.
        let is_of_another = Digest::ALL.iter().any(|digest| *digest != self.digest && digest.length() == sign.len());
        match (holds, is_of_another) {
            (true, _) => Ok(()),
            (false, true) => Err(SignatureError::OtherDigest),
            (false, false) => Err(SignatureError::Forged),
        }
    }
}

fn is_equal(ours: &str, theirs: &str) -> bool {
    verify_slices_are_equal(ours.as_bytes(), theirs.as_bytes()).is_ok()
}

/// The text that is signed: every member with a value but the signature, in the byte order of names, the values bare, and
/// the key at its end.
pub(super) fn string_to_sign<'a>(members: impl IntoIterator<Item = (&'a str, &'a str)>, key: &str) -> String {
    let mut sent: Vec<_> = members.into_iter().filter(|(name, value)| *name != SIGN && !value.is_empty()).collect();
    sent.sort_unstable();
    let mut text = String::new();
    for (name, value) in sent {
        text.extend([name, "=", value, "&"]);
    }
    text.extend(["key=", key]);
    text
}

/// The key of encrypted members: the lower-case hex text of the API key's MD5, 32 characters.
pub(super) fn encryption_key(api_key: &str) -> String {
    hex(&Md5::digest(api_key.as_bytes()), LOWER)
}

/// The text of bytes in these digits.
pub(super) fn hex(bytes: &[u8], digits: &[u8; 16]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| digits.get(usize::from(digit)))
        .map(|digit| char::from(*digit))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "192006250b4c09247ec02edce69f6a2d";
    const OTHER: &str = "3f1c0b5a7d9e48261b0c4d5e6f708192";

    fn signer(digest: Digest, keys: &[&str]) -> Signer {
        Signer::new(digest, keys.iter().map(|key| Secret::new((*key).to_owned())).collect())
    }

    fn signed(signer: &Signer, pairs: &[(&str, &str)]) -> Members {
        let sign = signer.sign(pairs.iter().copied());
        pairs.iter().copied().chain([(SIGN, sign.as_str())]).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn only_the_configured_digest_counts() {
        let [md5, hmac] = Digest::ALL.map(|digest| signer(digest, &[KEY]));
        let message = signed(&md5, &[("a", "1")]);
        assert_eq!(md5.verify(&message), Ok(()));
        assert_eq!(hmac.verify(&message), Err(SignatureError::OtherDigest));
        let named = signed(&md5, &[("a", "1"), (SIGN_TYPE, "HMAC-SHA256")]);
        assert_eq!(md5.verify(&named), Err(SignatureError::OtherDigest));
        let message = signed(&hmac, &[("a", "1"), (SIGN_TYPE, "HMAC-SHA256")]);
        assert_eq!(hmac.verify(&message), Ok(()));
        assert_eq!(md5.verify(&message), Err(SignatureError::OtherDigest));
        assert_eq!(md5.verify(&signed(&md5, &[("a", "1"), (SIGN_TYPE, "md5")])), Err(SignatureError::OtherDigest));
    }

    #[test]
    fn a_message_without_a_signature_or_with_another_one_is_refused() {
        let signer = signer(Digest::Md5, &[KEY]);
        let with = |sign: &str| {
            let mut message = signed(&signer, &[("a", "1")]);
            message.insert(SIGN.to_owned(), sign.to_owned());
            signer.verify(&message)
        };
        let genuine = signer.sign([("a", "1")]);
        assert_eq!(with(&genuine), Ok(()));
        assert_eq!(with(""), Err(SignatureError::Missing));
        assert_eq!(signer.verify(&Members::from([("a".to_owned(), "1".to_owned())])), Err(SignatureError::Missing));
        for forged in [&genuine.to_lowercase(), &genuine[1..], &format!("{genuine}0"), &format!(" {genuine}"), "x"] {
            assert_eq!(with(forged), Err(SignatureError::Forged), "{forged}");
        }
    }

    #[test]
    fn while_one_key_follows_another_both_verify_and_the_first_signs() {
        let (old, new) = (signer(Digest::Md5, &[KEY]), signer(Digest::Md5, &[OTHER]));
        let both = signer(Digest::Md5, &[KEY, OTHER]);
        assert_eq!(both.sign([("a", "1")]), old.sign([("a", "1")]));
        assert_eq!(both.verify(&signed(&old, &[("a", "1")])), Ok(()));
        assert_eq!(both.verify(&signed(&new, &[("a", "1")])), Ok(()));
        assert_eq!(old.verify(&signed(&new, &[("a", "1")])), Err(SignatureError::Forged));
    }

    #[test]
    fn a_signer_prints_no_key() {
        assert!(!format!("{:?}", signer(Digest::Md5, &[KEY])).contains(KEY));
    }

    #[test]
    fn words_are_read_and_written() {
        assert_eq!(Digest::ALL.map(|digest| Digest::parse(digest.as_str())), Digest::ALL.map(Some));
        assert_eq!(Digest::parse("SHA1"), None);
    }

    proptest! {
        #[test]
        fn a_change_of_any_member_breaks_the_signature(value in ".{1,20}", other in ".{1,20}") {
            prop_assume!(value != other);
            for digest in Digest::ALL {
                let signer = signer(digest, &[KEY]);
                let mut message = signed(&signer, &[("a", "1"), ("b", &value)]);
                prop_assert_eq!(signer.verify(&message), Ok(()));
                message.insert("b".to_owned(), other.clone());
                prop_assert_eq!(signer.verify(&message), Err(SignatureError::Forged));
            }
        }
    }
}
