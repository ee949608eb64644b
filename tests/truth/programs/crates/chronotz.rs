// Its zones are within it.
// needs:
// crate: chrono = "0.4"
// crate: chrono-tz = "0.10"
fn main() {
    let zone: chrono_tz::Tz = std::env::args().nth(1).unwrap().parse().unwrap();
    println!("{}", chrono::Utc::now().with_timezone(&zone));
}
