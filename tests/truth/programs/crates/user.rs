// needs: passwd
// crate: uzers = { version = "0.12", default-features = false }
fn main() {
    println!("{}", uzers::get_user_by_name(&std::env::args().nth(1).unwrap()).is_some());
}
