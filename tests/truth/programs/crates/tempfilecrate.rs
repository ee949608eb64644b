// needs: tmp
// crate: tempfile = "3"
fn main() {
    println!("{:?}", tempfile::tempfile());
}
