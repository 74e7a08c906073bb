//! Signatures of APIv3: SHA-256 with RSA, PKCS#1 v1.5 padding, standard base64, over lines that all end in a line break.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rsa::pkcs1v15::{Signature, SigningKey, VerifyingKey};
use rsa::sha2::Sha256;
use rsa::signature::{SignatureEncoding, Signer, Verifier};

/// The bytes that are signed.
pub(super) fn lines(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len() + 1).sum());
    for part in parts {
        bytes.extend_from_slice(part);
        bytes.push(b'\n');
    }
    bytes
}

/// Signs bytes. Takes milliseconds of the processor.
pub(super) fn sign(key: &SigningKey<Sha256>, bytes: &[u8]) -> Result<String, rsa::signature::Error> {
    key.try_sign(bytes).map(|signature| STANDARD.encode(signature.to_bytes()))
}

/// Whether `sign` is the signature of `bytes`, strictly in base64.
pub(super) fn verify(key: &VerifyingKey<Sha256>, bytes: &[u8], sign: &str) -> bool {
    let Ok(sign) = STANDARD.decode(sign) else { return false };
    let Ok(signature) = Signature::try_from(sign.as_slice()) else { return false };
    key.verify(bytes, &signature).is_ok()
}

#[cfg(test)]
mod tests {
    use rsa::RsaPrivateKey;
    use rsa::pkcs8::DecodePrivateKey;

    use super::super::account::tests::texts;
    use super::*;

    #[test]
    fn every_line_ends_in_a_break_also_the_empty_last_one() {
        assert_eq!(lines(&[b"GET", b"/v3/certificates", b"1", b"n", b""]), b"GET\n/v3/certificates\n1\nn\n\n");
    }

    #[test]
    fn a_signature_holds_for_its_own_bytes_only() {
        let key = SigningKey::<Sha256>::new(RsaPrivateKey::from_pkcs8_pem(&texts().merchant[0].private_key).unwrap());
        let public = VerifyingKey::new(<SigningKey<Sha256> as AsRef<RsaPrivateKey>>::as_ref(&key).to_public_key());
        let sign = sign(&key, b"text").unwrap();
        assert!(verify(&public, b"text", &sign));
        assert!(!verify(&public, b"text\n", &sign) && !verify(&public, b"text", "") && !verify(&public, b"text", &format!(" {sign}")));
    }
}
