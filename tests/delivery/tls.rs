//! Certificates: what is sent only to who can show the right one.

use std::{
    env, fs,
    io::Write,
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::PrivateKeyDer};

use crate::{
    Sender, arrived,
    receiver::{Receiver, Stream, well},
};

/// Who signs certificates.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A receiver with a certificate for `name`.
    fn receiver(&self, name: &str) -> Receiver {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &self.0).unwrap();
        let chain = vec![certificate.der().clone()];
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap());
        let open = move |stream| -> Box<dyn Stream> {
            Box::new(StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream))
        };
        Receiver::listen(TcpListener::bind("127.0.0.1:0").unwrap(), open, well)
    }
}

/// The same address, spoken to with or without TLS.
fn url(scheme: &str, receiver: &Receiver) -> String {
    format!("{scheme}://127.0.0.1:{}/v1/traces", receiver.address.port())
}

/// Sends five spans; what became of them, and what was said.
fn outcome(url: String, directory: &Path) -> (u64, u64, String) {
    let mut sender = Sender::with_disk(url, directory);
    sender.send(5);
    let counts = sender.counts();
    assert_eq!(counts.sent + counts.spooled, 5, "{counts:?}");
    (counts.sent, counts.spooled, counts.error.unwrap_or_default())
}

/// What the child does, whose environment says which authority to trust; in the parent's run of the test list, nothing.
#[test]
fn role() {
    let (Ok(url), Ok(directory)) = (env::var("TLS_URL"), env::var("TLS_DIRECTORY")) else { return };
    let (sent, spooled, said) = outcome(url, Path::new(&directory));
    fs::write(Path::new(&directory).join("outcome"), format!("{sent} sent, {spooled} on disk. {said}"))
        .unwrap();
}

/// [`outcome`] in a process that trusts `authority`.
fn trusting(authority: &Authority, url: String) -> String {
    let directory = tempfile::tempdir().unwrap();
    let trusted = directory.path().join("authority.pem");
    fs::write(&trusted, authority.0.pem()).unwrap();
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", "tls::role"]).env("TLS_URL", url).env("TLS_DIRECTORY", directory.path());
    let done = child.env("SSL_CERT_FILE", trusted).stdin(Stdio::null()).output().unwrap();
    std::io::stderr().write_all(&done.stderr).unwrap();
    fs::read_to_string(directory.path().join("outcome")).unwrap()
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "only there does a variable say whom to trust")]
fn a_certificate_of_an_authority_that_the_system_trusts_is_good() {
    let authority = Authority::new();
    let receiver = authority.receiver("127.0.0.1");
    assert_eq!(trusting(&authority, url("https", &receiver)), "5 sent, 0 on disk. ");
    assert_eq!(arrived(&receiver), 5);
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "only there does a variable say whom to trust")]
fn a_certificate_for_another_name_is_refused_and_nothing_is_lost() {
    let authority = Authority::new();
    let receiver = authority.receiver("receiver.example");
    let said = trusting(&authority, url("https", &receiver));
    assert!(
        said.starts_with("0 sent, 5 on disk. ") && said.contains("certificate not valid for name"),
        "{said}"
    );
    assert_eq!(receiver.requests(), 0);
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused_and_nothing_is_lost() {
    let receiver = Authority::new().receiver("127.0.0.1");
    let directory = tempfile::tempdir().unwrap();
    let (sent, spooled, said) = outcome(url("https", &receiver), directory.path());
    assert_eq!((sent, spooled), (0, 5));
    assert!(said.contains("UnknownIssuer: this system does not trust who signed"), "{said}");
    assert_eq!(receiver.requests(), 0);
}

#[test]
fn tls_with_who_does_not_speak_it_is_said_and_nothing_is_lost() {
    let plain = Receiver::start(well);
    let directory = tempfile::tempdir().unwrap();
    let (sent, spooled, said) = outcome(url("https", &plain), directory.path());
    assert_eq!((sent, spooled), (0, 5));
    assert!(said.contains("cannot be reached"), "{said}");
}

#[test]
fn plain_http_with_who_wants_tls_is_said_and_nothing_is_lost() {
    let receiver = Authority::new().receiver("127.0.0.1");
    let directory = tempfile::tempdir().unwrap();
    let (sent, spooled, said) = outcome(url("http", &receiver), directory.path());
    assert_eq!((sent, spooled), (0, 5));
    assert!(said.contains("cannot be reached"), "{said}");
}
