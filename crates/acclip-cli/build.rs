//! Records the commit the program is built from, for the run folders it will make.

use std::process::Command;

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_string())
}

fn main() {
    let commit = git(&["rev-parse", "--short=12", "HEAD"]).map(|commit| {
        let changed = git(&["status", "--porcelain", "--untracked-files=no"]);
        match changed.is_some_and(|files| !files.is_empty()) {
            true => format!("{commit}-dirty"),
            false => commit,
        }
    });
    let commit = commit.unwrap_or_else(|| "unknown".to_string());
    println!("cargo::rustc-env=ACCLIP_COMMIT={commit}");
    // HEAD's reflog grows with every commit, the index with every `git add`.
    for file in ["logs/HEAD", "index"] {
        if let Some(path) = git(&["rev-parse", "--git-path", file]) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    println!("cargo::rerun-if-changed=../../crates");
}
