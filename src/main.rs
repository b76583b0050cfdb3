//! The command line, thin.

fn main() -> std::process::ExitCode {
    if let Some(exit) = bantuan70::extract::sandbox::child() {
        return exit;
    }
    bantuan70::extract::sandbox::enable();
    bantuan70::cli::main()
}
