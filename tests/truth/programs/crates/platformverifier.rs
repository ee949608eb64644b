// Verifies as the platform does, which on Linux is by its certificates.
// needs: certs dns
// crate: ureq = { version = "3.1", features = ["platform-verifier"] }
use ureq::tls::{RootCerts, TlsConfig};

fn main() {
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    let agent = ureq::Agent::new_with_config(ureq::Agent::config_builder().tls_config(tls).build());
    println!("{:?}", agent.get(&std::env::args().nth(1).unwrap()).call());
}
