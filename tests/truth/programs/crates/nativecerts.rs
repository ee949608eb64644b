// needs: certs dns
// crate: ureq = { version = "2.12", features = ["native-certs"] }
fn main() {
    println!("{:?}", ureq::get(&std::env::args().nth(1).unwrap()).call());
}
