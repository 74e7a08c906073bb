//! Encrypted members, certificates and files.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::keys::{Certificate, MerchantKey};
use super::super::resource::{ApiV3Key, Resource};
use super::super::statement::unpacked;
use super::{cases, client_of, document};
use crate::StatementError;
use crate::vectors::file;

#[test]
fn members_are_decrypted_and_their_tag_is_checked() {
    for mut case in cases("resource_decrypt") {
        let resource = Resource {
            algorithm: case.input_text("algorithm"),
            ciphertext: case.input_text("ciphertext"),
            nonce: case.input_text("nonce"),
            associated_data: case.input.text("associated_data"),
        };
        let key = ApiV3Key::new(case.input_text("api_v3_key").as_bytes()).unwrap();
        let text = key.open(&resource).ok().map(|text| String::from_utf8(text).unwrap());
        assert_eq!(text.is_some(), case.expect.is("decrypted"), "{}", case.name);
        assert_eq!(text, case.expect.text("plaintext"), "{}", case.name);
        case.assert_all_read();
    }
}

#[test]
fn lists_of_certificates_are_decrypted() {
    let context = document().context;
    for mut case in cases("certificates_decrypt") {
        let client = client_of(&context, &context.keys, &case.input_text("api_v3_key"));
        let texts = client.texts_of_list(&case.input.body());
        let expected = case.expect.texts("certificates");
        assert_eq!(texts, expected, "{}", case.name);
        for (serial, text) in texts {
            assert_eq!(Certificate::read(&text).unwrap().serial, serial, "{}", case.name);
        }
        case.assert_all_read();
    }
}

#[test]
fn serial_numbers_are_written_as_in_headers() {
    for mut case in cases("cert_serial") {
        let certificate = Certificate::read(&file(&case.input_text("certificate"))).unwrap();
        assert_eq!(certificate.serial, case.expected_text("serial"), "{}", case.name);
        case.assert_all_read();
    }
}

#[test]
fn sensitive_members_are_decrypted() {
    for mut case in cases("oaep_decrypt") {
        let key = MerchantKey::read(&file(&case.input_text("private_key"))).unwrap();
        let text = key.decrypt(&case.input_text("ciphertext")).unwrap();
        assert_eq!(text.expose(), &case.expected_text("plaintext"), "{}", case.name);
        case.assert_all_read();
    }
}

#[test]
fn files_are_compared_with_the_digest_of_what_is_unpacked() {
    for mut case in cases("bill_hash") {
        let bytes = STANDARD.decode(case.input_text("file_base64")).unwrap();
        let (hash_type, hash_value) = (case.input_text("hash_type"), case.input_text("hash_value"));
        let is_packed = case.input.text("tar_type").is_some_and(|tar_type| tar_type == "GZIP");
        let file = unpacked(&bytes, &hash_type, &hash_value);
        if case.expect.is("matches") {
            let file = file.unwrap();
            assert_eq!(file == bytes, !is_packed, "{}", case.name);
            assert!(String::from_utf8(file).unwrap().contains("SO20260305140809000123"), "{}", case.name);
        } else {
            assert_eq!(file, Err(StatementError::OtherFile), "{}", case.name);
        }
        case.assert_all_read();
    }
}
