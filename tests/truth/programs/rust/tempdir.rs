// Names the directory and makes nothing there.
// needs:
fn main() {
    println!("{:?}", std::env::temp_dir());
}
