# cargo builds a workspace of two crates without a network, runs it and its tests.
# needs: cargo cc
# long
cd "$WORK"
if [ -x "$USER_HOME/.cargo/bin/cargo" ]; then
  export PATH="$USER_HOME/.cargo/bin:$PATH" RUSTUP_HOME="${RUSTUP_HOME:-$USER_HOME/.rustup}"
fi
export CARGO_HOME="$WORK/home" CARGO_NET_OFFLINE=true CARGO_TERM_COLOR=never
mkdir -p app/src lib/src
printf '[workspace]\nmembers = ["app", "lib"]\nresolver = "2"\n' > Cargo.toml
printf '[package]\nname = "lib"\nversion = "0.1.0"\nedition = "2021"\n' > lib/Cargo.toml
printf '[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n[dependencies]\nlib = { path = "../lib" }\n' > app/Cargo.toml
cat > lib/src/lib.rs <<'HERE'
use std::sync::{Arc, Mutex};
/// Counts primes below n with this many threads.
/// ```
/// assert_eq!(lib::primes(100, 4), 25);
/// ```
pub fn primes(n: u32, threads: u32) -> u32 {
    let total = Arc::new(Mutex::new(0));
    let handles: Vec<_> = (0..threads).map(|k| {
        let total = total.clone();
        std::thread::spawn(move || {
            let found = (2..n).filter(|x| x % threads == k && (2..*x).take_while(|d| d * d <= *x).all(|d| x % d != 0)).count();
            *total.lock().unwrap() += found as u32;
        })
    }).collect();
    for handle in handles { handle.join().unwrap(); }
    let found = *total.lock().unwrap();
    found
}
#[cfg(test)]
mod tests {
    #[test] fn small() { assert_eq!(super::primes(10, 3), 4); }
    #[test] #[should_panic] fn panics() { let none: Option<u8> = None; none.unwrap(); }
}
HERE
cat > app/src/main.rs <<'HERE'
use std::{io::Write, process::{Command, Stdio}};
fn main() {
    println!("primes {}", lib::primes(100_000, 8));
    let mut cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    cat.stdin.take().unwrap().write_all(b"through a child").unwrap();
    println!("{}", String::from_utf8(cat.wait_with_output().unwrap().stdout).unwrap());
    std::fs::write("made", "x".repeat(100)).unwrap();
    println!("{}", std::fs::metadata("made").unwrap().len());
    std::process::exit(if std::panic::catch_unwind(|| panic!("caught")).is_err() { 9 } else { 0 });
}
HERE
cargo build -q --offline -j 4; echo "build $?"; ./target/debug/app 2> /dev/null; echo "status $?"
cargo test --offline 2> /dev/null | grep -E '^test .* \.\.\. ' | sed 's/ (line.*) / /' | sort
cargo build -q --offline --release && ./target/release/app 2> /dev/null; echo "status $?"
touch lib/src/lib.rs; cargo build --offline 2>&1 | grep -c Compiling; cargo clean -q --offline; ls
