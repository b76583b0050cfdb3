//! The command line, thin.

fn main() -> std::process::ExitCode {
    bantuan70::cli::main()
}
