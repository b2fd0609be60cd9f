use std::sync::Arc;

use anyhow::Context as _;
use gateway_config::TlsSettings;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

/// How upstreams are called over TLS: the platform's certificate authorities, or Mozilla's when the platform has
/// none (a scratch container).
pub(crate) fn client_config() -> anyhow::Result<Arc<ClientConfig>> {
    let provider = provider();
    let builder =
        ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let config = match rustls_platform_verifier::Verifier::new(provider) {
        Ok(verifier) => {
            let verifier: Arc<dyn ServerCertVerifier> = Arc::new(verifier);
            builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
        }
        Err(error) => {
            tracing::warn!(%error, "the platform has no certificate authorities; the built-in ones are used");
            let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
            builder.with_root_certificates(roots).with_no_client_auth()
        }
    };
    Ok(Arc::new(config))
}

/// How clients are answered over TLS. Reads both files.
pub(crate) fn server_config(settings: &TlsSettings) -> anyhow::Result<Arc<ServerConfig>> {
    let chain: Vec<_> = CertificateDer::pem_file_iter(&settings.cert)
        .and_then(Iterator::collect)
        .with_context(|| format!("server.tls.cert: {} is no PEM certificate", settings.cert.display()))?;
    anyhow::ensure!(!chain.is_empty(), "server.tls.cert: {} holds no certificate", settings.cert.display());
    let key = PrivateKeyDer::from_pem_file(&settings.key)
        .with_context(|| format!("server.tls.key: {} is no PEM private key", settings.key.display()))?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("server.tls: certificate and key do not fit together")?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Always named, never the process-wide default: whoever embeds the gateway may have installed another.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// How the gateway calls itself over TLS: it trusts its own certificate and no other, whatever names it bears.
pub(crate) fn own_client_config(settings: &TlsSettings) -> anyhow::Result<ClientConfig> {
    let own = CertificateDer::from_pem_file(&settings.cert)
        .with_context(|| format!("server.tls.cert: {} is no PEM certificate", settings.cert.display()))?;
    let verifier = Arc::new(OwnCertificate { own, provider: provider() });
    Ok(ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}

/// Accepts one certificate.
#[derive(Debug)]
struct OwnCertificate {
    own: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

// === impl OwnCertificate ===

impl ServerCertVerifier for OwnCertificate {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if *end_entity == self.own {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rustls::{ClientConnection, ServerConnection};

    use super::*;

    /// A certificate and its key in a folder.
    fn files(folder: &Path, name: &str) -> TlsSettings {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let settings = TlsSettings { cert: folder.join("cert.pem"), key: folder.join("key.pem") };
        std::fs::write(&settings.cert, made.cert.pem()).unwrap();
        std::fs::write(&settings.key, made.signing_key.serialize_pem()).unwrap();
        settings
    }

    /// Shakes hands in memory; gives the protocol that was agreed on.
    fn shake(client: ClientConfig, server: Arc<ServerConfig>) -> Result<Option<Vec<u8>>, rustls::Error> {
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let mut client = ClientConnection::new(Arc::new(client), name)?;
        let mut server = ServerConnection::new(server)?;
        let mut wire = Vec::new();
        while client.is_handshaking() || server.is_handshaking() {
            wire.clear();
            while client.wants_write() {
                client.write_tls(&mut wire).unwrap();
            }
            let mut sent = wire.as_slice();
            while !sent.is_empty() {
                server.read_tls(&mut sent).unwrap();
                server.process_new_packets()?;
            }
            wire.clear();
            while server.wants_write() {
                server.write_tls(&mut wire).unwrap();
            }
            let mut sent = wire.as_slice();
            while !sent.is_empty() {
                client.read_tls(&mut sent).unwrap();
                client.process_new_packets()?;
            }
        }
        Ok(server.alpn_protocol().map(<[u8]>::to_vec))
    }

    #[test]
    fn the_gateway_trusts_its_own_certificate_whatever_names_it_bears() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path(), "gateway.example");
        shake(own_client_config(&files).unwrap(), server_config(&files).unwrap()).unwrap();
    }

    #[test]
    fn the_gateway_trusts_no_other_certificate() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (ours, theirs) = (files(one.path(), "gateway.example"), files(other.path(), "gateway.example"));
        assert!(shake(own_client_config(&ours).unwrap(), server_config(&theirs).unwrap()).is_err());
    }

    #[test]
    fn http2_is_offered_before_http1() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path(), "localhost");
        let mut client = own_client_config(&files).unwrap();
        client.alpn_protocols = vec![b"http/1.1".to_vec(), b"h2".to_vec()];
        assert_eq!(shake(client, server_config(&files).unwrap()).unwrap().as_deref(), Some(&b"h2"[..]));
    }

    #[test]
    fn files_that_are_no_certificate_or_do_not_fit_are_named() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (good, alien) = (files(one.path(), "a"), files(other.path(), "b"));
        let mixed = TlsSettings { key: alien.key, ..good.clone() };
        assert!(format!("{:#}", server_config(&mixed).unwrap_err()).contains("fit together"));
        std::fs::write(&good.cert, "nonsense").unwrap();
        assert!(format!("{:#}", server_config(&good).unwrap_err()).contains("cert.pem"));
    }

    #[test]
    fn there_is_always_a_way_to_call_upstreams() {
        assert!(client_config().is_ok());
    }
}
