//! `plugpull` as released, plus the planted mistakes that `torture --planted` switches on.

fn main() -> std::process::ExitCode {
    plugpull::main()
}
