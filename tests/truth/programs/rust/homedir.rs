// needs:
// asks: passwd
fn main() {
    println!("{:?}", std::env::home_dir());
}
