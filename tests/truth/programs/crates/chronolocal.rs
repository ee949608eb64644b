// needs:
// asks: tz
// crate: chrono = "0.4"
fn main() {
    println!("{}", chrono::Local::now());
}
