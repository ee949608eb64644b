// needs:
use std::collections::HashMap;

fn main() {
    let made = std::thread::spawn(|| HashMap::from([(1, "one")]));
    println!("{:?}", made.join().unwrap());
}
