// needs: tmp
fn main() {
    let path = std::env::temp_dir().join("truth");
    println!("{:?}", std::fs::File::create(path).unwrap());
}
