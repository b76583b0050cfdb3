//! What the dearest messages cost: the operating system ends the process where it takes more memory
//! or more CPU time than it may. The figures of a release build stand in benches/README.md.

#[path = "../../benches/shapes.rs"]
mod shapes;

use std::path::PathBuf;
use std::process::Command;

/// 400 MB in the unit of the shell.
const DATA_KIB_MAX: usize = 400 * 1_000_000 / 1_024;

/// Runs `inspect` under limits of the kernel; gives the kinds that it found.
fn kinds_within(limits: &str, files: &[PathBuf]) -> Vec<String> {
    let output = Command::new("sh")
        .args(["-c", &format!("{limits}; exec \"$@\""), "sh", env!("CARGO_BIN_EXE_bantuan70"), "inspect", "--json"])
        .args(files)
        .current_dir(files[0].parent().unwrap())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["kind"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn fifty_megabytes_of_whatever_take_less_than_400_mb_of_memory() {
    let folder = tempfile::tempdir().unwrap();
    // Those that keep most: a decoded file and what is inside it, ciphertext, many parts, one endless line.
    for name in ["winmail", "encrypted", "named-parts", "one-header"] {
        let (_, make) = shapes::SHAPES.iter().find(|(known, _)| *known == name).unwrap();
        let file = folder.path().join(format!("{name}.eml"));
        std::fs::write(&file, make(50_000_000)).unwrap();
        assert_eq!(kinds_within(&format!("ulimit -d {DATA_KIB_MAX}"), std::slice::from_ref(&file)), ["report"], "{name}");
        std::fs::remove_file(&file).unwrap();
    }
}

#[test]
fn m3_m7_m13_no_shape_of_message_costs_more_than_its_length() {
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<PathBuf> = shapes::SHAPES
        .iter()
        .map(|(name, make)| {
            let file = folder.path().join(format!("{name}.eml"));
            std::fs::write(&file, make(300_000)).unwrap();
            file
        })
        .collect();
    // A square in the length would take minutes for one of them.
    assert_eq!(kinds_within("ulimit -t 120", &files).len(), files.len());
}
