// needs: certs dns
// crate: ureq = { version = "2.12", default-features = false, features = ["native-tls"] }
// crate: native-tls = "0.2"
fn main() {
    let connector = native_tls::TlsConnector::new().unwrap();
    let agent = ureq::AgentBuilder::new().tls_connector(std::sync::Arc::new(connector)).build();
    println!("{:?}", agent.get(&std::env::args().nth(1).unwrap()).call());
}
