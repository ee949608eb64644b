// Reads the file by its path.
// needs: passwd
fn main() {
    println!("{}", std::fs::read_to_string("/etc/passwd").unwrap());
}
