//! Who shows the merchant's certificate: a server with TLS that asks everybody for one.

use std::sync::Arc;

use chassis::secret::Secret;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::{DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme};

use super::call;
use crate::http;
use crate::http::server::{next_request, ok};
use crate::wechat_pay::v2::tests::{key_text, settings};
use crate::wechat_pay::v2::transport::{HttpTransport, REFUND_PATH, Transport};
use crate::wechat_pay::v2::{WechatPayV2Config, WechatPayV2Settings};

/// Takes every certificate whose key is proven, and no certificate.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ClientCertVerifier for Anybody {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(&self, _: &CertificateDer<'_>, _: &[CertificateDer<'_>], _: UnixTime) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

fn certificate(file: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(key_text(file).as_bytes()).unwrap()
}

/// The address of a server, and the certificates that were shown to it, one entry a request.
async fn serving() -> (String, UnboundedReceiver<Option<CertificateDer<'static>>>) {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let key = PrivateKeyDer::from_pem_slice(key_text("wechat_platform_private_pkcs8.pem").as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(Arc::new(Anybody(provider)))
        .with_single_cert(vec![certificate("wechat_platform_cert.pem")], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let (sender, shown) = unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, sender) = (acceptor.clone(), sender.clone());
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                while next_request(&mut stream).await.is_some() {
                    let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
                    sender.send(certificates.first().map(|certificate| certificate.clone().into_owned())).unwrap();
                    stream.write_all(&ok("<xml/>")).await.unwrap();
                }
            });
        }
    });
    (url, shown)
}

#[tokio::test]
async fn refunds_alone_show_the_merchant_s_certificate() {
    let (url, mut shown) = serving().await;
    let settings = WechatPayV2Settings {
        base_url: url,
        client_certificate: Some(key_text("wechat_mch_cert.pem")),
        client_key: Some(Secret::new(key_text("wechat_mch_private_pkcs8.pem"))),
        ..settings()
    };
    let config = WechatPayV2Config::new(&settings).unwrap();
    // The server's own certificate is not what this is about, and names no address.
    let transport =
        HttpTransport::with(&config, || http::client(&config.base_url, config.time_limit).tls_danger_accept_invalid_certs(true)).unwrap();
    transport.send(call("/pay/orderquery")).await.unwrap();
    assert_eq!(shown.recv().await.unwrap(), None);
    transport.send(call(REFUND_PATH)).await.unwrap();
    assert_eq!(shown.recv().await.unwrap(), Some(certificate("wechat_mch_cert.pem")));
    transport.send(call("/pay/refundquery")).await.unwrap();
    assert_eq!(shown.recv().await.unwrap(), None);
}

#[tokio::test]
async fn a_server_that_is_not_known_is_told_nothing() {
    let (url, mut shown) = serving().await;
    let settings = WechatPayV2Settings { base_url: url, ..settings() };
    let config = WechatPayV2Config::new(&settings).unwrap();
    let transport = HttpTransport::with(&config, || http::client(&config.base_url, config.time_limit).tls_certs_only([]));
    assert!(transport.unwrap().send(call("/pay/orderquery")).await.is_err());
    assert!(shown.try_recv().is_err());
}
