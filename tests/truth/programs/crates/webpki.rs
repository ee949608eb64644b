// Its roots are within it.
// needs: dns
// crate: ureq = "2.12"
fn main() {
    println!("{:?}", ureq::get(&std::env::args().nth(1).unwrap()).call());
}
