// Looks for the system's certificates as most programs of Rust do: with a crate.
fn main() {
    let found = openssl_probe::probe().cert_file.expect("no certificates");
    println!("{} bytes", std::fs::read(found).expect("not readable").len());
}
