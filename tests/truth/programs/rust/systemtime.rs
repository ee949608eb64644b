// needs:
use std::time::SystemTime;

fn main() {
    println!("{:?}", SystemTime::now());
}
