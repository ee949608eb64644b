// needs:
fn main() {
    println!("hello");
}
