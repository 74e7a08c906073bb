//! What is signed, and the signatures: SHA-256 with RSA, PKCS#1 v1.5 padding, standard base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rsa::pkcs1v15::{Signature, SigningKey, VerifyingKey};
use rsa::sha2::Sha256;
use rsa::signature::{SignatureEncoding, Signer, Verifier};

use super::form::Members;

/// The signed bytes of a request: every member but `sign` that is neither empty nor blank, `sign_type` among them.
pub(super) fn canonical_request(members: &Members) -> Vec<u8> {
    canonical(members, &["sign"])
}

/// The signed bytes of a notification: every member that is not empty, but for `sign` and `sign_type`.
pub(super) fn canonical_notification(members: &Members) -> Vec<u8> {
    canonical(members, &["sign", "sign_type"])
}

fn canonical(members: &Members, left_out: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in members {
        if left_out.contains(&name.as_str()) || value.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        if !bytes.is_empty() {
            bytes.push(b'&');
        }
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(b'=');
        bytes.extend_from_slice(value);
    }
    bytes
}

/// Signs bytes. The answer is standard base64 without line breaks. Takes milliseconds of the processor.
pub(super) fn sign(key: &SigningKey<Sha256>, bytes: &[u8]) -> Result<String, rsa::signature::Error> {
    key.try_sign(bytes).map(|signature| STANDARD.encode(signature.to_bytes()))
}

/// Whether `sign` is the signature of `bytes`, strictly in base64.
pub(super) fn verify(key: &VerifyingKey<Sha256>, bytes: &[u8], sign: &[u8]) -> bool {
    let Ok(sign) = STANDARD.decode(sign) else { return false };
    let Ok(signature) = Signature::try_from(sign.as_slice()) else { return false };
    key.verify(bytes, &signature).is_ok()
}

#[cfg(test)]
mod tests;
