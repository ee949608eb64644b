// needs: tz
// crate: jiff = "0.2"
fn main() {
    println!("{:?}", jiff::tz::TimeZone::get(&std::env::args().nth(1).unwrap()));
}
