//! The command `plugpull`.

fn main() -> std::process::ExitCode {
    plugpull::main()
}
